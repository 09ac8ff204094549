// What a controller has asked for and not yet seen: pods that its informer must show as made or gone before it may count again
// (upstream's ControllerExpectations, with deletions by key).
// Owns the bookkeeping and its end by time; refuses to know what is made. Bound: one entry per key that waits, and the keys deleted.
import type { Clockwork } from "#kube"

/** A watch that lost an event stops nobody for longer. */
const EXPIRE_MS = 300_000

interface Expected {
  creations: number
  readonly deletions: Set<string>
  readonly sinceMs: number
}

export class Expectations {
  readonly #clockwork: Clockwork
  readonly #expected = new Map<string, Expected>()

  constructor(clockwork: Clockwork) {
    this.#clockwork = clockwork
  }

  /** From now on so many objects will be made for a key, and these (by keys of their own) will go. What was expected is forgotten. */
  expect(key: string, creations: number, deletions: Iterable<string> = []): void {
    const expected = { creations, deletions: new Set(deletions), sinceMs: this.#clockwork.monotonic() }
    this.#expected.set(key, expected)
    this.#settle(key, expected)
  }

  /** One was made: the informer shows it, or it will never come. */
  created(key: string): void {
    const expected = this.#expected.get(key)
    if (expected === undefined) return
    expected.creations--
    this.#settle(key, expected)
  }

  /**
   * One is gone: the informer no longer shows it, or shows it as deleted, or it could not be deleted. Answers whether that was
   * expected.
   */
  deleted(key: string, object: string): boolean {
    const expected = this.#expected.get(key)
    if (expected === undefined || !expected.deletions.delete(object)) return false
    this.#settle(key, expected)
    return true
  }

  /** Whether everything expected was seen, or has been waited for long enough. */
  satisfied(key: string): boolean {
    const expected = this.#expected.get(key)
    return expected === undefined || this.#clockwork.monotonic() - expected.sinceMs > EXPIRE_MS
  }

  /** Milliseconds until a key that waits is worked on anyway. */
  expiresInMs(key: string): number {
    const expected = this.#expected.get(key)
    return expected === undefined ? 0 : expected.sinceMs + EXPIRE_MS - this.#clockwork.monotonic() + 1
  }

  /** The key is no more. */
  forget(key: string): void {
    this.#expected.delete(key)
  }

  #settle(key: string, { creations, deletions }: Expected): void {
    if (creations <= 0 && deletions.size === 0) this.#expected.delete(key)
  }
}
