// `--target kubeconfig`: an existing cluster, in namespaces that the run makes and labels, and that are deleted when it ends, also by Ctrl-C.
// Owns who may be touched: a context that looks like production is refused unless the command line says --yes.
import { ApiFailure, type Client, gvr, httpClient, type KubeAccess, loadAccess } from "#kube"
import { Clock, Effect, Random, type Scope } from "effect"
import { RUN_LABEL } from "../world/OwnNamespaces.ts"
import { type RealTarget, TargetRefused } from "./RealTarget.ts"

export interface KubeconfigChoice {
  readonly kubeconfig: string
  readonly context: string | undefined
  /** Whether a cluster that looks like production may be used all the same. */
  readonly yes: boolean
}

const namespaces = { resource: gvr("", "v1", "namespaces"), namespace: "" }
const LOOK_MS = 500
/** How long deleted namespaces are waited for. */
const GONE_WITHIN_MS = 120_000
const PRODUCTION = /(^|[^a-z0-9])(prod|production|prd|live)([^a-z0-9]|$)/i

/** What of a cluster's names looks like production; undefined when nothing does. */
export const looksLikeProduction = (names: ReadonlyArray<string | undefined>): string | undefined =>
  names.find((name) => name !== undefined && PRODUCTION.test(name))

const refused = (reason: string) => new TargetRefused({ reason })

const asked = <A>(ask: (done: (answer: A | ApiFailure) => void) => void): Effect.Effect<A, TargetRefused> =>
  Effect.callback<A, TargetRefused>((resume) =>
    ask((answer) => resume(answer instanceof ApiFailure ? refused(answer.message) : Effect.succeed(answer)))
  )

const ownNamespaces = (client: Client, run: string) =>
  asked<{ readonly items: ReadonlyArray<{ readonly metadata: { readonly name?: string } }> }>((done) =>
    client.list(namespaces, { labelSelector: `${RUN_LABEL}=${run}` }, done)
  ).pipe(Effect.map(({ items }) => items.flatMap(({ metadata }) => metadata.name ?? [])))

/** Deletes every namespace of the run and waits until they are gone. */
const cleanUp = (client: Client, run: string) =>
  Effect.gen(function* () {
    const untilMs = (yield* Clock.currentTimeMillis) + GONE_WITHIN_MS
    for (const name of yield* ownNamespaces(client, run))
      yield* asked((done) => client.delete({ ...namespaces, name }, {}, done)).pipe(Effect.ignore)
    while ((yield* Clock.currentTimeMillis) < untilMs) {
      const left = yield* ownNamespaces(client, run)
      if (left.length === 0) return
      yield* Effect.sleep(LOOK_MS)
    }
    yield* Effect.logWarning(`namespaces with the label ${RUN_LABEL}=${run} are still being deleted`)
  }).pipe(
    Effect.catch(({ message }) =>
      Effect.logWarning(`namespaces with the label ${RUN_LABEL}=${run} may be left: ${message}`)
    )
  )

const clientOf = (access: KubeAccess): Effect.Effect<Client, never, Scope.Scope> =>
  httpClient({ access, userAgent: "wharf/run" })

/** The target of a kubeconfig. */
export const kubeconfigTarget = ({ context, kubeconfig, yes }: KubeconfigChoice): RealTarget => ({
  kind: "kubeconfig",
  name: context ?? "kubeconfig",
  version: "of the cluster",
  open: Effect.fn("scenarios.kubeconfigTarget.open")(function* ({ scenario }, cluster) {
    const chosen = context === undefined ? {} : { context }
    const access = yield* loadAccess({ kubeconfig, ...chosen }).pipe(Effect.mapError(({ message }) => refused(message)))
    const alarming = looksLikeProduction([context, access.cluster.server, kubeconfig])
    if (alarming !== undefined && !yes)
      return yield* refused(`${alarming} looks like production; say --yes to run there all the same`)
    const client = yield* clientOf(access)
    const run = (yield* Random.nextIntBetween(0, 36 ** 6)).toString(36).padStart(6, "0")
    // Whether the cluster answers is known before anything is promised.
    yield* ownNamespaces(client, run)
    yield* Effect.addFinalizer(() => cleanUp(client, run))
    return {
      kubeconfig,
      ...chosen,
      run,
      binds: cluster.scheduler === "one-pass",
      obey: () => Effect.void,
      samplers: [],
      backend: {
        name: context ?? "kubeconfig",
        version: "unknown",
        settings: { server: new URL(access.cluster.server).host, scenario: scenario.name, run },
        durable: true
      }
    }
  })
})
