// Time and chance as simulated code takes them: a real clock in a process, a virtual one in the simulator.
// Owns the port only; ClockworkAdapter.ts brings the machine's clock, the simulator brings its own.

/** Stops a timer or a watch; calling it again does nothing. */
export type Cancel = () => void

export interface Clockwork {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Milliseconds, never going back. */
  readonly monotonic: () => number
  /** A number in [0, 1). */
  readonly random: () => number
  /** Runs a function after the current turn of the loop, in the order of calls. */
  readonly defer: (run: () => void) => void
  /** Runs a function once, after some milliseconds, unless it is cancelled before. */
  readonly after: (delayMs: number, run: () => void) => Cancel
  /** Runs a function every so many milliseconds until it is cancelled. */
  readonly every: (intervalMs: number, run: () => void) => Cancel
}
