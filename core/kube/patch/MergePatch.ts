// JSON Merge Patch (RFC 7386): objects merge, null takes away, all else replaces.
// Owns the merge; refuses to change its input, and shares whatever the patch leaves alone.
import { isJsonObject, type Json, type JsonArray, type JsonObject } from "../Json.ts"

/** The value without nulls in its objects, at any depth; a null in a list stays. */
export const withoutNulls = (value: Json): Json => {
  if (Array.isArray(value)) {
    const items = (value as JsonArray).map((item) => (item === null ? null : withoutNulls(item)))
    return items.every((item, at) => item === value[at]) ? value : items
  }
  if (!isJsonObject(value)) return value
  let changed: Record<string, Json | undefined> | undefined
  for (const name in value) {
    const field = value[name]
    if (field === undefined) continue
    if (field === null) {
      changed ??= { ...value }
      delete changed[name]
      continue
    }
    const clean = withoutNulls(field)
    if (clean !== field) (changed ??= { ...value })[name] = clean
  }
  return changed ?? value
}

const mergeObjects = (document: JsonObject, patch: JsonObject): JsonObject => {
  let changed: Record<string, Json | undefined> | undefined
  for (const name in patch) {
    const wanted = patch[name]
    const held = document[name]
    if (wanted === undefined) continue
    if (wanted === null) {
      if (held === undefined) continue
      changed ??= { ...document }
      delete changed[name]
      continue
    }
    const merged = held === undefined || held === null ? withoutNulls(wanted) : applyMergePatch(held, wanted)
    if (merged !== held) (changed ??= { ...document })[name] = merged
  }
  return changed ?? document
}

/** The document after the patch; the document itself when the patch changes nothing. */
export const applyMergePatch = (document: Json, patch: Json): Json => {
  if (!isJsonObject(patch)) return patch
  return isJsonObject(document) ? mergeObjects(document, patch) : withoutNulls(patch)
}
