// A gateway as a process: configuration, statuses, limits and the data path, in the order in which they start and end.
// Owns the joining; refuses flags (the command's) and each part's own rules.
import { readFileSync } from "node:fs"
import { Effect, Schema } from "effect"
import { clusterCertificates, type ServerExtensions } from "#apiserver"
import { type ApiFailure, machineClockwork } from "#kube"
import type { TlsIdentity } from "#net"
import { ConfigStore } from "../config/ConfigStore.ts"
import type { FeatureGates } from "../config/UpstreamCluster.ts"
import { Limits } from "../limits/Limits.ts"
import { type RunningGateway, serveGateway } from "../proxy/ServeGateway.ts"
import { StatusReporter } from "../source/StatusReporter.ts"
import { gatewayChecks, gatewayPages } from "./GatewayPages.ts"
import { serveAdmin } from "./ServeAdmin.ts"
import { type ConfigChoice, openConfig, type OpenConfig } from "./ServeConfig.ts"

export interface GatewayProcessOptions {
  readonly config: ConfigChoice
  readonly host: string
  /** The first and any further one; 0 takes any free port. */
  readonly proxyPorts: readonly [number, ...Array<number>]
  /** Of the gateway's own pages where it has no control plane; undefined: none. */
  readonly adminPort: number | undefined
  /** The gateway's own certificate; undefined: one is made. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  /** Where a certificate that is made is kept; undefined: nowhere. */
  readonly certDir: string | undefined
  readonly hosts: ReadonlyArray<string>
  readonly clientCaFile: string | undefined
  readonly features: FeatureGates
  readonly goAwayChance: number
  readonly drainMs: number
}

/** A gateway that serves. */
export interface GatewayProcess {
  readonly store: ConfigStore
  readonly config: OpenConfig
  readonly proxies: ReadonlyArray<RunningGateway>
  /** Of the admin pages where there is no control plane. */
  readonly adminPort: number | undefined
  /** PEM of who vouches for the gateway's own certificate, where it was made. */
  readonly ca: string | undefined
}

/** A file of the command line that cannot be used. */
export class GatewayFileInvalid extends Schema.TaggedError<GatewayFileInvalid>()("GatewayFileInvalid", {
  message: Schema.String
}) {}

const readPem = (option: string, file: string): Effect.Effect<string, GatewayFileInvalid> =>
  Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: () => new GatewayFileInvalid({ message: `--${option} ${file}: cannot be read` })
  })

interface OwnIdentity {
  /** For clients: authorities are those of --client-ca-file alone. */
  readonly proxy: TlsIdentity
  /** PEM of who makes administrators: that authority, and the one that was made. */
  readonly adminCa: string
  readonly ca: string | undefined
}

const ownIdentity = Effect.fnUntraced(function* (options: GatewayProcessOptions) {
  const { certDir, clientCaFile, hosts, tls } = options
  const clientCa = clientCaFile === undefined ? undefined : yield* readPem("client-ca-file", clientCaFile)
  const withCa = clientCa === undefined ? {} : { ca: clientCa }
  if (tls !== undefined) {
    const cert = yield* readPem("tls-cert-file", tls.certFile)
    const key = yield* readPem("tls-private-key-file", tls.keyFile)
    return { proxy: { cert, key, ...withCa }, adminCa: clientCa ?? "", ca: undefined } satisfies OwnIdentity
  }
  const made = yield* clusterCertificates({ directory: certDir, hosts: ["localhost", "127.0.0.1", ...hosts] })
  const identity: OwnIdentity = {
    proxy: { ...made.server, ...withCa },
    adminCa: `${made.ca}${clientCa ?? ""}`,
    ca: made.ca
  }
  return identity
})

interface Late {
  reporter: StatusReporter | undefined
  config: OpenConfig | undefined
  proxies: ReadonlyArray<RunningGateway>
  draining: boolean
}

const extensionsOf = (store: ConfigStore, late: Late): Omit<ServerExtensions, "definitions"> => {
  const parts = {
    store,
    reporter: () => late.reporter,
    isSynced: () => late.config?.source.isSynced() === true,
    isChecked: () => {
      store.flush()
      return late.proxies.every(({ directory }) => [...directory.runtimes.values()].every(({ checked }) => checked))
    },
    isDraining: () => late.draining
  }
  return { checks: gatewayChecks(parts), pages: gatewayPages(parts), metrics: [] }
}

const openReporter = Effect.fnUntraced(function* (
  store: ConfigStore,
  { client }: OpenConfig,
  say: (line: string) => void
) {
  const onFailure = (failure: ApiFailure): void => say(`status: ${failure.message}`)
  return yield* Effect.acquireRelease(
    Effect.sync(() => new StatusReporter({ store, clockwork: machineClockwork, client, onFailure })),
    (reporter) => Effect.sync(() => reporter.stop())
  )
})

/** Starts everything; it ends with the scope, open requests first. */
export const runGateway = Effect.fn("gateway.process")(function* (
  options: GatewayProcessOptions,
  say: (line: string) => void
) {
  const store = new ConfigStore({ clockwork: machineClockwork, features: options.features })
  const late: Late = { reporter: undefined, config: undefined, proxies: [], draining: false }
  const extensions = extensionsOf(store, late)
  const identity = yield* ownIdentity(options)
  store.onVerdict(({ message, name, reason, serving }) => {
    if (reason !== "Accepted" || message !== "") say(`UpstreamCluster ${name}: ${reason}: ${message}`)
    else say(`UpstreamCluster ${name}: generation ${serving?.generation ?? 0} serves`)
  })
  const config = yield* openConfig(options.config, { store, extensions, say })
  late.config = config
  const reporter = yield* openReporter(store, config, say)
  late.reporter = reporter
  const limits = yield* Effect.acquireRelease(
    Effect.sync(() => new Limits({ clockwork: machineClockwork, snapshots: store })),
    (opened) => Effect.sync(() => opened.stop())
  )
  const onDefect = (defect: unknown): void =>
    say(`defect: ${defect instanceof Error ? (defect.stack ?? defect.message) : String(defect)}`)
  const proxies: Array<RunningGateway> = []
  for (const port of options.proxyPorts)
    proxies.push(
      yield* serveGateway({
        host: options.host,
        port,
        snapshots: store,
        own: identity.proxy,
        admission: limits,
        reports: reporter,
        goAwayChance: options.goAwayChance,
        onDefect
      })
    )
  late.proxies = proxies
  yield* Effect.addFinalizer(() => {
    late.draining = true
    return Effect.forEach(proxies, ({ drain }) => drain(options.drainMs), { concurrency: "unbounded", discard: true })
  })
  const { adminPort, host } = options
  const admin =
    config.control !== undefined || adminPort === undefined
      ? undefined
      : yield* serveAdmin({
          ...extensions,
          host,
          port: adminPort,
          identity: identity.proxy,
          client: config.client,
          clientCa: identity.adminCa,
          onDefect
        })
  const running: GatewayProcess = { store, config, proxies, adminPort: admin?.port, ca: identity.ca }
  return running
})
