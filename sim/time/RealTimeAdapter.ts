// Lets a world live in real time: what `wharf serve cluster` and long runs need.
// Owns the bridge between the kernel and the machine's clock; refuses to decide what runs. In real time the kernel is never ahead of
// the clock; as fast as possible it runs in slices, so that signals and sockets get their turn.
import { Effect } from "effect"
import { monitorEventLoopDelay } from "node:perf_hooks"
import type { Kernel, RunEnd, RunLimits } from "./Kernel.ts"
import type { SimProcess } from "./SimProcess.ts"

/** Milliseconds of the machine's monotonic clock. */
export const wallMs = (): number => performance.now()

/** Bytes that this process holds: resident, and the heap's part in use. */
export const memoryBytes = (): { readonly residentBytes: number; readonly heapBytes: number } => {
  const { heapUsed, rss } = process.memoryUsage()
  return { residentBytes: rss, heapBytes: heapUsed }
}

/** Begins to measure how late this process turns to what is due; answers a reader of quantiles, in µs. */
export const measureTurns = (): ((share: number) => number) => {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  // The histogram holds whole times between turns of a timer of 1 ms.
  return (share) => Math.max(0, Math.round(delays.percentile(share * 100) / 1000) - 1000)
}

const SLICE_MS = 20
const SLICE_EVENTS = 512
const SLEEP_MAX_MS = 1000

/** Keeps a kernel in step with the real clock; who is outside enters through it. */
export class RealTime {
  private readonly kernel: Kernel
  private readonly startMs: number
  private timer: NodeJS.Timeout | undefined
  private immediate: NodeJS.Immediate | undefined
  private wakesAtMs = Number.POSITIVE_INFINITY
  private stopped = false
  private running = false

  constructor(kernel: Kernel) {
    this.kernel = kernel
    this.startMs = performance.now() - kernel.nowMs
    kernel.onEarlier = (timeMs) => this.sleep(timeMs)
    this.sleep()
  }

  /** Lets something happen in a process of the kernel now, though not within this call: an answer from outside has come. */
  enter(process: SimProcess, run: () => void): void {
    if (this.stopped) return
    // What is entered must find the time of now, not of the last event.
    if (!this.running) this.kernel.advance(performance.now() - this.startMs)
    this.kernel.defer(process, run)
  }

  /** The real time, of which the kernel may be a little behind while it has much to do. */
  get nowMs(): number {
    return this.since(performance.now())
  }

  /** A moment of the machine's monotonic clock as ms since the world began. */
  since(monotonicMs: number): number {
    return monotonicMs - this.startMs
  }

  stop(): void {
    this.stopped = true
    this.kernel.onEarlier = undefined
    clearTimeout(this.timer)
    clearImmediate(this.immediate)
  }

  /** `earlierMs` is the time of an event that the kernel is about to take up and does not tell of yet. */
  private sleep(earlierMs = Number.POSITIVE_INFINITY): void {
    if (this.stopped || this.running || this.immediate !== undefined) return
    const next = Math.min(earlierMs, this.kernel.nextTime(), this.kernel.nowMs + SLEEP_MAX_MS)
    if (this.timer !== undefined && next >= this.wakesAtMs) return
    clearTimeout(this.timer)
    const waitMs = this.startMs + next - performance.now()
    this.timer = undefined
    if (waitMs <= 0) {
      this.immediate = setImmediate(() => this.pump())
      return
    }
    this.wakesAtMs = next
    this.timer = setTimeout(() => this.pump(), waitMs)
  }

  private pump(): void {
    const { kernel, startMs } = this
    this.timer = undefined
    this.immediate = undefined
    this.wakesAtMs = Number.POSITIVE_INFINITY
    this.running = true
    const begunMs = performance.now()
    while (
      kernel.run({ untilMs: performance.now() - startMs, maxEvents: SLICE_EVENTS }) === "events" &&
      performance.now() - begunMs < SLICE_MS
    );
    this.running = false
    this.sleep()
  }
}

/** Keeps the kernel in step with the real clock until the returned function is called. */
export const followRealTime = (kernel: Kernel): (() => void) => {
  const time = new RealTime(kernel)
  return () => time.stop()
}

/** Milliseconds since the epoch by the machine's clock: where a world that follows it begins. */
export const epochMs = (): number => Date.now()

/** Runs a world as fast as it goes, giving the process its turn every few milliseconds; interruption ends it between events. */
export const runInSlices = (kernel: Kernel, limits: Omit<RunLimits, "maxEvents"> = {}): Effect.Effect<RunEnd> =>
  Effect.gen(function* () {
    for (;;) {
      const begunMs = performance.now()
      while (performance.now() - begunMs < SLICE_MS) {
        const end = kernel.run({ ...limits, maxEvents: SLICE_EVENTS })
        if (end !== "events") return end
      }
      yield* Effect.yieldNow
      yield* Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
    }
  })
