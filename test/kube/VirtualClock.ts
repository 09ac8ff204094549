// A Clockwork in virtual time for tests: jumps from one moment to the next, its randomness comes from a seed.
import type { Cancel, Clockwork } from "#kube"

interface Timer {
  readonly atMs: number
  readonly turn: number
  readonly run: () => void
  live: boolean
}

const isBefore = (a: Timer, b: Timer): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn)

export class VirtualClock implements Clockwork {
  #state: number
  #nowMs = 0
  #turn = 0
  /** A binary heap. */
  readonly #timers: Array<Timer> = []
  readonly epochMs: number

  constructor(seed: number, epochMs = 1_800_000_000_000) {
    this.#state = seed | 0
    this.epochMs = epochMs
  }

  now = (): number => this.epochMs + this.#nowMs

  monotonic = (): number => this.#nowMs

  random = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  defer = (run: () => void): void => void this.after(0, run)

  after = (delayMs: number, run: () => void): Cancel => {
    const timer: Timer = { atMs: this.#nowMs + Math.max(0, delayMs), turn: this.#turn++, run, live: true }
    const heap = this.#timers
    let at = heap.length
    heap.push(timer)
    for (let parent = (at - 1) >> 1; at > 0 && isBefore(timer, heap[parent]); parent = (at - 1) >> 1) {
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = timer
    return () => {
      timer.live = false
    }
  }

  every = (intervalMs: number, run: () => void): Cancel => {
    let cancel = (): void => undefined
    const again = (): void => {
      cancel = this.after(intervalMs, again)
      run()
    }
    cancel = this.after(intervalMs, again)
    return () => cancel()
  }

  /** Whole numbers below a bound. */
  below(bound: number): number {
    return Math.floor(this.random() * bound)
  }

  /** Runs everything that is due within so many milliseconds. */
  run(forMs: number): void {
    const endMs = this.#nowMs + forMs
    for (let first = this.#timers[0]; first !== undefined && first.atMs <= endMs; first = this.#timers[0]) {
      this.#pop()
      if (!first.live) continue
      this.#nowMs = first.atMs
      first.run()
    }
    this.#nowMs = endMs
  }

  #pop(): void {
    const heap = this.#timers
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++
      if (!isBefore(heap[child], last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}
