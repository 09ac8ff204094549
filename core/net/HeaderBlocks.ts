// Puts header blocks together from HEADERS and CONTINUATION frames and decodes them. Owns the limits of a block (its bytes
// and its CONTINUATION frames) and the cache in front of the decoder; refuses to own what happens with the headers.
import { continuationsMax } from "./FloodGuard.ts"
import { H2Error, ProtocolViolation } from "./Frame.ts"
import { HeaderCache, HeaderList } from "./HeaderList.ts"
import { HpackDecoder } from "./HpackDecoder.ts"

/** The header blocks that one peer sends on one connection. */
export class HeaderBlocks {
  /** The stream whose block is still open, or 0: until it ends only its CONTINUATION frames may follow. */
  streamId = 0
  endStream = false
  private readonly decoder: HpackDecoder
  private readonly cache = new HeaderCache()
  private readonly maxBytes: number
  private parts: Array<Buffer> = []
  private partBytes = 0

  /** `maxBytes` bounds the decoded list and also the coded block. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
    this.decoder = new HpackDecoder(maxBytes)
  }

  /** Decodes a whole block. */
  decode(bytes: Buffer, start: number, end: number): HeaderList {
    const { decoder, cache } = this
    const generation = decoder.table.generation
    const known = cache.find(bytes, start, end, generation)
    if (known !== undefined) return known
    const fields = decoder.decode(bytes, start, end)
    const headers = new HeaderList(fields, decoder.oversized, decoder.clean)
    // A block with a deadline in it hardly comes a second time.
    if (decoder.table.generation === generation && headers.timeout === "")
      cache.keep(bytes, start, end, generation, headers)
    return headers
  }

  /** Starts a block that does not end with its HEADERS frame. */
  begin(streamId: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    this.streamId = streamId
    this.endStream = endStream
    this.parts = []
    this.partBytes = 0
    this.add(bytes, start, end)
  }

  /** Adds a CONTINUATION frame's payload. */
  add(bytes: Buffer, start: number, end: number): void {
    this.partBytes += end - start
    if (this.partBytes > this.maxBytes || this.parts.length > continuationsMax) {
      throw new ProtocolViolation(
        H2Error.EnhanceYourCalm,
        `a header block exceeds ${this.maxBytes} bytes or its frames`
      )
    }
    this.parts.push(Buffer.from(bytes.subarray(start, end)))
  }

  /** Ends the open block and decodes it. */
  finish(): HeaderList {
    const block = Buffer.concat(this.parts, this.partBytes)
    this.parts = []
    this.streamId = 0
    return this.decode(block, 0, block.length)
  }
}
