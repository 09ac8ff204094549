// `wharf federation join` and `leave`: a member's kubeconfig becomes a Secret and a FederatedCluster on the host, and goes again.
// Owns these two objects' making; the join itself is the cluster controller's. Credentials go into the Secret and are never shown.
import { readFileSync } from "node:fs"
import { Console, Effect, Option, Schema } from "effect"
import { Argument, CliError, Command, Flag } from "effect/cli"
import { effectClient, httpClient, type JsonObject, type KubeAccess, loadAccess, type PemSource } from "#kube"
import {
  FEDERATION_API_VERSION,
  federationAnnotations,
  federationResources,
  SYSTEM_NAMESPACE
} from "../api/FederationNames.ts"
import { secrets } from "../clusters/JoinCluster.ts"
import { memberSecretKeys } from "../clusters/MemberConnectionAdapter.ts"
import { ensure, MANAGER } from "../HostCalls.ts"

/** A member cannot join with what its kubeconfig has; `message` says what is missing. */
export class JoinRefused extends Schema.TaggedError<JoinRefused>()("JoinRefused", { message: Schema.String }) {}

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

const hostFlags = {
  hostKubeconfig: text("host-kubeconfig", "The federation's host; default: as kubectl finds it"),
  hostContext: text("host-context", "Context in that kubeconfig; by default its current one")
}

const name = Argument.String("name").pipe(Argument.withDescription("The FederatedCluster"))

const joinFlags = {
  name,
  kubeconfig: Flag.String("kubeconfig").pipe(Flag.withDescription("The member, and an administrator there")),
  context: text("context", "Context in that kubeconfig; by default its current one"),
  useServiceAccount: Flag.Boolean("use-service-account").pipe(
    Flag.withDescription("Make a service account in the member and use it from then on"),
    Flag.withDefault(false)
  ),
  labels: text("labels", "Labels of the FederatedCluster: key=value, separated by commas"),
  ...hostFlags
}

const pemText = (source: PemSource): string => ("text" in source ? source.text : readFileSync(source.file, "utf8"))

const base64 = (value: string): string => Buffer.from(value).toString("base64")

const dataOf = ({ cluster, user }: KubeAccess): JsonObject => ({
  ...(cluster.certificateAuthority && { [memberSecretKeys.authority]: base64(pemText(cluster.certificateAuthority)) }),
  ...(user.certificate && { [memberSecretKeys.certificate]: base64(pemText(user.certificate)) }),
  ...(user.key && { [memberSecretKeys.key]: base64(pemText(user.key)) }),
  ...(user.token !== undefined && { [memberSecretKeys.token]: base64(user.token) })
})

const labelsOf = Effect.fnUntraced(function* (given: string | undefined) {
  const pairs = (given ?? "").split(",").filter((pair) => pair !== "")
  const wrong = pairs.find((pair) => !pair.includes("="))
  if (wrong !== undefined) {
    const userMessage = `--labels ${wrong}: must be key=value`
    return yield* new CliError.UserError({ cause: new Error(userMessage), userMessage })
  }
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]))
})

const hostClient = Effect.fnUntraced(function* ({
  hostContext,
  hostKubeconfig
}: {
  readonly hostContext: string | undefined
  readonly hostKubeconfig: string | undefined
}) {
  const access = yield* loadAccess({
    ...(hostKubeconfig && { kubeconfig: hostKubeconfig }),
    ...(hostContext && { context: hostContext })
  })
  return effectClient(yield* httpClient({ access, userAgent: "wharf" }))
})

const clusters = federationResources.clusters

const join = Effect.fn("federation.join")(function* (given: Command.Command.Config.Infer<typeof joinFlags>) {
  const access = yield* loadAccess({ kubeconfig: given.kubeconfig, ...(given.context && { context: given.context }) })
  const data = dataOf(access)
  if (data[memberSecretKeys.token] === undefined && data[memberSecretKeys.certificate] === undefined) {
    return yield* new JoinRefused({
      message: `${given.kubeconfig}: the user must have a token or a client certificate`
    })
  }
  const labels = yield* labelsOf(given.labels)
  const host = yield* hostClient(given)
  const secretName = `${given.name}-credentials`
  const target = { resource: secrets, namespace: SYSTEM_NAMESPACE, name: secretName }
  yield* ensure(host, target, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: secretName, namespace: SYSTEM_NAMESPACE },
    data
  })
  yield* host.patch(target, { type: "merge", body: { data } }, MANAGER)
  yield* host.create(
    { resource: clusters, namespace: "" },
    {
      apiVersion: FEDERATION_API_VERSION,
      kind: "FederatedCluster",
      metadata: { name: given.name, labels },
      spec: {
        apiEndpoint: access.cluster.server,
        insecure: access.cluster.insecureSkipTlsVerify,
        useServiceAccount: given.useServiceAccount,
        secretRef: { name: secretName }
      }
    },
    MANAGER
  )
  yield* Console.log(`federatedcluster/${given.name} created; it joins as soon as the federation has reached it`)
}, Effect.scoped)

const leaveFlags = {
  name,
  cascade: Flag.Boolean("cascade").pipe(
    Flag.withDescription("Delete everything in the member that the federation brought there"),
    Flag.withDefault(false)
  ),
  ...hostFlags
}

const leave = Effect.fn("federation.leave")(function* (given: Command.Command.Config.Infer<typeof leaveFlags>) {
  const host = yield* hostClient(given)
  const target = { resource: clusters, namespace: "", name: given.name }
  if (given.cascade) {
    const body = { metadata: { annotations: { [federationAnnotations.cascadingDelete]: "true" } } }
    yield* host.patch(target, { type: "merge", body }, MANAGER)
  }
  yield* host.delete(target)
  yield* Console.log(`federatedcluster/${given.name} is leaving`)
}, Effect.scoped)

/** `wharf federation`. */
export const federationCommand = Command.make("federation").pipe(
  Command.withDescription("Manage the members of a federation"),
  Command.withExamples([
    {
      command: "wharf federation join east --kubeconfig east.conf --host-kubeconfig host/admin.conf",
      description: "a cluster becomes a member"
    }
  ]),
  Command.withSubcommands([
    Command.make("join", joinFlags, join).pipe(
      Command.withDescription("Make a cluster a member"),
      Command.withExamples([
        {
          command: "wharf federation join east --kubeconfig east.conf --host-kubeconfig host/admin.conf",
          description: "By the current context of east.conf"
        }
      ])
    ),
    Command.make("leave", leaveFlags, leave).pipe(
      Command.withDescription("Let a member go"),
      Command.withExamples([
        {
          command: "wharf federation leave east --cascade --host-kubeconfig host/admin.conf",
          description: "And delete there what the federation brought"
        }
      ])
    )
  ])
)
