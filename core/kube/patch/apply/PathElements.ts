// Path elements as fieldsV1 writes them, and paths as messages show them: `.spec.ports[containerPort=80,protocol="TCP"].name`.
// Owns these texts and their order; refuses to decide which items a list has (FieldTypes.ts).
import type { Json, JsonObject } from "../../Json.ts"

/** JSON as Go writes it, with HTML's characters escaped. */
const goJson = (value: Json): string =>
  JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

/** The element of a list item that is a scalar. */
export const valueElement = (item: Json): string => `v:${goJson(item)}`

/** The element of a list item by its keys, which must be in alphabetical order. */
export const keyElement = (keys: ReadonlyArray<readonly [name: string, value: Json]>): string =>
  `k:{${keys.map(([name, value]) => `${goJson(name)}:${goJson(value)}`).join(",")}}`

const quoted = (value: Json): string => JSON.stringify(value)

const shown = (element: string): string => {
  const text = element.slice(2)
  if (element.startsWith("f:")) return `.${text}`
  if (element.startsWith("i:")) return `[${text}]`
  // SAFETY: path elements of a set that was built here or decoded from a valid object.
  const value = JSON.parse(text) as Json
  if (element.startsWith("v:")) return `[=${quoted(value)}]`
  const keys = Object.entries(value as JsonObject).map(([name, key]) => `${name}=${quoted(key ?? null)}`)
  return `[${keys.join(",")}]`
}

/** A path as messages show it. */
export const pathText = (path: ReadonlyArray<string>): string => path.map(shown).join("")

const ranks: Readonly<Record<string, number>> = { f: 0, k: 1, v: 2, i: 3 }

/** The order of path elements: fields, keys, values, indexes; each by its text. */
export const elementOrder = (a: string, b: string): number => {
  const rank = (ranks[a.slice(0, 1)] ?? 4) - (ranks[b.slice(0, 1)] ?? 4)
  return rank === 0 ? (a < b ? -1 : a > b ? 1 : 0) : rank
}
