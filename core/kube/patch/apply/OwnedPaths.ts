// The set of paths that an object says something about: what its applier owns.
// Owns this walk alone. What no manager can own is left out.
import { isJsonObject, type Json, type JsonArray, type JsonObject } from "../../Json.ts"
import type { Schema } from "../../Schema.ts"
import { UNOWNED_METADATA } from "./Compare.ts"
import { type FieldSet, type Growing, insert } from "./FieldSet.ts"
import { DEDUCED, fieldElement, fieldType, isAtomic, itemElement, Unnamed } from "./FieldTypes.ts"

const walkValue = (set: Growing, path: Array<string>, schema: Schema, value: Json): void => {
  if (Array.isArray(value)) {
    if (isAtomic(schema, true)) insert(set, path)
    else walkItems(set, path, schema, value)
  } else if (isJsonObject(value)) {
    if (isAtomic(schema, false)) insert(set, path)
    else walkFields(set, path, schema, value)
  } else if (
    value !== null ||
    (schema.type !== "array" && schema.type !== "object") ||
    isAtomic(schema, schema.type === "array")
  ) {
    insert(set, path)
  }
}

const walkItems = (set: Growing, path: Array<string>, schema: Schema, items: JsonArray): void => {
  const seen = new Set<string>()
  const twice = new Set<string>()
  const named = items.map((item) => itemElement(schema, item))
  for (const element of named) {
    if (element instanceof Unnamed) continue
    if (seen.has(element)) twice.add(element)
    seen.add(element)
  }
  for (const [at, element] of named.entries()) {
    if (element instanceof Unnamed) continue
    path.push(element)
    if (!twice.has(element)) walkValue(set, path, schema.items ?? DEDUCED, items[at])
    insert(set, path)
    path.pop()
  }
}

const walkFields = (set: Growing, path: Array<string>, schema: Schema, object: JsonObject): void => {
  for (const name in object) {
    const value = object[name]
    if (value === undefined) continue
    path.push(fieldElement(name))
    walkValue(set, path, fieldType(schema, name) ?? DEDUCED, value)
    const isEmpty = value === null || (isJsonObject(value) && Object.keys(value).length === 0)
    if (isEmpty || schema.fields?.has(name) !== true) insert(set, path)
    path.pop()
  }
}

/** The paths of an object of a kind; with everything that a walk over it meets when `whole`. */
export const ownedPaths = (schema: Schema, object: JsonObject, whole = false): FieldSet => {
  const set: Growing = {}
  if (whole) {
    walkFields(set, [], schema, object)
    return set
  }
  const { apiVersion: _, kind: __, metadata, ...rest } = object
  walkFields(set, [], schema, rest)
  if (isJsonObject(metadata)) {
    const owned = Object.entries(metadata).filter(([name]) => !UNOWNED_METADATA.has(name))
    const path = [fieldElement("metadata")]
    walkFields(set, path, fieldType(schema, "metadata") ?? DEDUCED, Object.fromEntries(owned))
  }
  return set
}
