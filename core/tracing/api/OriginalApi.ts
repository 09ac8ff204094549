// The original's own HTTP endpoints: redirect to an object's trace, a trace as Jaeger's JSON, and an object's changes.
// Owns paths and parameters; where the original answers 200 or 500 for what is the asker's doing, the status says so here.
import type { HttpExchange } from "#net"
import { parseRfc3339 } from "#kube"
import { tracesJson } from "../jaeger/LegacyJson.ts"
import type { ObjectKey } from "../model/ObjectKey.ts"
import type { OutSpan } from "../otlp/OutSpan.ts"
import type { SpanStore } from "../store/SpanStore.ts"
import type { DisplayMode } from "../view/DisplayModes.ts"
import type { TraceViews } from "../view/TraceViews.ts"
import { type Asked, answerJson, BadParameter, streamJson } from "./Answering.ts"
import { clusterParameter, objectParameter } from "./ObjectParameter.ts"

/** How far from `ts` a redirect looks, each way. */
const REDIRECT_US = 1800e6
const VERSIONS_MAX = 1000
const VERSIONS_DEFAULT = 100

export class OriginalApi {
  private readonly store: SpanStore
  private readonly views: TraceViews
  private readonly nowUs: () => number

  constructor(store: SpanStore, views: TraceViews, nowUs: () => number) {
    this.store = store
    this.views = views
    this.nowUs = nowUs
  }

  /** Answers /redirect, /extensions/api/v1/trace and /diff/…; false for any other path. */
  serve(asked: Asked): boolean {
    const { exchange, parts } = asked
    if (exchange.method !== "GET") return false
    try {
      if (parts.length === 1 && parts[0] === "redirect") this.redirect(asked)
      else if (parts.join("/") === "extensions/api/v1/trace") this.trace(asked)
      else if (parts[0] === "diff") this.diff(asked)
      else return false
    } catch (error) {
      if (!(error instanceof BadParameter)) throw error
      answerJson(exchange, 400, { error: error.message, parameter: error.parameter })
    }
    return true
  }

  private redirect({ exchange, query }: Asked): void {
    const object = objectParameter(query, this.store)
    const atUs = timeParameter("ts", query.get("ts")) ?? this.nowUs()
    const [fromUs, toUs] = [atUs - REDIRECT_US, atUs + REDIRECT_US]
    if (this.store.tracesOf(object, { fromUs, toUs }).length === 0) return notFound(exchange, object)
    const id = this.views.idOf(this.views.modes.default, object, fromUs, toUs)
    exchange.respond(302, [["location", `/trace/${id}`]], "")
  }

  private trace({ exchange, query }: Asked): void {
    const object = objectParameter(query, this.store)
    const toUs = timeParameter("end", query.get("end")) ?? this.nowUs()
    const fromUs = timeParameter("start", query.get("start")) ?? toUs - REDIRECT_US
    this.views.open(this.mode(query.get("displayMode") ?? ""), object, fromUs, toUs, (view) => {
      if (view === undefined) return notFound(exchange, object)
      const spans = ofSource(view.spans, query.get("span_type") ?? "")
      let told = false
      const next = () => {
        if (told) return undefined
        told = true
        return spans
      }
      streamJson(exchange, tracesJson([{ traceId: view.traceId, next }], null))
    })
  }

  private mode(name: string): DisplayMode {
    if (name === "") return this.views.modes.default
    const mode = this.views.modes.ofName(name) ?? this.views.modes.ofId(name)
    if (mode !== undefined) return mode
    throw new BadParameter("displayMode", `no mode is called ${name}`)
  }

  /** /diff/:group/:version/:resource/:namespace/:name[/:rv]; "core" and "-" stand for empty parts, which paths may have too. */
  private diff({ exchange, parts, query }: Asked): void {
    const [, group = "", , resource = "", namespace = "", name = "", version] = parts
    if (resource === "" || name === "")
      throw new BadParameter("path", "must be /diff/:group/:version/:resource/:namespace/:name")
    const object = {
      cluster: clusterParameter(query.get("cluster") ?? "", this.store),
      group: group === "core" || group === "-" ? "" : group,
      resource,
      namespace: namespace === "-" ? "" : namespace,
      name
    }
    const limit = limitParameter(query.get("limit"))
    const revisions = this.store.history(object, { limit: version === undefined ? limit : VERSIONS_MAX })
    const found =
      version === undefined ? revisions : revisions.filter(({ resourceVersion }) => resourceVersion === version)
    if (found.length === 0) return notFound(exchange, object)
    answerJson(exchange, 200, { object, versions: found })
  }
}

/** Objects, and of what happened to them what one source ("audit", "event") said; everything for no source. */
const ofSource = (spans: ReadonlyArray<OutSpan>, source: string): ReadonlyArray<OutSpan> =>
  source === ""
    ? spans
    : spans
        .filter(({ service }) => service === source || (service !== "audit" && service !== "event"))
        .map((span) => ({ ...span, logs: span.logs.filter(({ fields }) => (fields["title"] ?? source) === source) }))

const notFound = (exchange: HttpExchange, { name, resource }: ObjectKey): void =>
  answerJson(exchange, 404, { error: `nothing is known of ${resource} ${name} in that time` })

/** RFC 3339, or seconds, milliseconds or microseconds since the epoch; in microseconds. */
export const timeParameter = (name: string, text: string | null): number | undefined => {
  if (text === null || text === "") return undefined
  if (/^\d{1,16}$/.test(text)) {
    const value = Number(text)
    return value < 1e11 ? value * 1e6 : value < 1e14 ? value * 1e3 : value
  }
  const ms = parseRfc3339(text)
  if (ms === undefined) throw new BadParameter(name, "must be an RFC 3339 time or a time since the epoch")
  return ms * 1000
}

const limitParameter = (text: string | null): number => {
  if (text === null || text === "") return VERSIONS_DEFAULT
  const limit = Number(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > VERSIONS_MAX) {
    throw new BadParameter("limit", `must be between 1 and ${VERSIONS_MAX}`)
  }
  return limit
}
