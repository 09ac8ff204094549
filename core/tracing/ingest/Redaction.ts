// What of an object may be kept: never the content of Secrets and tokens, last-applied (which repeats all that was ever applied) or
// managedFields (bookkeeping, mostly the larger half of an object). It works on the bytes as they came, before anything is made of them.
// Owns the rules and their application; refuses to keep anything that it cannot read.
import { isJsonObject, type Json, type JsonObject, LAST_APPLIED } from "#kube"
import type { Pick } from "../model/Picks.ts"
import { type Found, prunedAnswer } from "./AnswerBytes.ts"

/** An object as it may be kept. */
export interface Kept {
  readonly object: JsonObject
  /** Its JSON, as a text or as what is left of bytes after the cuts. */
  readonly body: string | Found
  readonly redacted: boolean
}

/** Objects with this label are kept by name and version alone. */
export const DIFF_REDACTED_LABEL = "kelemetry.kubewharf.io/diff-redacted"

const sensitiveKinds = new Set(["Secret", "TokenRequest", "TokenReview"])
const sensitiveResources = new Set(["secrets", "tokenreviews", "tokenrequests"])

/** Whether an object of this name is kept by name and version alone, besides those that always are. */
export type Redacts = (name: string) => boolean

/** Whether a request is about something whose content is secret, so that not even an error's text is kept. */
export const isSensitive = (resource: string, subresource: string): boolean =>
  sensitiveResources.has(resource) || subresource === "token"

/**
 * What may be kept of an object in these bytes. With picks, of a walked object only what facts need is made into values; without them,
 * or where it has to be, all of it. Throws SyntaxError where it is no JSON object.
 */
export const redactBytes = (
  bytes: Buffer,
  found: Found,
  redacts: Redacts,
  picks: ReadonlyArray<Pick> | undefined
): Kept => {
  const pruned = found.plain && picks !== undefined ? prunedAnswer(bytes, found, picks) : undefined
  if (pruned !== undefined && !asksForAll(pruned, redacts)) {
    return { object: pruned, body: found, redacted: false }
  }
  const text = bytes.toString("utf8", found.start, found.end)
  const object: unknown = JSON.parse(text)
  if (typeof object !== "object" || object === null || Array.isArray(object)) throw new SyntaxError("not an object")
  // SAFETY: parsed JSON that is an object.
  return kept(object as JsonObject, text, redacts)
}

/** What is kept by its names, and what facts read more of than its metadata. */
const asksForAll = (object: JsonObject, redacts: Redacts): boolean => {
  const { kind, metadata } = object
  if (!isJsonObject(metadata) || typeof kind !== "string" || kind === "Status" || kind.endsWith("List")) return true
  return (
    isSecretKind(object) || labelled(metadata) || redacts(typeof metadata["name"] === "string" ? metadata["name"] : "")
  )
}

/** An object as it may be kept, with its JSON as a text. */
export interface KeptText extends Kept {
  readonly body: string
}

/** The same of an object that is parsed already. */
export const redactObject = (object: JsonObject, redacts: Redacts): KeptText => kept(object, undefined, redacts)

const kept = (object: JsonObject, text: string | undefined, redacts: Redacts): KeptText => {
  const metadata = object["metadata"]
  const clean = isJsonObject(metadata) ? cleanMetadata(metadata) : undefined
  if (isSecretKind(object) || labelled(clean) || redacts(typeof clean?.["name"] === "string" ? clean["name"] : "")) {
    const names = namesOf(object, clean)
    return { object: names, body: JSON.stringify(names), redacted: true }
  }
  if (text !== undefined && clean === metadata) return { object, body: text, redacted: false }
  const whole = clean === undefined ? object : { ...object, metadata: clean }
  return { object: whole, body: JSON.stringify(whole), redacted: false }
}

const isSecretKind = ({ kind }: JsonObject): boolean =>
  typeof kind === "string" && (sensitiveKinds.has(kind) || sensitiveKinds.has(kind.replace(/List$/, "")))

const labelled = (metadata: JsonObject | undefined): boolean => {
  const labels = metadata?.["labels"]
  return isJsonObject(labels) && labels[DIFF_REDACTED_LABEL] !== undefined
}

/** The same object where there was nothing to take away. */
const cleanMetadata = (metadata: JsonObject): JsonObject => {
  const { annotations, managedFields, ...rest } = metadata
  const applied = isJsonObject(annotations) && annotations[LAST_APPLIED] !== undefined
  if (managedFields === undefined && !applied) return metadata
  if (!applied) return annotations === undefined ? rest : { ...rest, annotations }
  const { [LAST_APPLIED]: _, ...others } = annotations
  return Object.keys(others).length === 0 ? rest : { ...rest, annotations: others }
}

const keptFields = [
  "name",
  "generateName",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "ownerReferences",
  "finalizers"
] as const

const namesOf = ({ apiVersion, items, kind }: JsonObject, metadata: JsonObject | undefined): JsonObject => ({
  ...(apiVersion === undefined ? {} : { apiVersion }),
  ...(kind === undefined ? {} : { kind }),
  ...(Array.isArray(items) ? { items: (items as ReadonlyArray<Json>).filter(isJsonObject).map(itemNames) } : {}),
  metadata: Object.fromEntries(
    keptFields.flatMap((field) => (metadata?.[field] === undefined ? [] : [[field, metadata[field]]]))
  )
})

const itemNames = (item: JsonObject): JsonObject => {
  const metadata = item["metadata"]
  return namesOf(item, isJsonObject(metadata) ? metadata : undefined)
}
