// Parts of sound JSON by place: the items of an array, one field of an object.
// Owns these two cuts; refuses unsound JSON, which its callers have parsed before.
import { afterGap, afterString, afterValue, stringAt } from "./Bytes.ts"

/** The bytes of an array's items, from its bracket. */
export const elementsOf = (bytes: Uint8Array, from: number): ReadonlyArray<Uint8Array> => {
  const found: Array<Uint8Array> = []
  const end = bytes.length
  let at = afterGap(bytes, from + 1, end)
  while (bytes[at] !== 93) {
    const stop = afterValue(bytes, at, end)
    found.push(bytes.subarray(at, stop))
    at = afterGap(bytes, stop, end)
    if (bytes[at] === 44) at = afterGap(bytes, at + 1, end)
  }
  return found
}

/** A field's value and where it stands; of two of a name the last. */
export const memberOf = (
  bytes: Uint8Array,
  field: string
): { readonly bytes: Uint8Array; readonly start: number; readonly end: number } | undefined => {
  const end = bytes.length
  let found: { readonly bytes: Uint8Array; readonly start: number; readonly end: number } | undefined
  let at = afterGap(bytes, afterGap(bytes, 0, end) + 1, end)
  while (bytes[at] === 34) {
    const keyEnd = afterString(bytes, at, end)
    const start = afterGap(bytes, afterGap(bytes, keyEnd, end) + 1, end)
    const stop = afterValue(bytes, start, end)
    if (stringAt(bytes, at + 1, keyEnd - 1) === field) found = { bytes: bytes.subarray(start, stop), start, end: stop }
    at = afterGap(bytes, stop, end)
    if (bytes[at] === 44) at = afterGap(bytes, at + 1, end)
  }
  return found
}
