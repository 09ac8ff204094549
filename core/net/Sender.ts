// Sends queued stream data under flow control (RFC 9113 section 5.2), streams in turn, one frame each. Owns the connection's
// send window and the ring of streams that could send; refuses to own the queues, which belong to the streams.
import { Flag, FrameType, frameHeaderBytes, maxFrameBytes, putFrameHeader } from "./Frame.ts"
import type { OutBuffer } from "./OutBuffer.ts"
import type { Stream } from "./Stream.ts"

/** Pieces below this are copied into the gathered write; larger ones go to the socket as they are. */
const copyBelowBytes = 16_000

/** The data sender of one connection. */
export class Sender {
  /** What the peer lets us send on the whole connection, in bytes. */
  window: number
  /** DATA frames sent. */
  frames = 0
  private readonly out: OutBuffer
  private ring: Array<Stream> = []
  private turn = 0

  constructor(out: OutBuffer, window: number) {
    this.out = out
    this.window = window
  }

  /** Whether a DATA payload of this size can go out at once without overtaking anybody. */
  free(stream: Stream, size: number): boolean {
    return (
      size <= this.window &&
      size <= stream.sendWindow &&
      size <= maxFrameBytes &&
      stream.queuedBytes === 0 &&
      this.ring.length === this.turn &&
      !this.out.congested
    )
  }

  /** Whether a stream stands in the ring. */
  get waiting(): boolean {
    return this.ring.length > this.turn
  }

  /** Puts a stream that has something to send in the ring, and sends what can go. */
  offer(stream: Stream): void {
    if (!stream.inRing && (stream.queuedBytes > 0 || stream.endWithData)) {
      stream.inRing = true
      this.ring.push(stream)
    }
    this.pump()
  }

  /** Sends as much as windows and socket allow. */
  pump(): void {
    while (this.turn < this.ring.length && !this.out.congested) {
      const stream = this.ring[this.turn]
      const mustWait = stream.queuedBytes > 0 && this.window <= 0
      if (mustWait) break
      this.turn++
      if (this.turn > 1024) {
        this.ring.splice(0, this.turn)
        this.turn = 0
      }
      stream.inRing = false
      if (stream.closed) continue
      if (stream.queuedBytes > 0 && stream.sendWindow <= 0) continue
      this.frame(stream)
      if (stream.queuedBytes > 0 && stream.sendWindow > 0 && !stream.closed && !stream.inRing) {
        stream.inRing = true
        this.ring.push(stream)
      }
    }
    if (this.turn === this.ring.length && this.turn > 0) {
      this.ring.length = 0
      this.turn = 0
    }
  }

  /** Sends one DATA frame of a stream, gathered from as many pieces as fit. */
  private frame(stream: Stream): void {
    const { out } = this
    const size = Math.min(stream.queuedBytes, maxFrameBytes, this.window, stream.sendWindow)
    const last = size === stream.queuedBytes && stream.endWithData
    out.room(frameHeaderBytes)
    putFrameHeader(out.bytes, out.end, size, FrameType.Data, last ? Flag.EndStream : 0, stream.id)
    out.end += frameHeaderBytes
    this.window -= size
    stream.sendWindow -= size
    this.frames++
    stream.connection.pings.forgiven = true
    for (let left = size; left > 0;) {
      const piece = stream.dequeue(left)
      left -= piece.length
      if (stream.released !== undefined && stream.queuedBytes === 0) {
        out.append(piece, stream.released)
        stream.released = undefined
      } else if (piece.length >= copyBelowBytes) {
        out.append(piece)
      } else {
        out.room(piece.length)
        out.bytes.set(piece, out.end)
        out.end += piece.length
      }
    }
    if (last) {
      stream.endWithData = false
      stream.connection.endLocal(stream)
    }
    stream.onSent()
  }
}
