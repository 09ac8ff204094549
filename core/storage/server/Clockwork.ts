// Time and chance as the store takes them: a real clock in a process, a virtual one in the simulator.
// Owns the port only; the adapters stand where processes are made.

export interface Clockwork {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Milliseconds, never going back. */
  readonly monotonic: () => number
  /** A number in [0, 1). */
  readonly random: () => number
  /** Runs a function after the current turn of the loop. */
  readonly defer: (run: () => void) => void
  /** Runs a function once, after some milliseconds. */
  readonly after: (delayMs: number, run: () => void) => void
  /** Runs a function every so many milliseconds until the returned function is called. */
  readonly every: (intervalMs: number, run: () => void) => () => void
}
