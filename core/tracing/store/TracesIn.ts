// In which windows an object has facts.
// Owns the answer from the index alone; refuses to read facts.
import { traceIdIn } from "../model/Ids.ts"
import { windowStartUs } from "../model/ObjectKey.ts"
import { EVERY_KIND } from "./ColumnSearch.ts"
import type { SegmentSet } from "./SegmentSet.ts"
import type { Range } from "./SpanStore.ts"

/** Ids of the traces of an object (by its id) whose windows touch a range, oldest first. */
export const tracesIn = (
  segments: SegmentSet,
  object: string,
  { fromUs, toUs }: Range,
  windowSeconds: number
): ReadonlyArray<string> => {
  const range = {
    ...(fromUs === undefined ? {} : { fromUs: windowStartUs(fromUs, windowSeconds) }),
    ...(toUs === undefined ? {} : { toUs: windowStartUs(toUs - 1, windowSeconds) + windowSeconds * 1_000_000 })
  }
  const starts = new Set<number>()
  for (const { atUs } of segments.refs(object, EVERY_KIND, range)) starts.add(windowStartUs(atUs, windowSeconds))
  return [...starts].sort((a, b) => a - b).map((start) => traceIdIn(object, start))
}
