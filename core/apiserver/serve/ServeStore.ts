// The store behind a server of this process: in memory, or in a directory that a restart finds again.
// Owns opening and closing it; refuses the store's own services, which `wharf serve storage` has.
import { join } from "node:path"
import { Effect } from "effect"
import { machineClockwork } from "#kube"
import { makeMemoryEngine, openLmdbEngine, Storage } from "#storage"
import type { KeyValue } from "../store/KeyValue.ts"
import { storageKeyValue } from "../store/StorageKeyValue.ts"

export interface StoreOptions {
  /** Undefined keeps everything in memory. */
  readonly dataDir: string | undefined
  /** Whether each commit waits for the disk. */
  readonly sync: boolean
}

/** Nobody asks an embedded store for snapshots over the wire. */
const noSnapshots = {
  create: (done: (error: Error | undefined, file: undefined) => void) =>
    done(new Error("this store is embedded in an API server"), undefined)
}

const embedded = {
  limits: { txnOpsMax: 128, requestBytesMax: 3 * 1024 * 1024, progressIntervalMs: 600_000 },
  quotaBytes: 0,
  minLeaseTtlSeconds: 2,
  // The API server decides when its past is forgotten.
  autoCompaction: { mode: "periodic", retention: 0 },
  auth: { token: { kind: "simple", ttlSeconds: 300 }, bcryptCost: 10 },
  identity: { clusterId: 1, memberId: 1, term: 1 },
  member: () => ({ name: "embedded", peerUrls: [], clientUrls: [] }),
  snapshotFiles: noSnapshots
} as const

/** Opens the store; it closes with the scope, after everything that was begun before has ended. */
export const openStore = Effect.fnUntraced(function* ({ dataDir, sync }: StoreOptions) {
  const { defer, now } = machineClockwork
  const engine =
    dataDir === undefined
      ? makeMemoryEngine({ defer, clock: now })
      : yield* openLmdbEngine({ directory: join(dataDir, "store"), sync })
  const storage = yield* Effect.acquireRelease(
    Effect.sync(() => new Storage(engine, machineClockwork, embedded)),
    (running) => Effect.sync(() => running.stop())
  )
  const keyValue: KeyValue = storageKeyValue(storage, machineClockwork)
  return keyValue
})
