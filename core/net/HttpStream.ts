// What both sides of a plain HTTP exchange over HTTP/2 share: a body that goes out under flow control and a body that comes in.
// Owns the high-water mark, the announced length, and what is held back while the owner is paused, which is bounded by the
// stream's window; refuses to own header blocks and what an end means, which server and client add.
import {
  Flag,
  FrameType,
  frameHeaderBytes,
  H2Error,
  maxFrameBytes,
  ProtocolViolation,
  putFrameHeader
} from "./Frame.ts"
import type { HttpFields } from "./HttpExchange.ts"
import { Stream } from "./Stream.ts"

/** Bytes waiting on one stream above which `write` answers false. */
export const highWaterBytes = 262_144
/** The largest piece that is copied into the gathered write at once. */
export const inPlaceBytes = 16_000
/** First allocation for what is held back. */
const firstHeldBytes = 4096
const none = Buffer.alloc(0)

export abstract class HttpStream extends Stream {
  /** The announced length of the body that comes in, -1 when there is none. */
  protected expectedBytes = -1
  protected receivedBytes = 0
  /** Whether what comes in is held back. */
  protected paused = false
  /** Whether nobody takes what still comes in: its end was delivered, or it is not wanted. */
  protected dropping = false
  /** Whether `finish` was called. */
  protected finished = false
  /** Whether the peer's END_STREAM came. */
  protected incomingEnded = false
  private held: Buffer = none
  private heldStart = 0
  private heldEnd = 0
  private wantsDrain = false
  /** Where the DATA frame stands that was written last, as long as nothing else was written behind it. */
  private lastAt = -1
  private lastEnd = 0
  private lastTotal = 0
  private trailersWait: HttpFields | undefined

  /** Takes a chunk of the body, a view that is valid during the call; false pauses. */
  protected abstract chunk(bytes: Uint8Array): boolean
  /** The body is complete. */
  protected abstract complete(): void
  /** Writes the header block that ends this side. */
  protected abstract putTrailers(fields: HttpFields): void
  /** Our END_STREAM is written. */
  protected abstract left(): void

  get bufferedBytes(): number {
    return this.queuedBytes
  }

  // --- what comes in ---

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    const size = end - start
    this.receivedBytes += size
    const expected = this.expectedBytes
    if (expected >= 0 && (this.receivedBytes > expected || (endStream && this.receivedBytes !== expected))) {
      throw new ProtocolViolation(H2Error.Protocol, "content-length and data disagree", this.id)
    }
    if (endStream) this.incomingEnded = true
    if (this.dropping) return this.connection.consumed(this, size)
    if (size > 0) {
      if (this.paused || this.heldEnd > this.heldStart) this.hold(bytes, start, end)
      else this.deliver(bytes.subarray(start, end))
    }
    if (endStream) this.completeWhenTaken()
  }

  /** Takes chunks again, first what was held back. */
  protected resumeReading(): void {
    this.paused = false
    while (!this.paused && this.heldStart < this.heldEnd) {
      const from = this.heldStart
      this.heldStart = Math.min(from + maxFrameBytes, this.heldEnd)
      this.deliver(this.held.subarray(from, this.heldStart))
    }
    if (this.heldStart === this.heldEnd) this.forget()
    this.completeWhenTaken()
  }

  /** Nobody wants what still comes. */
  protected stopReading(): void {
    this.dropping = true
    this.paused = false
    const size = this.heldEnd - this.heldStart
    this.forget()
    if (size > 0) this.connection.consumed(this, size)
  }

  private deliver(view: Buffer): void {
    this.connection.consumed(this, view.length)
    if (!this.chunk(view)) this.paused = true
  }

  private completeWhenTaken(): void {
    if (!this.incomingEnded || this.paused || this.dropping || this.heldStart < this.heldEnd) return
    this.dropping = true
    this.complete()
  }

  /** Many small frames are held as densely as one large one. */
  private hold(bytes: Buffer, start: number, end: number): void {
    const live = this.heldEnd - this.heldStart
    const needed = live + end - start
    if (this.heldStart + needed > this.held.length) {
      const larger =
        needed * 2 <= this.held.length ? this.held : Buffer.allocUnsafeSlow(Math.max(firstHeldBytes, needed, live * 2))
      this.held.copy(larger, 0, this.heldStart, this.heldEnd)
      this.held = larger
      this.heldStart = 0
      this.heldEnd = live
    }
    bytes.copy(this.held, this.heldEnd, start, end)
    this.heldEnd += end - start
  }

  private forget(): void {
    this.held = none
    this.heldStart = 0
    this.heldEnd = 0
  }

  // --- what goes out ---

  /** Sends bytes whose memory is handed over; false above the high-water mark, and when nothing can be sent any more. */
  protected send(bytes: Uint8Array, isView = false): boolean {
    if (this.finished || this.closed) return false
    const { connection } = this
    const size = bytes.length
    if (size === 0) return !this.wantsDrain
    if (size <= inPlaceBytes && connection.sender.free(this, size)) {
      const { out } = connection
      out.room(frameHeaderBytes + size)
      this.lastAt = out.end
      out.end = this.lastEnd = this.putData(out.end, size, 0)
      this.lastTotal = out.total
      out.bytes.set(bytes, out.end - size)
      connection.wrote()
      return true
    }
    this.enqueue(isView ? Buffer.from(bytes) : bytes)
    connection.sender.offer(this)
    connection.wrote()
    // Once promised, the drain is owed, however little is queued when the next bytes are sent.
    this.wantsDrain ||= this.queuedBytes > highWaterBytes
    return !this.wantsDrain
  }

  /** Sends the last bytes; a short piece in one frame with the end. */
  protected sendLast(bytes: Uint8Array): void {
    if (this.finished || this.closed) return
    const { connection } = this
    const size = bytes.length
    if (size > inPlaceBytes || !connection.sender.free(this, size)) {
      this.send(bytes)
      return this.finish(undefined)
    }
    const { out } = connection
    this.finished = true
    out.room(frameHeaderBytes + size)
    out.end = this.putData(out.end, size, Flag.EndStream)
    out.bytes.set(bytes, out.end - size)
    connection.wrote()
    connection.endLocal(this)
    this.left()
  }

  /** Ends our side, after what was sent. */
  protected finish(trailers: HttpFields | undefined): void {
    if (this.finished || this.closed) return
    this.finished = true
    if (trailers !== undefined && trailers.length > 0) {
      if (this.queuedBytes > 0) this.trailersWait = trailers
      else this.putLast(trailers)
    } else if (this.queuedBytes > 0) {
      this.endWithData = true
    } else {
      const { connection } = this
      const { out } = connection
      if (this.lastAt >= 0 && out.end === this.lastEnd && out.total === this.lastTotal) {
        // The last piece has not left yet: it says itself that it is the last.
        out.bytes[this.lastAt + 4] |= Flag.EndStream
      } else {
        out.room(frameHeaderBytes)
        out.end = this.putData(out.end, 0, Flag.EndStream)
      }
      connection.wrote()
      connection.endLocal(this)
      this.left()
    }
  }

  /** Writes a DATA frame's header at `at` and takes its payload from the windows; answers where the frame will end. */
  protected putData(at: number, size: number, flags: number): number {
    const { connection } = this
    putFrameHeader(connection.out.bytes, at, size, FrameType.Data, flags, this.id)
    connection.sender.window -= size
    this.sendWindow -= size
    connection.sender.frames++
    connection.pings.forgiven = true
    return at + frameHeaderBytes + size
  }

  onSent(): void {
    if (this.localEnded) return this.left()
    if (this.trailersWait !== undefined && this.queuedBytes === 0) return this.putLast(this.trailersWait)
    if (!this.wantsDrain || this.queuedBytes > highWaterBytes / 2 || this.finished || this.closed) return
    this.wantsDrain = false
    this.drained()
  }

  /** There is room to send again. */
  protected abstract drained(): void

  private putLast(trailers: HttpFields): void {
    this.trailersWait = undefined
    this.putTrailers(trailers)
    this.connection.endLocal(this)
    this.left()
  }
}
