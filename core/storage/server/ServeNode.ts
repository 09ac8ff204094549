// One of several equal nodes on a shared engine, as a process: engine, node, sockets, and the order in which it goes.
// Owns start and leave: leadership is handed over first, then what clients have open is drained. Refuses flags and the log.
import { tmpdir } from "node:os"
import { Effect } from "effect"
import { machineClockwork } from "#kube"
import { connect } from "#net"
import type { AuthOptions } from "../auth/AuthStore.ts"
import type { Engine } from "../engine/Engine.ts"
import type { Dial } from "../nodes/LeaderLink.ts"
import { StorageNode } from "../nodes/StorageNode.ts"
import { makeSnapshotFiles } from "../snapshot/SnapshotFileAdapter.ts"
import type { EtcdConfig } from "./EtcdConfig.ts"
import { httpApi } from "./HttpApi.ts"
import { openListeners } from "./Listeners.ts"
import { peerTarget } from "./PeerTls.ts"

/** How soon a silent connection between nodes is found dead, in milliseconds. */
const PEER_KEEPALIVE = { intervalMs: 10_000, timeoutMs: 5000 }

/** Between looks for a leader before clients are let in. */
const LEADER_LOOK = "10 millis"
/** A term is at least this long, whatever the election timeout: an engine across a network takes its time. */
const TERM_MIN_MS = 1000

/** Connects to other nodes for as long as the scope is open. */
const peerDial = Effect.fnUntraced(function* (config: EtcdConfig) {
  const context = yield* Effect.context()
  const scope = yield* Effect.scope
  const fork = (effect: Effect.Effect<void>): void => void Effect.runForkWith(context)(Effect.forkIn(effect, scope))
  const dial: Dial = (url, opened, lost) => {
    const stay = Effect.gen(function* () {
      let over: () => void = lost
      const onClose = (): void => over()
      const client = yield* connect({ ...peerTarget(config, url), keepalive: PEER_KEEPALIVE, onClose })
      opened(client)
      yield* Effect.callback<void>((resume) => {
        over = () => resume(Effect.sync(lost))
        if (!client.ready) over()
      })
    })
    fork(
      stay.pipe(
        Effect.scoped,
        Effect.catch(() => Effect.sync(() => opened(undefined)))
      )
    )
  }
  return dial
})

const openNode = Effect.fnUntraced(function* (config: EtcdConfig, engine: Engine, auth: AuthOptions) {
  const dial = yield* peerDial(config)
  const advertised = { name: config.name, peerUrls: config.advertisePeer, clientUrls: config.advertiseClient }
  const options = {
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
    snapshotFiles: makeSnapshotFiles(() => tmpdir()),
    termMs: Math.max(TERM_MIN_MS, config.electionMs),
    dial
  }
  return yield* Effect.acquireRelease(
    Effect.callback<StorageNode>((resume) =>
      StorageNode.open(engine, machineClockwork, options, (node) => resume(Effect.succeed(node)))
    ),
    (node) => Effect.sync(() => node.stop())
  )
})

/** Serves a node until interrupted; `ready` is told what it serves on. */
export const serveNode = Effect.fnUntraced(function* (
  config: EtcdConfig,
  engine: Engine,
  auth: AuthOptions,
  ready: (fields: Readonly<Record<string, unknown>>) => Effect.Effect<void>
) {
  const node = yield* openNode(config, engine, auth)
  // After a leader that went without notice this takes the rest of its term.
  while (!node.hasLeader) yield* Effect.sleep(LEADER_LOOK)
  // The sockets have a scope of their own: while they drain, the engine and the way to the leader must go on.
  return yield* Effect.scoped(serveSockets(config, node, ready))
})

const serveSockets = Effect.fnUntraced(function* (
  config: EtcdConfig,
  node: StorageNode,
  ready: (fields: Readonly<Record<string, unknown>>) => Effect.Effect<void>
) {
  const addresses = yield* openListeners(config, ({ isDraining, stats }) => ({
    methods: node.methods,
    peerMethods: node.peerMethods,
    http: httpApi(node.storage, stats, () => !isDraining() && node.hasLeader, node)
  }))
  yield* ready({ backend: config.backend, revision: node.storage.store.revision, addresses })
  // What waits for a leader meanwhile is answered by the next one.
  const leave = Effect.callback<void>((resume) => node.leave(() => resume(Effect.void)))
  return yield* Effect.onInterrupt(Effect.never, () => leave)
})
