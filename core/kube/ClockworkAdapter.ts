// The machine's clock, timers and randomness as a Clockwork.
// Owns the only timers of simulated rooms in a real process; timers that repeat never keep the process alive.
import type { Clockwork } from "./Clockwork.ts"

export const machineClockwork: Clockwork = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  defer: (run) => void setImmediate(run),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
  every: (intervalMs, run) => {
    const timer = setInterval(run, intervalMs).unref()
    return () => clearInterval(timer)
  }
}
