// Jaeger's query API over HTTP, the old paths and /api/v3, so that Jaeger's page can be served by us alone.
// Owns paths, statuses and envelopes; refuses to search, which the catalog does. To archive is 501: the original has no archive either, and
// what a trace shows follows from its id for as long as its facts are kept. Service metrics are empty.
import type { HttpExchange } from "#net"
import { type Asked, answerJson, BadParameter, streamJson } from "../api/Answering.ts"
import { tracesJson as otlpJson } from "../otlp/OtlpJson.ts"
import type { OutSpan } from "../otlp/OutSpan.ts"
import { OtlpInvalid, readOtlpJson } from "../otlp/ReadOtlpJson.ts"
import { errorJson, listJson, tracesJson } from "./LegacyJson.ts"
import { goDuration, legacyQuery, traceIdParameter, v3Query } from "./QueryParameters.ts"
import { type CatalogTrace, type TraceCatalog, wholeTrace } from "./TraceCatalog.ts"
import { summaryOf } from "./TraceSummary.ts"

export class QueryApi {
  private readonly catalog: TraceCatalog
  private readonly nowUs: () => number

  constructor(catalog: TraceCatalog, nowUs: () => number) {
    this.catalog = catalog
    this.nowUs = nowUs
  }

  /** Answers what is below /api; false when the path is none of Jaeger's. */
  serve(asked: Asked): boolean {
    const [api, first = "", ...rest] = asked.parts
    if (api !== "api") return false
    const isV3 = first === "v3"
    try {
      return isV3 ? this.serveV3(asked, rest) : this.serveLegacy(asked, first, rest)
    } catch (error) {
      if (!(error instanceof BadParameter)) throw error
      if (isV3) answerError(asked.exchange, 400, error.message)
      else answerJson(asked.exchange, 400, errorJson(400, error.message))
      return true
    }
  }

  private serveLegacy({ exchange, query }: Asked, first: string, rest: ReadonlyArray<string>): boolean {
    const [name = "", last] = rest
    switch (`${exchange.method} ${first}`) {
      case "GET services":
        answerJson(
          exchange,
          200,
          listJson(rest.length === 2 && last === "operations" ? this.catalog.operations(name) : this.catalog.services())
        )
        return true
      case "GET operations": {
        const service = query.get("service") ?? ""
        if (service === "") throw new BadParameter("service", "is required")
        answerJson(exchange, 200, listJson(this.operations(service, query.get("spanKind") ?? "")))
        return true
      }
      case "GET traces":
        if (name !== "") this.legacyTraces(exchange, [name], true)
        else if (query.has("traceID")) this.legacyTraces(exchange, query.getAll("traceID"), false)
        else
          this.catalog.find(legacyQuery(query, this.nowUs()), (found) => streamJson(exchange, tracesJson(found, null)))
        return true
      case "GET dependencies":
        this.dependencies(exchange, query)
        return true
      case "GET metrics":
        answerJson(exchange, 200, name === "minstep" ? listJson([]) : { name, type: "GAUGE", help: "", metrics: [] })
        return true
      case "POST archive":
        answerJson(
          exchange,
          501,
          errorJson(501, "this storage has no archive: traces last as long as --retention-hours")
        )
        return true
      case "POST transform":
        this.transform(exchange)
        return true
      default:
        return false
    }
  }

  /** OTLP that a person hands in as a file, as this API's traces. */
  private transform(exchange: HttpExchange): void {
    exchange.readBody(TRANSFORM_BYTES_MAX, (body) => {
      if (body === undefined) {
        const message = `a file must have at most ${TRANSFORM_BYTES_MAX} bytes`
        return answerJson(exchange, 413, errorJson(413, message))
      }
      try {
        const traces = Map.groupBy(readOtlpJson(Buffer.from(body).toString("utf8")), ({ traceId }) => traceId)
        streamJson(
          exchange,
          tracesJson(
            Array.from(traces, ([traceId, spans]) => wholeTrace(traceId, spans)),
            null
          )
        )
      } catch (error) {
        if (!(error instanceof OtlpInvalid)) throw error
        answerJson(exchange, 400, errorJson(400, error.message))
      }
    })
  }

  private legacyTraces(exchange: HttpExchange, names: ReadonlyArray<string>, only: boolean): void {
    this.traces(
      names.map((name) => traceIdParameter("traceID", name)),
      (found, missing) => {
        if (only && found.length === 0) return answerJson(exchange, 404, errorJson(404, "trace not found"))
        const errors = missing.map((traceID) => ({ code: 404, msg: "trace not found", traceID }))
        streamJson(exchange, tracesJson(found, errors.length === 0 ? null : errors))
      }
    )
  }

  private traces(
    ids: ReadonlyArray<string>,
    done: (found: ReadonlyArray<CatalogTrace>, missing: ReadonlyArray<string>) => void
  ): void {
    const found: Array<CatalogTrace> = []
    const missing: Array<string> = []
    const next = (at: number): void => {
      const id = ids[at]
      if (id === undefined) return done(found, missing)
      this.catalog.get(id, (trace) => {
        if (trace === undefined) missing.push(id)
        else found.push(trace)
        next(at + 1)
      })
    }
    next(0)
  }

  private dependencies(exchange: HttpExchange, query: URLSearchParams): void {
    const endTs = Number(query.get("endTs") ?? "") || this.nowUs() / 1000
    const lookback = goDuration("lookback", `${query.get("lookback") ?? "86400000"}ms`) ?? 0
    const service = query.get("service") ?? ""
    this.catalog.dependencies(endTs * 1000 - lookback, endTs * 1000, (found) => {
      const wanted = found.filter(({ child, parent }) => service === "" || child === service || parent === service)
      answerJson(exchange, 200, { ...listJson(wanted), total: 0 })
    })
  }

  private operations(
    service: string,
    kind: string
  ): ReadonlyArray<{ readonly name: string; readonly spanKind: string }> {
    if (kind !== "" && kind !== "internal") return []
    return this.catalog.operations(service).map((name) => ({ name, spanKind: "internal" }))
  }

  private serveV3({ exchange, query }: Asked, [first = "", id]: ReadonlyArray<string>): boolean {
    if (exchange.method !== "GET") return false
    switch (first) {
      case "services":
        answerJson(exchange, 200, { services: this.catalog.services() })
        return true
      case "operations":
        answerJson(exchange, 200, {
          operations: this.operations(query.get("service") ?? "", query.get("span_kind") ?? query.get("spanKind") ?? "")
        })
        return true
      case "traces":
        if (id === undefined) this.catalog.find(v3Query(query), (found) => answerTraces(exchange, found))
        else {
          this.catalog.get(traceIdParameter("trace_id", id), (trace) =>
            answerTraces(exchange, trace === undefined ? [] : [trace])
          )
        }
        return true
      case "trace-summaries":
        this.catalog.find(v3Query(query), (found) =>
          answerJson(exchange, 200, { summaries: Array.from(found, summaryOf) })
        )
        return true
      default:
        return false
    }
  }
}

/** Bytes of a file that a person hands in. */
const TRANSFORM_BYTES_MAX = 32 * 2 ** 20

const answerError = (exchange: HttpExchange, httpCode: number, message: string): void =>
  answerJson(exchange, httpCode, { error: { httpCode, message } })

const answerTraces = (exchange: HttpExchange, traces: Iterable<CatalogTrace>): void => {
  const iterator = traces[Symbol.iterator]()
  const { done = false, value } = iterator.next()
  if (done) return answerError(exchange, 404, "No traces found")
  streamJson(exchange, resultJson(value, iterator))
}

/** `{result: {resourceSpans}}`; a resource may come several times, as in the chunks of a storage. */
function* resultJson(first: CatalogTrace, others: Iterator<CatalogTrace>): Generator<string> {
  yield '{"result":{"resourceSpans":['
  let comma = ""
  for (let trace: CatalogTrace | undefined = first; trace !== undefined; trace = nextOf(others)) {
    for (let spans = trace.next(); spans !== undefined; spans = trace.next()) {
      for (let at = 0; at < spans.length; at += SPANS_AT_ONCE) {
        yield `${comma}${resourcesJson(spans.slice(at, at + SPANS_AT_ONCE))}`
        comma = ","
      }
    }
  }
  yield "]}}"
}

const nextOf = (traces: Iterator<CatalogTrace>): CatalogTrace | undefined => {
  const { done = false, value } = traces.next()
  return done ? undefined : value
}

const SPANS_AT_ONCE = 500

const resourcesJson = (spans: ReadonlyArray<OutSpan>): string =>
  JSON.stringify(otlpJson(spans)["resourceSpans"]).slice(1, -1)
