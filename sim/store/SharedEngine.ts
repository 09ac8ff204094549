// One engine that several simulated processes share, as they share a distributed one: reads are snapshots taken there and carried
// over the network, commits are applied there one after the other, and an answer may be lost, late, or never have been possible.
// Owns the ways in which a commit becomes uncertain: its request never arrives, arrives after its sender gave up, or its answer is lost.
// Refuses replication and regions: to the store all of that is one ordered keyspace.
import {
  type CommitOutcome,
  type Engine,
  fetchNeeds,
  makeMemoryEngine,
  type Need,
  type View,
  type WriteBatch
} from "#storage"
import type { Network } from "../faults/Network.ts"
import type { Kernel } from "../time/Kernel.ts"
import type { RandomStream } from "../time/RandomStream.ts"
import type { SimProcess } from "../time/SimProcess.ts"

/** How long a process waits for the answer to a commit before it calls it uncertain, in milliseconds. */
const COMMIT_WAIT_MS = 400
/** How much later than that a late commit may arrive. */
const LATE_MAX_MS = 2500
/** How long a process waits before it asks again for what it wants to read. */
const READ_AGAIN_MS = 150

/** Hears of each batch that was applied, with what the engine shows then. */
export type OnApplied = (batch: WriteBatch, view: View) => void

export class SharedEngine {
  readonly process: SimProcess
  /** How likely a commit loses its request or its answer. */
  lossRate = 0
  onApplied: OnApplied | undefined
  readonly stats = { commits: 0, conflicts: 0, uncertain: 0, late: 0 }
  private readonly kernel: Kernel
  private readonly network: Network
  private readonly random: RandomStream
  private readonly content: Engine
  private readonly applyQueue: Array<() => void> = []

  constructor(kernel: Kernel, network: Network, name = "engine") {
    this.kernel = kernel
    this.network = network
    this.process = kernel.process(name)
    this.random = kernel.random.split(`${name} losses`)
    const queue = this.applyQueue
    this.content = { ...makeMemoryEngine({ defer: (run) => void queue.push(run), clock: () => 0 }), rows: undefined }
  }

  /** The engine as a process reaches it. */
  open(process: SimProcess): Engine {
    const { content, kernel } = this
    return {
      name: "memory",
      durable: true,
      shared: true,
      read: (needs, use) => this.read(process, needs(), use),
      commit: (batch, done) => this.commit(process, batch, done),
      partitions: content.partitions,
      clock: () => kernel.epochMs + Math.floor(kernel.nowMs),
      size: content.size,
      close: () => undefined
    }
  }

  private after(delayMs: number, process: SimProcess, run: () => void): void {
    this.kernel.closureAt(this.kernel.nowMs + delayMs, process, run)
  }

  private isCut(process: SimProcess): boolean {
    return this.network.isBlocked(process, this.process) || this.network.isBlocked(this.process, process)
  }

  private read(process: SimProcess, needs: ReadonlyArray<Need>, use: (view: View) => void): void {
    const { network } = this
    const again = (): void => this.after(READ_AGAIN_MS, process, () => this.read(process, needs, use))
    if (this.isCut(process) || this.loses()) return again()
    const { incarnation } = process
    this.after(network.delay(process, this.process), this.process, () =>
      this.content.read(
        () => needs,
        (view) => {
          if (process.incarnation !== incarnation) return
          const fetched = fetchNeeds(view, needs)
          if (this.isCut(process)) again()
          else this.after(network.delay(this.process, process), process, () => use(fetched))
        }
      )
    )
  }

  private loses(): boolean {
    return this.lossRate > 0 && this.random.chance(this.lossRate)
  }

  private commit(process: SimProcess, batch: WriteBatch, done: (outcome: CommitOutcome) => void): void {
    const { network, random } = this
    const { incarnation } = process
    let answered = false
    const answer = (outcome: CommitOutcome): void => {
      if (answered) return
      answered = true
      if (outcome.kind === "uncertain") this.stats.uncertain++
      done(outcome)
    }
    this.after(COMMIT_WAIT_MS, process, () => answer({ kind: "uncertain", detail: "no answer in time" }))
    const isLost = this.isCut(process) || this.loses()
    // A request that is lost may never arrive, or long after its sender has given up.
    const isLate = isLost && random.chance(0.5)
    if (isLost && !isLate) return
    if (isLate) this.stats.late++
    const delayMs =
      network.delay(process, this.process) + (isLate ? random.between(0, COMMIT_WAIT_MS + LATE_MAX_MS) : 0)
    this.after(delayMs, this.process, () => {
      const outcome = this.apply(batch)
      if (process.incarnation !== incarnation || this.isCut(process) || this.loses()) return
      this.after(network.delay(this.process, process), process, () => answer(outcome))
    })
  }

  private apply(batch: WriteBatch): CommitOutcome {
    let outcome: CommitOutcome = { kind: "committed" }
    this.content.commit(batch, (answered) => (outcome = answered))
    for (const run of this.applyQueue.splice(0)) run()
    if (outcome.kind === "committed") {
      this.stats.commits++
      this.content.read(
        () => [],
        (view) => this.onApplied?.(batch, view)
      )
    } else this.stats.conflicts++
    return outcome
  }
}
