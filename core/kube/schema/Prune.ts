// Takes away what a schema does not know, and says where it stood, in the words of strict decoding.
// Owns unknown fields and nulls; refuses to judge values, which Decode.ts and Validate.ts do. The paths are only looked for when
// something was found: the usual object is walked once, without building any text.
import { isJsonObject, type Json, type JsonArray, type JsonObject } from "../Json.ts"
import { quantityOf } from "../Quantity.ts"
import { QuantityInvalid } from "../QuantityText.ts"
import type { Schema } from "../Schema.ts"
import { ItemsBefore } from "./ItemsBefore.ts"

/** How many problems strict decoding lists at most. */
export const STRICT_PROBLEMS_LIMIT = 100

export interface PruneOptions {
  /**
   * "drop" as decoding into Kubernetes' own types does: null is no value, and neither is a map or list without entries that may be
   * left out. "keep" as for custom resources, but for their metadata, which is Kubernetes' own.
   */
  readonly nulls: "drop" | "keep"
}

const EMBEDDED: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"])

const ZEROS: { readonly [Type in Schema["type"]]?: Json } = {
  string: "",
  boolean: false,
  integer: 0,
  number: 0,
  object: {},
  array: []
}

const zeroOf = ({ type }: Schema): Json => ZEROS[type] ?? null

/** Canonical forms of the amounts seen last; forgotten all at once when there are this many. */
const AMOUNTS_MAX = 4096
const amounts = new Map<Json, Json>()

/** Amounts are kept as Kubernetes writes them: "1.5" is "1500m". */
export const canonicalAmount = (value: Json): Json => {
  const known = amounts.get(value)
  if (known !== undefined) return known
  if (typeof value !== "string" && typeof value !== "number") return value
  const read = quantityOf(value)
  const canonical = read instanceof QuantityInvalid ? value : read.toString()
  if (amounts.size >= AMOUNTS_MAX) amounts.clear()
  amounts.set(value, canonical)
  return canonical
}

const pruneValue = (schema: Schema, value: Json, dropNulls: boolean, old: Json | undefined): Json => {
  if (value === old) return value
  if (typeof value !== "object" || value === null) {
    return dropNulls && schema.format === "quantity" ? canonicalAmount(value) : value
  }
  if (Array.isArray(value)) return schema.items === undefined ? value : pruneItems(schema.items, value, dropNulls, old)
  if (schema.fields === undefined && schema.values === undefined && schema.type !== "object") return value
  return pruneObject(schema, value as JsonObject, dropNulls, isJsonObject(old) ? old : undefined)
}

const pruneItems = (schema: Schema, items: JsonArray, dropNulls: boolean, old: Json | undefined): JsonArray => {
  const before = Array.isArray(old) ? new ItemsBefore(old as JsonArray) : undefined
  let changed: Array<Json> | undefined
  for (let at = 0; at < items.length; at++) {
    const item = items[at]
    if (item !== null && before?.has(item, at) === true) continue
    const pruned = item === null && dropNulls ? zeroOf(schema) : pruneValue(schema, item, dropNulls, before?.at(at))
    if (pruned !== item) (changed ??= [...items])[at] = pruned
  }
  return changed ?? items
}

const METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

const isEmpty = (value: object): boolean => {
  for (const _ in value) return false
  return true
}

/** Whether a field says nothing: a map or list without entries that is not required. Structs stay, empty as they are. */
const saysNothing = (schema: Schema, field: Schema, name: string, value: object): boolean =>
  (field.type === "array" || field.values !== undefined) && schema.required?.includes(name) !== true && isEmpty(value)

const pruneObject = (
  schema: Schema,
  object: JsonObject,
  dropping: boolean,
  before: JsonObject | undefined
): JsonObject => {
  const { fields, values } = schema
  const dropNulls = dropping || schema.name === METADATA
  let changed: Record<string, Json | undefined> | undefined
  for (const name in object) {
    const value = object[name]
    if (value === undefined) continue
    const known = fields?.get(name) ?? values
    if (known === undefined) {
      if (schema.preserveUnknownFields === true || (schema.embeddedResource === true && EMBEDDED.has(name))) continue
      changed ??= { ...object }
      delete changed[name]
    } else if (value === null) {
      if (!dropNulls || known.type === "any") continue
      changed ??= { ...object }
      // A null in a map is the zero of its values, in a struct it is nothing.
      if (fields?.has(name) === true || values === undefined) delete changed[name]
      else changed[name] = zeroOf(values)
    } else if (typeof value === "object") {
      const pruned = pruneValue(known, value, dropNulls, before?.[name])
      if (
        dropNulls &&
        values === undefined &&
        typeof pruned === "object" &&
        pruned !== null &&
        saysNothing(schema, known, name, pruned)
      ) {
        changed ??= { ...object }
        delete changed[name]
      } else if (pruned !== value) (changed ??= { ...object })[name] = pruned
    } else if (dropNulls && known.format === "quantity") {
      const canonical = canonicalAmount(value)
      if (canonical !== value) (changed ??= { ...object })[name] = canonical
    }
  }
  return changed ?? object
}

/**
 * The value without fields that the schema does not know; the value itself when it has none. Objects that are the very same in
 * `old` have been through here.
 */
export const prune = <A extends Json>(schema: Schema, value: A, options: PruneOptions, old?: Json): A =>
  // SAFETY: pruning takes away what the schema, which A stands for, has not.
  pruneValue(schema, value, options.nulls === "drop", old) as A

const collect = (schema: Schema, value: Json, path: string, found: Array<string>): void => {
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) collect(schema.items ?? { type: "any" }, item, `${path}[${at}]`, found)
    return
  }
  if (!isJsonObject(value)) return
  if (schema.fields === undefined && schema.values === undefined && schema.type !== "object") return
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue
    const known = schema.fields?.get(name) ?? schema.values
    const at = path === "" ? name : `${path}.${name}`
    if (known !== undefined) collect(known, field, at, found)
    else if (schema.preserveUnknownFields !== true && !(schema.embeddedResource === true && EMBEDDED.has(name))) {
      found.push(at)
    }
  }
}

/** The paths of fields that the schema does not know, like `spec.containers[0].foo`, in the order of the value. */
export const unknownFields = (schema: Schema, value: Json): ReadonlyArray<string> => {
  const found: Array<string> = []
  collect(schema, value, "", found)
  return found
}

/** Strict decoding's line for a field that no type has. */
export const unknownFieldProblem = (path: string): string => `unknown field "${path}"`

/** Strict decoding's line for a field that a text has twice. */
export const duplicateFieldProblem = (path: string): string => `duplicate field "${path}"`

/** The message of a request with fieldValidation=Strict that broke it: at most a hundred problems. */
export const strictDecodingMessage = (problems: ReadonlyArray<string>): string =>
  `strict decoding error: ${problems.slice(0, STRICT_PROBLEMS_LIMIT).join(", ")}`
