// A disk that lives on when its process dies, and an engine on it: what is acknowledged is durable, unless the disk lies.
// Owns the time that a flush takes, stalls, full disks, failing writes and what a crash loses; refuses to order keys, which the memory
// engine below does. A commit that was under way at a crash is there or not, as the seed decides: nobody was told.
import { type CommitOutcome, type Engine, makeMemoryEngine, type Table, valueBytes, WriteBatch } from "#storage"
import type { Kernel } from "../time/Kernel.ts"
import type { RandomStream } from "../time/RandomStream.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import { drawLatency, type Latency } from "./Latency.ts"

export interface SimDiskOptions {
  /** How long a flush takes. */
  readonly flush: Latency
  /** Bytes that fit; absent: no bound. */
  readonly capacityBytes?: number
}

interface Undo {
  readonly table: Table
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

export const defaultDisk: SimDiskOptions = { flush: { kind: "log-normal", medianMs: 1, sigma: 0.3 } }

export class SimDisk {
  /** Until when flushes wait, in milliseconds of the world. */
  stalledUntilMs = 0
  /** Whether every commit fails for want of space. */
  full = false
  /** Whether every commit fails with an error of the device. */
  failing = false
  /** Whether flushes are acknowledged before they are done: a crash then loses what was acknowledged since the last real one. */
  lying = false
  readonly stats = { commits: 0, lostBatches: 0 }
  private readonly kernel: Kernel
  private readonly random: RandomStream
  private readonly options: SimDiskOptions
  private readonly content: Engine
  private unsynced: Array<ReadonlyArray<Undo>> = []
  private underWay: WriteBatch | undefined

  constructor(kernel: Kernel, name: string, options: SimDiskOptions = defaultDisk) {
    this.kernel = kernel
    this.options = options
    this.random = kernel.random.split(`disk ${name}`)
    // The disk answers later by itself.
    this.content = makeMemoryEngine({ defer: (run) => run(), clock: () => 0 })
  }

  /** The engine as one run of a process sees it; a crash of the process loses what the disk has not got. */
  open(process: SimProcess): Engine {
    const { content } = this
    const stop = process.onCrash(() => {
      stop()
      this.crash()
    })
    return {
      name: "memory",
      durable: true,
      read: content.read,
      rows: content.rows,
      commit: (batch, done) => this.commit(process, batch, done),
      partitions: content.partitions,
      clock: process.clockwork.now,
      size: content.size,
      close: () => stop()
    }
  }

  /** Makes all that was acknowledged durable: what a real flush does, and what a lying disk does now and then. */
  sync(): void {
    this.unsynced = []
  }

  private commit(process: SimProcess, batch: WriteBatch, done: (outcome: CommitOutcome) => void): void {
    const failure = this.refusal(batch)
    const { nowMs } = this.kernel
    const at = Math.max(nowMs, this.stalledUntilMs) + (this.lying ? 0 : drawLatency(this.options.flush, this.random))
    this.underWay = batch
    this.kernel.closureAt(at, process, () => {
      this.underWay = undefined
      this.stats.commits++
      done(failure ?? this.apply(batch))
    })
  }

  private refusal(batch: WriteBatch): CommitOutcome | undefined {
    if (this.failing) return { kind: "failed", reason: "io", detail: "the device reports an error" }
    const { capacityBytes } = this.options
    const over = capacityBytes !== undefined && this.content.size().inUseBytes + batch.sizeBytes > capacityBytes
    return this.full || over ? { kind: "failed", reason: "no-space", detail: "the disk is full" } : undefined
  }

  private apply(batch: WriteBatch): CommitOutcome {
    const undo = this.lying ? this.undoOf(batch) : []
    let outcome: CommitOutcome = { kind: "committed" }
    this.content.commit(batch, (answered) => (outcome = answered))
    if (outcome.kind === "committed" && this.lying) this.unsynced.push(undo)
    return outcome
  }

  private undoOf(batch: WriteBatch): ReadonlyArray<Undo> {
    const undo: Array<Undo> = []
    this.content.read(
      () => [],
      (view) => {
        for (const [row, key] of batch.keys.entries()) {
          const value = view.get(batch.tables[row], key)
          undo.push({ table: batch.tables[row], key, value: value && Uint8Array.from(value) })
        }
      }
    )
    for (const { key, table } of batch.rows) {
      const value = this.content.rows?.get(table, key)
      undo.push({ table, key: Buffer.from(key, "latin1"), value: value && Uint8Array.from(valueBytes(value)) })
    }
    return undo.reverse()
  }

  private crash(): void {
    const { underWay } = this
    this.underWay = undefined
    for (const batch of this.unsynced.reverse()) {
      this.stats.lostBatches++
      for (const { key, table, value } of batch) this.restore(table, key, value)
    }
    this.unsynced = []
    if (underWay !== undefined && !this.full && !this.failing && this.random.chance(0.5)) this.apply(underWay)
  }

  private restore(table: Table, key: Uint8Array, value: Uint8Array | undefined): void {
    const batch = new WriteBatch()
    if (value === undefined) batch.remove(table, key)
    else batch.put(table, key, value)
    this.content.commit(batch, () => undefined)
  }
}
