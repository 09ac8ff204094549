// The body of a write as JSON in upstream's names, whatever the client wrote it in: JSON, YAML or Protocol Buffers.
// Owns the bound and the media types; decoding is #apiserver's, names are the rewriting's.
import { BODY_BYTES_MAX, decodeObject, objectFormat, tooLargeBody } from "#apiserver"
import { ApiFailure, Failures } from "#kube"
import { BodyInvalid, Refused } from "../rewrite/Contract.ts"
import type { TenantCall } from "./TenantCall.ts"

/** Reads the body; not called back when the client goes away. */
export const readBody = (call: TenantCall, done: (body: Uint8Array) => void): void =>
  call.exchange.readBody(BODY_BYTES_MAX, (body) => {
    if (call.over) return
    if (body === undefined) call.fail(tooLargeBody())
    else done(body)
  })

/** What a refused body is answered with. */
export const bodyFailure = (call: TenantCall, refusal: Refused | BodyInvalid): ApiFailure => {
  if (refusal instanceof BodyInvalid) return Failures.badRequest(refusal.message)
  const { group, kind, resource } = call.kind.shape
  const { name } = call.path.info
  const { field, rule } = refusal
  if (field === "metadata.name" || field === "metadata.namespace") {
    return Failures.forbidden({ group, resource, name }, `${field}: ${rule}`)
  }
  return Failures.invalid({ group, kind }, name, [{ type: "FieldValueForbidden", field, detail: rule }])
}

/** Fields that a body says twice: a failure where that is asked for, a warning unless it is not; JSON keeps only the last. */
export const reportTwice = (
  call: TenantCall,
  lines: ReadonlyArray<string>,
  complaint: (lines: ReadonlyArray<string>) => string
): ApiFailure | undefined => {
  const validation = call.query.get("fieldValidation")
  if (lines.length === 0 || validation === "Ignore") return undefined
  if (validation === "Strict") return Failures.badRequest(complaint(lines))
  for (const line of lines) call.warn(line)
  return undefined
}

const encoder = new TextEncoder()

/** The body as JSON, still in the tenant's names. */
export const jsonBody = (call: TenantCall, body: Uint8Array): Uint8Array | ApiFailure => {
  if (body.length === 0) return body
  const format = objectFormat(call.exchange.header("content-type"))
  if (format === "json" || format instanceof ApiFailure) return format === "json" ? body : format
  const decoded = decodeObject(body, format, call.kind.shape.kind)
  if (decoded instanceof ApiFailure) return decoded
  const twice = reportTwice(call, decoded.duplicates, (lines) => `strict decoding error: ${lines.join(", ")}`)
  if (twice !== undefined) return twice
  return encoder.encode(JSON.stringify(decoded.value))
}

/** The body of a create, update or delete, ready to be sent. */
export const bodyUp = (call: TenantCall, body: Uint8Array): Uint8Array | ApiFailure => {
  const asJson = jsonBody(call, body)
  if (asJson instanceof ApiFailure || asJson.length === 0) return asJson
  const creating = call.path.info.verb === "create" && call.path.info.subresource === ""
  const rewritten = call.scope.rewriting.toUpstream(call.kind.shape, asJson, { creating })
  return rewritten instanceof Refused || rewritten instanceof BodyInvalid ? bodyFailure(call, rewritten) : rewritten
}
