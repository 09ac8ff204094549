// The federation as a process: its host, which is an API server of its own or any that a kubeconfig names, what it installs there, and the
// controllers while this process leads.
// Owns the order in which they start and drain; refuses flags, which the command reads.
import { randomBytes } from "node:crypto"
import { hostname } from "node:os"
import { Effect } from "effect"
import { inProcessClient, type RunningApiServer, serveApiServer, type ServerOptions, versionInfo } from "#apiserver"
import {
  type ApiFailure,
  type Cancel,
  type Client,
  effectClient,
  electLeader,
  httpClient,
  type KubeAccess,
  type LabelSelector,
  machineClockwork
} from "#kube"
import { type HttpHandler, listen, textResponse } from "#net"
import { federationDefinitions } from "../api/FederationDefinitions.ts"
import { SYSTEM_NAMESPACE } from "../api/FederationNames.ts"
import type { ClusterTimes } from "../clusters/ClusterController.ts"
import { connectMember } from "../clusters/MemberConnectionAdapter.ts"
import type { MirroredEvents } from "../events/MemberEvents.ts"
import type { EvictionOptions } from "../failover/EvictionBudget.ts"
import { type Federation, makeFederation } from "../Federation.ts"
import { pluginTransport } from "../scheduling/PluginTransportAdapter.ts"
import type { SemanticsTable } from "../semantics/SemanticsTable.ts"
import type { Shard } from "../shards/HashRing.ts"
import { federationMetrics } from "./FederationMetrics.ts"
import { installKinds, installObjects } from "./Install.ts"

/** What keeps a host of our own: garbage collection, namespaces and their like; the answer stops it. */
export type HostControllers = (host: { readonly client: Client; readonly running: RunningApiServer }) => Cancel

/** An HPA controller over the fleet as one cluster; the answer stops it. */
export type StartAutoscaler = (view: Client) => Cancel

/** The host is this process's own API server, or another one. */
export type HostOptions =
  | { readonly server: ServerOptions; readonly controllers: HostControllers }
  | { readonly access: KubeAccess; readonly listen: { readonly host: string; readonly port: number } | undefined }

export interface ServeFederationOptions {
  readonly host: HostOptions
  readonly times: ClusterTimes
  readonly shard: Shard
  readonly deletionWaitMs: number
  readonly evictions: EvictionOptions
  readonly mirroredEvents: MirroredEvents
  readonly excludedNamespaces?: RegExp
  readonly excludedNodes: ReadonlyArray<LabelSelector>
  readonly semantics: SemanticsTable
  /** Starts an HPA controller over the fleet as one cluster. */
  readonly autoscaler?: StartAutoscaler
}

export interface RunningFederation {
  /** Of the host; for a foreign one, where health and metrics are served, or empty. */
  readonly url: string
  /** The administrator's kubeconfig of a host of our own. */
  readonly kubeconfig: string | undefined
  readonly federation: () => Federation | undefined
}

const caller = { caller: "federation/ServeFederation.ts" }
const USER = { name: "system:kubeadmiral", groups: ["system:masters", "system:authenticated"] }
/** How long open requests may take to end when the process is asked to stop, in milliseconds. */
const DRAIN_MS = 5000
/** Failures of one controller within this time are one line of the log. */
const LOG_EACH_MS = 10_000

/** What runs now; health and metrics look at it. */
interface State {
  federation: Federation | undefined
  leads: boolean
}

const problemOf = ({ federation, leads }: State): string | undefined =>
  leads && federation?.hasSynced() !== true ? "the host's objects are not all known yet" : undefined

const metricsOf = ({ federation, leads }: State): string =>
  `# HELP federation_leads Whether this process leads.\n# TYPE federation_leads gauge\nfederation_leads ${leads ? 1 : 0}\n${
    federation === undefined ? "" : federationMetrics(federation.stats())
  }`

/** Opens the host of our own, with what keeps it. */
const openOwnHost = Effect.fnUntraced(function* (
  options: Extract<HostOptions, { readonly server: ServerOptions }>,
  state: State
) {
  const running = yield* serveApiServer({
    ...options.server,
    extensions: {
      ...options.server.extensions,
      definitions: [...options.server.extensions.definitions, ...federationDefinitions()],
      checks: [{ name: "federation", readinessOnly: true, check: () => problemOf(state) }],
      metrics: [() => metricsOf(state)]
    }
  })
  const client = inProcessClient(running.api, USER)
  yield* Effect.acquireRelease(
    Effect.sync(() => options.controllers({ client, running })),
    (stop) => Effect.sync(stop)
  )
  return { client, url: running.url, kubeconfig: running.kubeconfig }
})

const pages =
  (state: State): HttpHandler =>
  ({ method, path }) => {
    if (method !== "GET" && method !== "HEAD") return textResponse(405, "method not allowed\n")
    const [name = ""] = path.split("?", 1)
    if (name === "/livez" || name === "/healthz") return textResponse(200, "ok")
    if (name === "/metrics") return textResponse(200, metricsOf(state))
    if (name === "/version") {
      return { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(versionInfo) }
    }
    if (name !== "/readyz") return textResponse(404, "404 page not found\n")
    const problem = problemOf(state)
    return problem === undefined ? textResponse(200, "ok") : textResponse(503, `${problem}\n`)
  }

/** Reaches a host that is somebody else's, and installs our kinds there. */
const openForeignHost = Effect.fnUntraced(function* (
  options: Extract<HostOptions, { readonly access: KubeAccess }>,
  state: State
) {
  const client = yield* httpClient({ access: options.access, userAgent: "kubewharf-federation" })
  yield* installKinds(effectClient(client))
  if (options.listen === undefined) return { client, url: "", kubeconfig: undefined }
  const { host, port } = options.listen
  const listening = yield* listen({ host, port, methods: [], http: pages(state), onDefect: () => undefined })
  yield* Effect.addFinalizer(() => listening.drain(DRAIN_MS))
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host
  return { client, url: `http://${reachable}:${listening.port}`, kubeconfig: undefined }
})

/** Writes failures as warnings, of each controller one within a while. */
const failureLog = Effect.map(Effect.context(), (context) => {
  const run = Effect.runForkWith(context)
  const lastMs = new Map<string, number>()
  return (controller: string, key: string, failure: ApiFailure): void => {
    const now = machineClockwork.monotonic()
    if (now - (lastMs.get(controller) ?? -Infinity) < LOG_EACH_MS) return
    lastMs.set(controller, now)
    const about = key === "" ? controller : `${controller} ${key}`
    run(Effect.logWarning(`${about} is tried again: ${failure.message}`).pipe(Effect.annotateLogs(caller)))
  }
})

/** Runs the controllers while this process leads; each time they are new ones, because none starts twice. */
const lead = Effect.fnUntraced(function* (
  client: Client,
  { shard }: ServeFederationOptions,
  state: State,
  make: () => Federation
) {
  const suffix = shard.count === 1 ? "" : `-${shard.index}-of-${shard.count}`
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      electLeader({
        clockwork: machineClockwork,
        client,
        namespace: SYSTEM_NAMESPACE,
        name: `kubeadmiral-controller-manager${suffix}`,
        identity: `${hostname()}-${process.pid}-${randomBytes(4).toString("hex")}`,
        started: () => {
          state.leads = true
          state.federation = make()
          state.federation.start()
        },
        stopped: () => {
          state.leads = false
          state.federation?.stop()
          state.federation = undefined
        }
      })
    ),
    // A lease that is given up is on its way when the connections close.
    (cancel) => Effect.andThen(Effect.sync(cancel), Effect.sleep("100 millis"))
  )
})

/** Serves until the scope closes; the host answers when it returns. */
export const serveFederation = Effect.fn("federation.serve")(function* (options: ServeFederationOptions) {
  const state: State = { federation: undefined, leads: false }
  const { host } = options
  const onFailure = yield* failureLog
  const opened = "server" in host ? yield* openOwnHost(host, state) : yield* openForeignHost(host, state)
  const { client, kubeconfig, url } = opened
  yield* installObjects(effectClient(client))
  yield* lead(client, options, state, () =>
    makeFederation({
      clockwork: machineClockwork,
      host: client,
      connect: connectMember,
      transport: pluginTransport,
      semantics: options.semantics,
      ...(options.autoscaler === undefined ? {} : { autoscaler: options.autoscaler }),
      times: options.times,
      shard: options.shard,
      deletionWaitMs: options.deletionWaitMs,
      evictions: options.evictions,
      mirroredEvents: options.mirroredEvents,
      excludedNodes: options.excludedNodes,
      ...(options.excludedNamespaces === undefined ? {} : { excludedNamespaces: options.excludedNamespaces }),
      onFailure
    })
  )
  const running: RunningFederation = { url, kubeconfig, federation: () => state.federation }
  return running
})
