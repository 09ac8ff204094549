// The machine's clock, timers and randomness as a Clockwork.
// Owns the only timers of the store in a real process; timers that repeat never keep the process alive.
import type { Clockwork } from "./Clockwork.ts"

export const machineClockwork: Clockwork = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  defer: (run) => void setImmediate(run),
  after: (delayMs, run) => void setTimeout(run, delayMs),
  every: (intervalMs, run) => {
    const timer = setInterval(run, intervalMs).unref()
    return () => clearInterval(timer)
  }
}
