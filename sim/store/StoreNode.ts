// The store as one simulated process on one simulated disk: started, crashed and started again.
// Owns that life; refuses to decide when, which faults do. The engine may be wrapped, which is how tests plant bugs below the store.
import { type Engine, Storage } from "#storage"
import { SimDisk, type SimDiskOptions } from "../faults/SimDisk.ts"
import type { Kernel } from "../time/Kernel.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import type { Service } from "./SimGrpc.ts"

/** Makes another engine of one: for tests that plant bugs. */
export type EngineWrapper = (engine: Engine, process: SimProcess, disk: SimDisk) => Engine

export interface StoreNodeOptions {
  readonly name?: string
  readonly disk?: SimDiskOptions
  readonly wrapEngine?: EngineWrapper
  /** Milliseconds between periodic progress notices of watches. */
  readonly progressIntervalMs?: number
  readonly quotaBytes?: number
}

const NO_SERVICE: Service = new Map()
const PROGRESS_MS = 10_000

export class StoreNode {
  readonly process: SimProcess
  readonly disk: SimDisk
  /** Called at each start, before the first request. */
  onStart: ((storage: Storage) => void) | undefined
  private readonly options: StoreNodeOptions
  private running: Storage | undefined
  private methods: Service = NO_SERVICE

  constructor(kernel: Kernel, options: StoreNodeOptions = {}) {
    const name = options.name ?? "store"
    this.options = options
    this.process = kernel.process(name)
    this.disk = new SimDisk(kernel, name, options.disk)
  }

  /** The store as it runs now; undefined while it is down. */
  get storage(): Storage | undefined {
    return this.running
  }

  readonly service = (): Service => this.methods

  start(): Storage {
    const { disk, options, process } = this
    process.start()
    const opened = disk.open(process)
    // A wrapper looks into batches, so the rows of a wrapped engine are bytes.
    const engine =
      options.wrapEngine === undefined ? opened : { ...options.wrapEngine(opened, process, disk), rows: undefined }
    const storage = new Storage(engine, process.clockwork, {
      limits: {
        txnOpsMax: 128,
        requestBytesMax: 1.5 * 2 ** 20,
        progressIntervalMs: options.progressIntervalMs ?? PROGRESS_MS
      },
      quotaBytes: options.quotaBytes ?? 0,
      minLeaseTtlSeconds: 1,
      autoCompaction: { mode: "periodic", retention: 0 },
      auth: { token: { kind: "none" } },
      identity: { clusterId: 1, memberId: 1, term: 1 },
      member: () => ({ name: process.name, peerUrls: [], clientUrls: [] }),
      snapshotFiles: { create: (done) => done(new Error("the simulated disk takes no snapshots"), undefined) }
    })
    this.running = storage
    this.methods = new Map(storage.methods.map((method) => [method.path, method]))
    this.onStart?.(storage)
    return storage
  }

  /** Ends the process without notice; what the disk has is what the next start finds. */
  crash(): void {
    if (this.running === undefined) return
    this.running = undefined
    this.methods = NO_SERVICE
    this.process.crash()
  }
}
