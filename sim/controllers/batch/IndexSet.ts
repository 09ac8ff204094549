// Sets of completion indexes as Jobs write them: "0,3-5,7". A Job of a hundred thousand indexes has a few intervals most of the time.
// Owns the text and the set's arithmetic; refuses to know Jobs. Source: kubernetes pkg/controller/job/indexed_job_utils.go.

interface Interval {
  readonly first: number
  readonly last: number
}

/** What Go's Atoi takes. */
const NUMBER = /^[+-]?\d+$/

const joined = (sorted: Iterable<Interval>): ReadonlyArray<Interval> => {
  const intervals: Array<Interval> = []
  for (const one of sorted) {
    const before = intervals.at(-1)
    if (before === undefined || one.first > before.last + 1) intervals.push(one)
    else if (one.last > before.last) intervals[intervals.length - 1] = { first: before.first, last: one.last }
  }
  return intervals
}

function* inOrder(a: ReadonlyArray<Interval>, b: ReadonlyArray<Interval>): Generator<Interval> {
  let at = 0
  for (const one of b) {
    for (let next = a[at]; next !== undefined && next.first < one.first; next = a[++at]) yield next
    yield one
  }
  for (let next = a[at]; next !== undefined; next = a[++at]) yield next
}

export class IndexSet {
  readonly intervals: ReadonlyArray<Interval>
  /** How many indexes there are. */
  readonly size: number

  private constructor(intervals: ReadonlyArray<Interval>) {
    this.intervals = intervals
    this.size = intervals.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  }

  static readonly empty = new IndexSet([])

  static of(indexes: Iterable<number>): IndexSet {
    const sorted = [...indexes].sort((a, b) => a - b)
    return new IndexSet(joined(sorted.map((index) => ({ first: index, last: index }))))
  }

  /** Reads a text; indexes from `completions` on are left out, and what is no interval is passed over. */
  static parse(text: string, completions: number): IndexSet {
    const intervals: Array<Interval> = []
    for (const part of text === "" ? [] : text.split(",")) {
      const [from = "", to = from] = part.split("-")
      if (!NUMBER.test(from)) continue
      const first = Number(from)
      if (first >= completions) break
      if (!NUMBER.test(to)) continue
      intervals.push({ first, last: Math.min(Number(to), completions - 1) })
    }
    return new IndexSet(joined(intervals))
  }

  has(index: number): boolean {
    let low = 0
    let high = this.intervals.length
    while (high > low) {
      const middle = (low + high) >> 1
      if ((this.intervals[middle]?.last ?? 0) >= index) high = middle
      else low = middle + 1
    }
    const found = this.intervals[high]
    return found !== undefined && found.first <= index
  }

  union(other: IndexSet): IndexSet {
    if (other.size === 0) return this
    return this.size === 0 ? other : new IndexSet(joined(inOrder(this.intervals, other.intervals)))
  }

  /** How many indexes are in both. */
  shared(other: IndexSet): number {
    let count = 0
    let at = 0
    for (const one of this.intervals) {
      for (let next = other.intervals[at]; next !== undefined && next.first <= one.last; next = other.intervals[at]) {
        count += Math.max(0, Math.min(one.last, next.last) - Math.max(one.first, next.first) + 1)
        if (next.last > one.last) break
        at++
      }
    }
    return count
  }

  /** The first indexes below a bound that are not in the set, `count` at most. */
  missing(count: number, below: number): ReadonlyArray<number> {
    const found: Array<number> = []
    let candidate = 0
    for (const { first, last } of this.intervals) {
      for (; candidate < below && candidate < first && found.length < count; candidate++) found.push(candidate)
      candidate = Math.max(candidate, last + 1)
    }
    for (; candidate < below && found.length < count; candidate++) found.push(candidate)
    return found
  }

  toString(): string {
    return this.intervals
      .map(({ first, last }) =>
        first === last ? String(first) : last === first + 1 ? `${first},${last}` : `${first}-${last}`
      )
      .join(",")
  }
}
