// Lets a world live in real time: what `wharf serve cluster` and long runs need.
// Owns the bridge between the kernel and the machine's clock; refuses to decide what runs. In real time the kernel is never ahead of
// the clock; as fast as possible it runs in slices, so that signals and sockets get their turn.
import { Effect } from "effect"
import type { Kernel, RunEnd, RunLimits } from "./Kernel.ts"

/** Milliseconds of the machine's monotonic clock. */
export const wallMs = (): number => performance.now()

/** Bytes that this process holds: resident, and the heap's part in use. */
export const memoryBytes = (): { readonly residentBytes: number; readonly heapBytes: number } => {
  const { heapUsed, rss } = process.memoryUsage()
  return { residentBytes: rss, heapBytes: heapUsed }
}

const SLICE_MS = 20
const SLICE_EVENTS = 512
const SLEEP_MAX_MS = 1000

/** Keeps the kernel in step with the real clock until the returned function is called. */
export const followRealTime = (kernel: Kernel): (() => void) => {
  const startMs = performance.now() - kernel.nowMs
  let timer: NodeJS.Timeout | undefined
  let wakesAtMs = Number.POSITIVE_INFINITY
  let stopped = false
  let running = false
  const sleep = (): void => {
    if (stopped || running) return
    const next = Math.min(kernel.nextTime(), kernel.nowMs + SLEEP_MAX_MS)
    if (timer !== undefined && next >= wakesAtMs) return
    clearTimeout(timer)
    wakesAtMs = next
    timer = setTimeout(pump, Math.max(0, startMs + next - performance.now()))
  }
  const pump = (): void => {
    timer = undefined
    wakesAtMs = Number.POSITIVE_INFINITY
    running = true
    const begunMs = performance.now()
    while (
      kernel.run({ untilMs: performance.now() - startMs, maxEvents: SLICE_EVENTS }) === "events" &&
      performance.now() - begunMs < SLICE_MS
    );
    running = false
    sleep()
  }
  kernel.onEarlier = sleep
  sleep()
  return () => {
    stopped = true
    kernel.onEarlier = undefined
    clearTimeout(timer)
  }
}

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
