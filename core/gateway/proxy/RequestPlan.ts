// All that follows from a request's head alone: whom it is for, what it asks, which token it shows, and which of its fields go on.
// Owns the strict reading of the head (what could be understood in two ways is refused) and the removal of every field that speaks
// of identity, of the connection or of earlier hops; refuses to know clusters and users. A plan is kept by the connection and used
// again for each request with the same head; with another method or path only, what its fields say is used again.
import { requestInfo, type RequestInfo, RequestInfoInvalid } from "#kube"
import type { HttpExchange, HttpFields } from "#net"
import { isImpersonation } from "../identity/Impersonation.ts"
import { hostOf } from "./HostName.ts"

export interface RequestPlan {
  readonly kind: "plan"
  /** Lower case, without port. */
  readonly host: string
  /** As sent, beginning with a slash: what goes to the endpoint, octet for octet. */
  readonly path: string
  /** Of the path, without its mark. */
  readonly query: string
  readonly info: RequestInfo
  readonly userAgent: string
  /** The client's address without its port. */
  readonly sourceIp: string
  readonly token: string | undefined
  /** Fields of the client that may go on. */
  readonly fields: HttpFields
  readonly impersonates: boolean
  /** What an HTTP/1.1 client wants to change to, like SPDY/3.1 or websocket. */
  readonly upgrade: string | undefined
  /** Announced length of the body; -1 when there is none. */
  readonly contentLength: number
  /** What was made of the fields since. */
  readonly found: Found
}

/** Shared by plans of one connection with the same fields and authority. */
export interface Found {
  tokenKey: string | undefined
  /** The last complete set of fields, with what it was made of. */
  made: { readonly fields: HttpFields; readonly identity: unknown; readonly credentials: unknown } | undefined
}

type OfFields = Pick<
  RequestPlan,
  | "kind"
  | "host"
  | "userAgent"
  | "sourceIp"
  | "token"
  | "fields"
  | "impersonates"
  | "contentLength"
  | "upgrade"
  | "found"
>

/** What a connection's last good head said, its path apart. */
interface Remembered {
  readonly sent: HttpFields
  readonly authority: string | undefined
  readonly said: OfFields
}

/** A head that is refused. */
export interface BadHead {
  readonly kind: "bad"
  readonly message: string
}

const bad = (message: string): BadHead => ({ kind: "bad", message })

/** Fields that belong to one connection, or that the gateway alone may set. */
const dropped: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "expect",
  "forwarded",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-real-ip"
])
const droppedPrefixes = ["x-remote-", "x-forwarded-"]

/** Names are compared as a careless reader on the way would: `_` as `-`. */
const isDropped = (name: string): boolean => {
  const plain = name.includes("_") ? name.replaceAll("_", "-") : name
  return dropped.has(plain) || isImpersonation(plain) || droppedPrefixes.some((prefix) => plain.startsWith(prefix))
}

const WEBSOCKET_TOKEN = "base64url.bearer.authorization.k8s.io."
/** Octets that no field value over HTTP/1.1 can hold. */
// oxlint-disable-next-line no-control-regex -- these are the octets
const unsendable = /[\0-\x08\x0a-\x1f\x7f]/
const bearer = /^bearer +([^ ]+) *$/i

/** Takes the token out of a websocket's subprotocols. */
const websocketToken = (value: string): { readonly token: string | undefined; readonly rest: string } | BadHead => {
  const names = value.split(",").map((name) => name.trim())
  const tokens = names.filter((name) => name.startsWith(WEBSOCKET_TOKEN))
  if (tokens.length === 0) return { token: undefined, rest: value }
  const rest = names.filter((name) => !name.startsWith(WEBSOCKET_TOKEN))
  if (tokens.length > 1) return bad("a websocket shows more than one bearer token")
  if (rest.length === 0) return bad("a websocket that shows a bearer token names another subprotocol as well")
  const token = Buffer.from((tokens[0] ?? "").slice(WEBSOCKET_TOKEN.length), "base64url").toString("utf8")
  return token === "" || /[^\x21-\x7e]/.test(token)
    ? bad("a websocket's bearer token cannot be read")
    : { token, rest: rest.join(", ") }
}

/** "ip:port" without the port. */
const ipOf = (peer: string): string => {
  const colon = peer.lastIndexOf(":")
  return (colon < 0 ? peer : peer.slice(0, colon)).replaceAll(/[[\]]/g, "")
}

/** The origin form of a target, and the authority that an absolute form names. */
const originForm = (target: string): { readonly path: string; readonly authority: string | undefined } | undefined => {
  if (target.startsWith("/")) return { path: target, authority: undefined }
  const absolute = /^https?:\/\/([^/?#]*)([/?].*)?$/i.exec(target)
  if (absolute === null) return undefined
  const rest = absolute[2] ?? "/"
  return { path: rest.startsWith("/") ? rest : `/${rest}`, authority: absolute[1] ?? "" }
}

/** The one authority that all parts of the head agree on. */
const authorityOf = (exchange: HttpExchange, fields: HttpFields, absolute: string | undefined): string | BadHead => {
  const named = exchange.header("host")
  let hosts = 0
  for (const [name, value] of fields) {
    if (name !== "host") continue
    hosts++
    if (hosts > 1) return bad("the request has two Host fields")
    if (exchange.protocol === "HTTP/2.0" && value !== named) return bad(":authority and Host disagree")
  }
  if (absolute !== undefined && named !== undefined && absolute.toLowerCase() !== named.toLowerCase()) {
    return bad("the target's authority and Host disagree")
  }
  return absolute ?? named ?? bad("the request names no host")
}

/** Reads a head. */
export const planOf = (exchange: HttpExchange): RequestPlan | BadHead => {
  const sent = exchange.fields()
  const origin = originForm(exchange.path)
  if (origin === undefined) return bad("the target is no path")
  const { path } = origin
  // A space or a control character would end the line of a request over HTTP/1.1.
  if (!/^[\x21-\x7e\x80-\xff]+$/.test(path)) return bad("the target holds a space or a control character")
  const info = requestInfo(exchange.method, path)
  if (info instanceof RequestInfoInvalid) return bad(info.message)
  const said = ofFields(exchange, sent, origin.authority)
  if (said.kind === "bad") return said
  const mark = path.indexOf("?")
  const { contentLength, fields, found, host, impersonates, kind, sourceIp, token, upgrade, userAgent } = said
  const query = mark < 0 ? "" : path.slice(mark + 1)
  return {
    kind,
    host,
    path,
    query,
    info,
    userAgent,
    sourceIp,
    token,
    fields,
    impersonates,
    upgrade,
    contentLength,
    found
  }
}

const ofFields = (exchange: HttpExchange, sent: HttpFields, absolute: string | undefined): OfFields | BadHead => {
  const named = exchange.header("host")
  const last = exchange.connectionMemo as Remembered | undefined
  if (last !== undefined && absolute === undefined && last.authority === named && areSame(last.sent, sent)) {
    return last.said
  }
  const authority = authorityOf(exchange, sent, absolute)
  if (typeof authority !== "string") return authority
  const host = hostOf(authority)
  if (host === undefined) return bad("the host is no name and no address")
  const read = readFields(exchange, sent)
  if (read.kind === "bad") return read
  const said: OfFields = {
    ...read,
    host,
    userAgent: exchange.header("user-agent") ?? "",
    sourceIp: ipOf(exchange.peer),
    found: { tokenKey: undefined, made: undefined }
  }
  if (absolute === undefined) exchange.connectionMemo = { sent, authority: named, said } satisfies Remembered
  return said
}

const areSame = (some: HttpFields, others: HttpFields): boolean => {
  if (some.length !== others.length) return false
  for (let at = 0; at < some.length; at++) {
    const [name, value] = some[at] ?? []
    const [otherName, otherValue] = others[at] ?? []
    if (name !== otherName || value !== otherValue) return false
  }
  return true
}

const readFields = (
  exchange: HttpExchange,
  sent: HttpFields
): BadHead | Pick<RequestPlan, "kind" | "token" | "fields" | "impersonates" | "contentLength" | "upgrade"> => {
  const named = new Set<string>()
  for (const [name, value] of sent) {
    if (name === "connection") for (const each of value.split(",")) named.add(each.trim().toLowerCase())
  }
  const fields: Array<readonly [string, string]> = []
  let token: string | undefined
  let authorizations = 0
  let impersonates = false
  let contentLength = -1
  for (const field of sent) {
    const [name, value] = field
    if (unsendable.test(value)) return bad("a field holds a control character")
    if (name === "authorization") {
      authorizations++
      token = bearer.exec(value.trim())?.[1]
    } else if (name === "content-length") {
      if (!/^\d{1,15}$/.test(value) || (contentLength >= 0 && contentLength !== Number(value))) {
        return bad("content-length is no number, or given twice")
      }
      if (contentLength < 0) fields.push(field)
      contentLength = Number(value)
    } else if (name === "sec-websocket-protocol") {
      const taken = websocketToken(value)
      if ("kind" in taken) return taken
      token ??= taken.token
      fields.push([name, taken.rest])
    } else if (isImpersonation(name)) impersonates = true
    else if (!isDropped(name) && !named.has(name)) fields.push(field)
  }
  if (authorizations > 1) return bad("the request has two Authorization fields")
  const framed = exchange.protocol === "HTTP/1.1" && exchange.header("transfer-encoding") !== undefined
  if (framed && contentLength >= 0) return bad("content-length and transfer-encoding exclude each other")
  const wanted = named.has("upgrade") ? exchange.header("upgrade") : undefined
  const upgrade = wanted === undefined || /^h2c$/i.test(wanted) ? undefined : wanted
  return { kind: "plan", token, fields, impersonates, contentLength, upgrade }
}
