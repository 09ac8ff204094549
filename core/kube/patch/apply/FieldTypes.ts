// A Schema as structured merge reads it: what is one leaf, what is a list of items with keys, what is a map.
// Owns this reading and the names of list items; refuses to walk values, which its callers do.
import { isJsonObject, type Json } from "../../Json.ts"
import type { Schema } from "../../Schema.ts"
import { keyElement, valueElement } from "./PathElements.ts"

/** What is not known beforehand: lists of it are leaves, maps are not. */
export const DEDUCED: Schema = { type: "any" }

const RAW_EXTENSION = "io.k8s.apimachinery.pkg.runtime.RawExtension"

/** Whether a list or map of this type is one leaf. */
export const isAtomic = (schema: Schema, isList: boolean): boolean => {
  if (schema.name === RAW_EXTENSION) return true
  if (!isList) return schema.mapType === "atomic"
  return schema.items === undefined || (itemKeys(schema) === undefined && !isSet(schema))
}

/** The names of a list's keys; undefined when it is no list with keys. The merge key serves where no list type is told. */
export const itemKeys = (schema: Schema): ReadonlyArray<string> | undefined => {
  if (schema.listType === "map") return schema.listMapKeys
  if (schema.listType !== undefined || schema.patchMergeKey === undefined) return undefined
  return schema.patchStrategy?.includes("merge") === true ? [schema.patchMergeKey] : undefined
}

const isSet = (schema: Schema): boolean =>
  schema.listType === "set" ||
  (schema.listType === undefined &&
    schema.patchMergeKey === undefined &&
    schema.patchStrategy?.includes("merge") === true)

/** The type of a field or of a map's value; undefined when the type has no such field. */
export const fieldType = (schema: Schema, name: string): Schema | undefined =>
  schema.fields?.get(name) ??
  schema.values ??
  (schema.type === "any" || schema.preserveUnknownFields === true || schema.fields === undefined ? DEDUCED : undefined)

/** An item that has no name in its list, with the words for it. */
export class Unnamed {
  readonly why: string
  constructor(why: string) {
    this.why = why
  }
}

const sortedKeys = new WeakMap<ReadonlyArray<string>, ReadonlyArray<string>>()

const inOrder = (keys: ReadonlyArray<string>): ReadonlyArray<string> => {
  const known = sortedKeys.get(keys)
  if (known !== undefined) return known
  const sorted = keys.toSorted()
  sortedKeys.set(keys, sorted)
  return sorted
}

/** The path element of an item in a list that is no leaf. */
export const itemElement = (schema: Schema, item: Json): string | Unnamed => {
  const keys = itemKeys(schema)
  if (keys === undefined) {
    if (item === null) return new Unnamed("associative list without keys has an element that's an explicit null")
    if (Array.isArray(item)) return new Unnamed("not supported: associative list with lists as elements")
    if (typeof item === "object") return new Unnamed("associative list without keys has an element that's a map type")
    return valueElement(item)
  }
  if (item === null) return new Unnamed("associative list with keys may not have a null element")
  if (!isJsonObject(item)) return new Unnamed("associative list with keys may not have non-map elements")
  const found: Array<readonly [string, Json]> = []
  for (const key of inOrder(keys)) {
    const value = item[key] ?? schema.items?.fields?.get(key)?.default
    if (value !== undefined) found.push([key, value])
  }
  if (found.length > 0) return keyElement(found)
  const names = `[${keys.map((key) => JSON.stringify(key)).join(" ")}]`
  return new Unnamed(
    `associative list with keys has an element that omits all key fields ${names} (and doesn't have default values for any key fields)`
  )
}

/** Field elements, made once for each name. */
const elements = new Map<string, string>()
const ELEMENTS_LIMIT = 10_000

/** "f:name", shared between paths. */
export const fieldElement = (name: string): string => {
  const known = elements.get(name)
  if (known !== undefined) return known
  const element = `f:${name}`
  if (elements.size < ELEMENTS_LIMIT) elements.set(name, element)
  return element
}
