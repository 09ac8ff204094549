// Takes paths out of an object: fields and list items that a set names.
// Owns the walk; refuses to decide which paths go (Prune.ts of this folder does).
import { isJsonObject, type Json, type JsonArray, type JsonObject } from "../../Json.ts"
import type { Schema } from "../../Schema.ts"
import { childOf, type FieldSet, hasBelow, isMember } from "./FieldSet.ts"
import { DEDUCED, fieldElement, fieldType, isAtomic, itemElement, Unnamed } from "./FieldTypes.ts"

/** Without the paths below; null when nothing is left of a list or map, as of a leaf that is asked for its insides. */
const remove = (schema: Schema, value: Json, below: FieldSet): Json => {
  if (Array.isArray(value)) return isAtomic(schema, true) ? null : removeFromList(schema, value, below)
  if (isJsonObject(value)) return isAtomic(schema, false) ? null : removeFromMap(schema, value, below)
  return value
}

const removeFromList = (schema: Schema, items: JsonArray, below: FieldSet): Json => {
  const kept: Array<Json> = []
  for (const item of items) {
    const element = itemElement(schema, item)
    const node = element instanceof Unnamed ? undefined : childOf(below, element)
    if (node === undefined) kept.push(item)
    else if (!isMember(node)) kept.push(hasBelow(node) ? remove(schema.items ?? DEDUCED, item, node) : item)
  }
  if (kept.length === 0) return null
  return kept.length === items.length && kept.every((item, at) => item === items[at]) ? items : kept
}

const removeFromMap = (schema: Schema, object: JsonObject, below: FieldSet): Json => {
  const kept = removeFields(schema, object, below)
  return Object.keys(kept).length === 0 ? null : kept
}

const removeFields = (schema: Schema, object: JsonObject, below: FieldSet): JsonObject => {
  let changed: Record<string, Json | undefined> | undefined
  for (const name in object) {
    const value = object[name]
    const node = childOf(below, fieldElement(name))
    if (value === undefined || node === undefined) continue
    if (isMember(node)) {
      changed ??= { ...object }
      delete changed[name]
    } else {
      const kept = remove(fieldType(schema, name) ?? DEDUCED, value, node)
      if (kept !== value) (changed ??= { ...object })[name] = kept
    }
  }
  return changed ?? object
}

/** The object without the paths of a set. */
export const removePaths = (schema: Schema, object: JsonObject, paths: FieldSet): JsonObject =>
  removeFields(schema, object, paths)
