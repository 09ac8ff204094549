// JSON walked as bytes, value by value, without making anything of it: a body that nobody keeps costs one pass over its bytes.
// Owns where values begin and end; refuses to judge what is within them: what is kept of a text is parsed afterwards.

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** The bytes are no JSON text; says at which byte. */
export class JsonBroken extends Error {
  override readonly name = "JsonBroken"
  readonly at: number
  constructor(at: number) {
    super(`not JSON at byte ${at}`)
    this.at = at
  }
}

/** The first byte at or after `at` that is no white space. */
export const skipSpace = (bytes: Uint8Array, at: number): number => {
  let next = at
  while (bytes[next] <= 0x20 && next < bytes.length) next++
  return next
}

/** The byte after the string whose opening quote is at `at`. */
const skipString = (bytes: Uint8Array, at: number): number => {
  const end = bytes.length
  for (let next = at + 1; next < end; next++) {
    const byte = bytes[next]
    if (byte === QUOTE) return next + 1
    if (byte === BACKSLASH) next++
  }
  throw new JsonBroken(at)
}

/** The byte after the value that starts at `at`. */
export const skipValue = (bytes: Uint8Array, at: number): number => {
  const first = bytes[at]
  if (first === QUOTE) return skipString(bytes, at)
  if (first !== OPEN_OBJECT && first !== OPEN_LIST) return skipWord(bytes, at)
  const end = bytes.length
  let depth = 0
  for (let next = at; next < end; next++) {
    const byte = bytes[next]
    if (byte === QUOTE) {
      for (next++; ; next++) {
        const inner = bytes[next]
        if (inner === QUOTE) break
        if (inner === BACKSLASH) next++
        else if (inner === undefined) throw new JsonBroken(at)
      }
    } else {
      depth += depthOf[byte]
      if (depth === 0) return next + 1
    }
  }
  throw new JsonBroken(at)
}

/** What a byte outside of texts does to the depth. */
const depthOf = new Int8Array(256)
depthOf[OPEN_OBJECT] = 1
depthOf[OPEN_LIST] = 1
depthOf[CLOSE_OBJECT] = -1
depthOf[CLOSE_LIST] = -1

const skipWord = (bytes: Uint8Array, at: number): number => {
  let next = at
  for (; next < bytes.length; next++) {
    const byte = bytes[next]
    if (byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_LIST || byte <= 0x20) break
  }
  if (next === at) throw new JsonBroken(at)
  return next
}

/** Called with a member: its key's first byte and the one after it (quotes left out), and the value's first; answers the byte after it. */
export type Member = (keyStart: number, keyEnd: number, valueStart: number) => number

/** Walks the members of the object that starts at `at`, once; answers the byte after it. */
export const eachMember = (bytes: Uint8Array, at: number, visit: Member): number => {
  if (bytes[at] !== OPEN_OBJECT) throw new JsonBroken(at)
  let next = skipSpace(bytes, at + 1)
  if (bytes[next] === CLOSE_OBJECT) return next + 1
  for (;;) {
    if (bytes[next] !== QUOTE) throw new JsonBroken(next)
    const keyEnd = skipString(bytes, next)
    const colon = skipSpace(bytes, keyEnd)
    if (bytes[colon] !== COLON) throw new JsonBroken(colon)
    next = skipSpace(bytes, visit(next + 1, keyEnd - 1, skipSpace(bytes, colon + 1)))
    if (bytes[next] === CLOSE_OBJECT) return next + 1
    if (bytes[next] !== COMMA) throw new JsonBroken(next)
    next = skipSpace(bytes, next + 1)
  }
}

/** Walks the items of the list that starts at `at`: `visit` answers the byte after the item that starts where it is told. */
export const eachItem = (bytes: Uint8Array, at: number, visit: (start: number) => number): number => {
  if (bytes[at] !== OPEN_LIST) throw new JsonBroken(at)
  let next = skipSpace(bytes, at + 1)
  if (bytes[next] === CLOSE_LIST) return next + 1
  for (;;) {
    next = skipSpace(bytes, visit(next))
    if (bytes[next] === CLOSE_LIST) return next + 1
    if (bytes[next] !== COMMA) throw new JsonBroken(next)
    next = skipSpace(bytes, next + 1)
  }
}

/** Whether the bytes of a key are this text; the text is ASCII. */
export const isKey = (bytes: Uint8Array, start: number, end: number, text: string): boolean => {
  if (end - start !== text.length) return false
  for (let at = 0; at < text.length; at++) if (bytes[start + at] !== text.charCodeAt(at)) return false
  return true
}
