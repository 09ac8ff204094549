// The machine's clock, timers and randomness as a Clockwork.
// Owns the only timers of simulated rooms in a real process; timers that repeat never keep the process alive.
import type { Cancel, Clockwork } from "./Clockwork.ts"

/** Node fires a timer at once that is set for longer than 2^31 − 1 ms; such a wait is made of several. */
const TIMER_MAX_MS = 2_147_483_647

const after = (delayMs: number, run: () => void): Cancel => {
  if (delayMs <= TIMER_MAX_MS) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  }
  let cancel = (): void => clearTimeout(first)
  const first = setTimeout(() => {
    cancel = after(delayMs - TIMER_MAX_MS, run)
  }, TIMER_MAX_MS)
  return () => cancel()
}

export const machineClockwork: Clockwork = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  defer: (run) => void setImmediate(run),
  after,
  every: (intervalMs, run) => {
    const timer = setInterval(run, intervalMs).unref()
    return () => clearInterval(timer)
  }
}
