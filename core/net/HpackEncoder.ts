// Encodes header fields as HPACK (RFC 7541 section 6). Owns the encoding context of one direction of one connection; refuses
// to own which fields are worth a place in the table: the caller says so. It never evicts: when the table is full, further
// fields go as literals, so an index once given only moves when a new entry comes in, which `generation` tells.
import { defaultTableBytes, entryOverheadBytes, firstDynamicIndex } from "./HpackTable.ts"
import { staticName } from "./HpackTable.ts"
import { encodeHuffman, huffmanLength } from "./Huffman.ts"

/**
 * How a field may be written: into the table at once, into the table when it comes with the same value twice in a row, as a
 * literal, or as a literal that no hop may index (secrets).
 */
export type FieldMode = "index" | "repeat" | "plain" | "never"

/** Names whose last value is remembered for the mode "repeat", and values of a name that this mode puts into the table. */
const repeatedNames = 64
const repeatedValues = 8

/** The encoding side of one connection. Blocks must be sent in the order in which they were encoded. */
export class HpackEncoder {
  /** Grows with every new table entry and every resize: bytes encoded under an older generation are stale. */
  generation = 0
  private readonly entries = new Map<string, Map<string, number>>()
  private readonly last = new Map<string, string>()
  private inserted = 0
  private bytesUsed = 0
  private limit = defaultTableBytes
  private pendingLimit = -1

  /** Takes the peer's SETTINGS_HEADER_TABLE_SIZE: the table is emptied and the change announced in the next block. */
  resize(peerLimit: number): void {
    const limit = Math.min(peerLimit, defaultTableBytes)
    if (limit === this.limit && this.pendingLimit < 0) return
    this.pendingLimit = limit
    this.generation++
  }

  /** Opens a block: writes what is owed about the table's size (RFC 7541 section 4.2); answers the position behind it. */
  begin(into: Uint8Array, at: number): number {
    if (this.pendingLimit < 0) return at
    this.entries.clear()
    this.bytesUsed = 0
    this.inserted = 0
    this.limit = this.pendingLimit
    this.pendingLimit = -1
    into[at++] = 0x20
    return this.limit === 0 ? at : putInteger(into, at, 0x20, 0x1f, this.limit)
  }

  /** The most bytes that `field` may write for this name and value. */
  static boundOf(name: string, value: string): number {
    return name.length + value.length + 12
  }

  /** Writes one field at `at`; answers the position behind it. Text is latin-1, names are lower case already. */
  field(into: Uint8Array, at: number, name: string, value: string, mode: FieldMode): number {
    const fixed = staticName(name)
    const whole = fixed?.values.get(value)
    if (whole !== undefined) return putInteger(into, at, 0x80, 0x7f, whole)
    const nameIndex = fixed === undefined ? 0 : fixed.index
    if (mode === "index" || mode === "repeat") {
      const values = this.entries.get(name)
      const known = values?.get(value)
      if (known !== undefined) return putInteger(into, at, 0x80, 0x7f, firstDynamicIndex + this.inserted - 1 - known)
      if ((mode === "index" || this.repeats(name, value, values?.size ?? 0)) && this.insert(name, value, values)) {
        return literal(into, at, nameIndex, name, value, 0x40, 0x3f)
      }
    }
    return literal(into, at, nameIndex, name, value, mode === "never" ? 0x10 : 0, 0x0f)
  }

  private insert(name: string, value: string, values: Map<string, number> | undefined): boolean {
    const size = name.length + value.length + entryOverheadBytes
    if (this.bytesUsed + size > this.limit) return false
    if (values === undefined) this.entries.set(name, new Map([[value, this.inserted]]))
    else values.set(value, this.inserted)
    this.inserted++
    this.bytesUsed += size
    this.generation++
    return true
  }

  private repeats(name: string, value: string, indexed: number): boolean {
    if (indexed >= repeatedValues) return false
    const before = this.last.get(name)
    if (before === value) return true
    if (before !== undefined || this.last.size < repeatedNames) this.last.set(name, value)
    return false
  }
}

const literal = (
  into: Uint8Array,
  at: number,
  nameIndex: number,
  name: string,
  value: string,
  pattern: number,
  mask: number
): number => {
  at = putInteger(into, at, pattern, mask, nameIndex)
  if (nameIndex === 0) at = putText(into, at, name)
  // The Huffman code pays where text is sent once and named by index from then on; else plain octets cost less.
  return pattern === 0x40 ? putText(into, at, value) : putOctets(into, at, value)
}

const putInteger = (into: Uint8Array, at: number, pattern: number, mask: number, value: number): number => {
  if (value < mask) {
    into[at++] = pattern | value
    return at
  }
  into[at++] = pattern | mask
  value -= mask
  while (value >= 0x80) {
    into[at++] = (value & 0x7f) | 0x80
    value >>>= 7
  }
  into[at++] = value
  return at
}

const putText = (into: Uint8Array, at: number, text: string): number => {
  const coded = huffmanLength(text)
  if (coded < text.length) {
    at = putInteger(into, at, 0x80, 0x7f, coded)
    return encodeHuffman(text, into, at)
  }
  return putOctets(into, at, text)
}

const putOctets = (into: Uint8Array, at: number, text: string): number => {
  at = putInteger(into, at, 0, 0x7f, text.length)
  for (let index = 0; index < text.length; index++) into[at++] = text.charCodeAt(index)
  return at
}
