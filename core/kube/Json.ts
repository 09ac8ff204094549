// JSON values as all rooms hold them: parsed once, shared by reference, never changed in place.
// Owns the types and deep equality; refuses parsing and encoding, which JSON does.

export type JsonPrimitive = string | number | boolean | null
export type JsonArray = ReadonlyArray<Json>
export interface JsonObject {
  readonly [field: string]: Json | undefined
}
export type Json = JsonPrimitive | JsonArray | JsonObject

/** Whether a value is an object with fields: neither null nor an array. */
export const isJsonObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether two values say the same: the order of fields does not matter, a field that is undefined is absent. */
export const sameJson = (a: Json | undefined, b: Json | undefined): boolean => {
  if (a === b) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, at) => sameJson(item, b[at]))
  }
  return sameFields(a as JsonObject, b as JsonObject)
}

const sameFields = (a: JsonObject, b: JsonObject): boolean => {
  let fields = 0
  for (const name in a) {
    if (a[name] === undefined) continue
    fields++
    if (!sameJson(a[name], b[name])) return false
  }
  for (const name in b) if (b[name] !== undefined) fields--
  return fields === 0
}
