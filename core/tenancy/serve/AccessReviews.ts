// Questions about rights and identities (SubjectAccessReview and its kin, TokenReview), answered as the tenant's cluster would.
// Owns what upstream cannot know: that a tenant's administrator holds everything in its view, and which groups this server asserts;
// refuses to let a token of anybody else be one.
import { ApiFailure, Failures, isJsonObject, type Json, type JsonObject } from "#kube"
import { assertedGroup, assertedUser, PROXIED } from "../identity/Caller.ts"
import { TENANT_LABEL } from "../rules/Sorts.ts"
import type { WholeAnswer } from "../upstream/Upstream.ts"
import { answerWhole } from "./Answers.ts"
import { type Forwarding, sendWhole } from "./Forward.ts"
import { bodyUp, jsonBody, readBody } from "./RequestBodies.ts"
import type { TenantCall } from "./TenantCall.ts"
import { acceptUp, headUp, ownHead } from "./UpstreamHead.ts"

const decoder = new TextDecoder()
const encoder = new TextEncoder()

const parsed = (bytes: Uint8Array): JsonObject | undefined => {
  try {
    const value = JSON.parse(decoder.decode(bytes)) as Json
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const stringsOf = (value: Json | undefined): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((each) => typeof each === "string") : []

/** Reviews that say whom they are about. */
const namesSubject: ReadonlySet<string> = new Set(["subjectaccessreviews", "localsubjectaccessreviews"])

/** Whether an Accept field takes the object itself, and not only what it is transformed to. */
const readsPlain = (accept: string | undefined): boolean => {
  const up = acceptUp(accept)
  return typeof up === "string" && up.split(",").some((clause) => !/;\s*as=/.test(clause))
}

/** Serves the creation of a review. */
export const reviewAccess = (forwarding: Forwarding, call: TenantCall): void =>
  readBody(call, (sent) => {
    const seen = jsonBody(call, sent)
    if (seen instanceof ApiFailure) return call.fail(seen)
    const asked = parsed(seen)
    const { resource } = call.kind.served
    if (resource === "selfsubjectaccessreviews" && call.caller.admin && asked !== undefined) {
      if (!readsPlain(call.exchange.header("accept"))) return call.fail(Failures.notAcceptable(["application/json"]))
      return call.json(201, { ...asked, status: { allowed: true, reason: "administrator of this cluster" } })
    }
    const marked = bodyUp(call, sent)
    if (marked instanceof ApiFailure) return call.fail(marked)
    const up = withoutMark(marked)
    // Who asks for itself is known upstream with all its groups.
    const widened = namesSubject.has(resource) ? withAsserted(up) : up
    const head = headUp(call, { contentType: "application/json" })
    if (head instanceof ApiFailure) return call.fail(head)
    const isToken = resource === "tokenreviews"
    sendWhole(forwarding, call, { head: isToken ? ownHead(head) : head, body: widened }, (answer) => {
      if (answer instanceof ApiFailure || answer.code !== 201) return answerWhole(call, answer)
      if (isToken) return answerToken(call, answer)
      answerWhole(call, widened === up ? answer : withSpecOf(answer, up))
    })
  })

/** Reviews are answered only where their metadata is empty, and nobody looks for the mark on what is never stored. */
const withoutMark = (body: Uint8Array): Uint8Array => {
  const review = parsed(body)
  const metadata = review?.["metadata"]
  const labels = isJsonObject(metadata) ? metadata["labels"] : undefined
  if (!isJsonObject(metadata) || !isJsonObject(labels)) return body
  const { labels: _, ...rest } = metadata
  const { [TENANT_LABEL]: __, ...own } = labels
  const kept = Object.keys(own).length === 0 ? rest : { ...rest, labels: own }
  return encoder.encode(JSON.stringify({ ...review, metadata: kept }))
}

/** The subject's rights are also those of the groups that this server asserts for it. */
const withAsserted = (body: Uint8Array): Uint8Array => {
  const review = parsed(body)
  const spec = review?.["spec"]
  if (review === undefined || !isJsonObject(spec)) return body
  const { user } = spec
  const groups = stringsOf(spec["groups"])
  const asserted = [
    ...groups,
    PROXIED,
    ...(typeof user === "string" && user !== "" ? [assertedUser(user)] : []),
    ...groups.map(assertedGroup)
  ]
  return encoder.encode(JSON.stringify({ ...review, spec: { ...spec, groups: asserted } }))
}

/** The question is told back as it was asked. */
const withSpecOf = (answer: WholeAnswer, asked: Uint8Array): WholeAnswer => {
  const review = parsed(answer.body)
  const spec = parsed(asked)?.["spec"]
  if (review === undefined || spec === undefined) return answer
  return { ...answer, body: encoder.encode(JSON.stringify({ ...review, spec })) }
}

/** A token is one here only when it is of the tenant's own. */
const answerToken = (call: TenantCall, answer: WholeAnswer): void => {
  const review = parsed(answer.body)
  const status = review?.["status"]
  const user = isJsonObject(status) ? status["user"] : undefined
  const name = isJsonObject(user) ? user["username"] : undefined
  const isOwn = typeof name === "string" && call.scope.names.userDown(name) !== undefined
  if (review === undefined || isOwn) return answerWhole(call, answer)
  const rejected = { ...review, status: { authenticated: false, error: "invalid bearer token", user: {} } }
  answerWhole(call, { ...answer, body: encoder.encode(JSON.stringify(rejected)) })
}
