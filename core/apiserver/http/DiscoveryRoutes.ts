// The paths of discovery and how each is negotiated.
// Owns `/api`, `/apis` and what stands below them without naming a resource; the documents are Discovery's.
import type { Call } from "./Call.ts"
import type { Discovery, DiscoveryForm, Document } from "./Discovery.ts"
import { parseAccept } from "./Negotiation.ts"
import { notAcceptable } from "./ObjectAnswer.ts"
import { methodNotAllowed, textNotFound } from "./PlainAnswers.ts"
import { encodeValue } from "./StatusBody.ts"

const formOf = (accept: string | undefined): DiscoveryForm | undefined => {
  for (const { parameters, subtype, type } of parseAccept(accept ?? "")) {
    const as = parameters.get("as")
    if (as === undefined && (type === "*" || (type === "application" && (subtype === "*" || subtype === "json")))) {
      return undefined
    }
    if (as !== "APIGroupDiscoveryList" || parameters.get("g") !== "apidiscovery.k8s.io" || subtype !== "json") continue
    const version = parameters.get("v")
    if (version === "v2" || version === "v2beta1") return version
  }
  return undefined
}

const answer = (call: Call, document: Document | undefined): void => {
  if (document === undefined) return textNotFound(call)
  const { wanted } = call
  if (wanted === undefined) return call.fail(notAcceptable())
  if (wanted.format === "json" && !wanted.pretty) {
    return call.respond(200, [["content-type", "application/json"]], document.body)
  }
  const { body, contentType } = encodeValue(document.value, wanted)
  call.respond(200, [["content-type", contentType]], body)
}

const answerAggregated = (call: Call, document: Document | undefined, form: DiscoveryForm): void => {
  if (document === undefined) return textNotFound(call)
  const fields = [
    ["cache-control", "public"],
    ["content-type", `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`],
    ["etag", document.etag],
    ["vary", "Accept"]
  ] as const
  if (call.exchange.header("if-none-match") === document.etag) return call.respond(304, fields, "")
  call.respond(200, fields, document.body)
}

/** Answers a discovery path; false when the path is none. */
export const answerDiscovery = (call: Call, discovery: Discovery, serverAddress: string): boolean => {
  const parts = call.url.path.split("/").filter((part) => part !== "")
  const [prefix, second, third] = parts
  if ((prefix !== "api" && prefix !== "apis") || parts.length > (prefix === "api" ? 2 : 3)) return false
  if (call.exchange.method !== "GET") {
    call.fail(methodNotAllowed())
    return true
  }
  if (second === undefined) {
    const form = formOf(call.exchange.header("accept"))
    if (form !== undefined) answerAggregated(call, discovery.aggregated(prefix === "api", form), form)
    else if (prefix === "apis") answer(call, discovery.groupList())
    else {
      const value = discovery.apiVersions(serverAddress)
      answer(call, { value, body: `${JSON.stringify(value)}\n`, etag: "" })
    }
  } else if (prefix === "api") answer(call, discovery.resources("", second))
  else if (third === undefined) answer(call, discovery.group(second))
  else answer(call, discovery.resources(second, third))
  return true
}
