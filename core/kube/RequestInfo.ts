// What a request is about, from its method, path and query alone, exactly as kube-apiserver resolves it
// (pkg/endpoints/request/requestinfo.go): verb, group, version, namespace, resource, name, subresource.
// Owns this resolution; whether such a resource exists is for the server to say.
import { parseFieldSelector } from "./FieldSelector.ts"
import { parseLabelSelector, SelectorInvalid } from "./LabelSelector.ts"
import { Names } from "./Names.ts"
import { firstQueryValue } from "./QueryText.ts"

export interface RequestInfo {
  /** Whether it is for an API's resource; else only path and verb say something. */
  readonly isResourceRequest: boolean
  /** Decoded, without the query. */
  readonly path: string
  /** Of a resource: get, list, watch, create, update, patch, delete, deletecollection, proxy, or "" ; else the method in lower case. */
  readonly verb: string
  /** "api" or "apis". */
  readonly apiPrefix: string
  readonly apiGroup: string
  readonly apiVersion: string
  readonly namespace: string
  readonly resource: string
  readonly subresource: string
  readonly name: string
  /** From the resource on. */
  readonly parts: ReadonlyArray<string>
  /** As sent, of list, watch and deletecollection. */
  readonly fieldSelector: string
  readonly labelSelector: string
}

/** A path that promises a resource and does not name one. */
export class RequestInfoInvalid extends Error {
  readonly _tag = "RequestInfoInvalid"
  override readonly name = "RequestInfoInvalid"
}

const verbOf = (method: string): string => {
  switch (method) {
    case "GET":
    case "HEAD":
      return "get"
    case "POST":
      return "create"
    case "PUT":
      return "update"
    case "PATCH":
      return "patch"
    case "DELETE":
      return "delete"
    default:
      return ""
  }
}

const noParts: ReadonlyArray<string> = []

const nonResource = (method: string, path: string, apiPrefix: string): RequestInfo => ({
  isResourceRequest: false,
  path,
  verb: method.toLowerCase(),
  apiPrefix,
  apiGroup: "",
  apiVersion: "",
  namespace: "",
  resource: "",
  subresource: "",
  name: "",
  parts: noParts,
  fieldSelector: "",
  labelSelector: ""
})

const decoded = (path: string): string | undefined => {
  if (!path.includes("%")) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

const trimmed = (path: string): string => {
  let start = 0
  let end = path.length
  while (start < end && path.charCodeAt(start) === 47) start++
  while (end > start && path.charCodeAt(end - 1) === 47) end--
  return path.slice(start, end)
}

const isInt64 = (text: string | undefined): boolean =>
  text === undefined ||
  (/^[+-]?\d{1,64}$/.test(text) && BigInt(text.replace("+", "")) === BigInt.asIntN(64, BigInt(text.replace("+", ""))))

/** The name that a list or a watch is narrowed to by its field selector; none when any of its options cannot be read. */
const nameInQuery = (query: string, fieldSelector: string, labelSelector: string): string => {
  if (fieldSelector === "") return ""
  const fields = parseFieldSelector(fieldSelector)
  if (fields instanceof SelectorInvalid || parseLabelSelector(labelSelector) instanceof SelectorInvalid) return ""
  if (!isInt64(firstQueryValue(query, "limit")) || !isInt64(firstQueryValue(query, "timeoutSeconds"))) return ""
  const name = fields.exactMatch("metadata.name") ?? ""
  return Names.pathSegment(name).length === 0 ? name : ""
}

const isWatch = (query: string): boolean => {
  const watch = firstQueryValue(query, "watch")
  return watch !== undefined && watch !== "0" && watch.toLowerCase() !== "false"
}

/** Resolves a request's line: the method in capitals, the path as sent with its query. */
export const requestInfo = (method: string, target: string): RequestInfo | RequestInfoInvalid => {
  const mark = target.indexOf("?")
  const query = mark < 0 ? "" : target.slice(mark + 1)
  const path = decoded(mark < 0 ? target : target.slice(0, mark))
  if (path === undefined) return new RequestInfoInvalid("the path has an escape that is no UTF-8 text")
  const parts = trimmed(path).split("/")
  const [apiPrefix = ""] = parts
  if (parts.length < 3 || (apiPrefix !== "api" && apiPrefix !== "apis")) return nonResource(method, path, "")
  if (apiPrefix === "apis" && parts.length < 4) return nonResource(method, path, apiPrefix)
  const versionAt = apiPrefix === "apis" ? 2 : 1
  let at = versionAt + 1
  let verb = verbOf(method)
  // Deprecated: the verb stands in the path.
  const inPath = parts[at] === "watch" || parts[at] === "proxy"
  if (inPath) {
    verb = parts[at] ?? ""
    at++
    if (at >= parts.length) {
      return new RequestInfoInvalid(`unable to determine kind and namespace from url, ${target}`)
    }
  }
  let namespace = ""
  if (parts[at] === "namespaces" && parts.length > at + 1) {
    namespace = parts[at + 1] ?? ""
    // A third part is a resource in the namespace, unless it is one of the namespace's own subresources.
    const third = parts[at + 2]
    if (third !== undefined && third !== "status" && third !== "finalize") at += 2
  }
  let name = parts[at + 1] ?? ""
  const collection = name === "" && (verb === "get" || verb === "delete")
  const fieldSelector = collection ? (firstQueryValue(query, "fieldSelector") ?? "") : ""
  const labelSelector = collection ? (firstQueryValue(query, "labelSelector") ?? "") : ""
  if (collection && verb === "get") {
    verb = isWatch(query) ? "watch" : "list"
    name = nameInQuery(query, fieldSelector, labelSelector)
  } else if (collection) verb = "deletecollection"
  return {
    isResourceRequest: true,
    path,
    verb,
    apiPrefix,
    apiGroup: apiPrefix === "apis" ? (parts[1] ?? "") : "",
    apiVersion: parts[versionAt] ?? "",
    namespace,
    resource: parts[at] ?? "",
    subresource: verb === "proxy" ? "" : (parts[at + 2] ?? ""),
    name,
    parts: parts.slice(at),
    fieldSelector,
    labelSelector
  }
}
