// Writes header blocks of any fields straight into the connection's outgoing memory. Owns the layout and the fallback for blocks
// that no single frame holds; refuses to own which fields go out and how each is encoded, which its owner says.
import { putHeaderBlock } from "./ControlFrames.ts"
import { Flag, FrameType, frameHeaderBytes, maxFrameBytes, putFrameHeader } from "./Frame.ts"
import { type FieldMode, HpackEncoder } from "./HpackEncoder.ts"
import type { HttpFields } from "./HttpExchange.ts"
import type { OutBuffer } from "./OutBuffer.ts"

/** Bytes that a block takes beside its fields: a change of the table's size, `content-length`. */
const besideBytes = 64

/** The header blocks that one connection sends. */
export class HeaderWriter {
  private readonly out: OutBuffer
  private readonly encoder: HpackEncoder
  private readonly modeOf: (name: string) => FieldMode

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

  /** Writes a block: pseudo-header fields, fields, and `content-length` unless that is negative. */
  put(id: number, pseudo: HttpFields, fields: HttpFields, length: number, endStream: boolean): void {
    const { out } = this
    const bound = this.boundOf(pseudo, fields)
    if (bound > maxFrameBytes) {
      const block = Buffer.allocUnsafe(bound)
      putHeaderBlock(out, id, block.subarray(0, this.encode(block, 0, pseudo, fields, length)), endStream)
      return
    }
    out.room(frameHeaderBytes + bound)
    const at = out.end
    const start = at + frameHeaderBytes
    const end = this.encode(out.bytes, start, pseudo, fields, length)
    const flags = endStream ? Flag.EndHeaders | Flag.EndStream : Flag.EndHeaders
    putFrameHeader(out.bytes, at, end - start, FrameType.Headers, flags, id)
    out.end = end
  }

  private encode(into: Uint8Array, at: number, pseudo: HttpFields, fields: HttpFields, length: number): number {
    const { encoder } = this
    let end = encoder.begin(into, at)
    for (const field of pseudo) end = encoder.field(into, end, field[0], field[1], this.modeOf(field[0]))
    for (const field of fields) end = encoder.field(into, end, field[0], field[1], this.modeOf(field[0]))
    if (length >= 0) end = encoder.field(into, end, "content-length", String(length), "plain")
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
