// Traces of other systems in the JSON of Jaeger's query API, as trees to be hung into ours.
// Owns the reading of that form, with bounds; what is no span in it is left out. Refuses to fetch.
import { idOf } from "../model/Ids.ts"
import type { ViewNode } from "../view/ViewNode.ts"

/** Spans of one answer; the rest is left out, and the first says so. */
export const FOREIGN_SPANS_MAX = 5000

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields =>
  // SAFETY: an object has fields.
  typeof value === "object" && value !== null ? (value as Fields) : {}
const listOf = (value: unknown): ReadonlyArray<Fields> => (Array.isArray(value) ? value.map(fieldsOf) : [])
const text = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value)
const count = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0)

const pairs = (value: unknown): Record<string, string> =>
  Object.fromEntries(listOf(value).map((pair) => [text(pair["key"]), text(pair["value"])]))

interface Read {
  readonly node: ViewNode
  readonly parent: string
}

const readSpan = (span: Fields, processes: Fields, under: ViewNode): Read => {
  const [traceId, spanId] = [text(span["traceID"]), text(span["spanID"])]
  const process = fieldsOf(processes[text(span["processID"])])
  const startUs = count(span["startTime"])
  const tags = pairs(span["tags"])
  const parent = listOf(span["references"]).find(({ refType }) => refType === "CHILD_OF")
  const isLinkable = /^[0-9a-f]{1,32}$/.test(traceId) && /^[0-9a-f]{1,16}$/.test(spanId)
  const link = { traceId: traceId.padStart(32, "0"), spanId: spanId.padStart(16, "0"), attributes: {} }
  const node: ViewNode = {
    // The same trace may hang at several places.
    spanId: idOf("extension", under.spanId, traceId, spanId),
    service: text(process["serviceName"]),
    name: text(span["operationName"]),
    startUs,
    endUs: startUs + count(span["duration"]),
    failed: tags["error"] === "true" || tags["otel.status_code"] === "ERROR",
    tags,
    logs: listOf(span["logs"]).map((log) => {
      const { event = "", ...fields } = pairs(log["fields"])
      return { atUs: count(log["timestamp"]), name: event, fields }
    }),
    links: isLinkable ? [link] : [],
    warnings: [],
    children: [],
    object: under.object
  }
  return { node, parent: parent === undefined ? "" : text(parent["spanID"]) }
}

/** The roots of all traces of an answer, to hang under a span; undefined when it is no such answer. */
export const foreignTraces = (answer: unknown, under: ViewNode): ReadonlyArray<ViewNode> | undefined => {
  const { data } = fieldsOf(answer)
  if (!Array.isArray(data)) return undefined
  const roots: Array<ViewNode> = []
  let room = FOREIGN_SPANS_MAX
  for (const trace of listOf(data)) {
    const spans = listOf(trace["spans"])
    const read = new Map(
      spans
        .slice(0, room)
        .map((span) => [text(span["spanID"]), readSpan(span, fieldsOf(trace["processes"]), under)] as const)
    )
    const before = roots.length
    for (const [id, { node, parent }] of read) {
      const above = parent === id ? undefined : read.get(parent)
      if (above === undefined) roots.push(node)
      else above.node.children.push(node)
    }
    if (spans.length > room) roots[before]?.warnings.push(`${spans.length - room} spans of this trace were left out`)
    room -= read.size
    if (room <= 0) break
  }
  return roots
}
