// The set of paths that an object says something about: what its applier owns.
// Owns this walk, and what managers do not keep of it; refuses values.
import { isJsonObject, type Json, type JsonArray, type JsonObject } from "../../Json.ts"
import type { Schema } from "../../Schema.ts"
import { UNOWNED_METADATA } from "./Compare.ts"
import { difference, type FieldSet, type Growing, insert, LEAF } from "./FieldSet.ts"
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

/** The paths of an object of a kind, those among them that no manager keeps. */
export const ownedPaths = (schema: Schema, object: JsonObject): FieldSet => {
  const set: Growing = {}
  walkFields(set, [], schema, object)
  return set
}

/** What no manager keeps: the type, metadata itself, and what the server gives. */
const UNOWNED: FieldSet = {
  "f:apiVersion": LEAF,
  "f:kind": LEAF,
  "f:metadata": { ".": LEAF, ...Object.fromEntries(Array.from(UNOWNED_METADATA, (name) => [`f:${name}`, LEAF])) }
}

/** The set as a manager keeps it. */
export const keptPaths = (set: FieldSet): FieldSet => difference(set, UNOWNED)
