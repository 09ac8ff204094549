// A View of what a remote engine has fetched: the rows of the needs, all of one snapshot, and nothing else.
// Owns the answers from those rows and the refusal of every question that they cannot answer; refuses to fetch.
// A row that is not there and a row that was not asked for are different things: the second throws.
import { compareBytes, keyText, type Need, type Table, type View } from "./Engine.ts"

/** A question went beyond what was fetched; whoever asked may fetch more and ask again. */
export class NotFetched extends Error {
  override readonly name = "NotFetched"
}

/** One need with what was found for it, in key order. */
export interface FetchedNeed {
  readonly need: Need
  readonly keys: ReadonlyArray<Uint8Array>
  readonly values: ReadonlyArray<Uint8Array>
  /** How many rows the range has; for counted needs. */
  readonly count?: number
}

/** Whether a need names one key. */
export const isPoint = ({ end, start }: Need): boolean =>
  end === start || (end !== undefined && compareBytes(start, end) === 0)

/** Single rows by their names; undefined for one that is not there. */
export type FetchedPoints = Map<string, Uint8Array | undefined>

/** The name of a row among single rows: its table's digit and its key. */
export const pointName = (table: Table, key: Uint8Array): string => `${table}${keyText(key)}`

const atOrBeyond = (key: Uint8Array, end: Uint8Array | undefined): boolean =>
  end !== undefined && compareBytes(key, end) >= 0

/** Where a key is, or would be, in an ordered list. */
const placeOf = (keys: ReadonlyArray<Uint8Array>, key: Uint8Array): number => {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareBytes(keys[middle], key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether rows beyond the last fetched one may exist. */
const isCut = ({ keys, need: { limit } }: FetchedNeed): boolean => limit > 0 && keys.length >= limit

export class FetchedView implements View {
  private readonly points: FetchedPoints
  private readonly ranges: Array<FetchedNeed> = []

  /** `points` are single rows of the same snapshot that were fetched already. */
  constructor(fetched: Iterable<FetchedNeed>, points: FetchedPoints = new Map()) {
    this.points = points
    for (const part of fetched) {
      if (isPoint(part.need)) this.points.set(pointName(part.need.table, part.need.start), part.values.at(0))
      else this.ranges.push(part)
    }
  }

  get(table: Table, key: Uint8Array): Uint8Array | undefined {
    const name = pointName(table, key)
    const value = this.points.get(name)
    if (value !== undefined || this.points.has(name)) return value
    for (const range of this.ranges) {
      if (!covers(range, table, key)) continue
      const place = placeOf(range.keys, key)
      if (place < range.keys.length && compareBytes(range.keys[place], key) === 0) return range.values[place]
      if (place < range.keys.length || !isCut(range)) return undefined
    }
    throw new NotFetched(`a row of table ${table} was not fetched`)
  }

  scan(
    table: Table,
    start: Uint8Array,
    end: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean
  ): void {
    if (atOrBeyond(start, end)) return
    const range = this.rangeOf(table, start, end)
    const { keys, values } = range
    for (let at = placeOf(keys, start); at < keys.length; at++) {
      if (atOrBeyond(keys[at], end) || !visit(keys[at], values[at])) return
    }
    if (isCut(range)) throw new NotFetched(`rows of table ${table} beyond the limit were not fetched`)
  }

  count(table: Table, start: Uint8Array, end: Uint8Array | undefined): number {
    if (atOrBeyond(start, end)) return 0
    for (const { count, need } of this.ranges) {
      const same = need.table === table && compareBytes(need.start, start) === 0 && sameEnd(need.end, end)
      if (same && count !== undefined) return count
    }
    let rows = 0
    this.scan(table, start, end, () => (rows++, true))
    return rows
  }

  /** The fetched range that holds an interval, preferably whole. */
  private rangeOf(table: Table, start: Uint8Array, end: Uint8Array | undefined): FetchedNeed {
    let best: FetchedNeed | undefined
    for (const range of this.ranges) {
      const { need } = range
      const holds = need.table === table && compareBytes(need.start, start) <= 0 && endsWithin(end, need.end)
      if (holds && (best === undefined || (isCut(best) && (!isCut(range) || isLonger(range, best))))) best = range
    }
    if (best === undefined) throw new NotFetched(`a range of table ${table} was not fetched`)
    return best
  }
}

const covers = ({ need }: FetchedNeed, table: Table, key: Uint8Array): boolean =>
  need.table === table && compareBytes(need.start, key) <= 0 && !atOrBeyond(key, need.end)

/** Whether a range's rows go further than another's. */
const isLonger = (range: FetchedNeed, than: FetchedNeed): boolean => {
  const [last, other] = [range.keys.at(-1), than.keys.at(-1)]
  return last !== undefined && (other === undefined || compareBytes(last, other) > 0)
}

const endsWithin = (end: Uint8Array | undefined, bound: Uint8Array | undefined): boolean =>
  bound === undefined || (end !== undefined && compareBytes(end, bound) <= 0)

const sameEnd = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : compareBytes(a, b) === 0

/** Fetches needs from a View at hand: how an engine in memory plays a remote one. */
export const fetchNeeds = (view: View, needs: ReadonlyArray<Need>): FetchedView =>
  new FetchedView(needs.map((need) => fetchOne(view, need)))

const fetchOne = (view: View, need: Need): FetchedNeed => {
  const { counted, end, limit, start, table } = need
  if (isPoint(need)) {
    const value = view.get(table, start)
    return value === undefined
      ? { need, keys: [], values: [] }
      : { need, keys: [start], values: [Uint8Array.from(value)] }
  }
  const keys: Array<Uint8Array> = []
  const values: Array<Uint8Array> = []
  view.scan(table, start, end, (key, value) => {
    keys.push(Buffer.from(key))
    values.push(Buffer.from(value))
    return limit === 0 || keys.length < limit
  })
  return counted === true ? { need, keys, values, count: view.count(table, start, end) } : { need, keys, values }
}
