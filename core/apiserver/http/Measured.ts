// Which requests are long-running, and how each is counted.
// Owns kube-apiserver's verbs and scopes of metrics; refuses to keep the counts.
import type { Call } from "./Call.ts"
import type { FrontMetrics, SeriesKey } from "./FrontMetrics.ts"

const longSubresources = new Set(["attach", "exec", "proxy", "log", "portforward"])

/** Whether a request may last as long as it likes: watches, and what reaches a node. */
export const isLongRunning = ({ info }: Call): boolean =>
  info.isResourceRequest && (info.verb === "watch" || info.verb === "proxy" || longSubresources.has(info.subresource))

const verbNames: Readonly<Record<string, string>> = {
  get: "GET",
  list: "LIST",
  watch: "WATCH",
  create: "POST",
  update: "PUT",
  patch: "PATCH",
  delete: "DELETE",
  deletecollection: "DELETECOLLECTION",
  proxy: "CONNECT"
}

const verbOf = ({ exchange, info }: Call): string => {
  if (!info.isResourceRequest) return exchange.method
  if (longSubresources.has(info.subresource)) return "CONNECT"
  if (info.verb === "patch" && exchange.header("content-type")?.startsWith("application/apply-patch") === true)
    return "APPLY"
  return verbNames[info.verb] ?? exchange.method
}

const collections = new Set(["list", "watch", "deletecollection"])

/** A single object, those of a namespace, or all. */
const scopeOf = ({ info }: Call): string => {
  if (!info.isResourceRequest) return ""
  if (info.name !== "" && !collections.has(info.verb)) return "resource"
  if (info.verb === "create") return "resource"
  return info.namespace === "" ? "cluster" : "namespace"
}

const keyOf = (call: Call): SeriesKey => {
  const { info } = call
  return {
    verb: verbOf(call),
    dryRun: call.url.query.get("dryRun"),
    group: info.apiGroup,
    version: info.apiVersion,
    resource: info.resource,
    // Only the first part: what clients make up must not become labels without end.
    subresource: info.isResourceRequest ? info.subresource : (info.path.split("/")[1] ?? ""),
    scope: scopeOf(call)
  }
}

/** Counts a call when it ends, and while it is open if it is long-running. */
export const measure = (call: Call, metrics: FrontMetrics): void => {
  const long = isLongRunning(call)
  const open = long ? metrics.seriesOf(keyOf(call)) : undefined
  if (open !== undefined) open.active++
  call.onFinish(() => {
    if (open !== undefined) open.active--
    const seconds = (call.clockwork.monotonic() - call.startedMs) / 1000
    // What nobody serves has no series of its own.
    const known = call.status !== 404 || call.info.name !== ""
    const series = open ?? (known ? metrics.seriesOf(keyOf(call)) : metrics.seriesOf(unknownKey(call)))
    metrics.request(series, call.status, seconds, call.bytesSent)
  })
}

const unknownKey = (call: Call): SeriesKey => ({
  verb: verbOf(call),
  dryRun: "",
  group: "",
  version: "",
  resource: "",
  subresource: "",
  scope: ""
})
