// Which field of an object stands at a place in its bytes, for the errors that name it.
// Owns this search, which only failures pay for.
import { afterGap, afterString, afterValue, stringAt } from "./Bytes.ts"

/** The path of the value that starts at a place, like "rules[0].apiGroups"; what was found of it, when the bytes are none. */
export const fieldPath = (bytes: Uint8Array, target: number): string => {
  const end = bytes.length
  let path = ""
  let at = afterGap(bytes, 0, end)
  while (at < target) {
    const isArray = bytes[at] === 91
    if (!isArray && bytes[at] !== 123) return path
    at = afterGap(bytes, at + 1, end)
    for (let place = 0; ; place++) {
      let name = `[${place}]`
      const entry = at
      if (!isArray) {
        const keyEnd = afterString(bytes, at, end)
        name = `${path === "" ? "" : "."}${stringAt(bytes, at + 1, keyEnd - 1) ?? ""}`
        at = afterGap(bytes, afterGap(bytes, keyEnd, end) + 1, end)
      }
      const stop = afterValue(bytes, at, end)
      if (stop > target) {
        path += name
        if (entry >= target) return path
        break
      }
      at = afterGap(bytes, afterGap(bytes, stop, end) + 1, end)
    }
  }
  return path
}
