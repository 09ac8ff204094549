// Traces and objects by what a query asks, newest first, over all segments: the columns say where to look, the facts decide.
// Owns the order, the limit and when to stop looking; works in steps, so that nothing else waits for a search.
import { traceIdIn } from "../model/Ids.ts"
import { type ObjectKey, windowStartUs } from "../model/ObjectKey.ts"
import { compileQuery, type Conditions, partsConditions } from "./ColumnSearch.ts"
import { matchUs } from "./MatchQuery.ts"
import { hex, type Rows, type SegmentSet } from "./SegmentSet.ts"
import type { FoundTrace, ObjectQuery, TraceQuery } from "./SpanStore.ts"

/** Rows looked at before others have their turn. */
const STEP_ROWS = 256

/** The newest of what was found, up to a limit. */
class Newest<A extends { readonly newestUs: number }> {
  private readonly found = new Map<string, A>()
  private readonly limit: number
  private threshold = Number.NEGATIVE_INFINITY
  private since = 0

  constructor(limit: number) {
    this.limit = Math.max(limit, 1)
  }

  /** Whether something of this time could still be among the newest. */
  admits(us: number): boolean {
    return us >= this.threshold
  }

  knows(key: string, us: number): boolean {
    const known = this.found.get(key)
    return known !== undefined && known.newestUs >= us
  }

  add(key: string, value: A): void {
    this.found.set(key, value)
    if (this.found.size < this.limit || ++this.since < this.limit / 2) return
    this.since = 0
    this.prune()
  }

  best(): ReadonlyArray<A> {
    this.prune()
    return this.sorted().map(([, value]) => value)
  }

  private sorted(): Array<[string, A]> {
    return [...this.found].sort(([a, x], [b, y]) => y.newestUs - x.newestUs || (a < b ? -1 : 1))
  }

  private prune(): void {
    const sorted = this.sorted()
    for (const [key] of sorted.slice(this.limit)) this.found.delete(key)
    if (sorted.length >= this.limit) this.threshold = sorted[this.limit - 1][1].newestUs
  }
}

const objectIn = ({ object }: Rows, at: number): string => hex(object[0][at]) + hex(object[1][at]) + hex(object[2][at])

/** Looks for traces step by step; the last step returns them. */
export function* searchTraces(
  segments: SegmentSet,
  query: TraceQuery,
  windowSeconds: number
): Generator<undefined, ReadonlyArray<FoundTrace>> {
  const conditions = compileQuery(query, windowSeconds)
  if (conditions === undefined) return []
  const newest = new Newest<FoundTrace>(query.limit)
  const byWindow = query.service === "object"
  yield* eachRow(segments, conditions, (rows, at) => {
    const atUs = rows.atUs[at]
    const start = windowStartUs(atUs, windowSeconds)
    const us = byWindow ? start : atUs
    if (!newest.admits(us)) return false
    const traceId = traceIdIn(objectIn(rows, at), start)
    if (newest.knows(traceId, us)) return true
    const fact = segments.load(rows, at)
    const found = matchUs(fact, query, windowSeconds)
    if (found !== undefined)
      newest.add(traceId, { traceId, object: fact.object, windowStartUs: start, newestUs: found })
    return true
  })
  return newest.best()
}

interface FoundObject {
  readonly object: ObjectKey
  readonly newestUs: number
}

/** Looks for objects step by step; the last step returns them. */
export function* searchObjects(
  segments: SegmentSet,
  { fromUs, limit, toUs, ...parts }: ObjectQuery
): Generator<undefined, ReadonlyArray<ObjectKey>> {
  const wanted = Object.entries(parts).filter((pair): pair is [keyof ObjectKey, string] => pair[1] !== undefined)
  const range = { ...(fromUs === undefined ? {} : { fromUs }), ...(toUs === undefined ? {} : { toUs }) }
  const newest = new Newest<FoundObject>(limit)
  yield* eachRow(segments, partsConditions(wanted, range), (rows, at) => {
    const newestUs = rows.atUs[at]
    if (!newest.admits(newestUs)) return false
    const id = objectIn(rows, at)
    if (newest.knows(id, newestUs)) return true
    const { object } = segments.load(rows, at)
    if (wanted.every(([part, value]) => object[part] === value)) newest.add(id, { object, newestUs })
    return true
  })
  return newest.best().map(({ object }) => object)
}

/** Visits rows that meet conditions, within a segment the newest first, until the visitor has enough of the segment. */
function* eachRow(
  segments: SegmentSet,
  conditions: Conditions,
  visit: (rows: Rows, at: number) => boolean
): Generator<undefined, void> {
  for (const segment of segments.newestFirst(conditions)) {
    const rows = segments.find(segment, conditions)
    yield
    if (rows === undefined) continue
    for (let at = rows.count - 1; at >= 0 && visit(rows, at); at--) if (at % STEP_ROWS === 0) yield
  }
}
