// Keys that wait for a moment, with one timer for all of them.
// Owns their order: by moment, then by the order of adding. Bound: one live entry per key; entries that were moved forward are
// dropped when they come up.
import type { Cancel, Clockwork } from "../Clockwork.ts"

interface Entry {
  readonly key: string
  readonly atMs: number
  readonly turn: number
}

const isBefore = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn)

export class DelayHeap {
  readonly #clockwork: Clockwork
  readonly #due: (key: string) => void
  readonly #heap: Array<Entry> = []
  readonly #live = new Map<string, Entry>()
  #turn = 0
  #timer: Cancel | undefined
  #timerAtMs = Infinity

  constructor(clockwork: Clockwork, due: (key: string) => void) {
    this.#clockwork = clockwork
    this.#due = due
  }

  get size(): number {
    return this.#live.size
  }

  /** Waits so long; of two waits for one key the shorter counts. */
  add(key: string, delayMs: number): void {
    const atMs = this.#clockwork.monotonic() + delayMs
    const known = this.#live.get(key)
    if (known !== undefined && known.atMs <= atMs) return
    const entry: Entry = { key, atMs, turn: this.#turn++ }
    this.#live.set(key, entry)
    this.#push(entry)
    this.#arm()
  }

  clear(): void {
    this.#timer?.()
    this.#timer = undefined
    this.#timerAtMs = Infinity
    this.#heap.length = 0
    this.#live.clear()
  }

  #arm(): void {
    const [first] = this.#heap
    if (first === undefined || this.#timerAtMs <= first.atMs) return
    this.#timer?.()
    this.#timerAtMs = first.atMs
    this.#timer = this.#clockwork.after(Math.max(0, first.atMs - this.#clockwork.monotonic()), () => this.#ring())
  }

  #ring(): void {
    this.#timer = undefined
    this.#timerAtMs = Infinity
    const now = this.#clockwork.monotonic()
    for (let [first] = this.#heap; first !== undefined && first.atMs <= now; [first] = this.#heap) {
      this.#pop()
      if (this.#live.get(first.key) !== first) continue
      this.#live.delete(first.key)
      this.#due(first.key)
    }
    this.#arm()
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !isBefore(entry, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      const left = heap[child]
      if (left === undefined) break
      const right = heap[child + 1]
      if (right !== undefined && isBefore(right, left)) child++
      const least = heap[child]
      if (least === undefined || !isBefore(least, last)) break
      heap[at] = least
      at = child
    }
    heap[at] = last
  }
}
