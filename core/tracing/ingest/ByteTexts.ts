// Texts and values out of bytes: what comes again and again (names, users, owners) is the same one each time, found by its bytes instead of
// being made. Owns that memory and its bound; refuses texts with escapes, which a parser reads, and to judge JSON.
import type { Json } from "#kube"

const QUOTE = 0x22
const BACKSLASH = 0x5c
const SPACE = 0x20
const SLOTS = 65_536
/** Longer ones seldom come twice. */
const LENGTH_MAX = 256

export class ByteTexts {
  private readonly texts: Array<string> = Array.from({ length: SLOTS }, () => "")
  /** The byte after the text that was read last. */
  end = 0

  /** The text whose opening quote is at `at`; undefined when a parser has to read it. */
  read(bytes: Buffer, at: number): string | undefined {
    if (bytes[at] !== QUOTE) return undefined
    let hash = 0x811c_9dc5
    let all = 0
    let next = at + 1
    for (;;) {
      const byte = bytes[next]
      if (byte === QUOTE) break
      // The end of the bytes is no number, and no byte is below this comparison's.
      if (byte === BACKSLASH || !(byte >= SPACE)) return undefined
      hash = Math.imul(hash ^ byte, 0x0100_0193)
      all |= byte
      next++
    }
    this.end = next + 1
    const length = next - at - 1
    if (length === 0) return ""
    if (all >= 0x80) return bytes.toString("utf8", at + 1, next)
    if (length > LENGTH_MAX) return bytes.toString("latin1", at + 1, next)
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    const known = this.texts[slot]
    if (known.length === length && isSame(known, bytes, at + 1)) return known
    return (this.texts[slot] = bytes.toString("latin1", at + 1, next))
  }

  /** The same of one that does not come again. */
  readOnce(bytes: Buffer, at: number): string | undefined {
    if (bytes[at] !== QUOTE) return undefined
    let next = at + 1
    let all = 0
    for (; bytes[next] !== QUOTE; next++) {
      const byte = bytes[next]
      if (byte === BACKSLASH || !(byte >= SPACE)) return undefined
      all |= byte
    }
    this.end = next + 1
    return all >= 0x80 ? bytes.toString("utf8", at + 1, next) : bytes.toString("latin1", at + 1, next)
  }
}

const isSame = (text: string, bytes: Buffer, from: number): boolean => {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) !== bytes[from + at]) return false
  return true
}

interface Known {
  readonly text: string
  readonly value: Json
}

const NOTHING: Known = { text: "", value: null }
const VALUE_SLOTS = 16_384
const VALUE_LENGTH_MAX = 1024

/** Values of JSON by their bytes, texts aside; nobody changes one in place. */
export class ByteValues {
  private readonly known: Array<Known> = Array.from({ length: VALUE_SLOTS }, () => NOTHING)
  private readonly texts = new ByteTexts()

  /** The value that these bytes are, which were checked to be JSON. */
  read(bytes: Buffer, from: number, to: number): Json {
    const text = this.texts.read(bytes, from)
    if (text !== undefined) return text
    // SAFETY: it was checked to be JSON.
    if (bytes[from] === QUOTE || to - from > VALUE_LENGTH_MAX)
      return JSON.parse(bytes.toString("utf8", from, to)) as Json
    let hash = 0x811c_9dc5
    let all = 0
    for (let at = from; at < to; at++) {
      const byte = bytes[at]
      hash = Math.imul(hash ^ byte, 0x0100_0193)
      all |= byte
    }
    // SAFETY: it was checked to be JSON.
    if (all >= 0x80) return JSON.parse(bytes.toString("utf8", from, to)) as Json
    const slot = (hash ^ (hash >>> 15)) & (VALUE_SLOTS - 1)
    const found = this.known[slot]
    if (found.text.length === to - from && isSame(found.text, bytes, from)) return found.value
    const written = bytes.toString("latin1", from, to)
    // SAFETY: it was checked to be JSON.
    const value = JSON.parse(written) as Json
    this.known[slot] = { text: written, value }
    return value
  }
}
