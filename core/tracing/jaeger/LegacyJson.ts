// Traces in the JSON of Jaeger's old query API, which its page reads: microseconds, tags as typed pairs, services as processes.
// Owns the form, written piece by piece since a trace may have tens of thousands of spans; refuses to choose traces.
import type { OutSpan } from "../otlp/OutSpan.ts"
import type { CatalogTrace } from "./TraceCatalog.ts"

const pair = (key: string, value: string) => ({ key, type: "string", value })

const tagsOf = ({ failed, tags }: OutSpan): ReadonlyArray<unknown> => {
  const pairs: Array<unknown> = Object.entries(tags).map(([key, value]) => pair(key, value))
  pairs.push(pair("span.kind", "internal"))
  if (failed) pairs.push(pair("otel.status_code", "ERROR"), { key: "error", type: "bool", value: true })
  pairs.push(pair("otel.scope.name", "kubewharf"))
  return pairs
}

const spanJson = (span: OutSpan, processID: string): string => {
  const references = span.links.map(({ spanId, traceId }) => ({
    refType: "FOLLOWS_FROM",
    traceID: traceId,
    spanID: spanId
  }))
  if (span.parentSpanId !== "") {
    references.unshift({ refType: "CHILD_OF", traceID: span.traceId, spanID: span.parentSpanId })
  }
  return JSON.stringify({
    traceID: span.traceId,
    spanID: span.spanId,
    operationName: span.name,
    references,
    startTime: span.startUs,
    duration: span.endUs - span.startUs,
    tags: tagsOf(span),
    logs: span.logs.map(({ atUs, fields, name }) => ({
      timestamp: atUs,
      // A field that is called event takes the name's place, as in Jaeger.
      fields: [
        ...("event" in fields ? [] : [pair("event", name)]),
        ...Object.entries(fields).map(([key, value]) => pair(key, value))
      ]
    })),
    processID,
    warnings: span.warnings.length === 0 ? null : span.warnings
  })
}

/** One trace, piece by piece. */
function* traceJson(trace: CatalogTrace): Generator<string> {
  const processes = new Map<string, string>()
  yield `{"traceID":"${trace.traceId}","spans":[`
  let first = true
  for (let spans = trace.next(); spans !== undefined; spans = trace.next()) {
    for (const span of spans) {
      let process = processes.get(span.service)
      if (process === undefined) {
        process = `p${processes.size + 1}`
        processes.set(span.service, process)
      }
      yield `${first ? "" : ","}${spanJson(span, process)}`
      first = false
    }
  }
  const named = Array.from(processes, ([serviceName, key]) => [key, { serviceName, tags: [] }])
  yield `],"processes":${JSON.stringify(Object.fromEntries(named))},"warnings":null}`
}

/** `{data: [trace…]}`, piece by piece. */
export function* tracesJson(
  traces: ReadonlyArray<CatalogTrace>,
  errors: ReadonlyArray<unknown> | null
): Generator<string> {
  yield '{"data":['
  for (const [at, trace] of traces.entries()) {
    if (at > 0) yield ","
    yield* traceJson(trace)
  }
  yield `],"total":0,"limit":0,"offset":0,"errors":${JSON.stringify(errors)}}`
}

/** `{data, total, …}` of a list that is no trace. */
export const listJson = (data: ReadonlyArray<unknown>) => ({
  data,
  total: data.length,
  limit: 0,
  offset: 0,
  errors: null
})

export const errorJson = (code: number, msg: string) => ({
  data: null,
  total: 0,
  limit: 0,
  offset: 0,
  errors: [{ code, msg }]
})
