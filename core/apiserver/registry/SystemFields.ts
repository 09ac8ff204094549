// What the server itself writes into metadata: uid, times, generated names; and what it takes out of what clients send.
// Owns these fields; refuses rules about the others, which MetadataRules.ts has.
import { apiVersionOf, type Clockwork, type KubeObject, type OwnerReference, rfc3339 } from "#kube"
import type { Definition, Draft } from "../Definition.ts"
import { ordered } from "../store/StoredJson.ts"

/** A version 4 UUID of the clockwork's randomness. */
export const randomUid = (random: () => number): string => {
  const word = (): string =>
    Math.floor(random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, "0")
  const [a, b, c, d] = [word(), word(), word(), word()]
  const variant = (8 + (Number.parseInt(c[0] ?? "0", 16) & 3)).toString(16)
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${variant}${c.slice(1, 4)}-${c.slice(4)}${d}`
}

let lastSecond = -1
let lastText = ""

/** The time as metadata has it; the text of a second is made once. */
export const timestamp = (clockwork: Clockwork): string => {
  const second = Math.floor(clockwork.now() / 1000)
  if (second !== lastSecond) {
    lastSecond = second
    lastText = rfc3339(second * 1000)
  }
  return lastText
}

/** A draft of an object: its own at the top, in metadata, and in spec and status where they are objects. */
export const draftOf = (definition: Definition, object: KubeObject): Draft => {
  const draft = ordered(definition.kind, apiVersionOf(definition), object) as unknown as Draft
  if (isPlain(draft.spec)) draft.spec = { ...draft.spec }
  if (isPlain(draft.status)) draft.status = { ...draft.status }
  return draft
}

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const SYSTEM_FIELDS: ReadonlySet<string> = new Set([
  "creationTimestamp",
  "uid",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "selfLink",
  "resourceVersion"
])

/** A draft of an object that is to be created: without what a client cannot set. */
export const newDraftOf = (definition: Definition, object: KubeObject): Draft => {
  const metadata: Record<string, unknown> = {}
  const given = object.metadata as Readonly<Record<string, unknown>>
  for (const field in given) if (!SYSTEM_FIELDS.has(field)) metadata[field] = given[field]
  return draftOf(definition, { ...object, metadata })
}

/** Says which owners stand there twice, and keeps one of each. */
export const withoutDoubleOwners = ({ metadata }: Draft, warnings: Array<string>): void => {
  const owners = metadata.ownerReferences
  if (owners === undefined || owners.length < 2) return
  const kept = new Map<string, OwnerReference>()
  const double = new Set<string>()
  for (const owner of owners) {
    const id = JSON.stringify([
      owner.uid,
      owner.apiVersion,
      owner.kind,
      owner.name,
      owner.controller,
      owner.blockOwnerDeletion
    ])
    if (kept.has(id)) double.add(owner.uid)
    else kept.set(id, owner)
  }
  if (double.size === 0) return
  metadata.ownerReferences = [...kept.values()]
  warnings.push(
    `metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...double].join(", ")}`
  )
}
