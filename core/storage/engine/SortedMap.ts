// An ordered map from latin1 strings to values: a hash map, and beside it the keys in sorted runs while order is in demand.
// Owns order and neighbourhood; refuses durability. Latin1 strings compare as their bytes do and hash natively, which
// makes them the cheapest byte keys that JavaScript has. Most writers never ask for order, so it is made when somebody does, put right
// when somebody does again, and given up when half as many keys came or went meanwhile as the map has: sorting it is then hardly dearer.

const RUN_MAX = 256
/** Smaller maps keep their order. */
const CHANGES_MIN = 1024

export class SortedMap<V> {
  private readonly values = new Map<string, V>()
  private runs: Array<Array<string>> | undefined
  /** Keys that came or went since order was last asked for: it is put right only when somebody asks again. */
  private readonly touched = new Set<string>()

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
    const { values } = this
    const before = values.size
    values.set(key, value)
    if (this.runs !== undefined && values.size !== before) this.touch(key)
  }

  delete(key: string): void {
    if (this.values.delete(key) && this.runs !== undefined) this.touch(key)
  }

  clear(): void {
    this.values.clear()
    this.giveUp()
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
        const value = values.get(key)
        // A visitor may have taken it out.
        if (value === undefined && !values.has(key)) continue
        // SAFETY: the map has the key.
        if (!visit(key, value as V)) return
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

  /** The keys in order: put right with what came and went since, or made anew when they were given up. */
  private order(): Array<Array<string>> {
    const { runs, touched } = this
    if (runs !== undefined) {
      if (touched.size === 0) return runs
      for (const key of touched)
        if (this.values.has(key)) insert(runs, key)
        else remove(runs, key)
      touched.clear()
      return runs
    }
    const keys = [...this.values.keys()].sort()
    const made: Array<Array<string>> = []
    for (let at = 0; at < keys.length; at += RUN_MAX / 2) made.push(keys.slice(at, at + RUN_MAX / 2))
    return (this.runs = made.length === 0 ? [[]] : made)
  }

  /** Notes a key that came or went; gives order up when there are too many of them. */
  private touch(key: string): void {
    const { touched } = this
    touched.add(key)
    if (touched.size > CHANGES_MIN && 2 * touched.size > this.values.size) this.giveUp()
  }

  private giveUp(): void {
    this.runs = undefined
    this.touched.clear()
  }
}

const insert = (runs: Array<Array<string>>, key: string): void => {
  const last = runs[runs.length - 1]
  if (last.length === 0 || last[last.length - 1] < key) {
    if (last.length < RUN_MAX) last.push(key)
    else runs.push([key])
    return
  }
  const index = runOf(runs, key)
  const run = runs[index]
  const at = lowerBound(run, key)
  if (run[at] === key) return
  run.splice(at, 0, key)
  if (run.length > RUN_MAX) runs.splice(index + 1, 0, run.splice(run.length >> 1))
}

const remove = (runs: Array<Array<string>>, key: string): void => {
  const index = runOf(runs, key)
  const run = runs[index]
  const at = lowerBound(run, key)
  if (run[at] !== key) return
  if (at === 0) run.shift()
  else run.splice(at, 1)
  if (run.length === 0 && runs.length > 1) runs.splice(index, 1)
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
