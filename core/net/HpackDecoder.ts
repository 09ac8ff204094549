// Decodes HPACK header blocks (RFC 7541 sections 3 and 6) into flat name/value lists. Owns the decoding context of one
// direction of one connection; refuses to own what the fields mean. A block that breaks the format raises a connection error
// (COMPRESSION_ERROR), because the shared table is lost with it.
import { H2Error, ProtocolViolation } from "./Frame.ts"
import { DynamicTable, defaultTableBytes, entryOverheadBytes, firstDynamicIndex } from "./HpackTable.ts"
import { staticNames, staticValues } from "./HpackTable.ts"
import { decodeHuffman } from "./Huffman.ts"

// oxlint-disable-next-line no-control-regex -- these are the octets that RFC 9113 section 8.2.1 forbids
const badValue = /[\0\r\n]|^[ \t]|[ \t]$/
const cleanName = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/

/** Whether a field value has only octets that RFC 9113 section 8.2.1 allows, and no space at its ends. */
export const isCleanValue = (value: string): boolean => !badValue.test(value)

/** Whether a field name is a token in lower case, with a colon in front if it is a pseudo-header field. */
export const isCleanName = (name: string): boolean => cleanName.test(name)

const fail = (reason: string): never => {
  throw new ProtocolViolation(H2Error.Compression, reason)
}

const scratchBytes = 8192
/** Coded texts of this length are remembered: the last one of each decoder, for a client that never indexes its token. */
const longTextBytes = 64
const longTextBytesMax = 2048
const sharedScratch = Buffer.allocUnsafeSlow(scratchBytes)

/** The decoding side of one connection. */
export class HpackDecoder {
  readonly table = new DynamicTable()
  /** Whether the last block was larger than the list limit, so that its fields were dropped. */
  oversized = false
  /**
   * Whether every name and value that ever came as text keeps the rules of RFC 9113 section 8.2. Text comes in once and is
   * then named by index, so this is the place to look at it; after one breach the reader of the fields looks itself.
   */
  clean = true
  private readonly maxListBytes: number
  private bytes: Buffer = sharedScratch
  private at = 0
  private end = 0
  private longCoded: Buffer | undefined
  private longText = ""
  /** Whether the last text is the one that was remembered. */
  private again = false

  /** `maxListBytes` bounds names plus values plus 32 each, as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 6.5.2). */
  constructor(maxListBytes: number) {
    this.maxListBytes = maxListBytes
  }

  /** Decodes one whole block to [name, value, name, value, …]; past the list limit it keeps the table right and drops fields. */
  decode(bytes: Buffer, start: number, end: number): Array<string> {
    this.bytes = bytes
    this.at = start
    this.end = end
    this.oversized = false
    const fields: Array<string> = []
    let listBytes = 0
    while (this.at < this.end) {
      const octet = bytes[this.at]
      let name: string
      let value: string
      if ((octet & 0x80) !== 0) {
        const index = this.integer(0x7f)
        name = this.nameAt(index)
        value = index < firstDynamicIndex ? staticValues[index] : this.table.value(index - firstDynamicIndex)
      } else if ((octet & 0xe0) === 0x20) {
        if (fields.length > 0 || listBytes > 0) fail("a table size update must come first in its header block")
        this.resize()
        continue
      } else {
        const indexed = (octet & 0x40) !== 0
        const index = this.integer(indexed ? 0x3f : 0x0f)
        name = index === 0 ? this.text() : this.nameAt(index)
        value = this.text()
        if (this.clean) this.clean = (this.again || isCleanValue(value)) && (index !== 0 || isCleanName(name))
        if (indexed) this.table.add(name, value)
      }
      listBytes += name.length + value.length + entryOverheadBytes
      if (listBytes <= this.maxListBytes) fields.push(name, value)
    }
    this.oversized = listBytes > this.maxListBytes
    return fields
  }

  private resize(): void {
    const limit = this.integer(0x1f)
    if (limit > defaultTableBytes) fail(`a table size update of ${limit} exceeds the limit of ${defaultTableBytes}`)
    this.table.resize(limit)
  }

  private nameAt(index: number): string {
    if (index === 0) return fail("header field index 0")
    if (index < firstDynamicIndex) return staticNames[index]
    return this.table.name(index - firstDynamicIndex) ?? fail(`header field index ${index} is past the table's end`)
  }

  /** An integer with the given prefix mask (RFC 7541 section 5.1), of at most 28 bits after the prefix. */
  private integer(mask: number): number {
    let value = this.bytes[this.at++] & mask
    if (value < mask) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.at >= this.end) break
      const octet = this.bytes[this.at++]
      value += (octet & 0x7f) << shift
      if ((octet & 0x80) === 0) return value
    }
    return fail("an integer is cut off or too large")
  }

  private text(): string {
    if (this.at >= this.end) return fail("a string is cut off")
    const coded = (this.bytes[this.at] & 0x80) !== 0
    const length = this.integer(0x7f)
    const start = this.at
    const end = start + length
    if (end > this.end) return fail("a string is cut off")
    this.at = end
    this.again = false
    if (!coded) return this.bytes.toString("latin1", start, end)
    if (length < longTextBytes || length > longTextBytesMax) return this.huffman(start, end, length)
    if (this.longCoded?.compare(this.bytes, start, end) === 0) {
      this.again = true
      return this.longText
    }
    this.longText = this.huffman(start, end, length)
    this.longCoded = Buffer.from(this.bytes.subarray(start, end))
    return this.longText
  }

  private huffman(start: number, end: number, length: number): string {
    const room = (length * 8) / 5 + 1
    const scratch = room <= scratchBytes ? sharedScratch : Buffer.allocUnsafe(room | 0)
    const decoded = decodeHuffman(this.bytes, start, end, scratch)
    return decoded < 0 ? fail("a string breaks the Huffman code") : scratch.toString("latin1", 0, decoded)
  }
}
