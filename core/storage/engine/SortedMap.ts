// An ordered map from latin1 strings to values: sorted runs of bounded length, found by binary search.
// Owns order and neighbourhood; refuses durability. Latin1 strings compare as their bytes do and hash natively, which
// makes them the cheapest byte keys that JavaScript has.

const RUN_MAX = 256

interface Run<V> {
  readonly keys: Array<string>
  readonly values: Array<V>
}

export class SortedMap<V> {
  private readonly exact = new Map<string, V>()
  private runs: Array<Run<V>> = [{ keys: [], values: [] }]

  /** An ordered map of a map's entries, sorted at once. */
  static of<V>(entries: ReadonlyMap<string, V>): SortedMap<V> {
    const made = new SortedMap<V>()
    const keys = [...entries.keys()].sort()
    for (const [key, value] of entries) made.exact.set(key, value)
    made.runs = []
    for (let at = 0; at < keys.length; at += RUN_MAX / 2) {
      const run = keys.slice(at, at + RUN_MAX / 2)
      made.runs.push({ keys: run, values: run.map((key) => entries.get(key) as V) })
    }
    if (made.runs.length === 0) made.runs = [{ keys: [], values: [] }]
    return made
  }

  /** A cursor at the first key not before `start`; valid until the map changes. */
  cursor(start: string): SortedCursor<V> {
    const index = this.runOf(start)
    return new SortedCursor(this.runs, index, lowerBound(this.runs[index].keys, start))
  }

  get size(): number {
    return this.exact.size
  }

  get(key: string): V | undefined {
    return this.exact.get(key)
  }

  set(key: string, value: V): void {
    const fresh = !this.exact.has(key)
    this.exact.set(key, value)
    const index = this.runOf(key)
    const run = this.runs[index]
    const at = lowerBound(run.keys, key)
    if (!fresh) {
      run.values[at] = value
      return
    }
    run.keys.splice(at, 0, key)
    run.values.splice(at, 0, value)
    if (run.keys.length > RUN_MAX) {
      const half = run.keys.length >> 1
      this.runs.splice(index + 1, 0, { keys: run.keys.splice(half), values: run.values.splice(half) })
    }
  }

  delete(key: string): void {
    if (!this.exact.delete(key)) return
    const index = this.runOf(key)
    const run = this.runs[index]
    const at = lowerBound(run.keys, key)
    run.keys.splice(at, 1)
    run.values.splice(at, 1)
    if (run.keys.length === 0 && this.runs.length > 1) this.runs.splice(index, 1)
  }

  clear(): void {
    this.exact.clear()
    this.runs = [{ keys: [], values: [] }]
  }

  /** Visits [start, end) in order until the visitor returns false. */
  scan(start: string, end: string | undefined, visit: (key: string, value: V) => boolean): void {
    let index = this.runOf(start)
    let at = lowerBound(this.runs[index].keys, start)
    for (; index < this.runs.length; index++, at = 0) {
      const { keys, values } = this.runs[index]
      for (; at < keys.length; at++) {
        if (end !== undefined && keys[at] >= end) return
        if (!visit(keys[at], values[at])) return
      }
    }
  }

  /** How many keys lie in [start, end): whole runs are counted by their length. */
  count(start: string, end: string | undefined): number {
    if (end !== undefined && end <= start) return 0
    const first = this.runOf(start)
    const from = lowerBound(this.runs[first].keys, start)
    const last = end === undefined ? this.runs.length - 1 : this.runOf(end)
    const to = end === undefined ? this.runs[last].keys.length : lowerBound(this.runs[last].keys, end)
    let total = to - from
    for (let index = first; index < last; index++) total += this.runs[index].keys.length
    return total
  }

  /** The run that holds the key, or would: the last one that does not start after it. */
  private runOf(key: string): number {
    let low = 0
    let high = this.runs.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.runs[middle].keys[0] <= key) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** A place in a SortedMap: `key` is undefined past the end. */
export class SortedCursor<V> {
  private readonly runs: ReadonlyArray<Run<V>>
  private run: number
  private at: number

  constructor(runs: ReadonlyArray<Run<V>>, run: number, at: number) {
    this.runs = runs
    this.run = run
    this.at = at
    this.settle()
  }

  get key(): string | undefined {
    return this.run < this.runs.length ? this.runs[this.run].keys[this.at] : undefined
  }

  get value(): V | undefined {
    return this.run < this.runs.length ? this.runs[this.run].values[this.at] : undefined
  }

  next(): void {
    this.at++
    this.settle()
  }

  private settle(): void {
    while (this.run < this.runs.length && this.at >= this.runs[this.run].keys.length) {
      this.run++
      this.at = 0
    }
  }
}

/** The first index whose key is not before the given one. */
export const lowerBound = (keys: ReadonlyArray<string>, key: string): number => {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (keys[middle] < key) low = middle + 1
    else high = middle
  }
  return low
}
