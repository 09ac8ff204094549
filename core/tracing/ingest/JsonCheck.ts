// Whether bytes are JSON, value by value, without making anything of them: what is kept as it came must be readable later on.
// Owns the whole of JSON's grammar; refuses to judge texts' encoding, which reading replaces where it is broken.
import { JsonBroken } from "./JsonBytes.ts"

/** Values within values: deeper than any object that an API server takes. */
const DEPTH_MAX = 1000

const QUOTE = 0x22
const BACKSLASH = 0x5c
const SPACE = 0x20

const isSpace = (byte: number): boolean => byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
const isHex = (byte: number): boolean => isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66)

const afterSpace = (bytes: Uint8Array, at: number): number => {
  let next = at
  while (isSpace(bytes[next])) next++
  return next
}

/** The byte after the string whose opening quote is at `at`. */
const checkString = (bytes: Uint8Array, at: number): number => {
  for (let next = at + 1; ; next++) {
    const byte = bytes[next]
    if (byte === QUOTE) return next + 1
    if (byte === BACKSLASH) next = checkEscape(bytes, next + 1)
    // The end of the bytes is no number, and no byte is below this comparison's.
    else if (!(byte >= SPACE)) throw new JsonBroken(next)
  }
}

/** The last byte of the escape whose letter is at `at`. */
const checkEscape = (bytes: Uint8Array, at: number): number => {
  switch (bytes[at]) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return at
    case 0x75:
      for (let digit = 1; digit <= 4; digit++) if (!isHex(bytes[at + digit])) throw new JsonBroken(at)
      return at + 4
    default:
      throw new JsonBroken(at)
  }
}

const checkDigits = (bytes: Uint8Array, at: number): number => {
  let next = at
  while (isDigit(bytes[next])) next++
  if (next === at) throw new JsonBroken(at)
  return next
}

const checkNumber = (bytes: Uint8Array, at: number): number => {
  const first = bytes[at] === 0x2d ? at + 1 : at
  let next = bytes[first] === 0x30 ? first + 1 : checkDigits(bytes, first)
  if (bytes[next] === 0x2e) next = checkDigits(bytes, next + 1)
  if ((bytes[next] | 0x20) === 0x65) {
    const sign = bytes[next + 1]
    next = checkDigits(bytes, sign === 0x2b || sign === 0x2d ? next + 2 : next + 1)
  }
  return next
}

const checkWord = (bytes: Uint8Array, at: number, word: string): number => {
  for (let letter = 0; letter < word.length; letter++) {
    if (bytes[at + letter] !== word.charCodeAt(letter)) throw new JsonBroken(at)
  }
  return at + word.length
}

/** The byte after the value that starts at `at`; throws JsonBroken where it is none. */
export const checkValue = (bytes: Uint8Array, at: number, depth = 0): number => {
  switch (bytes[at]) {
    case QUOTE:
      return checkString(bytes, at)
    case 0x7b:
      return checkObject(bytes, at, depth)
    case 0x5b:
      return checkList(bytes, at, depth)
    case 0x74:
      return checkWord(bytes, at, "true")
    case 0x66:
      return checkWord(bytes, at, "false")
    case 0x6e:
      return checkWord(bytes, at, "null")
    default:
      return checkNumber(bytes, at)
  }
}

const checkObject = (bytes: Uint8Array, at: number, depth: number): number => {
  if (depth >= DEPTH_MAX) throw new JsonBroken(at)
  let next = afterSpace(bytes, at + 1)
  if (bytes[next] === 0x7d) return next + 1
  for (;;) {
    if (bytes[next] !== QUOTE) throw new JsonBroken(next)
    next = afterSpace(bytes, checkString(bytes, next))
    if (bytes[next] !== 0x3a) throw new JsonBroken(next)
    next = afterSpace(bytes, checkValue(bytes, afterSpace(bytes, next + 1), depth + 1))
    if (bytes[next] === 0x7d) return next + 1
    if (bytes[next] !== 0x2c) throw new JsonBroken(next)
    next = afterSpace(bytes, next + 1)
  }
}

const checkList = (bytes: Uint8Array, at: number, depth: number): number => {
  if (depth >= DEPTH_MAX) throw new JsonBroken(at)
  let next = afterSpace(bytes, at + 1)
  if (bytes[next] === 0x5d) return next + 1
  for (;;) {
    next = afterSpace(bytes, checkValue(bytes, next, depth + 1))
    if (bytes[next] === 0x5d) return next + 1
    if (bytes[next] !== 0x2c) throw new JsonBroken(next)
    next = afterSpace(bytes, next + 1)
  }
}
