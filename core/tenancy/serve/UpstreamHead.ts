// The head of the request that goes upstream: its path in upstream's names, its query, and the few fields that may pass.
// Owns what is let through, both ways; refuses bodies. No field that says who somebody is ever comes from the client.
import { objectMediaTypes } from "#apiserver"
import { ApiFailure, Failures } from "#kube"
import type { HttpFields, HttpRequestHead } from "#net"
import { impersonationOf } from "../identity/Caller.ts"
import { Refused } from "../rewrite/Contract.ts"
import { resourceName } from "../walls/Routes.ts"
import type { TenantCall } from "./TenantCall.ts"

/** What a tenant may tell upstream in fields; everything else stays here. */
const passedUp = ["user-agent", "traceparent", "tracestate", "audit-id"] as const

/** What upstream may tell a tenant; text in it is translated. */
const passedDown: ReadonlySet<string> = new Set([
  "content-type",
  "cache-control",
  "retry-after",
  "audit-id",
  "etag",
  "vary"
])

/** The label of what this server keeps in tenants' namespaces for itself. */
export const INTERNAL_LABEL = "kubezoo.io/internal"

/** Kinds among which this server keeps objects of its own in tenants' namespaces. */
const keptAmong: ReadonlySet<string> = new Set(["rolebindings.rbac.authorization.k8s.io", "resourcequotas"])

export const hasKept = (group: string, resource: string): boolean => keptAmong.has(resourceName(resource, group))

/** Accept fields that were read; clients have few, and a bound keeps it so. */
const accepts = new Map<string, string | undefined>()
const ACCEPTS_MAX = 512

/** The clauses of an Accept field that are answered out of JSON; undefined when there is none. */
const jsonClauses = (accept: string, streams: boolean): string | undefined => {
  const kept = accept.split(",").flatMap((clause) => {
    const [type = "", ...parameters] = clause.trim().split(";")
    const name = type.trim().toLowerCase()
    const isYaml = name === "application/yaml" && !streams
    if (!isYaml && name !== "application/json" && name !== "*/*" && name !== "application/*") return []
    return [["application/json", ...parameters.map((each) => each.trim())].join(";")]
  })
  return kept.length === 0 ? undefined : kept.join(",")
}

/** What to ask upstream for; a failure when the client reads nothing that is written here. `streams` leaves out what has no stream form. */
export const acceptUp = (accept: string | undefined, streams = false): string | ApiFailure => {
  if (accept === undefined || accept === "") return "application/json"
  const key = `${streams ? "stream " : ""}${accept}`
  let found = accepts.get(key)
  if (found === undefined && !accepts.has(key)) {
    if (accepts.size >= ACCEPTS_MAX) accepts.clear()
    found = jsonClauses(accept, streams)
    accepts.set(key, found)
  }
  return found ?? Failures.notAcceptable(streams ? ["application/json;stream=watch"] : objectMediaTypes)
}

/** The path upstream, without query. */
export const pathUp = (call: TenantCall): string => {
  const { info, proxied } = call.path
  const { served } = call.kind
  const { names } = call.scope
  const root = served.group === "" ? `/api/${served.version}` : `/apis/${served.group}/${served.version}`
  const namespace =
    served.namespaced && info.namespace !== ""
      ? `/namespaces/${encodeURIComponent(names.namespaceUp(info.namespace))}`
      : ""
  const asked = info.parts[1] ?? ""
  const name =
    asked === "" || served.namespaced ? asked : names.nameUp(resourceName(served.resource, served.group), asked)
  const object = name === "" ? "" : `/${encodeURIComponent(name)}`
  const subresource = info.subresource === "" ? "" : `/${info.subresource}`
  return `${root}${namespace}/${served.resource}${object}${subresource}${proxied}`
}

const refusedSelector = ({ message }: Refused): ApiFailure => Failures.badRequest(message)

/** A label selector that leaves out what this server keeps for itself. */
const withoutKept = (selector: string): string =>
  selector === "" ? `!${INTERNAL_LABEL}` : `${selector},!${INTERNAL_LABEL}`

export interface Selectors {
  readonly label: string
  readonly field: string
}

/** The selectors of a request in upstream's names. */
export const selectorsUp = (call: TenantCall): Selectors | ApiFailure => {
  const { served, shape } = call.kind
  const { rewriting } = call.scope
  const label = call.query.get("labelSelector")
  const field = call.query.get("fieldSelector")
  const labelUp = label === "" ? "" : rewriting.labelSelectorToUpstream(shape, label)
  if (labelUp instanceof Refused) return refusedSelector(labelUp)
  const fieldUp = field === "" ? "" : rewriting.fieldSelectorToUpstream(shape, field)
  if (fieldUp instanceof Refused) return refusedSelector(fieldUp)
  return { label: hasKept(served.group, served.resource) ? withoutKept(labelUp) : labelUp, field: fieldUp }
}

/** Parameters that are answered here or written anew. */
const ownParameters: ReadonlySet<string> = new Set(["labelSelector", "fieldSelector", "continue", "pretty"])

const parameterName = (pair: string): string => {
  const equals = pair.indexOf("=")
  const name = equals < 0 ? pair : pair.slice(0, equals)
  try {
    return decodeURIComponent(name.replaceAll("+", " "))
  } catch {
    return name
  }
}

/** The query upstream: the selectors translated, further parameters as given; with its "?" when there is one. */
export const queryUp = (
  call: TenantCall,
  further: Readonly<Record<string, string>> = {},
  dropped: ReadonlySet<string> = ownParameters
): string | ApiFailure => {
  const { query } = call.path
  const pairs: Array<string> = []
  for (const pair of query === "" ? [] : query.split("&")) {
    const name = parameterName(pair)
    if (pair !== "" && !dropped.has(name) && !ownParameters.has(name) && further[name] === undefined) pairs.push(pair)
  }
  const collection = call.path.info.parts[1] === undefined
  if (collection) {
    const selectors = selectorsUp(call)
    if (selectors instanceof ApiFailure) return selectors
    if (selectors.label !== "") pairs.push(`labelSelector=${encodeURIComponent(selectors.label)}`)
    if (selectors.field !== "") pairs.push(`fieldSelector=${encodeURIComponent(selectors.field)}`)
  }
  for (const name of Object.keys(further)) {
    const value = further[name] ?? ""
    if (value !== "") pairs.push(`${name}=${encodeURIComponent(value)}`)
  }
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`
}

/** Fields of a request in the caller's name; `own`: in this server's own. */
export const fieldsUp = (
  call: TenantCall,
  asked: { readonly accept: string; readonly contentType?: string; readonly own?: boolean }
): HttpFields => {
  const fields: Array<readonly [string, string]> = [["accept", asked.accept]]
  if (asked.contentType !== undefined) fields.push(["content-type", asked.contentType])
  for (const name of passedUp) {
    const value = call.exchange.header(name)
    if (value !== undefined) fields.push([name, value])
  }
  if (asked.own !== true) fields.push(...impersonationOf(call.caller.user))
  return fields
}

/** The fields of an answer as the tenant may see them. */
export const fieldsDown = (call: TenantCall, fields: HttpFields): HttpFields => {
  const kept: Array<readonly [string, string]> = []
  for (const field of fields) {
    const [name, value] = field
    if (passedDown.has(name)) kept.push(field)
    else if (name === "warning") kept.push([name, call.scope.rewriting.textToTenant(value)])
  }
  return kept
}

/** The head of a request for JSON in the caller's name; a failure when it cannot be asked. */
export const headUp = (
  call: TenantCall,
  options: {
    readonly method?: string
    readonly contentType?: string
    readonly own?: boolean
    readonly further?: Readonly<Record<string, string>>
  } = {}
): HttpRequestHead | ApiFailure => {
  const accept = acceptUp(call.exchange.header("accept"), call.path.info.verb === "watch")
  if (accept instanceof ApiFailure) return accept
  const query = queryUp(call, options.further)
  if (query instanceof ApiFailure) return query
  const { contentType, own } = options
  // An answer to HEAD has no body that could be translated; its own is left out on the way down.
  const method = options.method ?? (call.exchange.method === "HEAD" ? "GET" : call.exchange.method)
  return {
    method,
    path: pathUp(call) + query,
    fields: fieldsUp(call, {
      accept,
      ...(contentType === undefined ? {} : { contentType }),
      ...(own === undefined ? {} : { own })
    })
  }
}

/** The same request in this server's own name. */
export const ownHead = (head: HttpRequestHead): HttpRequestHead => ({
  ...head,
  fields: head.fields.filter(([name]) => !name.startsWith("impersonate-"))
})
