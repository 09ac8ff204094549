// Reading what a server has checked already: absent parts read as empty ones.
// Owns these accessors for controllers; refuses to know any kind.
import { type Json, type JsonObject, quantityOf, QuantityInvalid } from "#kube"

/** A part of an object: a spec, a status, a container. */
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

/** The fields that have a value. */
export const present = (fields: Readonly<Record<string, Json | undefined>>): Fields =>
  Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, Json] => entry[1] !== undefined))

/** The thousandths of a quantity, rounded up; undefined when it is none. */
export const milliIn = (value: unknown): number | undefined => {
  if (typeof value !== "string" && typeof value !== "number") return undefined
  const read = quantityOf(value)
  return read instanceof QuantityInvalid ? undefined : Number(read.milliValue())
}
