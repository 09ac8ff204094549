// Keys that wait for work: each at most once, none worked on twice at the same time, and none lost that is added while it is
// worked on (client-go's work queue). Keys that nobody waits for stand in a lane of their own, which goes last but never starves.
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

/** Of so many keys that are taken while both lanes have some, one is of the last lane. */
const LAST_SHARE = 16

/** Keys in their order; what was taken is let go in time: a lane of n keys never holds more than 2n. */
class Lane {
  #keys: Array<string> = []
  #first = 0

  get length(): number {
    return this.#keys.length - this.#first
  }

  push(key: string): void {
    this.#keys.push(key)
  }

  take(): string | undefined {
    if (this.#first === this.#keys.length) return undefined
    const key = this.#keys[this.#first++]
    if (this.#first > 32 && this.#first * 2 > this.#keys.length) {
      this.#keys = this.#keys.slice(this.#first)
      this.#first = 0
    }
    return key
  }

  clear(): void {
    this.#keys = []
    this.#first = 0
  }
}

export class WorkQueue {
  readonly #ready: () => void
  readonly #delayed: DelayHeap
  readonly #limiter: RateLimiter
  /** Ready keys. */
  readonly #keys = new Lane()
  /** Ready keys that nobody waits for. */
  readonly #last = new Lane()
  /** Without the keys of that lane that have gone to the first one since. */
  #lastReady = 0
  #sinceLast = 0
  /** Keys that need work. */
  readonly #dirty = new Set<string>()
  /** Of them, those that nobody waits for: they stand in the last lane, or will. */
  readonly #lastDirty = new Set<string>()
  readonly #processing = new Set<string>()
  #closed = false

  constructor({ clockwork, limits = defaultRateLimits, ready }: WorkQueueOptions) {
    this.#ready = ready
    this.#delayed = new DelayHeap(clockwork, (key) => this.add(key))
    this.#limiter = new RateLimiter(clockwork, limits)
  }

  /** Keys that are ready. */
  get length(): number {
    return this.#keys.length + this.#lastReady
  }

  /** Keys that wait for their moment. */
  get delayed(): number {
    return this.#delayed.size
  }

  get processing(): number {
    return this.#processing.size
  }

  add(key: string): void {
    if (this.#closed || (this.#dirty.has(key) && !this.#lastDirty.has(key))) return
    const waits = !this.#processing.has(key)
    if (this.#lastDirty.delete(key) && waits) this.#lastReady--
    this.#dirty.add(key)
    if (waits) this.#push(key)
  }

  /** Adds a key that nobody waits for, such as one that is looked at again without a change. */
  addLast(key: string): void {
    if (this.#closed || this.#dirty.has(key)) return
    this.#dirty.add(key)
    this.#lastDirty.add(key)
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
    const key = this.#next()
    if (key === undefined) return undefined
    this.#processing.add(key)
    this.#dirty.delete(key)
    this.#lastDirty.delete(key)
    return key
  }

  #next(): string | undefined {
    const lastIsDue = this.#sinceLast >= LAST_SHARE - 1 || this.#keys.length === 0
    const last = lastIsDue && this.#lastReady > 0 ? this.#takeLast() : undefined
    if (last !== undefined) {
      this.#sinceLast = 0
      return last
    }
    const key = this.#keys.take()
    if (key !== undefined && this.#lastReady > 0) this.#sinceLast++
    return key
  }

  /** Passes over keys that have gone to the first lane since. */
  #takeLast(): string | undefined {
    for (let key = this.#last.take(); key !== undefined; key = this.#last.take()) {
      if (!this.#lastDirty.has(key) || this.#processing.has(key)) continue
      this.#lastReady--
      return key
    }
    return undefined
  }

  /** The work on a key is over; what was added meanwhile is ready now. */
  done(key: string): void {
    this.#processing.delete(key)
    if (this.#dirty.has(key)) this.#push(key)
  }

  /** Forgets all keys that nobody works on, and takes no more. */
  close(): void {
    this.#closed = true
    this.#keys.clear()
    this.#last.clear()
    this.#dirty.clear()
    this.#lastDirty.clear()
    this.#lastReady = 0
    this.#delayed.clear()
  }

  #push(key: string): void {
    if (this.#lastDirty.has(key)) {
      this.#last.push(key)
      this.#lastReady++
    } else this.#keys.push(key)
    this.#ready()
  }
}
