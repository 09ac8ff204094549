// `wharf gateway`: what can be done with a gateway's manifests without serving: print the CRDs, and judge manifests.
// Owns the command line and the report's lines; refuses the judgement (lint/). Exit code 1 when something is refused or, with --strict,
// when anything at all was found.
import { readFileSync } from "node:fs"
import { Console, Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { stringify } from "yaml"
import { ApiFailure, type Client, gvr, httpClient, type KubeObject, loadAccess, machineClockwork } from "#kube"
import { secretKey } from "../decode/SecretRefs.ts"
import { ConfigStore } from "../config/ConfigStore.ts"
import { noFeatures } from "../decode/DecodeFeatures.ts"
import { lintClusters, type LintFinding } from "../lint/LintClusters.ts"
import { metricTable } from "../observe/MetricTable.ts"
import { gatewayCrds, upstreamClusters } from "../schema/GatewayCrds.ts"
import { ManifestInvalid, type Manifests, parseManifests } from "../source/ManifestText.ts"

/** Manifests cannot be had. */
export class LintFailed extends Schema.TaggedError<LintFailed>()("LintFailed", { message: Schema.String }) {}

/** Something was found that must be mended. */
export class LintFound extends Schema.TaggedError<LintFound>()("LintFound", { message: Schema.String }) {}

const crdsCommand = Command.make("crds", {}, () =>
  Console.log(
    gatewayCrds
      .map((crd) => `---\n${stringify(crd)}`)
      .join("")
      .trimEnd()
  )
).pipe(
  Command.withDescription("Print the CustomResourceDefinitions that `serve gateway --kubeconfig` reads"),
  Command.withExamples([
    {
      command: "wharf gateway crds | kubectl apply --server-side -f -",
      description: "lets any API server hold clusters"
    }
  ])
)

const readFiles = (files: ReadonlyArray<string>) =>
  Effect.forEach(files, (file) =>
    Effect.try({
      try: () => {
        const manifests = parseManifests(readFileSync(file, "utf8"))
        if (manifests instanceof ManifestInvalid) throw manifests
        return manifests
      },
      catch: (error) =>
        new LintFailed({ message: `${file}: ${error instanceof ManifestInvalid ? error.message : "cannot be read"}` })
    })
  ).pipe(
    Effect.map((all): Manifests => ({
      clusters: all.flatMap(({ clusters }) => clusters),
      secrets: all.flatMap(({ secrets }) => secrets)
    }))
  )

const asked = <A>(ask: (done: (answer: A | ApiFailure) => void) => void) =>
  Effect.callback<A, LintFailed>((resume) =>
    ask((answer) =>
      resume(
        answer instanceof ApiFailure ? Effect.fail(new LintFailed({ message: answer.message })) : Effect.succeed(answer)
      )
    )
  )

/** The secrets that clusters name, as far as they can be read. */
const readSecrets = (client: Client, clusters: ReadonlyArray<KubeObject>) => {
  const store = new ConfigStore({ clockwork: machineClockwork, features: noFeatures })
  for (const cluster of clusters) store.put(cluster)
  return Effect.forEach(store.secretRefs(), (place) =>
    asked<KubeObject>((done) => client.get({ resource: gvr("", "v1", "secrets"), ...place }, {}, done)).pipe(
      Effect.tapError(({ message }) => Console.error(`${secretKey(place)}: ${message}`)),
      Effect.option
    )
  ).pipe(Effect.map((found) => found.flatMap((one) => (Option.isSome(one) ? [one.value] : []))))
}

const readApi = Effect.fnUntraced(function* (kubeconfig: string) {
  const access = yield* loadAccess({ kubeconfig })
  const client = yield* httpClient({ access, userAgent: "wharf-gateway-lint" })
  const { items } = yield* asked<{ readonly items: ReadonlyArray<KubeObject> }>((done) =>
    client.list({ resource: upstreamClusters, namespace: "" }, {}, done)
  )
  const manifests: Manifests = { clusters: items, secrets: yield* readSecrets(client, items) }
  return manifests
}, Effect.scoped)

const lineOf = ({ cluster, level, message }: LintFinding): string => `${cluster}: ${level}: ${message}`

const lint = Effect.fn("gateway.lint")(function* (given: {
  readonly files: ReadonlyArray<string>
  readonly kubeconfig: Option.Option<string>
  readonly json: boolean
  readonly strict: boolean
}) {
  const { files, json, kubeconfig, strict } = given
  if (files.length === 0 && Option.isNone(kubeconfig))
    return yield* new LintFailed({ message: "name files, or an API server by --kubeconfig" })
  const fromFiles = yield* readFiles(files)
  const fromApi = Option.isSome(kubeconfig) ? yield* readApi(kubeconfig.value) : { clusters: [], secrets: [] }
  const clusters = [...fromFiles.clusters, ...fromApi.clusters]
  const findings = lintClusters(clusters, [...fromFiles.secrets, ...fromApi.secrets], machineClockwork)
  if (json) yield* Console.log(JSON.stringify(findings, undefined, 2))
  else for (const finding of findings) yield* Console.log(lineOf(finding))
  const errors = findings.filter(({ level }) => level === "error").length
  if (!json)
    yield* Console.log(`${clusters.length} clusters, ${errors} errors, ${findings.length - errors} other findings`)
  if (errors > 0 || (strict && findings.length > 0))
    return yield* new LintFound({ message: `${strict ? findings.length : errors} findings must be mended` })
})

const lintFlags = {
  files: Argument.String("files").pipe(
    Argument.withDescription("YAML or JSON files of UpstreamClusters and Secrets"),
    Argument.variadic()
  ),
  kubeconfig: Flag.String("kubeconfig").pipe(
    Flag.withDescription("Judge the clusters of the API server that this file names"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print the findings as JSON"), Flag.withDefault(false)),
  strict: Flag.Boolean("strict").pipe(Flag.withDescription("Fail on any finding"), Flag.withDefault(false))
}

const lintCommand = Command.make("lint", lintFlags, lint).pipe(
  Command.withDescription(
    "Judge UpstreamClusters: what is refused, and which rules mean something else than in KubeGateway"
  ),
  Command.withExamples([
    { command: "wharf gateway lint cluster.yaml", description: "each finding is one line" },
    { command: "wharf gateway lint --kubeconfig admin.conf --strict", description: "fails when anything was found" }
  ])
)

const metricsCommand = Command.make("metrics", {}, () => Console.log(metricTable())).pipe(
  Command.withDescription("Print every metric of gateway and limiter with its labels, as a Markdown table"),
  Command.withExamples([{ command: "wharf gateway metrics", description: "what /metrics can show" }])
)

/** `wharf gateway`. */
export const gatewayCommand = Command.make("gateway").pipe(
  Command.withDescription("Look at the manifests of a gateway"),
  Command.withExamples([{ command: "wharf gateway lint cluster.yaml", description: "before it is applied" }]),
  Command.withSubcommands([crdsCommand, lintCommand, metricsCommand])
)
