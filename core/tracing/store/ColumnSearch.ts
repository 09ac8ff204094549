// A query as conditions on columns, and the rows of one segment that meet them: run down one column, then over what is left.
// Owns the conditions and the order of columns; refuses the final word on a match, because columns hold hashes.
import { Attribute } from "../model/Span.ts"
import { windowStartUs } from "../model/ObjectKey.ts"
import { Column, columnOf, hashText, signatureOf } from "./Columns.ts"
import { kindNumbers } from "./FactRecord.ts"
import type { Range, TraceQuery } from "./SpanStore.ts"

/** One segment's columns. What is handed out is valid until the next call on any segment. */
export interface Segment {
  readonly rows: number
  readonly minUs: number
  /** Inclusive. */
  readonly maxUs: number
  /** Whether rows are in the order of time. */
  readonly sorted: boolean
  readonly times: () => Float64Array
  readonly column: (column: number) => Uint32Array
}

export interface Conditions extends Range {
  /** A bit for each kind by its number. */
  readonly kinds: number
  readonly equals: ReadonlyArray<readonly [column: number, hash: number]>
  readonly signature: ReadonlyArray<number>
  readonly minDurationUs: number
  readonly maxDurationUs: number
}

/** The columns that leave the fewest rows come first. */
const selective: ReadonlyArray<string> = [
  Attribute.auditId,
  Attribute.uid,
  Attribute.name,
  Attribute.namespace,
  "operation",
  Attribute.username,
  Attribute.reason
]

const order = ([name]: readonly [string, string]): number => {
  const at = selective.indexOf(name)
  return at < 0 ? selective.length : at
}

const objectParts: ReadonlySet<string> = new Set([
  Attribute.cluster,
  Attribute.group,
  Attribute.resource,
  Attribute.namespace,
  Attribute.name
])
const objectConstants: ReadonlySet<string> = new Set([Attribute.timeStamp, Attribute.traceSource, Attribute.pseudoType])

export const bitOf = (kind: keyof typeof kindNumbers): number => 1 << kindNumbers[kind]
export const EVERY_KIND = 15

const everything: Conditions = {
  kinds: EVERY_KIND,
  equals: [],
  signature: [],
  minDurationUs: 0,
  maxDurationUs: Number.POSITIVE_INFINITY
}

const conditionsOf = (
  attributes: ReadonlyArray<readonly [string, string]>
): Pick<Conditions, "equals" | "signature"> => {
  const equals: Array<readonly [number, number]> = []
  const signed: Array<readonly [string, string]> = []
  for (const attribute of attributes.toSorted((a, b) => order(a) - order(b))) {
    const [name, value] = attribute
    const column = columnOf(name)
    if (column === undefined) signed.push(attribute)
    else equals.push([column, hashText(value)])
  }
  return { equals, signature: signatureOf(signed) }
}

/** What a query asks of columns; undefined when nothing can match. */
export const compileQuery = (query: TraceQuery, windowSeconds: number): Conditions | undefined => {
  const attributes = Object.entries(query.attributes ?? {})
  if (attributes.some(([, value]) => value === "")) return undefined
  if (query.service === "object") return compileObjectQuery(query, attributes, windowSeconds)
  const { fromUs, maxDurationUs, minDurationUs, operation, service, toUs } = query
  const lengthUs = windowSeconds * 1_000_000
  const from = fromUs !== undefined && service === "link" ? fromUs - lengthUs + 1 : fromUs
  return {
    ...everything,
    kinds: service === undefined ? bitOf("audit") | bitOf("event") : bitOf(service),
    ...conditionsOf(operation === undefined ? attributes : [["operation", operation], ...attributes]),
    minDurationUs: minDurationUs ?? 0,
    maxDurationUs: maxDurationUs ?? Number.POSITIVE_INFINITY,
    ...(from === undefined ? {} : { fromUs: from }),
    ...(toUs === undefined ? {} : { toUs })
  }
}

/** Any fact shows its object, whose span has the object's attributes and lasts its window. */
const compileObjectQuery = (
  query: TraceQuery,
  attributes: ReadonlyArray<readonly [string, string]>,
  windowSeconds: number
): Conditions | undefined => {
  const lengthUs = windowSeconds * 1_000_000
  if (attributes.some(([name]) => !objectParts.has(name) && !objectConstants.has(name))) return undefined
  const { fromUs, operation, toUs } = query
  const parts = attributes.filter(([name]) => objectParts.has(name))
  if (operation !== undefined) {
    const slash = operation.indexOf("/")
    parts.push(
      [Attribute.resource, operation.slice(0, Math.max(slash, 0))],
      [Attribute.name, operation.slice(slash + 1)]
    )
  }
  return {
    ...everything,
    ...conditionsOf(parts),
    ...(fromUs === undefined ? {} : { fromUs: windowStartUs(fromUs, windowSeconds) }),
    ...(toUs === undefined ? {} : { toUs: windowStartUs(toUs - 1, windowSeconds) + lengthUs })
  }
}

/** Conditions for all facts of some kinds of an object, by its id. */
export const objectConditions = (object: string, kinds: number, range: Range): Conditions => ({
  ...everything,
  kinds,
  equals: [
    [Column.object0, Number.parseInt(object.slice(0, 8), 16)],
    [Column.object1, Number.parseInt(object.slice(8, 16), 16)],
    [Column.object2, Number.parseInt(object.slice(16), 16)]
  ],
  ...range
})

/** Conditions for facts about objects with these parts. */
export const partsConditions = (parts: ReadonlyArray<readonly [string, string]>, range: Range): Conditions => ({
  ...everything,
  ...conditionsOf(parts),
  ...range
})

export const overlaps = ({ maxUs, minUs }: Pick<Segment, "minUs" | "maxUs">, { fromUs, toUs }: Range): boolean =>
  (fromUs === undefined || maxUs >= fromUs) && (toUs === undefined || minUs < toUs)

/** Writes the rows that meet the conditions to `into`, in the order of the segment; answers how many. */
export const scanSegment = (segment: Segment, conditions: Conditions, into: Uint32Array): number => {
  const { equals, fromUs, kinds, maxDurationUs, minDurationUs, signature, toUs } = conditions
  const [first, end] = segment.sorted ? bounds(segment, conditions) : [0, segment.rows]
  let count: number
  const [head, ...others] = equals
  if (head === undefined) {
    count = Math.max(0, end - first)
    for (let at = 0; at < count; at++) into[at] = first + at
  } else count = findEqual(segment.column(head[0]), head[1], first, end, into)
  for (const [column, hash] of others) {
    if (count === 0) return 0
    const values = segment.column(column)
    count = keep(into, count, (row) => values[row] === hash)
  }
  if (count > 0 && kinds !== EVERY_KIND) {
    const values = segment.column(Column.kind)
    count = keep(into, count, (row) => ((kinds >>> values[row]) & 1) === 1)
  }
  for (const [word, wanted] of signature.entries()) {
    if (count === 0 || wanted === 0) continue
    const values = segment.column(Column.signature + word)
    count = keep(into, count, (row) => (values[row] & wanted) >>> 0 === wanted)
  }
  if (count > 0 && (minDurationUs > 0 || maxDurationUs !== Number.POSITIVE_INFINITY)) {
    const values = segment.column(Column.durationUs)
    // A duration beyond what 32 bits hold is judged on the fact itself.
    count = keep(
      into,
      count,
      (row) => values[row] === SATURATED || (values[row] >= minDurationUs && values[row] <= maxDurationUs)
    )
  }
  if (count > 0 && !segment.sorted && (fromUs !== undefined || toUs !== undefined)) {
    const times = segment.times()
    const [from, to] = [fromUs ?? Number.NEGATIVE_INFINITY, toUs ?? Number.POSITIVE_INFINITY]
    count = keep(into, count, (row) => times[row] >= from && times[row] < to)
  }
  return count
}

const SATURATED = 0xffff_ffff

const findEqual = (values: Uint32Array, wanted: number, first: number, end: number, into: Uint32Array): number => {
  let count = 0
  for (let row = first; row < end; row++) if (values[row] === wanted) into[count++] = row
  return count
}

const keep = (into: Uint32Array, count: number, holds: (row: number) => boolean): number => {
  let kept = 0
  for (let at = 0; at < count; at++) if (holds(into[at])) into[kept++] = into[at]
  return kept
}

const bounds = (segment: Segment, { fromUs, toUs }: Range): readonly [number, number] => {
  const whole = (fromUs === undefined || segment.minUs >= fromUs) && (toUs === undefined || segment.maxUs < toUs)
  if (whole) return [0, segment.rows]
  const times = segment.times()
  return [
    fromUs === undefined ? 0 : lowerBound(times, segment.rows, fromUs),
    toUs === undefined ? segment.rows : lowerBound(times, segment.rows, toUs)
  ]
}

/** The first row whose time is not before. */
const lowerBound = (times: Float64Array, rows: number, us: number): number => {
  let low = 0
  let high = rows
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle] < us) low = middle + 1
    else high = middle
  }
  return low
}
