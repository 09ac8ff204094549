// How long a failed pod stays before it is replaced: a second, then twice as long each time, up to a quarter of an hour.
// Owns the waits by key; refuses to know whose they are. Bound: entries that were left alone for twice the longest wait are forgotten.
import type { Clockwork } from "#kube"

const FIRST_MS = 1000
const LONGEST_MS = 900_000

interface Wait {
  readonly waitMs: number
  readonly sinceMs: number
}

export class FailureBackoff {
  readonly #clockwork: Clockwork
  readonly #waits = new Map<string, Wait>()

  constructor(clockwork: Clockwork) {
    this.#clockwork = clockwork
  }

  /** Milliseconds that a key must still wait; 0 when it need not. */
  left(key: string): number {
    const wait = this.#waits.get(key)
    return wait === undefined ? 0 : Math.max(0, wait.sinceMs + wait.waitMs - this.#clockwork.monotonic())
  }

  /** The key's turn has come; the next is later. */
  next(key: string): void {
    const sinceMs = this.#clockwork.monotonic()
    this.#forgetOld(sinceMs)
    const before = this.#waits.get(key)
    this.#waits.delete(key)
    this.#waits.set(key, { sinceMs, waitMs: before === undefined ? FIRST_MS : Math.min(before.waitMs * 2, LONGEST_MS) })
  }

  /** The map is in the order of the last turns. */
  #forgetOld(nowMs: number): void {
    for (const [key, { sinceMs }] of this.#waits) {
      if (nowMs - sinceMs <= 2 * LONGEST_MS) return
      this.#waits.delete(key)
    }
  }
}
