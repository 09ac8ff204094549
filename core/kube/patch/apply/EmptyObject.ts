// What a kind's object is before anything is said of it: creating compares with this.
// Owns the zero values of Kubernetes' own types, which are there even when nobody set them; custom resources have none.
import type { Json, JsonObject } from "../../Json.ts"
import type { Schema } from "../../Schema.ts"
import { kindOfDefinition } from "../../schema/BuiltIns.ts"

const zeros = new WeakMap<Schema, JsonObject>()
const NOTHING: JsonObject = Object.freeze({})

/** Whether a schema is that of one of Kubernetes' own kinds. */
export const isBuiltIn = (schema: Schema): boolean =>
  schema.name !== undefined && kindOfDefinition(schema.name) !== undefined

const isZero = (value: Json): boolean => value === "" || value === 0 || value === false

const zeroOf = (schema: Schema): JsonObject => {
  const out: Record<string, Json> = {}
  for (const [name, field] of schema.fields ?? []) {
    if (name === "apiVersion" || name === "kind") continue
    // A struct that is part of its parent has an empty object as default; what may not be left out but has none is null.
    if (field.default !== undefined && typeof field.default === "object") out[name] = zeroOf(field)
    else if (field.default !== undefined && isZero(field.default)) out[name] = field.default
    else if (field.default === undefined && schema.required?.includes(name) === true) out[name] = null
  }
  return out
}

/** An object of which nothing is said. */
export const emptyObject = (schema: Schema): JsonObject => {
  if (!isBuiltIn(schema)) return NOTHING
  const known = zeros.get(schema)
  if (known !== undefined) return known
  const zero = zeroOf(schema)
  zeros.set(schema, zero)
  return zero
}
