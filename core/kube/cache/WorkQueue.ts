// Keys that wait for work: each at most once, none worked on twice at the same time, and none lost that is added while it is
// worked on (client-go's work queue).
// Owns the order and the waits; who works, and how many at a time, is the controller's. Bound: one entry per key.
import type { Clockwork } from "../Clockwork.ts"
import { DelayHeap } from "./DelayHeap.ts"
import { defaultRateLimits, RateLimiter, type RateLimits } from "./RateLimiter.ts"

export interface WorkQueueOptions {
  readonly clockwork: Clockwork
  readonly limits?: RateLimits
  /** Called each time a key becomes ready, before anything takes it. */
  readonly ready: () => void
}

export class WorkQueue {
  readonly #ready: () => void
  readonly #delayed: DelayHeap
  readonly #limiter: RateLimiter
  /** Ready keys from `#first` on. */
  #keys: Array<string> = []
  #first = 0
  /** Keys that need work. */
  readonly #dirty = new Set<string>()
  readonly #processing = new Set<string>()
  #closed = false

  constructor({ clockwork, limits = defaultRateLimits, ready }: WorkQueueOptions) {
    this.#ready = ready
    this.#delayed = new DelayHeap(clockwork, (key) => this.add(key))
    this.#limiter = new RateLimiter(clockwork, limits)
  }

  /** Keys that are ready. */
  get length(): number {
    return this.#keys.length - this.#first
  }

  /** Keys that wait for their moment. */
  get delayed(): number {
    return this.#delayed.size
  }

  get processing(): number {
    return this.#processing.size
  }

  add(key: string): void {
    if (this.#closed || this.#dirty.has(key)) return
    this.#dirty.add(key)
    if (!this.#processing.has(key)) this.#push(key)
  }

  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return
    if (delayMs <= 0) this.add(key)
    else this.#delayed.add(key, delayMs)
  }

  /** Adds a key that failed, after the wait that its failures ask for. */
  addRateLimited(key: string): void {
    this.addAfter(key, this.#limiter.next(key))
  }

  /** The key's failures no longer count. */
  forget(key: string): void {
    this.#limiter.forget(key)
  }

  failures(key: string): number {
    return this.#limiter.failures(key)
  }

  /** The next key to work on; `done` must follow. Undefined when none is ready. */
  take(): string | undefined {
    if (this.#first === this.#keys.length) return undefined
    const key = this.#keys[this.#first++]
    // The taken half is let go at once: a queue of n keys never holds more than 2n.
    if (this.#first > 32 && this.#first * 2 > this.#keys.length) {
      this.#keys = this.#keys.slice(this.#first)
      this.#first = 0
    }
    if (key === undefined) return undefined
    this.#processing.add(key)
    this.#dirty.delete(key)
    return key
  }

  /** The work on a key is over; what was added meanwhile is ready now. */
  done(key: string): void {
    this.#processing.delete(key)
    if (this.#dirty.has(key)) this.#push(key)
  }

  /** Forgets all keys that nobody works on, and takes no more. */
  close(): void {
    this.#closed = true
    this.#keys = []
    this.#first = 0
    this.#dirty.clear()
    this.#delayed.clear()
  }

  #push(key: string): void {
    this.#keys.push(key)
    this.#ready()
  }
}
