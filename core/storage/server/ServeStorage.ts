// The store as a process: engine, services, sockets, signals and log, from a checked configuration.
// Owns start order and drain order; refuses to read flags. Nothing is acknowledged after the listeners have drained.
import { createWriteStream } from "node:fs"
import { join } from "node:path"
import { Effect, Layer, Logger, References } from "effect"
import { listen, type ListenOptions, type ListenStats, type ServerTls } from "#net"
import { openLmdbEngine } from "../engine/LmdbEngine.ts"
import { makeMemoryEngine } from "../engine/MemoryEngine.ts"
import { machineClockwork } from "./ClockworkAdapter.ts"
import type { EtcdConfig, ListenUrl } from "./EtcdConfig.ts"
import { httpApi } from "./HttpApi.ts"
import { Storage } from "./Storage.ts"
import { zapLogger } from "./ZapLogger.ts"

/** How long open calls may take to end when the process is asked to stop. */
const DRAIN_MS = 2000

const openEngine = (config: EtcdConfig) =>
  config.backend === "memory"
    ? Effect.succeed(makeMemoryEngine({ defer: machineClockwork.defer, clock: machineClockwork.now }))
    : openLmdbEngine({ directory: join(config.dataDir, "store"), sync: config.sync })

const tlsOf = ({ tls }: EtcdConfig): ServerTls => ({
  certFile: tls.certFile,
  keyFile: tls.keyFile,
  ...(tls.caFile === "" ? {} : { caFile: tls.caFile }),
  clientAuth: tls.clientAuth
})

const listenOptions = (config: EtcdConfig, url: ListenUrl): Omit<ListenOptions, "methods"> => ({
  // etcd's localhost is IPv4; the resolver's first answer may not be.
  host: url.host === "localhost" || url.host === "" ? (url.host === "" ? "0.0.0.0" : "127.0.0.1") : url.host,
  port: url.port,
  ...(url.unixPath === undefined ? {} : { unixPath: url.unixPath }),
  ...(url.secure ? { tls: tlsOf(config) } : {}),
  maxReceiveMessageBytes: config.requestBytesMax + 512 * 1024,
  maxConcurrentStreams: config.streamsMax,
  reusePort: config.reusePort,
  keepalive: config.keepalive
})

const noStats: ListenStats = {
  connectionsAccepted: 0,
  streamsOpened: 0,
  streamsActive: 0,
  bytesReceived: 0,
  bytesSent: 0
}

/** Serves until interrupted; then drains and closes everything. */
export const serveStorage = Effect.fn("storage.serve")(function* (config: EtcdConfig) {
  const caller = { caller: "server/ServeStorage.ts" }
  if (config.unused.length > 0) {
    yield* Effect.logWarning("flags that mean nothing to this store are ignored").pipe(
      Effect.annotateLogs({ ...caller, flags: config.unused.map((name) => `--${name}`) })
    )
  }
  const engine = yield* openEngine(config)
  const advertised = { name: config.name, peerUrls: config.advertisePeer, clientUrls: config.advertiseClient }
  const storage = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Storage(engine, machineClockwork, {
          limits: {
            txnOpsMax: config.txnOpsMax,
            requestBytesMax: config.requestBytesMax,
            progressIntervalMs: config.progressIntervalMs
          },
          quotaBytes: config.quotaBytes,
          minLeaseTtlSeconds: config.minLeaseTtlSeconds,
          autoCompaction: config.autoCompaction,
          auth: { token: config.authToken, tokenTtlSeconds: config.authTokenTtlSeconds, bcryptCost: config.bcryptCost },
          identity: config.identity,
          member: () => advertised
        })
    ),
    (running) => Effect.sync(() => running.stop())
  )
  let draining = false
  let wire = () => noStats
  const http = httpApi(
    storage,
    () => wire(),
    () => !draining
  )
  const listeners = yield* Effect.forEach(config.listenClient, (url) =>
    listen({ ...listenOptions(config, url), methods: storage.methods, http })
  )
  const metricsListeners = yield* Effect.forEach(config.listenMetrics, (url) =>
    listen({ ...listenOptions(config, url), methods: [], http })
  )
  wire = () => listeners.map((listener) => listener.stats()).reduce(addStats, noStats)
  yield* Effect.addFinalizer(() => {
    draining = true
    return Effect.forEach([...listeners, ...metricsListeners], (listener) => listener.drain(DRAIN_MS), {
      concurrency: "unbounded"
    })
  })
  yield* Effect.logInfo("ready to serve client requests").pipe(
    Effect.annotateLogs({
      ...caller,
      backend: config.backend,
      "data-dir": config.dataDir,
      revision: storage.store.revision,
      addresses: listeners.map((listener) => `${listener.host}:${listener.port}`)
    })
  )
  return yield* Effect.never
})

const addStats = (a: ListenStats, b: ListenStats): ListenStats => ({
  connectionsAccepted: a.connectionsAccepted + b.connectionsAccepted,
  streamsOpened: a.streamsOpened + b.streamsOpened,
  streamsActive: a.streamsActive + b.streamsActive,
  bytesReceived: a.bytesReceived + b.bytesReceived,
  bytesSent: a.bytesSent + b.bytesSent
})

const levelOf = (level: string) =>
  level === "debug"
    ? "Debug"
    : level === "info"
      ? "Info"
      : level === "warn"
        ? "Warn"
        : level === "error"
          ? "Error"
          : "Fatal"

/** The log as configured: etcd's lines on the configured outputs, at the configured level. */
export const serveLog = (config: EtcdConfig) => {
  const outputs = config.logOutputs.map((output) =>
    output === "stdout"
      ? process.stdout
      : output === "default" || output === "stderr"
        ? process.stderr
        : createWriteStream(output, { flags: "a" })
  )
  const write = (line: string): void => {
    for (const output of outputs) output.write(line)
  }
  return Layer.mergeAll(
    Logger.layer([zapLogger(write, config.logFormat)]),
    Layer.succeed(References.MinimumLogLevel, levelOf(config.logLevel))
  )
}
