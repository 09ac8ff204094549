// The annotation in which client-side apply keeps what it applied last, where server-side apply takes over from it.
// Owns the annotation's reading and writing; refuses to apply (ApplyPatch.ts).
import { isJsonObject, type Json, type JsonObject } from "../../Json.ts"
import type { KubeObject } from "../../KubeObject.ts"
import type { Schema } from "../../Schema.ts"
import { compareObjects } from "./Compare.ts"
import { difference, EMPTY_SET, type FieldSet } from "./FieldSet.ts"
import { ownedPaths } from "./OwnedPaths.ts"
import { appliedProblem } from "./ValidateApplied.ts"

/** Where kubectl keeps what it applied. */
export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

/** The one manager that takes over from client-side apply. */
export const KUBECTL = "kubectl"

const parsed = (text: string): JsonObject | undefined => {
  try {
    // SAFETY: any JSON value; what is no object is refused.
    const value = JSON.parse(text) as Json
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** What client-side apply said last and what still stands so: kubectl may change it in spite of other managers. */
export const lastAppliedPaths = (schema: Schema, apiVersion: string, live: KubeObject): FieldSet => {
  const text = live.metadata.annotations?.[LAST_APPLIED]
  const applied = text === undefined || text === "" ? undefined : parsed(text)
  if (applied === undefined || applied["apiVersion"] !== apiVersion) return EMPTY_SET
  if (appliedProblem(schema, applied) !== undefined) return EMPTY_SET
  // SAFETY: objects are JSON values.
  const { added, modified, removed } = compareObjects(schema, applied, live as unknown as JsonObject)
  return difference(difference(difference(ownedPaths(schema, applied), modified), added), removed)
}

/** Sorts fields at every depth, as the annotation's text has them. */
const sorted = (value: Json): Json => {
  if (Array.isArray(value)) return value.map((item: Json) => sorted(item))
  if (!isJsonObject(value)) return value
  const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(fields.map(([name, field]) => [name, field === undefined ? undefined : sorted(field)]))
}

/** The object with the annotation brought up to date, where it has one. */
export const withLastApplied = (object: KubeObject, applied: JsonObject): KubeObject => {
  const { annotations } = object.metadata
  const held = annotations?.[LAST_APPLIED]
  if (held === undefined || held === "") return object
  const metadata = isJsonObject(applied["metadata"]) ? applied["metadata"] : {}
  const own = isJsonObject(metadata["annotations"]) ? metadata["annotations"] : undefined
  const { [LAST_APPLIED]: _, ...others } = own ?? {}
  const said = own === undefined ? applied : { ...applied, metadata: { ...metadata, annotations: others } }
  const text = `${JSON.stringify(sorted(said))}\n`
  return { ...object, metadata: { ...object.metadata, annotations: { ...annotations, [LAST_APPLIED]: text } } }
}
