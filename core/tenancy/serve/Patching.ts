// Patches: forwarded as such wherever their translation stands by itself, so that upstream applies, merges and attributes them.
// Owns the long way for those that reach into what the translation adds: get, patch in the tenant's view, write back under the
// version that was read; refuses to do that to server-side apply, whose owners would be lost.
import {
  ApiFailure,
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  Failures,
  isJsonObject,
  type Json,
  type JsonObject,
  schemaOfKind
} from "#kube"
import { decodeObject, patchTypeOf } from "#apiserver"
import { BodyInvalid, type PatchForm, Refused, WholeNeeded } from "../rewrite/Contract.ts"
import type { WholeAnswer } from "../upstream/Upstream.ts"
import { answerWhole } from "./Answers.ts"
import { type Forwarding, sendWhole } from "./Forward.ts"
import { bodyFailure, readBody, reportTwice } from "./RequestBodies.ts"
import type { TenantCall } from "./TenantCall.ts"
import { headUp } from "./UpstreamHead.ts"

/** Writes of others that the long way gives in to before it gives up. */
const CONFLICTS_MAX = 5

const forms = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml"
} as const satisfies Record<string, PatchForm>

const encoder = new TextEncoder()

const YAML_HEAD = "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:"

/** An applied configuration may be YAML; as JSON it means the same. */
const configurationBody = (call: TenantCall, body: Uint8Array): Uint8Array | ApiFailure => {
  if (body[0] === 0x7b) return body
  const decoded = decodeObject(body, "yaml", call.kind.shape.kind)
  if (decoded instanceof ApiFailure) return decoded
  const twice = reportTwice(
    call,
    decoded.duplicates,
    (lines) => `${YAML_HEAD}\n${lines.map((line) => `  ${line}`).join("\n")}`
  )
  return twice ?? encoder.encode(JSON.stringify(decoded.value))
}

/** Serves a PATCH. */
export const forwardPatch = (forwarding: Forwarding, call: TenantCall): void => {
  const type = patchTypeOf(call.exchange.header("content-type"))
  if (type instanceof ApiFailure) return call.fail(type)
  readBody(call, (sent) => {
    const body = type === "apply" ? configurationBody(call, sent) : sent
    if (body instanceof ApiFailure) return call.fail(body)
    const up = call.scope.rewriting.patchToUpstream(call.kind.shape, forms[type], body)
    if (up instanceof Refused || up instanceof BodyInvalid) return call.fail(bodyFailure(call, up))
    if (up instanceof WholeNeeded) {
      if (type === "apply") return call.fail(Failures.badRequest(`this apply cannot be translated: ${up.reason}`))
      return new WholePatch(forwarding, call, { type, body }).begin()
    }
    const head = headUp(call, { contentType: up.form })
    if (head instanceof ApiFailure) return call.fail(head)
    sendWhole(forwarding, call, { head, body: up.body }, (answer) => answerWhole(call, answer))
  })
}

type WholePatchType = "json" | "merge" | "strategic"

/** Get, patch, write back. */
class WholePatch {
  private readonly forwarding: Forwarding
  private readonly call: TenantCall
  private readonly type: WholePatchType
  private readonly patch: Json | undefined
  private conflicts = 0

  constructor(forwarding: Forwarding, call: TenantCall, asked: { type: WholePatchType; body: Uint8Array }) {
    this.forwarding = forwarding
    this.call = call
    this.type = asked.type
    this.patch = parsed(asked.body)
  }

  begin(): void {
    if (this.patch === undefined) return this.call.fail(Failures.badRequest("the patch is no JSON"))
    // The writer's options are no reader's.
    const head = headUp(this.call, { method: "GET" })
    if (head instanceof ApiFailure) return this.call.fail(head)
    const path = head.path.split("?", 1)[0] ?? ""
    const fields = head.fields.map(([name, value]) => [name, name === "accept" ? "application/json" : value] as const)
    sendWhole(this.forwarding, this.call, { head: { method: "GET", path, fields }, body: undefined }, (answer) =>
      this.read(answer)
    )
  }

  private read(answer: WholeAnswer | ApiFailure): void {
    const { call } = this
    if (answer instanceof ApiFailure || answer.code !== 200) return answerWhole(call, answer)
    const { rewriting } = call.scope
    const seen = rewriting.toTenant(call.kind.shape, answer.body)
    if (seen === undefined || seen instanceof BodyInvalid) return answerWhole(call, answer)
    const object = parsed(seen)
    if (object === undefined || !isJsonObject(object)) return call.fail(Failures.internal("an object is no JSON"))
    const patched = this.apply(object)
    if (patched instanceof ApiFailure) return call.fail(patched)
    const up = rewriting.toUpstream(call.kind.shape, encoder.encode(JSON.stringify(patched)))
    if (up instanceof Refused || up instanceof BodyInvalid) return call.fail(bodyFailure(call, up))
    this.write(up)
  }

  private apply(object: JsonObject): Json | ApiFailure {
    const patch = this.patch ?? null
    const { group, kind, version } = this.call.kind.shape
    if (this.type === "json") return applyJsonPatch(object, patch)
    if (this.type === "merge") return applyMergePatch(object, patch)
    const schema = schemaOfKind(group, version, kind)
    return schema === undefined
      ? Failures.generic(415, "UnsupportedMediaType", "strategic merge patches are for built-in kinds")
      : applyStrategicMergePatch(schema, object, patch)
  }

  private write(body: Uint8Array): void {
    const head = headUp(this.call, { method: "PUT", contentType: "application/json" })
    if (head instanceof ApiFailure) return this.call.fail(head)
    sendWhole(this.forwarding, this.call, { head, body }, (answer) => {
      const conflict = !(answer instanceof ApiFailure) && answer.code === 409
      if (conflict && ++this.conflicts < CONFLICTS_MAX) this.begin()
      else answerWhole(this.call, answer)
    })
  }
}

const decoder = new TextDecoder()

const parsed = (bytes: Uint8Array): Json | undefined => {
  try {
    return JSON.parse(decoder.decode(bytes)) as Json
  } catch {
    return undefined
  }
}
