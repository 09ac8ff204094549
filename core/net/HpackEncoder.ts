// Encodes header fields as HPACK (RFC 7541 section 6). Owns the encoding context of one direction of one connection; refuses
// to own which fields are worth a place in the table: the caller says so. It never evicts: when the table is full, further
// fields go as literals, so an index once given only moves when a new entry comes in, which `generation` tells.
import { defaultTableBytes, entryOverheadBytes, firstDynamicIndex } from "./HpackTable.ts"
import { staticFieldIndex, staticNameIndex } from "./HpackTable.ts"
import { encodeHuffman, huffmanLength } from "./Huffman.ts"

/** How a field may be written: into the table, as a literal, or as a literal that no hop may index (secrets). */
export type FieldMode = "index" | "plain" | "never"

/** The encoding side of one connection. Blocks must be sent in the order in which they were encoded. */
export class HpackEncoder {
  /** Grows with every new table entry and every resize: bytes encoded under an older generation are stale. */
  generation = 0
  private readonly entries = new Map<string, number>()
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
    const whole = staticFieldIndex(name, value)
    if (whole !== 0) return putInteger(into, at, 0x80, 0x7f, whole)
    if (mode === "index") {
      const key = `${name}\0${value}`
      const known = this.entries.get(key)
      if (known !== undefined) return putInteger(into, at, 0x80, 0x7f, firstDynamicIndex + this.inserted - 1 - known)
      const size = name.length + value.length + entryOverheadBytes
      if (this.bytesUsed + size <= this.limit) {
        this.entries.set(key, this.inserted++)
        this.bytesUsed += size
        this.generation++
        return this.literal(into, at, name, value, 0x40, 0x3f)
      }
    }
    return this.literal(into, at, name, value, mode === "never" ? 0x10 : 0, 0x0f)
  }

  private literal(into: Uint8Array, at: number, name: string, value: string, pattern: number, mask: number): number {
    const index = staticNameIndex(name)
    at = putInteger(into, at, pattern, mask, index)
    if (index === 0) at = putText(into, at, name)
    return putText(into, at, value)
  }
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
  at = putInteger(into, at, 0, 0x7f, text.length)
  for (let index = 0; index < text.length; index++) into[at++] = text.charCodeAt(index)
  return at
}
