// The store as a process: engine, services, sockets, signals and log, from a checked configuration.
// Owns start order and drain order; refuses to read flags. Nothing is acknowledged after the listeners have drained.
import { createWriteStream, existsSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Deferred, Effect, Layer, Logger, References } from "effect"
import { parseAuthToken } from "../auth/TokenOptions.ts"
import type { AuthOptions } from "../auth/AuthStore.ts"
import type { Engine } from "../engine/Engine.ts"
import { openLmdbEngine } from "../engine/LmdbEngine.ts"
import { makeMemoryEngine } from "../engine/MemoryEngine.ts"
import { machineClockwork } from "#kube"
import type { EtcdConfig } from "./EtcdConfig.ts"
import { BadFlag } from "./EtcdFlags.ts"
import { forwardingMethods, keepConnected, type Upstream } from "./Forwarding.ts"
import { frontHttpApi, httpApi } from "./HttpApi.ts"
import { openListeners } from "./Listeners.ts"
import { makeSnapshotFiles } from "../snapshot/SnapshotFileAdapter.ts"
import { stopAtSecondInterrupt } from "./SignalsAdapter.ts"
import { serveNode } from "./ServeNode.ts"
import { Storage } from "./Storage.ts"
import { openTikvEngine } from "../tikv/OpenTikvEngine.ts"
import { zapLogger } from "./ZapLogger.ts"

const openEngine = Effect.fnUntraced(function* (config: EtcdConfig) {
  const { backend, name, tikv } = config
  if (backend === "tikv") return yield* openTikvEngine({ ...tikv, node: name }, machineClockwork)
  return backend === "memory"
    ? makeMemoryEngine({ defer: machineClockwork.defer, clock: machineClockwork.now })
    : yield* openLmdbEngine({ directory: join(config.dataDir, "store"), sync: config.sync })
})

/** Whether this member holds the store: it has one already, or the cluster begins and it is the first by name. */
const holdsStore = (config: EtcdConfig): boolean => {
  if (config.initialCluster.length < 2 || existsSync(join(config.dataDir, "store"))) return true
  const [first] = config.initialCluster.map(({ name }) => name).sort()
  return config.initialState === "new" && first === config.name
}

const readKeyFile = (path: string): Uint8Array | undefined => {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

const caller = { caller: "server/ServeStorage.ts" }

/** Serves until interrupted; then drains and closes everything. */
export const serveStorage = Effect.fn("storage.serve")(function* (config: EtcdConfig) {
  if (config.unused.length > 0) {
    yield* Effect.logWarning("flags that mean nothing to this store are ignored").pipe(
      Effect.annotateLogs({ ...caller, flags: config.unused.map((name) => `--${name}`) })
    )
  }
  yield* stopAtSecondInterrupt
  // On a shared engine every member is a node of its own.
  if (config.backend === "tikv") return yield* serveOwn(config)
  if (config.initialCluster.length > 1) {
    yield* Effect.logWarning("one member holds the data and the others forward to it: nothing is replicated").pipe(
      Effect.annotateLogs({ ...caller, members: config.initialCluster.map(({ name }) => name) })
    )
  }
  return yield* holdsStore(config) ? serveOwn(config) : serveFront(config)
})

const makeStorage = (config: EtcdConfig, engine: Engine, auth: AuthOptions): Storage => {
  const advertised = { name: config.name, peerUrls: config.advertisePeer, clientUrls: config.advertiseClient }
  return new Storage(engine, machineClockwork, {
    limits: {
      txnOpsMax: config.txnOpsMax,
      requestBytesMax: config.requestBytesMax,
      progressIntervalMs: config.progressIntervalMs
    },
    quotaBytes: config.quotaBytes,
    minLeaseTtlSeconds: config.minLeaseTtlSeconds,
    autoCompaction: config.autoCompaction,
    auth,
    identity: config.identity,
    member: () => advertised,
    snapshotFiles: makeSnapshotFiles(() => (config.backend === "lmdb" ? config.dataDir : tmpdir())),
    others: config.initialCluster
      .filter(({ name }) => name !== config.name)
      .map(({ id, peerUrls }) => ({ id, name: "", peerUrls, clientUrls: [], isLearner: false }))
  })
}

/** The member that holds the store. */
const serveOwn = Effect.fnUntraced(function* (config: EtcdConfig) {
  const token = parseAuthToken(config.authToken, config.authTokenTtlSeconds, readKeyFile)
  if (token instanceof BadFlag) return yield* token
  const auth = { token, bcryptCost: config.bcryptCost, clientCertAuth: config.tls.clientAuth }
  const engine: Engine = yield* openEngine(config)
  if (engine.shared === true) return yield* serveNode(config, engine, auth, (fields) => announceReady(config, fields))
  const storage = yield* Effect.acquireRelease(
    Effect.sync(() => makeStorage(config, engine, auth)),
    (running) => Effect.sync(() => running.stop())
  )
  const { members, methods, peerMethods } = storage
  const addresses = yield* openListeners(config, ({ isDraining, stats }) => ({
    methods,
    peerMethods: members.list.length > 1 ? [...methods, ...peerMethods] : undefined,
    http: httpApi(storage, stats, () => !isDraining())
  }))
  yield* announceReady(config, { backend: config.backend, revision: storage.store.revision, addresses })
  return yield* Effect.never
})

/** A member in front of the store: it is ready when it has found the one that holds it. */
const serveFront = Effect.fnUntraced(function* (config: EtcdConfig) {
  const upstream: Upstream = { client: undefined }
  const found = yield* Deferred.make<void>()
  yield* Effect.forkScoped(
    keepConnected(config, upstream, (url) =>
      Effect.logInfo("found the member that holds the store").pipe(
        Effect.annotateLogs({ ...caller, url }),
        Effect.andThen(Deferred.succeed(found, undefined)),
        Effect.asVoid
      )
    )
  )
  yield* Deferred.await(found)
  const startedAtMs = machineClockwork.now()
  const addresses = yield* openListeners(config, ({ isDraining, stats }) => ({
    methods: forwardingMethods(upstream),
    peerMethods: undefined,
    http: frontHttpApi(stats, () => !isDraining() && upstream.client !== undefined, startedAtMs)
  }))
  yield* announceReady(config, { forwarding: true, addresses })
  return yield* Effect.never
})

const announceReady = (config: EtcdConfig, fields: Readonly<Record<string, unknown>>) =>
  Effect.logInfo("ready to serve client requests").pipe(
    Effect.annotateLogs({ ...caller, ...fields, "data-dir": config.dataDir })
  )

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
