// Which ranges contain a key: a segment tree over the ranges' ends, rebuilt when it has aged, beside a short list of new ones.
// Owns the search; refuses to know who watches. With W distinct ranges an event costs O(log W + hits), not O(W).
import { keyText } from "../engine/Engine.ts"
import type { KeyRange } from "../mvcc/Snapshot.ts"

interface Entry<T> {
  readonly start: string
  /** Exclusive; undefined: to the end of all keys. */
  readonly end: string | undefined
  readonly item: T
}

/** New ranges are compared one by one up to this many, or a quarter of all; then the tree is rebuilt. */
const FRESH_MIN = 4

export class IntervalIndex<T> {
  private readonly exact = new Map<string, T>()
  private readonly ranges = new Map<string, Entry<T>>()
  private fresh: Array<Entry<T>> = []
  private bounds: Array<string> = []
  private nodes: Array<Array<Entry<T>> | undefined> = []
  private leaves = 1
  private stale = false

  /** The item of exactly this range. */
  get(range: KeyRange): T | undefined {
    return range.single ? this.exact.get(keyText(range.start)) : this.ranges.get(rangeId(range))?.item
  }

  set(range: KeyRange, item: T): void {
    if (range.single) {
      this.exact.set(keyText(range.start), item)
      return
    }
    const entry = { start: keyText(range.start), end: range.end && keyText(range.end), item }
    this.ranges.set(rangeId(range), entry)
    this.fresh.push(entry)
    if (this.fresh.length > FRESH_MIN && this.fresh.length * 4 > this.ranges.size) this.stale = true
  }

  delete(range: KeyRange): void {
    if (range.single) this.exact.delete(keyText(range.start))
    else if (this.ranges.delete(rangeId(range))) this.stale = true
  }

  /** Calls back with every item. */
  each(visit: (item: T) => void): void {
    for (const item of this.exact.values()) visit(item)
    for (const { item } of this.ranges.values()) visit(item)
  }

  /** Calls back with the item of every range that contains the key, and with what is handed in along with it. */
  stab<A>(text: string, hit: (item: T, about: A) => void, about: A): void {
    if (this.exact.size === 0 && this.ranges.size === 0) return
    const item = this.exact.get(text)
    if (item !== undefined) hit(item, about)
    if (this.ranges.size === 0) return
    if (this.stale) this.rebuild()
    for (const { end, item, start } of this.fresh) {
      if (start <= text && (end === undefined || text < end)) hit(item, about)
    }
    for (let node = this.leaves + segmentOf(this.bounds, text); node >= 1; node >>= 1) {
      const entries = this.nodes[node]
      if (entries !== undefined) for (const entry of entries) hit(entry.item, about)
    }
  }

  private rebuild(): void {
    const entries = [...this.ranges.values()]
    this.bounds = [...new Set(entries.flatMap(({ end, start }) => (end === undefined ? [start] : [start, end])))].sort()
    this.leaves = 1
    while (this.leaves < this.bounds.length + 1) this.leaves *= 2
    this.nodes = Array.from({ length: this.leaves * 2 })
    for (const entry of entries) {
      const from = segmentOf(this.bounds, entry.start)
      const to = entry.end === undefined ? this.bounds.length : segmentOf(this.bounds, entry.end) - 1
      this.cover(entry, from, to)
    }
    this.fresh = []
    this.stale = false
  }

  /** Hangs an entry on the O(log n) nodes that together cover segments `from` to `to`. */
  private cover(entry: Entry<T>, from: number, to: number): void {
    let left = from + this.leaves
    let right = to + this.leaves + 1
    for (; left < right; left >>= 1, right >>= 1) {
      if (left & 1) (this.nodes[left++] ??= []).push(entry)
      if (right & 1) (this.nodes[--right] ??= []).push(entry)
    }
  }
}

const rangeId = ({ end, start }: KeyRange): string =>
  `${start.length}:${keyText(start)}${end === undefined ? "" : `|${keyText(end)}`}`

/** The number of bounds at or before the text: segment 0 lies before the first bound. */
const segmentOf = (bounds: ReadonlyArray<string>, text: string): number => {
  let low = 0
  let high = bounds.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (bounds[middle] <= text) low = middle + 1
    else high = middle
  }
  return low
}
