// The tracing server as a process: the store, the webhook, the sources and whatever is mounted, in the order in which they start and drain.
// Owns that order; refuses flags (the command's) and content (the mounts').
import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { Effect, Schema } from "effect"
import { type Clockwork, machineClockwork } from "#kube"
import { listen, type ServerTls } from "#net"
import { holdDirectory } from "#storage"
import type { TracingConfig } from "../config/TracingConfig.ts"
import { type AuditSetting, tracedVerbs } from "../ingest/AuditFacts.ts"
import { AuditRoute } from "../ingest/AuditRoute.ts"
import { defaultFilter, Filter, objectPath } from "../ingest/Filter.ts"
import { Kinds } from "../model/Kinds.ts"
import { defaultLinkRules } from "../model/LinkRules.ts"
import { Links } from "../model/Links.ts"
import { defaultMetricRules, RequestMetrics } from "../observe/RequestMetrics.ts"
import { ServerMetrics } from "../observe/ServerMetrics.ts"
import { type CollectorOptions, openExporter } from "../otlp/OpenExporter.ts"
import { LmdbSegmentsAdapter } from "../store/LmdbSegmentsAdapter.ts"
import { LmdbSpanStore, type LmdbSpanStoreOptions } from "../store/LmdbSpanStore.ts"
import type { SpanStore } from "../store/SpanStore.ts"
import type { Access } from "./Access.ts"
import { mounts } from "./Mounts.ts"
import { MountedParts } from "./MountedParts.ts"
import type { MakeMount } from "./Route.ts"
import { openSources } from "./ServeSources.ts"
import { openDump, openForward } from "./ServeCopies.ts"
import { guarded, tracingHandler } from "./TracingServer.ts"

export interface ServeTracingOptions {
  readonly host: string
  readonly port: number
  readonly dataDir: string
  readonly access: Access
  /** Undefined: without TLS. */
  readonly tls: ServerTls | undefined
  readonly config: TracingConfig
  /** Seconds of a window; fixed for the life of a data directory. */
  readonly windowSeconds: number
  readonly bounds: Omit<LmdbSpanStoreOptions, "clockwork" | "disk" | "windowSeconds">
  /** Default: all of Mounts.ts, with the shipped display modes. */
  readonly mounts?: ReadonlyArray<MakeMount>
  /** Where everything is exported to as it becomes known. */
  readonly collector?: CollectorOptions
  readonly say: (line: string) => void
}

export interface RunningTracing {
  readonly url: string
  readonly port: number
  readonly store: SpanStore
  readonly isReady: () => boolean
}

/** The store's folder cannot be used. */
export class TracingStoreUnavailable extends Schema.TaggedError<TracingStoreUnavailable>()("TracingStoreUnavailable", {
  directory: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `data directory ${this.directory}: ${this.detail}`
  }
}

const DRAIN_MS = 5000
const MAP_SIZE_BYTES = 2 ** 40

/** Opens the store in a folder for the life of the scope. */
export const openTracingStore = Effect.fnUntraced(function* (options: {
  readonly dataDir: string
  readonly windowSeconds: number
  readonly bounds: ServeTracingOptions["bounds"]
  readonly clockwork?: Clockwork
  readonly compress?: boolean
}) {
  const { bounds, clockwork = machineClockwork, compress = true, dataDir, windowSeconds } = options
  const refuse = (error: unknown) =>
    new TracingStoreUnavailable({ directory: dataDir, detail: error instanceof Error ? error.message : String(error) })
  yield* Effect.try({
    try: () => void (existsSync(dataDir) || mkdirSync(dataDir, { recursive: true, mode: 0o700 })),
    catch: refuse
  })
  yield* holdDirectory(dataDir).pipe(Effect.mapError(refuse))
  const disk = yield* Effect.acquireRelease(
    Effect.try({
      try: () => new LmdbSegmentsAdapter({ directory: dataDir, windowSeconds, mapSizeBytes: MAP_SIZE_BYTES, compress }),
      catch: refuse
    }),
    (opened) => Effect.promise(() => opened.close())
  )
  return yield* Effect.acquireRelease(
    Effect.try({ try: () => new LmdbSpanStore({ ...bounds, clockwork, disk, windowSeconds }), catch: refuse }),
    (store) => Effect.callback<void>((resume) => store.stop(() => resume(Effect.void)))
  )
})

/** How audit events and objects are read, as configured. */
export const ingestSetting = (config: TracingConfig, windowSeconds: number): AuditSetting => {
  const { filters = {}, kinds: extra = [], links, redact = [] } = config
  const kinds = new Kinds(extra)
  const rules =
    links === undefined
      ? defaultLinkRules
      : links.withDefaults === false
        ? links.rules
        : [...defaultLinkRules, ...links.rules]
  const patterns = redact.map((pattern) => new RegExp(pattern))
  return {
    kinds,
    links: new Links(rules, kinds, windowSeconds),
    filter: new Filter({
      excludeTypes: filters.excludeTypes ?? defaultFilter.excludeTypes,
      excludeUserAgents: filters.excludeUserAgents ?? defaultFilter.excludeUserAgents,
      excludeRegex: filters.excludeRegex === undefined ? undefined : new RegExp(filters.excludeRegex)
    }),
    verbs: tracedVerbs,
    redacts: (key, version) => patterns.some((pattern) => pattern.test(objectPath(key, version)))
  }
}

/** Serves until the scope closes; it listens when it returns. */
export const serveTracing = Effect.fn("tracing.serve")(function* (options: ServeTracingOptions) {
  const { access, config, host, port, say, tls, windowSeconds } = options
  const clockwork = machineClockwork
  const onDefect = (defect: unknown): void =>
    say(`defect: ${defect instanceof Error ? (defect.stack ?? defect.message) : String(defect)}`)
  const store = yield* openTracingStore(options)
  const dump = yield* openDump(config, say)
  const setting = { ...ingestSetting(config, windowSeconds), ...(dump === undefined ? {} : { dump: dump.add }) }
  const forward = yield* openForward(config, clockwork)
  const metrics = new ServerMetrics()
  const requests = new RequestMetrics(config.requestMetrics ?? defaultMetricRules)
  const named = config.clusters?.map(({ name }) => name)
  const clusters = named === undefined ? undefined : new Set(named)
  const byAddress = new Map(
    (config.clusters ?? []).flatMap(({ name, peerAddresses = [] }) =>
      peerAddresses.map((address) => [address, name] as const)
    )
  )
  const sent = forward === undefined ? {} : { forward }
  const webhook = { store, clockwork, setting, metrics, requests, clusters, byAddress, ...sent }
  const audits = [new AuditRoute(webhook), new AuditRoute(webhook, "/audit")]
  const parts = new MountedParts(options.mounts ?? mounts(), { store, clockwork, onDefect })
  const mounted = parts.whole
  yield* Effect.addFinalizer(() => Effect.sync(() => parts.stop()))
  const state = { draining: false, synced: () => false }
  const unready = (): string | undefined =>
    state.draining ? "shutting down" : state.synced() ? undefined : "the watched resources were not listed yet"
  const exchange = tracingHandler({
    access,
    routes: [...audits, ...mounted.flatMap(({ routes }) => routes)],
    granted: (grants) => parts.granted(grants).flatMap(({ routes }) => routes),
    metrics: () =>
      metrics.text(store.stats()) +
      requests.text() +
      (forward?.metrics() ?? "") +
      (dump?.metrics() ?? "") +
      mounted.map((part) => part.metrics?.() ?? "").join(""),
    unready,
    onDefect
  })
  const methods = mounted
    .flatMap((part) => part.methods)
    .map((method) => guarded(method, access, (grants) => parts.method(grants, method.path)))
  if (options.collector !== undefined) yield* openExporter(store, options.collector, clockwork)
  const listening = yield* listen({ host, port, methods, exchange, onDefect, ...(tls === undefined ? {} : { tls }) })
  const sources = yield* openSources(config, { store, setting, metrics, requests, dataDir: join(options.dataDir), say })
  state.synced = sources.hasSynced
  yield* Effect.addFinalizer(() => {
    state.draining = true
    return listening.drain(DRAIN_MS)
  })
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host
  const running: RunningTracing = {
    url: `${tls === undefined ? "http" : "https"}://${reachable}:${listening.port}`,
    port: listening.port,
    store,
    isReady: () => unready() === undefined
  }
  return running
})
