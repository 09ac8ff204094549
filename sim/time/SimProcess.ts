// One process of the simulated world: its clock, its chance, its timers, and what can befall it.
// Owns crash (all that was scheduled is forgotten), pause (all that falls due waits) and clock skew; refuses to know what runs in it.
import type { Clockwork } from "#kube"
import type { Kernel } from "./Kernel.ts"
import type { RandomStream } from "./RandomStream.ts"
import { mix32 } from "./RandomStream.ts"

/** Kinds of the event log that processes note themselves start here; handlers count from below. */
const NOTES_FROM = 2048

export class SimProcess {
  readonly id: number
  readonly name: string
  readonly random: RandomStream
  readonly clockwork: Clockwork
  /** Raised by each crash: what an earlier incarnation scheduled never happens. */
  incarnation = 0
  paused = false
  /** False between a crash and the next start. */
  up = true
  /** Added to the wall clock, in milliseconds; the monotonic clock does not move with it. */
  skewMs = 0
  private readonly kernel: Kernel
  private held: Array<() => void> = []
  private readonly crashListeners = new Set<() => void>()

  constructor(kernel: Kernel, id: number, name: string) {
    this.kernel = kernel
    this.id = id
    this.name = name
    this.random = kernel.random.split(name)
    const after = (delayMs: number, run: () => void): (() => void) => {
      const handle = kernel.closureAt(kernel.nowMs + Math.max(0, delayMs), this, run)
      return () => kernel.cancel(handle)
    }
    this.clockwork = {
      now: () => kernel.epochMs + Math.floor(kernel.nowMs) + this.skewMs,
      monotonic: () => kernel.nowMs,
      random: () => this.random.float(),
      defer: (run) => kernel.defer(this, run),
      after,
      every: (intervalMs, run) => {
        let cancel = after(intervalMs, function again() {
          cancel = after(intervalMs, again)
          run()
        })
        return () => cancel()
      }
    }
  }

  /** Puts a fact of this process into the event log: a message delivered, a revision committed. */
  note(kind: number, digest: number): void {
    this.kernel.log.add(this.kernel.nowMs, this.id, NOTES_FROM + kind, mix32(digest))
  }

  /** Called at each crash, until the returned function is. */
  onCrash(listener: () => void): () => void {
    this.crashListeners.add(listener)
    return () => void this.crashListeners.delete(listener)
  }

  /** Ends the process: nothing that it scheduled or deferred happens any more. */
  crash(): void {
    this.incarnation++
    this.paused = false
    this.up = false
    this.held = []
    this.note(0, this.incarnation)
    for (const listener of this.crashListeners) listener()
  }

  /** Lets the process take part again. */
  start(): void {
    this.up = true
    this.note(3, this.incarnation)
  }

  /** Stops the process in its tracks (SIGSTOP, a long collection of garbage, a frozen machine). */
  pause(): void {
    this.paused = true
    this.note(1, this.incarnation)
  }

  /** Runs what fell due meanwhile, in its order, and goes on. */
  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.note(2, this.held.length)
    const { held } = this
    this.held = []
    for (const run of held) this.kernel.defer(this, run)
  }

  /** Keeps what fell due during a pause. */
  hold(run: () => void): void {
    this.held.push(run)
  }
}
