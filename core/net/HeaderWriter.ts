// Writes header blocks of any fields straight into the connection's outgoing memory. Owns the layout, the fallback for blocks that
// no single frame holds, and the bytes of fields that go out again and again, which are copied while the HPACK table stays as it was
// (a tenth of a proxy's time for each request otherwise); refuses to own which fields go out and how each is encoded.
import { putHeaderBlock } from "./ControlFrames.ts"
import { Flag, FrameType, frameHeaderBytes, maxFrameBytes, putFrameHeader } from "./Frame.ts"
import { type FieldMode, HpackEncoder } from "./HpackEncoder.ts"
import type { HttpFields } from "./HttpExchange.ts"
import type { OutBuffer } from "./OutBuffer.ts"

/** Bytes that a block takes beside its fields: a change of the table's size, `content-length`. */
const besideBytes = 64

/** What fields became that are sent again and again. */
interface Encoded {
  /** The most bytes that they take. */
  readonly bound: number
  /** Of the table that the bytes are for; -1 for none yet. */
  generation: number
  bytes: Uint8Array
}
const none = new Uint8Array(0)

/** The header blocks that one connection sends. */
export class HeaderWriter {
  private readonly out: OutBuffer
  private readonly encoder: HpackEncoder
  private readonly modeOf: (name: string) => FieldMode
  /** By the very list, for as long as its owner keeps it. */
  private readonly repeated = new WeakMap<HttpFields, Encoded>()

  constructor(out: OutBuffer, encoder: HpackEncoder, modeOf: (name: string) => FieldMode) {
    this.out = out
    this.encoder = encoder
    this.modeOf = modeOf
  }

  /** The most bytes that a block takes. */
  boundOf(pseudo: HttpFields, fields: HttpFields): number {
    let bound = besideBytes
    for (const field of pseudo) bound += HpackEncoder.boundOf(field[0], field[1])
    for (const field of fields) bound += HpackEncoder.boundOf(field[0], field[1])
    return bound
  }

  /**
   * Writes a block: pseudo-header fields, fields, and `content-length` unless that is negative. Answers where its frame stands in the
   * outgoing memory, -1 when it took several.
   */
  put(id: number, pseudo: HttpFields, fields: HttpFields, length: number, endStream: boolean): number {
    const { out } = this
    const bound = this.boundOf(pseudo, fields)
    if (bound > maxFrameBytes) {
      const block = Buffer.allocUnsafe(bound)
      putHeaderBlock(out, id, block.subarray(0, this.block(block, 0, pseudo, fields, length)), endStream)
      return -1
    }
    out.room(frameHeaderBytes + bound)
    const at = out.end
    const start = at + frameHeaderBytes
    const end = this.block(out.bytes, start, pseudo, fields, length)
    const flags = endStream ? Flag.EndHeaders | Flag.EndStream : Flag.EndHeaders
    putFrameHeader(out.bytes, at, end - start, FrameType.Headers, flags, id)
    out.end = end
    return at
  }

  /** As `put`, of a request whose fields the caller sends again and again as this very list. */
  putRepeated(id: number, pseudo: HttpFields, fields: HttpFields): number {
    const { encoder, out } = this
    let known = this.repeated.get(fields)
    if (known === undefined) {
      known = { bound: this.boundOf([], fields), generation: -1, bytes: none }
      this.repeated.set(fields, known)
    }
    const bound = known.bound + this.boundOf(pseudo, [])
    if (bound > maxFrameBytes) return this.put(id, pseudo, fields, -1, false)
    out.room(frameHeaderBytes + bound)
    const at = out.end
    const { bytes } = out
    const start = at + frameHeaderBytes
    let end = this.encode(bytes, encoder.begin(bytes, start), pseudo)
    const { generation } = encoder
    if (known.generation === generation) {
      bytes.set(known.bytes, end)
      end += known.bytes.length
    } else {
      const from = end
      end = this.encode(bytes, from, fields)
      if (encoder.generation === generation) {
        known.bytes = Uint8Array.from(bytes.subarray(from, end))
        known.generation = generation
      }
    }
    putFrameHeader(bytes, at, end - start, FrameType.Headers, Flag.EndHeaders, id)
    out.end = end
    return at
  }

  private block(into: Uint8Array, at: number, pseudo: HttpFields, fields: HttpFields, length: number): number {
    const { encoder } = this
    let end = this.encode(into, encoder.begin(into, at), pseudo)
    end = this.encode(into, end, fields)
    return length < 0 ? end : encoder.field(into, end, "content-length", String(length), "plain")
  }

  private encode(into: Uint8Array, at: number, fields: HttpFields): number {
    let end = at
    for (const field of fields) end = this.encoder.field(into, end, field[0], field[1], this.modeOf(field[0]))
    return end
  }
}

/** Fields that may repeat within a second and are no use afterwards, or that take the table's place from others. */
const passing = new Set(["content-length", "date", "etag", "last-modified", "location", "age", "expires"])
const secret = new Set(["authorization", "cookie", "proxy-authorization", "set-cookie", "token"])
const lasting = new Set([":status", ":scheme", ":authority", ":method", "content-type", "accept", "user-agent", "te"])

/** How a field of plain HTTP is encoded. */
export const httpFieldMode = (name: string): FieldMode => {
  if (lasting.has(name)) return "index"
  if (passing.has(name)) return "plain"
  return secret.has(name) ? "never" : "repeat"
}
