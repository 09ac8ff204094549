// Reading and rewriting JSON that a schema has already checked: absent parts read as empty ones, and nothing is copied that does
// not change.
// Owns these accessors; refuses to know any kind.
import type { Json, JsonObject } from "#kube"

/** A part of an object: a spec, a container, a port. */
export type Fields = JsonObject

const EMPTY: Fields = Object.freeze({})
const NOTHING: ReadonlyArray<never> = Object.freeze([])

/** An object, or undefined for everything else. */
export const fieldsIn = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined

/** An object, or an empty one. */
export const fieldsOf = (value: unknown): Fields => fieldsIn(value) ?? EMPTY

/** The objects of a list, or none. */
export const itemsOf = (value: unknown): ReadonlyArray<Fields> =>
  Array.isArray(value) ? (value as ReadonlyArray<Fields>) : NOTHING

/** The strings of a list, or none. */
export const textsOf = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? (value as ReadonlyArray<string>) : NOTHING

/** A string, or the empty one. */
export const textOf = (value: unknown): string => (typeof value === "string" ? value : "")

/** A number, or 0. */
export const numberOf = (value: unknown): number => (typeof value === "number" ? value : 0)

/** A number, or undefined. */
export const numberIn = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined)

/** A map of strings, or an empty one. */
export const mapOf = (value: unknown): Readonly<Record<string, string>> =>
  fieldsOf(value) as Readonly<Record<string, string>>

/** Whether a value is absent for those who write Go: undefined, null, "", 0, false, [] or {}. */
export const isZero = (value: unknown): boolean => {
  if (value === undefined || value === null || value === "" || value === 0 || value === false) return true
  if (typeof value !== "object") return false
  if (Array.isArray(value)) return value.length === 0
  for (const name in value) if ((value as Fields)[name] !== undefined) return false
  return true
}

/** The same object with the defaults of the fields it lacks; itself when it lacks none. */
export const defaulted = (fields: Fields, defaults: Fields): Fields => {
  for (const name in defaults) if (fields[name] === undefined) return { ...defaults, ...defined(fields) }
  return fields
}

/** As `defaulted`, for fields whose zero ("" or 0) also asks for the default. */
export const zeroDefaulted = (fields: Fields, defaults: Fields): Fields => {
  let changed: Record<string, Json | undefined> | undefined
  for (const name in defaults) {
    const value = fields[name]
    if (value === undefined || value === "" || value === 0) {
      changed ??= { ...fields }
      changed[name] = defaults[name]
    }
  }
  return changed ?? fields
}

const defined = (fields: Fields): Fields => {
  for (const name in fields) {
    if (fields[name] !== undefined) continue
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  }
  return fields
}

/** The object with another value of one field; itself when that is its value already. */
export const withField = (fields: Fields, name: string, value: Json | undefined): Fields =>
  fields[name] === value ? fields : { ...fields, [name]: value }

/** The object with one part rewritten where it has that part. */
export const withPart = (fields: Fields, name: string, rewrite: (part: Fields) => Fields): Fields => {
  const part = fieldsIn(fields[name])
  return part === undefined ? fields : withField(fields, name, rewrite(part))
}

/** The object with each item of one of its lists rewritten. */
export const withItems = (fields: Fields, name: string, rewrite: (item: Fields) => Fields): Fields => {
  const items = fields[name]
  return Array.isArray(items)
    ? withField(fields, name, rewriteItems(items as ReadonlyArray<Fields>, rewrite) as Json)
    : fields
}

/** The list with each item rewritten; itself when no item changed. */
export const rewriteItems = (
  items: ReadonlyArray<Fields>,
  rewrite: (item: Fields) => Fields
): ReadonlyArray<Fields> => {
  let changed: Array<Fields> | undefined
  for (let at = 0; at < items.length; at++) {
    const item = items[at] as Fields
    const next = rewrite(item)
    if (next === item) continue
    changed ??= items.slice()
    changed[at] = next
  }
  return changed ?? items
}

/** The object without one field; itself when it has none. */
export const withoutField = (fields: Fields, name: string): Fields => {
  if (fields[name] === undefined) return fields
  const { [name]: _dropped, ...rest } = fields
  return rest
}
