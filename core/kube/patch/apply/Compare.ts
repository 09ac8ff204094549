// What differs between two objects, as sets of paths: removed, modified, added.
// Owns the walk over both at once, which passes by whatever both share; refuses fields that no manager can own (name, uid,
// resourceVersion and the like), which it does not look at.
import { isJsonObject, type Json, type JsonArray, type JsonObject, sameJson } from "../../Json.ts"
import type { Schema } from "../../Schema.ts"
import { type FieldSet, type Growing, insert } from "./FieldSet.ts"
import { DEDUCED, fieldElement, fieldType, isAtomic, itemElement, Unnamed } from "./FieldTypes.ts"

/** The paths in which a second object differs from a first. */
export interface Comparison {
  readonly removed: FieldSet
  readonly modified: FieldSet
  readonly added: FieldSet
}

/** Fields of metadata that are nobody's. */
export const UNOWNED_METADATA: ReadonlySet<string> = new Set([
  "name",
  "namespace",
  "creationTimestamp",
  "selfLink",
  "uid",
  "clusterName",
  "generation",
  "managedFields",
  "resourceVersion"
])

interface Walk {
  readonly path: Array<string>
  readonly removed: Growing
  readonly modified: Growing
  readonly added: Growing
}

const isEmptyObject = (value: JsonObject): boolean => {
  for (const name in value) if (value[name] !== undefined) return false
  return true
}

const leaf = (walk: Walk, left: Json | undefined, right: Json | undefined): void => {
  if (left === undefined) insert(walk.added, walk.path)
  else if (right === undefined) insert(walk.removed, walk.path)
  else if (!sameJson(left, right)) insert(walk.modified, walk.path)
}

const compare = (walk: Walk, schema: Schema, left: Json | undefined, right: Json | undefined): void => {
  if (left === right) return
  const value = right ?? left
  // A value that changed its kind is walked as both: as what it was, and as what it is.
  const mixed = left !== undefined && left !== null && right !== undefined && right !== null && mixes(left, right)
  const isLeaf = mixed
    ? [compareAs(walk, schema, left, left, right), compareAs(walk, schema, right, left, right)].includes(true)
    : compareAs(walk, schema, value, left, right)
  if (isLeaf) return
  if (left === undefined) insert(walk.added, walk.path)
  else if (right === undefined) insert(walk.removed, walk.path)
}

/** Compares as a value's kind would have it; answers whether that is a leaf. */
const compareAs = (
  walk: Walk,
  schema: Schema,
  value: Json | undefined,
  left: Json | undefined,
  right: Json | undefined
): boolean => {
  const isList = Array.isArray(value) || (value === null && schema.type === "array")
  const isMap =
    !isList && (isJsonObject(value) || (value === null && (schema.type === "object" || schema.type === "any")))
  const isLeaf = !(isList || isMap) || isAtomic(schema, isList)
  if (isLeaf || (isEmptyAs(isList, left) && isEmptyAs(isList, right))) {
    leaf(walk, left, right)
    return true
  }
  if (isList) compareItems(walk, schema, asItems(left), asItems(right))
  else compareFields(walk, schema, asFields(left), asFields(right))
  return false
}

const mixes = (left: Json, right: Json): boolean =>
  typeof left !== typeof right || Array.isArray(left) !== Array.isArray(right)

/** No list with items, or no map with fields. */
const isEmptyAs = (isList: boolean, value: Json | undefined): boolean =>
  isList ? asItems(value).length === 0 : isEmptyObject(asFields(value))

const asItems = (value: Json | undefined): JsonArray => (Array.isArray(value) ? value : [])

const NOTHING: JsonObject = Object.freeze({})
const asFields = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : NOTHING)

const compareFields = (walk: Walk, schema: Schema, left: JsonObject, right: JsonObject): void => {
  for (const name in right) {
    const wanted = right[name]
    const held = left[name]
    if (wanted === held || wanted === undefined) continue
    walk.path.push(fieldElement(name))
    compare(walk, fieldType(schema, name) ?? DEDUCED, held, wanted)
    walk.path.pop()
  }
  for (const name in left) {
    const held = left[name]
    if (held === undefined || right[name] !== undefined) continue
    walk.path.push(fieldElement(name))
    compare(walk, fieldType(schema, name) ?? DEDUCED, held, undefined)
    walk.path.pop()
  }
}

/** Items by their elements; more than one where a list has duplicates. */
const indexed = (schema: Schema, items: JsonArray): Map<string, ReadonlyArray<Json>> => {
  const out = new Map<string, ReadonlyArray<Json>>()
  for (const item of items) {
    const element = itemElement(schema, item)
    if (element instanceof Unnamed) continue
    const held = out.get(element)
    out.set(element, held === undefined ? [item] : [...held, item])
  }
  return out
}

const compareItems = (walk: Walk, schema: Schema, left: JsonArray, right: JsonArray): void => {
  const items = schema.items ?? DEDUCED
  const held = indexed(schema, left)
  const wanted = indexed(schema, right)
  for (const element of new Set([...held.keys(), ...wanted.keys()])) {
    const ours = held.get(element) ?? []
    const theirs = wanted.get(element) ?? []
    walk.path.push(element)
    if (ours.length <= 1 && theirs.length <= 1) compare(walk, items, ours[0], theirs[0])
    else if (ours.length >= 2 && theirs.length >= 2) {
      if (!sameJson(ours, theirs)) insert(walk.modified, walk.path)
    } else if (ours.length >= 2) {
      if (theirs.length > 0) compare(walk, items, undefined, theirs[0])
      insert(walk.removed, walk.path)
    } else {
      if (ours.length > 0) compare(walk, items, ours[0], undefined)
      insert(walk.added, walk.path)
    }
    walk.path.pop()
  }
}

const METADATA = fieldElement("metadata")

const compareMetadata = (walk: Walk, schema: Schema, left: JsonObject, right: JsonObject): void => {
  if (left === right) return
  walk.path.push(METADATA)
  for (const name in right) compareMeta(walk, schema, name, left[name], right[name])
  for (const name in left) if (right[name] === undefined) compareMeta(walk, schema, name, left[name], undefined)
  walk.path.pop()
}

const compareMeta = (
  walk: Walk,
  schema: Schema,
  name: string,
  left: Json | undefined,
  right: Json | undefined
): void => {
  if (left === right || UNOWNED_METADATA.has(name)) return
  walk.path.push(fieldElement(name))
  compare(walk, fieldType(schema, name) ?? DEDUCED, left, right)
  walk.path.pop()
}

/** The difference of two objects of a kind, without what no manager can own. */
export const compareObjects = (schema: Schema, left: JsonObject, right: JsonObject): Comparison => {
  const walk: Walk = { path: [], removed: {}, modified: {}, added: {} }
  for (const name in right) compareTop(walk, schema, name, left[name], right[name])
  for (const name in left) if (right[name] === undefined) compareTop(walk, schema, name, left[name], undefined)
  return walk
}

const compareTop = (
  walk: Walk,
  schema: Schema,
  name: string,
  left: Json | undefined,
  right: Json | undefined
): void => {
  if (left === right || name === "apiVersion" || name === "kind") return
  const type = fieldType(schema, name) ?? DEDUCED
  if (name === "metadata") {
    compareMetadata(walk, type, asFields(left), asFields(right))
    return
  }
  walk.path.push(fieldElement(name))
  compare(walk, type, left, right)
  walk.path.pop()
}
