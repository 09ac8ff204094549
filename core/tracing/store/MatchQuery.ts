// Whether one fact is a span that a query looks for, judged by the fact alone.
// Owns the meaning of every part of a query, for all stores; refuses to find candidates fast, which each store does its own way.
import { objectAttributes, objectName, serviceOf, spanAttributes, spanEndUs, spanName } from "../model/Describe.ts"
import type { Fact } from "../model/Fact.ts"
import { windowStartUs } from "../model/ObjectKey.ts"
import { inRange } from "./FactSource.ts"
import type { Range, TraceQuery } from "./SpanStore.ts"

/** The time by which a match is sorted; undefined when the fact is no span that the query looks for. */
export const matchUs = (fact: Fact, query: TraceQuery, windowSeconds: number): number | undefined => {
  const service = query.service ?? serviceOf(fact)
  if (query.service === undefined && service !== "audit" && service !== "event") return undefined
  if (service === "object") return objectMatchUs(fact, query, windowSeconds)
  if (service === undefined || serviceOf(fact) !== service) return undefined
  const { atUs } = fact
  const lengthUs = spanEndUs(fact, windowSeconds) - atUs
  if (!(service === "link" ? touches(atUs, windowSeconds, query) : inRange(atUs, query))) return undefined
  if (!lasts(lengthUs, query)) return undefined
  if (query.operation !== undefined && spanName(fact) !== query.operation) return undefined
  return holds(query, () => spanAttributes(fact)) ? atUs : undefined
}

/** Every fact shows the object that it is about. */
const objectMatchUs = (fact: Fact, query: TraceQuery, windowSeconds: number): number | undefined => {
  const start = windowStartUs(fact.atUs, windowSeconds)
  if (!touches(start, windowSeconds, query) || !lasts(windowSeconds * 1_000_000, query)) return undefined
  if (query.operation !== undefined && objectName(fact.object) !== query.operation) return undefined
  return holds(query, () => objectAttributes(fact.object, start, {})) ? start : undefined
}

const holds = ({ attributes }: TraceQuery, of: () => Readonly<Record<string, string>>): boolean => {
  if (attributes === undefined) return true
  const has = of()
  for (const name in attributes) if (has[name] !== attributes[name]) return false
  return true
}

const lasts = (us: number, { maxDurationUs, minDurationUs }: TraceQuery): boolean =>
  (minDurationUs === undefined || us >= minDurationUs) && (maxDurationUs === undefined || us <= maxDurationUs)

/** Whether a window touches a range. */
export const touches = (startUs: number, windowSeconds: number, { fromUs, toUs }: Range): boolean =>
  (fromUs === undefined || startUs + windowSeconds * 1_000_000 > fromUs) && (toUs === undefined || startUs < toUs)
