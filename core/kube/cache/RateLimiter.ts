// When a key that failed may be tried again: later after each failure of its own, and never too many of all keys at once
// (client-go's default controller limiter: the longer of both waits).
// Owns the counters; refuses to wait, which the queue does.
import type { Clockwork } from "../Clockwork.ts"
import { TokenBucket } from "../TokenBucket.ts"

export interface RateLimits {
  /** The first wait of a key; each failure doubles it. */
  readonly baseMs: number
  readonly maxMs: number
  /** Retries of all keys, per second; Infinity for no limit. */
  readonly perSecond: number
  readonly burst: number
}

export const defaultRateLimits: RateLimits = { baseMs: 5, maxMs: 1_000_000, perSecond: 10, burst: 100 }

/** Above it the counters of the keys that failed first are forgotten. */
const KEYS_MAX = 1_000_000

export class RateLimiter {
  readonly #clockwork: Clockwork
  readonly #limits: RateLimits
  readonly #failures = new Map<string, number>()
  /** Of all keys together. */
  readonly #bucket: TokenBucket | undefined

  constructor(clockwork: Clockwork, limits: RateLimits) {
    this.#clockwork = clockwork
    this.#limits = limits
    const { burst, perSecond } = limits
    this.#bucket = perSecond === Infinity ? undefined : new TokenBucket(perSecond, burst, clockwork.monotonic())
  }

  /** Counts a failure and answers the wait in milliseconds. */
  next(key: string): number {
    const failures = this.#failures.get(key) ?? 0
    if (failures === 0 && this.#failures.size >= KEYS_MAX) {
      for (const oldest of this.#failures.keys()) {
        this.#failures.delete(oldest)
        break
      }
    }
    this.#failures.set(key, failures + 1)
    const own = Math.min(this.#limits.maxMs, this.#limits.baseMs * 2 ** failures)
    return this.#bucket === undefined ? own : Math.max(own, this.#bucket.reserve(this.#clockwork.monotonic()))
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0
  }

  forget(key: string): void {
    this.#failures.delete(key)
  }
}
