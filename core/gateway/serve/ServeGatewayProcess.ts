// A gateway as a process: configuration, statuses, limits, observers and the data path, in the order in which they start and end.
// Owns the joining; refuses flags (the command's) and each part's own rules.
import { Effect } from "effect"
import type { ServerExtensions } from "#apiserver"
import { type ApiFailure, machineClockwork } from "#kube"
import { type ClientTls, type HttpExchangeHandler, listen } from "#net"
import { machineDial } from "../balance/DialAdapter.ts"
import { ConfigStore } from "../config/ConfigStore.ts"
import type { FeatureGates } from "../config/UpstreamCluster.ts"
import { LimiterClient } from "../global/LimiterClient.ts"
import { limiterDial } from "../global/LimiterDial.ts"
import { Limits } from "../limits/Limits.ts"
import type { GatewayObserver } from "../observe/GatewayObserver.ts"
import { LoadPressure, type LoadThresholds } from "../proxy/LoadPressure.ts"
import { type RunningGateway, serveGateway } from "../proxy/ServeGateway.ts"
import { StatusReporter } from "../source/StatusReporter.ts"
import { adminHandler } from "./AdminHandler.ts"
import { gatewayChecks, gatewayPages, type GatewayParts } from "./GatewayPages.ts"
import { type ConfigChoice, openConfig, type OpenConfig } from "./ServeConfig.ts"
import { type OwnIdentity, ownIdentity, type OwnIdentityOptions } from "./ServeIdentity.ts"
import { type ObserverSettings, openObserver } from "./ServeObservers.ts"

export interface GatewayProcessOptions extends OwnIdentityOptions {
  readonly config: ConfigChoice
  readonly host: string
  /** The first and any further one; 0 takes any free port. */
  readonly proxyPorts: readonly [number, ...ReadonlyArray<number>]
  /** Of the gateway's own pages where it has no control plane; undefined: none. */
  readonly adminPort: number | undefined
  readonly features: FeatureGates
  readonly goAwayChance: number
  /** Beyond which that chance holds; all 0: always. */
  readonly loadThresholds: LoadThresholds
  /** Further ports of the gateway's own pages, or of its control plane. */
  readonly moreAdminPorts: ReadonlyArray<number>
  /** Whether other processes listen on the same ports. */
  readonly reusePort: boolean
  /** This gateway's name in statuses, other than every other one's. */
  readonly name: string
  readonly drainMs: number
  readonly observers: ObserverSettings
  /** Where limits across gateways come from; undefined: every limit is this gateway's own. */
  readonly limiter: LimiterSettings | undefined
}

export interface LimiterSettings {
  /** HOST:PORT each. */
  readonly servers: readonly [string, ...ReadonlyArray<string>]
  /** This gateway, other than every other one. */
  readonly instance: string
  /** Undefined: without TLS. */
  readonly tls: ClientTls | undefined
  readonly token: (() => string | undefined) | undefined
}

/** A gateway that serves. */
export interface GatewayProcess {
  readonly store: ConfigStore
  readonly config: OpenConfig
  readonly proxy: RunningGateway
  /** Of the admin pages where there is no control plane. */
  readonly adminPort: number | undefined
  /** PEM of who vouches for the gateway's own certificate, where it was made. */
  readonly ca: string | undefined
  /** Whether the configuration was read and every endpoint looked at. */
  readonly isReady: () => boolean
}

/** Parts that others ask for before they are there. */
interface Late {
  reporter: StatusReporter | undefined
  config: OpenConfig | undefined
  proxy: RunningGateway | undefined
  observer: GatewayObserver | undefined
  draining: boolean
}

const partsOf = (store: ConfigStore, late: Late): GatewayParts => ({
  store,
  reporter: () => late.reporter,
  isSynced: () => late.config?.source.isSynced() === true,
  isChecked: () => {
    store.flush()
    return late.proxy !== undefined && [...late.proxy.directory.runtimes.values()].every(({ checked }) => checked)
  },
  isDraining: () => late.draining
})

/** The pages as a control plane of our own serves them. */
const extensionsOf = (parts: GatewayParts, metrics: () => string): Omit<ServerExtensions, "definitions"> => ({
  checks: gatewayChecks(parts),
  metrics: [metrics],
  pages: new Map(
    Array.from(gatewayPages(parts), ([name, page]) => [
      `/debug/${name}`,
      () => ({ contentType: "application/json", body: `${JSON.stringify(page(), undefined, 2)}\n` })
    ])
  )
})

const logVerdicts = (store: ConfigStore, say: (line: string) => void): void => {
  const said = new Map<string, string>()
  store.onVerdict(({ message, name, reason, serving }) => {
    const line = `UpstreamCluster ${name}: ${reason}, generation ${serving?.generation ?? "none"} serves${message === "" ? "" : `: ${message}`}`
    if (said.get(name) === line) return
    said.set(name, line)
    say(line)
  })
  store.onSwap(() => {
    for (const name of said.keys()) if (store.verdict(name) === undefined) said.delete(name)
  })
}

const openReporter = (store: ConfigStore, { client }: OpenConfig, gateway: string, say: (line: string) => void) => {
  const onFailure = (failure: ApiFailure): void => say(`status: ${failure.message}`)
  return Effect.acquireRelease(
    Effect.sync(() => new StatusReporter({ store, clockwork: machineClockwork, client, gateway, onFailure })),
    (reporter) => Effect.sync(() => reporter.stop())
  )
}

/** The limiter's client, and the limits that ask it. */
const openLimits = Effect.fnUntraced(function* (store: ConfigStore, settings: LimiterSettings | undefined) {
  const clockwork = machineClockwork
  const client =
    settings === undefined
      ? undefined
      : yield* Effect.acquireRelease(
          Effect.sync(() => {
            const { instance, servers, tls, token } = settings
            const transport = limiterDial({ dial: machineDial, tls, ...(token === undefined ? {} : { token }) })
            return new LimiterClient({ clockwork, transport, instance, servers })
          }),
          (opened) => Effect.sync(() => opened.stop())
        )
  const limits = yield* Effect.acquireRelease(
    Effect.sync(() => new Limits({ clockwork, snapshots: store, ...(client === undefined ? {} : { global: client }) })),
    (opened) => Effect.sync(() => opened.stop())
  )
  return { client, limits }
})

const openAdmin = (
  options: GatewayProcessOptions,
  identity: OwnIdentity,
  exchange: HttpExchangeHandler,
  onDefect: (defect: unknown) => void
) => {
  const { adminPort, config, host, moreAdminPorts, reusePort } = options
  if (adminPort === undefined || config.kind === "own") return Effect.void
  const { adminCa, proxy } = identity
  const ca = adminCa === "" ? {} : { ca: adminCa }
  const tls = { context: () => ({ cert: proxy.cert, key: proxy.key, ...ca }), clientAuth: "optional" as const }
  const open = (port: number) => listen({ host, port, methods: [], exchange, onDefect, reusePort, tls })
  return Effect.map(Effect.forEach([adminPort, ...moreAdminPorts], open), ([first]) => first)
}

/** Starts everything; it ends with the scope, open requests first. */
export const runGateway = Effect.fn("gateway.process")(function* (
  options: GatewayProcessOptions,
  say: (line: string) => void
) {
  const { features, goAwayChance, host, loadThresholds, observers, proxyPorts, reusePort } = options
  const store = new ConfigStore({ clockwork: machineClockwork, features })
  const late: Late = { reporter: undefined, config: undefined, proxy: undefined, observer: undefined, draining: false }
  const parts = partsOf(store, late)
  const metrics = (): string => late.observer?.text() ?? ""
  const onDefect = (defect: unknown): void =>
    say(`defect: ${defect instanceof Error ? (defect.stack ?? defect.message) : String(defect)}`)
  const identity = yield* ownIdentity(options)
  logVerdicts(store, say)
  const config = yield* openConfig(options.config, { store, extensions: extensionsOf(parts, metrics), say })
  late.config = config
  const reporter = yield* openReporter(store, config, options.name, say)
  late.reporter = reporter
  const { client, limits: admission } = yield* openLimits(store, options.limiter)
  const observer = yield* openObserver(observers, admission, client)
  late.observer = observer
  const goAway = yield* Effect.acquireRelease(
    Effect.sync(() => new LoadPressure(machineClockwork, goAwayChance, loadThresholds, () => observer.work())),
    (opened) => Effect.sync(() => opened.stop())
  )
  const pages = adminHandler({ parts, metrics, clientCa: identity.adminCa, names: options.hosts })
  const [port, ...morePorts] = proxyPorts
  const proxy = yield* serveGateway({
    host,
    port,
    morePorts,
    snapshots: store,
    own: identity.proxy,
    admission,
    observer,
    reports: {
      report: (cluster, endpoint, state) => {
        if (!state.healthy) observer.unhealthy(cluster, endpoint, state.reason)
        reporter.report(cluster, endpoint, state)
      }
    },
    others: pages,
    goAway,
    reusePort,
    onDefect
  })
  late.proxy = proxy
  yield* Effect.addFinalizer(() => {
    late.draining = true
    return proxy.drain(options.drainMs)
  })
  const admin = yield* openAdmin(options, identity, pages, onDefect)
  const running: GatewayProcess = {
    store,
    config,
    proxy,
    adminPort: admin?.port,
    ca: identity.ca,
    isReady: () => gatewayChecks(parts).every(({ check }) => check() === undefined)
  }
  return running
})
