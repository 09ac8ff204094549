// Cluster-wide bindings of tenants: upstream they name groups that this server alone asserts, never the subjects themselves, so that
// a service account which goes past this server has no right outside its namespaces.
// Owns this exchange of subjects, both ways, around the rewriting; refuses every other kind, which passes as it is.
import { isJsonObject, type Json, type JsonObject } from "#kube"
import { ASSERTED, assertedGroup, assertedUser } from "../identity/Caller.ts"
import type { KindShape } from "../names/TenantView.ts"
import {
  type AnswerOptions,
  BodyInvalid,
  type PatchForm,
  Refused,
  type RewriteStream,
  type Rewriting,
  WholeNeeded
} from "../rewrite/Contract.ts"

const RBAC = "rbac.authorization.k8s.io"
const USER = assertedUser("")
const GROUP = assertedGroup("")
const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/
/** A list of bindings is held whole, because a subject may be cut by a piece's end. */
const LIST_BYTES_MAX = 33_554_432

const isBinding = ({ group, resource }: KindShape): boolean => group === RBAC && resource === "clusterrolebindings"

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "")

const shielded = (subject: Json): Json => {
  if (!isJsonObject(subject)) return subject
  const name = textOf(subject["name"])
  // A subject that is broken stays so, and upstream says how.
  if (name === "") return subject
  const asserted = (group: string): JsonObject => ({ kind: "Group", apiGroup: RBAC, name: group })
  switch (subject["kind"]) {
    case "ServiceAccount":
      return asserted(assertedUser(`system:serviceaccount:${textOf(subject["namespace"])}:${name}`))
    case "User":
      return asserted(assertedUser(name))
    case "Group":
      return name.startsWith(ASSERTED) ? subject : asserted(assertedGroup(name))
    default:
      return subject
  }
}

const bared = (subject: Json): Json => {
  const name = isJsonObject(subject) ? textOf(subject["name"]) : ""
  if (name.startsWith(GROUP)) return { kind: "Group", apiGroup: RBAC, name: name.slice(GROUP.length) }
  if (!name.startsWith(USER)) return subject
  const user = name.slice(USER.length)
  const account = ACCOUNT.exec(user)
  return account === null
    ? { kind: "User", apiGroup: RBAC, name: user }
    : { kind: "ServiceAccount", name: account[2] ?? "", namespace: account[1] ?? "" }
}

/** Every list of subjects in a value, wherever a binding may stand in it. */
const eachSubject = (value: Json, change: (subject: Json) => Json): Json => {
  if (Array.isArray(value)) return value.map((each) => eachSubject(each, change))
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      if (name === "subjects" && Array.isArray(field)) return [name, field.map(change)]
      const holds = name === "items" || name === "rows" || name === "object" || name === "value"
      return [name, holds && field !== undefined ? eachSubject(field, change) : (field ?? null)]
    })
  )
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

const changed = (body: Uint8Array, change: (subject: Json) => Json): Uint8Array => {
  const text = decoder.decode(body)
  if (!text.includes('"subjects"')) return body
  try {
    return encoder.encode(JSON.stringify(eachSubject(JSON.parse(text) as Json, change)))
  } catch {
    // The rewriting says what is wrong with it.
    return body
  }
}

const up = (body: Uint8Array): Uint8Array => changed(body, shielded)
const down = (body: Uint8Array): Uint8Array => changed(body, bared)

/** JSON Patch reaches into subjects by their place: only whole lists of them are exchanged. */
const patchesInside = (body: Uint8Array): boolean => /"(path|from)"\s*:\s*"\/subjects/.test(decoder.decode(body))

/** A rewriting whose cluster-wide bindings are shielded. */
export const shieldSubjects = (inner: Rewriting): Rewriting => ({
  ...delegated(inner),
  toUpstream: (shape, body, options) => {
    const rewritten = inner.toUpstream(shape, body, options)
    return isBinding(shape) && rewritten instanceof Uint8Array ? up(rewritten) : rewritten
  },
  toTenant: (shape, body, options) => inner.toTenant(shape, isBinding(shape) ? down(body) : body, options),
  answerToTenant: (shape, options) =>
    isBinding(shape) ? held(inner, shape, options) : inner.answerToTenant(shape, options),
  eventToTenant: (shape, event, options) => inner.eventToTenant(shape, isBinding(shape) ? down(event) : event, options),
  patchToUpstream: (shape, form, body) => shieldPatch(inner, shape, { form, body })
})

const delegated = (inner: Rewriting): Rewriting => ({
  toUpstream: (shape, body, options) => inner.toUpstream(shape, body, options),
  toTenant: (shape, body, options) => inner.toTenant(shape, body, options),
  answerToTenant: (shape, options) => inner.answerToTenant(shape, options),
  watchToTenant: (shape, options) => inner.watchToTenant(shape, options),
  eventToTenant: (shape, event, options) => inner.eventToTenant(shape, event, options),
  patchToUpstream: (shape, form, body) => inner.patchToUpstream(shape, form, body),
  labelSelectorToUpstream: (shape, selector) => inner.labelSelectorToUpstream(shape, selector),
  fieldSelectorToUpstream: (shape, selector) => inner.fieldSelectorToUpstream(shape, selector),
  ownerOf: (shape, object) => inner.ownerOf(shape, object),
  textToTenant: (text) => inner.textToTenant(text)
})

const shieldPatch = (
  inner: Rewriting,
  shape: KindShape,
  { body, form }: { readonly form: PatchForm; readonly body: Uint8Array }
): ReturnType<Rewriting["patchToUpstream"]> => {
  if (!isBinding(shape)) return inner.patchToUpstream(shape, form, body)
  if (form === "application/json-patch+json" && patchesInside(body)) {
    return new WholeNeeded("a JSON patch of subjects")
  }
  const rewritten = inner.patchToUpstream(shape, form, body)
  if (rewritten instanceof WholeNeeded || rewritten instanceof Refused || rewritten instanceof BodyInvalid) {
    return rewritten
  }
  return { ...rewritten, body: up(rewritten.body) }
}

/** An answer that is exchanged when all of it is there. */
const held = (inner: Rewriting, shape: KindShape, options: AnswerOptions | undefined): RewriteStream => {
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  return {
    push: (chunk) => {
      bytes += chunk.length
      if (bytes > LIST_BYTES_MAX) return new BodyInvalid(`a list of bindings is longer than ${LIST_BYTES_MAX} bytes`)
      // A view is valid during the call only.
      chunks.push(chunk.slice())
      return new Uint8Array(0)
    },
    end: () => inner.toTenant(shape, down(Buffer.concat(chunks)), options) ?? new Uint8Array(0)
  }
}
