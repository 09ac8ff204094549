// Tells in one pass whether a JSON text can have a field twice, which JSON.parse silently settles.
// Owns this cheap test alone: a text that fails it is looked at by #kube's `duplicateFields`, which names them.
import type { Json, JsonObject } from "#kube"

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/** Colons outside strings: one for each field of a valid JSON text. */
const countColons = (text: Uint8Array): number => {
  let colons = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]
    if (inString) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === COLON) colons++
  }
  return colons
}

const countFields = (value: Json | undefined): number => {
  if (typeof value !== "object" || value === null) return 0
  let fields = 0
  if (Array.isArray(value)) {
    for (const item of value as ReadonlyArray<Json>) fields += countFields(item)
    return fields
  }
  const object = value as JsonObject
  for (const name in object) fields += 1 + countFields(object[name])
  return fields
}

/** Whether some object of a text that JSON.parse accepted has a field more than once. */
export const hasDuplicates = (text: Uint8Array, parsed: Json): boolean => countColons(text) !== countFields(parsed)
