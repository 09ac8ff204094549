// An ordered map from latin1 strings to values: a hash map, and beside it the keys in sorted runs while order is in demand.
// Owns order and neighbourhood; refuses durability. Latin1 strings compare as their bytes do and hash natively, which
// makes them the cheapest byte keys that JavaScript has. Most writers never ask for order, so it is made when somebody does, kept up
// from then on, and given up when the map has changed as much as it is large without anyone asking again.

const RUN_MAX = 256
/** Smaller maps keep their order. */
const CHANGES_MIN = 1024

export class SortedMap<V> {
  private readonly values = new Map<string, V>()
  private runs: Array<Array<string>> | undefined
  /** Keys that came or went since order was last asked for. */
  private changes = 0

  /** An ordered map of a map's entries, sorted at once. */
  static of<V>(entries: ReadonlyMap<string, V>): SortedMap<V> {
    const made = new SortedMap<V>()
    for (const [key, value] of entries) made.values.set(key, value)
    made.order()
    return made
  }

  /** A cursor at the first key not before `start`; valid until the map changes. */
  cursor(start: string): SortedCursor<V> {
    const runs = this.order()
    const index = runOf(runs, start)
    return new SortedCursor(this.values, runs, index, lowerBound(runs[index], start))
  }

  get size(): number {
    return this.values.size
  }

  get(key: string): V | undefined {
    return this.values.get(key)
  }

  set(key: string, value: V): void {
    const { runs, values } = this
    if (runs === undefined) return void values.set(key, value)
    const before = values.size
    values.set(key, value)
    if (values.size === before || !this.isKept()) return
    const last = runs[runs.length - 1]
    const isLast = last.length === 0 || last[last.length - 1] < key
    const index = isLast ? runs.length - 1 : runOf(runs, key)
    const run = runs[index]
    if (isLast) {
      if (run.length < RUN_MAX) run.push(key)
      else runs.push([key])
      return
    }
    run.splice(lowerBound(run, key), 0, key)
    if (run.length > RUN_MAX) runs.splice(index + 1, 0, run.splice(run.length >> 1))
  }

  delete(key: string): void {
    const { runs } = this
    if (!this.values.delete(key) || runs === undefined || !this.isKept()) return
    const index = runOf(runs, key)
    const run = runs[index]
    if (run[0] === key) run.shift()
    else run.splice(lowerBound(run, key), 1)
    if (run.length === 0 && runs.length > 1) runs.splice(index, 1)
  }

  clear(): void {
    this.values.clear()
    this.runs = undefined
  }

  /** Visits [start, end) in order until the visitor returns false. */
  scan(start: string, end: string | undefined, visit: (key: string, value: V) => boolean): void {
    const runs = this.order()
    const { values } = this
    let index = runOf(runs, start)
    let at = lowerBound(runs[index], start)
    for (; index < runs.length; index++, at = 0) {
      const run = runs[index]
      for (; at < run.length; at++) {
        const key = run[at]
        if (end !== undefined && key >= end) return
        // SAFETY: the runs have the keys of the map.
        if (!visit(key, values.get(key) as V)) return
      }
    }
  }

  /** How many keys lie in [start, end): whole runs are counted by their length. */
  count(start: string, end: string | undefined): number {
    if (end !== undefined && end <= start) return 0
    if (start === "" && end === undefined) return this.values.size
    const runs = this.order()
    const first = runOf(runs, start)
    const from = lowerBound(runs[first], start)
    const last = end === undefined ? runs.length - 1 : runOf(runs, end)
    const to = end === undefined ? runs[last].length : lowerBound(runs[last], end)
    let total = to - from
    for (let index = first; index < last; index++) total += runs[index].length
    return total
  }

  /** The keys in order; made anew when they were given up. */
  private order(): Array<Array<string>> {
    this.changes = 0
    if (this.runs !== undefined) return this.runs
    const keys = [...this.values.keys()].sort()
    const runs: Array<Array<string>> = []
    for (let at = 0; at < keys.length; at += RUN_MAX / 2) runs.push(keys.slice(at, at + RUN_MAX / 2))
    return (this.runs = runs.length === 0 ? [[]] : runs)
  }

  /** Counts a change; false when order is given up with it. */
  private isKept(): boolean {
    if (++this.changes <= CHANGES_MIN || this.changes <= this.values.size) return true
    this.runs = undefined
    return false
  }
}

/** The run that holds the key, or would: the last one that does not start after it. */
const runOf = (runs: ReadonlyArray<ReadonlyArray<string>>, key: string): number => {
  let low = 0
  let high = runs.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (runs[middle][0] <= key) low = middle
    else high = middle - 1
  }
  return low
}

/** A place in a SortedMap: `key` is undefined past the end. */
export class SortedCursor<V> {
  private readonly values: ReadonlyMap<string, V>
  private readonly runs: ReadonlyArray<ReadonlyArray<string>>
  private run: number
  private at: number

  constructor(values: ReadonlyMap<string, V>, runs: ReadonlyArray<ReadonlyArray<string>>, run: number, at: number) {
    this.values = values
    this.runs = runs
    this.run = run
    this.at = at
    this.settle()
  }

  get key(): string | undefined {
    return this.run < this.runs.length ? this.runs[this.run][this.at] : undefined
  }

  get value(): V | undefined {
    const { key } = this
    return key === undefined ? undefined : this.values.get(key)
  }

  next(): void {
    this.at++
    this.settle()
  }

  private settle(): void {
    while (this.run < this.runs.length && this.at >= this.runs[this.run].length) {
      this.run++
      this.at = 0
    }
  }
}

/** The first index, from one on, whose key is not before the given one. */
export const lowerBound = (keys: ReadonlyArray<string>, key: string, from = 0): number => {
  let low = from
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (keys[middle] < key) low = middle + 1
    else high = middle
  }
  return low
}
