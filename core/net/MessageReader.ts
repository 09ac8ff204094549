// Cuts the data of a stream into gRPC messages (the five-byte prefix of "gRPC over HTTP2"), inflates compressed ones, holds
// them back while the owner is paused, and gives window back as the owner takes them. Owns the size limit; refuses to own
// the call. Memory is bounded by the message limit plus, while paused, the stream's window.
import { gunzipSync } from "node:zlib"
import { getUint32 } from "./Frame.ts"
import { GrpcCode } from "./GrpcCode.ts"
import type { Stream } from "./Stream.ts"

/** Bytes of a message's prefix: compressed flag and length. */
export const prefixBytes = 5
/** First allocation for a message that comes in parts; a claimed length alone gets no memory. */
const firstPartBytes = 65_536

/** Who takes the messages. */
export interface MessageSink {
  /** A whole message, a view that is valid during the call. */
  message(bytes: Uint8Array): void
  /** The peer ended its side after its last whole message. */
  ended(): void
  /** The data breaks the rules; nothing more follows. */
  broken(code: GrpcCode, reason: string): void
}

const none = Buffer.alloc(0)

/** The messages that come in on one stream. */
export class MessageReader {
  paused = false
  private readonly stream: Stream
  private readonly sink: MessageSink
  private readonly maxBytes: number
  private readonly gzip: boolean
  private stopped = false
  private readonly prefix = Buffer.allocUnsafe(prefixBytes)
  private prefixLength = 0
  private body: Buffer = none
  private bodyLength = 0
  private backlog: Array<Buffer> = []
  private endSeen = false

  /** `gzip` says that the peer announced this encoding for messages with the compressed flag. */
  constructor(stream: Stream, sink: MessageSink, maxBytes: number, gzip: boolean) {
    this.stream = stream
    this.sink = sink
    this.maxBytes = maxBytes
    this.gzip = gzip
  }

  /** Whether messages are held back. */
  get holding(): boolean {
    return this.paused || this.backlog.length > 0
  }

  /** Takes DATA payload bytes[start, end). */
  push(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (endStream) this.endSeen = true
    if (this.paused || this.backlog.length > 0) {
      if (end > start) this.backlog.push(Buffer.from(bytes.subarray(start, end)))
      return
    }
    this.read(bytes, start, end)
    this.finish()
  }

  /** Nothing more is wanted; what still comes is dropped. */
  stop(): void {
    this.stopped = true
    this.backlog = []
    this.body = none
  }

  /** Takes messages again, first those that were held back. */
  resume(): void {
    this.paused = false
    while (!this.paused && this.backlog.length > 0) {
      const bytes = this.backlog[0]
      const rest = this.read(bytes, 0, bytes.length)
      if (rest < bytes.length && !this.stopped) this.backlog[0] = bytes.subarray(rest)
      else this.backlog.shift()
    }
    this.finish()
  }

  private finish(): void {
    if (!this.endSeen || this.paused || this.backlog.length > 0 || this.stopped) return
    this.stopped = true
    if (this.prefixLength > 0) this.sink.broken(GrpcCode.Internal, "the stream ended inside a message")
    else this.sink.ended()
  }

  /** Reads until the end or until paused between two messages; answers how far it came. */
  private read(bytes: Buffer, start: number, end: number): number {
    let at = start
    while (at < end && !this.stopped) {
      if (this.paused) {
        // Paused by a message in the middle of a frame: keep the rest, its window stays with us.
        if (this.backlog.length === 0) this.backlog.push(Buffer.from(bytes.subarray(at, end)))
        break
      }
      const before = at
      if (this.prefixLength === 0 && end - at >= prefixBytes) {
        const length = getUint32(bytes, at + 1)
        if (length <= end - at - prefixBytes && length <= this.maxBytes) {
          const from = at + prefixBytes
          at = from + length
          this.stream.connection.consumed(this.stream, at - before)
          this.deliver(bytes[before] !== 0, bytes.subarray(from, at))
          continue
        }
      }
      at = this.readPart(bytes, at, end)
      this.stream.connection.consumed(this.stream, at - before)
      this.deliverWhole()
    }
    return this.stopped ? end : at
  }

  /** Takes bytes for a message that lies in several frames. */
  private readPart(bytes: Buffer, at: number, end: number): number {
    while (this.prefixLength < prefixBytes && at < end) this.prefix[this.prefixLength++] = bytes[at++]
    if (this.prefixLength < prefixBytes) return at
    const length = getUint32(this.prefix, 1)
    if (length > this.maxBytes) {
      this.stopped = true
      this.sink.broken(
        GrpcCode.ResourceExhausted,
        `grpc: received message larger than max (${length} vs. ${this.maxBytes})`
      )
      return end
    }
    const count = Math.min(length - this.bodyLength, end - at)
    if (this.body.length < this.bodyLength + count) this.grow(length, this.bodyLength + count)
    bytes.copy(this.body, this.bodyLength, at, at + count)
    this.bodyLength += count
    return at + count
  }

  private grow(length: number, needed: number): void {
    const size = Math.min(length, Math.max(needed, this.body.length * 2, firstPartBytes))
    const larger = Buffer.allocUnsafeSlow(size)
    this.body.copy(larger, 0, 0, this.bodyLength)
    this.body = larger
  }

  private deliverWhole(): void {
    if (this.stopped || this.prefixLength < prefixBytes) return
    const length = getUint32(this.prefix, 1)
    if (this.bodyLength < length) return
    const message = this.body.subarray(0, length)
    this.prefixLength = 0
    this.bodyLength = 0
    this.body = none
    this.deliver(this.prefix[0] !== 0, message)
  }

  private deliver(compressed: boolean, message: Buffer): void {
    if (!compressed) return this.sink.message(message)
    if (!this.gzip) return this.fail(GrpcCode.Internal, "a compressed message without a known grpc-encoding")
    let inflated: Buffer
    try {
      inflated = gunzipSync(message, { maxOutputLength: this.maxBytes })
    } catch (error) {
      const large = error instanceof RangeError
      const reason = large
        ? `grpc: received message after decompression larger than max ${this.maxBytes}`
        : "grpc: failed to decompress the received message"
      return this.fail(large ? GrpcCode.ResourceExhausted : GrpcCode.Internal, reason)
    }
    this.sink.message(inflated)
  }

  private fail(code: GrpcCode, reason: string): void {
    this.stopped = true
    this.sink.broken(code, reason)
  }
}
