// The path of a tenant's request, read with suspicion: a path that two readers could understand differently is not answered at all.
// Owns what is no path of an API (empty, dotted and escaped segments, the verbs that old clients put into paths); refuses to know
// any resource.
import { requestInfo, type RequestInfo, RequestInfoInvalid } from "#kube"

export interface RequestPath {
  readonly info: RequestInfo
  /** After "?", as sent. */
  readonly query: string
  /** What follows a `proxy` subresource, as sent, with its leading slash. */
  readonly proxied: string
}

const decodedSegment = (raw: string): string | undefined => {
  if (!raw.includes("%")) return raw
  try {
    return decodeURIComponent(raw)
  } catch {
    return undefined
  }
}

const UNSAFE = /[/%\\?#\p{Cc}]/u

/** Whether a segment means the same to everyone. */
const isPlain = (raw: string): boolean => {
  const segment = decodedSegment(raw)
  return segment !== undefined && segment !== "" && segment !== "." && segment !== ".." && !UNSAFE.test(segment)
}

/** Where the part that belongs to somebody else begins: after `…/pods/<name>/proxy` and the like. */
const proxyEnd = (segments: ReadonlyArray<string>): number => {
  // /api/v1/namespaces/<namespace>/<pods|services>/<name>/proxy
  const isProxy =
    segments[0] === "api" &&
    segments[2] === "namespaces" &&
    (segments[4] === "pods" || segments[4] === "services") &&
    segments[6] === "proxy"
  return isProxy ? 7 : segments.length
}

/** Whether a proxied path goes up beyond where it begins, to a reader that resolves its dots, however often they are escaped. */
const climbs = (segments: ReadonlyArray<string>): boolean => {
  let depth = 0
  for (const raw of segments) {
    let text = raw
    for (let next = decodedSegment(text); next !== undefined && next !== text; next = decodedSegment(text)) text = next
    for (const segment of text.split(/[/\\]/)) {
      if (segment === "..") depth--
      else if (segment !== "" && segment !== ".") depth++
      if (depth < 0) return true
    }
  }
  return false
}

/** Reads method and target; undefined for what no API has. */
export const readPath = (method: string, target: string): RequestPath | undefined => {
  const mark = target.indexOf("?")
  const path = mark < 0 ? target : target.slice(0, mark)
  const query = mark < 0 ? "" : target.slice(mark + 1)
  if (!path.startsWith("/")) return undefined
  const segments = path.slice(1).split("/")
  const end = proxyEnd(segments)
  const own = segments.slice(0, end)
  // A trailing slash is the client's habit, not a segment.
  if (own.length > 0 && own.at(-1) === "") own.pop()
  if (!own.every(isPlain) || climbs(segments.slice(end))) return undefined
  const info = requestInfo(method, `/${own.join("/")}${query === "" ? "" : `?${query}`}`)
  if (info instanceof RequestInfoInvalid || info.verb === "proxy") return undefined
  // The deprecated verb in the path; clients say ?watch=1 since Kubernetes 1.11.
  if (info.isResourceRequest && info.verb === "watch" && own.includes("watch") && legacyWatch(own)) return undefined
  return { info, query, proxied: end < segments.length ? `/${segments.slice(end).join("/")}` : "" }
}

const legacyWatch = (segments: ReadonlyArray<string>): boolean => segments[segments[0] === "apis" ? 3 : 2] === "watch"
