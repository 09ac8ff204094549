// How long to wait before a call is tried again: longer each time, with chance, and short again after a good while.
// Owns the arithmetic; refuses timers, which the caller sets.
import type { Clockwork } from "../Clockwork.ts"

export interface BackoffOptions {
  readonly initialMs: number
  /** Before jitter. */
  readonly maxMs: number
  readonly factor: number
  /** A delay d becomes one between d and d × (1 + jitter). */
  readonly jitter: number
  /** A pause this long since the last delay makes the next one the initial one. */
  readonly resetMs: number
}

/** client-go's for reflectors. */
export const reflectorBackoff: BackoffOptions = {
  initialMs: 800,
  maxMs: 30_000,
  factor: 2,
  jitter: 1,
  resetMs: 120_000
}

export class Backoff {
  readonly #clockwork: Clockwork
  readonly #options: BackoffOptions
  #nextMs: number
  #lastAt = -Infinity

  constructor(clockwork: Clockwork, options: BackoffOptions) {
    this.#clockwork = clockwork
    this.#options = options
    this.#nextMs = options.initialMs
  }

  /** The next delay in milliseconds. */
  next(): number {
    const { factor, initialMs, jitter, maxMs, resetMs } = this.#options
    const now = this.#clockwork.monotonic()
    const base = now - this.#lastAt > resetMs ? initialMs : this.#nextMs
    this.#nextMs = Math.min(maxMs, base * factor)
    const delay = base * (1 + this.#clockwork.random() * jitter)
    this.#lastAt = now + delay
    return delay
  }
}
