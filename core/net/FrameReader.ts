// Cuts a byte stream into HTTP/2 frames (RFC 9113 section 4.1). Frames that lie whole in what was read are handed on in
// place; only a frame that straddles two reads is put together first. Owns the cut; refuses to own what frames mean.
import { frameHeaderBytes, H2Error, maxFrameBytes, ProtocolViolation } from "./Frame.ts"

/** Takes one frame: its payload is bytes[start, end), valid during the call. Answers false to stop the reader for good. */
export interface FrameSink {
  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): boolean
}

const none = Buffer.alloc(0)

/** The reader of one connection; it holds at most one frame (16 KiB and 9 bytes). */
export class FrameReader {
  private held: Buffer = none
  private heldBytes = 0
  private stopped = false

  /** Takes what the socket read. Raises a connection error for a frame larger than we allow. */
  push(chunk: Buffer, sink: FrameSink): void {
    let at = 0
    if (this.heldBytes > 0) at = this.complete(chunk, sink)
    const length = chunk.length
    while (!this.stopped && length - at >= frameHeaderBytes) {
      const size = (chunk[at] << 16) | (chunk[at + 1] << 8) | chunk[at + 2]
      if (size > maxFrameBytes) this.tooLarge(size)
      const end = at + frameHeaderBytes + size
      if (end > length) break
      const start = at
      at = end
      this.emit(chunk, start, end, sink)
    }
    if (at < length && !this.stopped) this.hold(chunk, at)
  }

  /** Fills the held frame from a new chunk and emits it when whole; answers how much of the chunk it took. */
  private complete(chunk: Buffer, sink: FrameSink): number {
    let at = 0
    if (this.heldBytes < frameHeaderBytes) {
      at = this.take(chunk, 0, frameHeaderBytes)
      if (this.heldBytes < frameHeaderBytes) return at
    }
    const size = (this.held[0] << 16) | (this.held[1] << 8) | this.held[2]
    if (size > maxFrameBytes) this.tooLarge(size)
    const whole = frameHeaderBytes + size
    at = this.take(chunk, at, whole)
    if (this.heldBytes < whole) return at
    const frame = this.held
    // The frame's memory is given away with it: views that a sink keeps until the end of the read stay true.
    this.held = none
    this.heldBytes = 0
    this.emit(frame, 0, whole, sink)
    return at
  }

  private take(chunk: Buffer, at: number, target: number): number {
    const count = Math.min(target - this.heldBytes, chunk.length - at)
    this.reserve(target)
    chunk.copy(this.held, this.heldBytes, at, at + count)
    this.heldBytes += count
    return at + count
  }

  private hold(chunk: Buffer, at: number): void {
    const count = chunk.length - at
    const size = count >= frameHeaderBytes ? (chunk[at] << 16) | (chunk[at + 1] << 8) | chunk[at + 2] : 0
    this.reserve(frameHeaderBytes + size)
    chunk.copy(this.held, 0, at)
    this.heldBytes = count
  }

  private reserve(size: number): void {
    if (this.held.length >= size) return
    const larger = Buffer.allocUnsafe(size)
    this.held.copy(larger, 0, 0, this.heldBytes)
    this.held = larger
  }

  private emit(bytes: Buffer, at: number, end: number, sink: FrameSink): void {
    const id = ((bytes[at + 5] & 0x7f) << 24) | (bytes[at + 6] << 16) | (bytes[at + 7] << 8) | bytes[at + 8]
    if (!sink.frame(bytes[at + 3], bytes[at + 4], id, bytes, at + frameHeaderBytes, end)) this.stopped = true
  }

  private tooLarge(size: number): never {
    this.stopped = true
    throw new ProtocolViolation(H2Error.FrameSize, `a frame of ${size} bytes exceeds the limit of ${maxFrameBytes}`)
  }
}
