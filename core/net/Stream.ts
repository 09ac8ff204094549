// One HTTP/2 stream as its connection sees it: identity, windows, what waits to be sent. Owns the send queue and the
// half-closed states (RFC 9113 section 5.1); refuses to own what the bytes mean, which its subclasses do.
import type { Connection } from "./Connection.ts"
import type { HeaderList } from "./HeaderList.ts"

/** A stream. Subclasses are gRPC calls and HTTP exchanges, of the server and of the client. */
export abstract class Stream {
  readonly id: number
  readonly connection: Connection
  /** What the peer lets us send, in bytes; negative after the peer shrank its initial window. */
  sendWindow: number
  /** What we still let the peer send, in bytes. */
  receiveWindow: number
  /** Received bytes whose window was not given back yet. */
  unacknowledged = 0
  remoteEnded = false
  localEnded = false
  /** Whether the stream left the connection's table. */
  closed = false
  /** Bytes that wait for window or socket. */
  queuedBytes = 0
  /** Whether the stream stands in the sender's ring. */
  inRing = false
  /** Whether the last queued byte carries END_STREAM. */
  endWithData = false
  /** Called when the system has taken the last queued byte. */
  released: (() => void) | undefined
  private goAwayHook: (() => void) | undefined
  private pieces: Array<Uint8Array> | undefined
  private firstPiece = 0

  constructor(connection: Connection, id: number, sendWindow: number, receiveWindow: number) {
    this.connection = connection
    this.id = id
    this.sendWindow = sendWindow
    this.receiveWindow = receiveWindow
  }

  /** Header block of an answer, or trailers. */
  abstract onHeaders(headers: HeaderList, endStream: boolean): void
  /** Payload bytes[start, end), valid until the end of the current read. */
  abstract onData(bytes: Buffer, start: number, end: number, endStream: boolean): void
  /** The stream is over before its time: the peer reset it, we did, or the connection went away. */
  abstract onReset(code: number, reason: string): void
  /** Queued data went out; called after the queue became shorter. */
  abstract onSent(): void

  get onGoAway(): (() => void) | undefined {
    return this.goAwayHook
  }

  /** Has the owner told, once, when our side of the connection says goodbye; soon, if it has. */
  set onGoAway(hook: (() => void) | undefined) {
    this.goAwayHook = hook
    if (hook !== undefined && this.connection.hurried) process.nextTick(() => this.goAway())
  }

  /** The connection says goodbye. */
  goAway(): void {
    const notify = this.goAwayHook
    this.goAwayHook = undefined
    if (!this.closed) notify?.()
  }

  /** Queues bytes that nobody else will change any more. */
  enqueue(piece: Uint8Array): void {
    if (piece.length === 0) return
    if (this.pieces === undefined) this.pieces = [piece]
    else this.pieces.push(piece)
    this.queuedBytes += piece.length
    this.connection.queuedBytes += piece.length
  }

  /** Takes the first queued bytes, at most `limit` of them, from one piece. */
  dequeue(limit: number): Uint8Array {
    const pieces = this.pieces as Array<Uint8Array>
    const piece = pieces[this.firstPiece]
    const taken = piece.length <= limit ? piece : piece.subarray(0, limit)
    this.queuedBytes -= taken.length
    this.connection.queuedBytes -= taken.length
    if (taken !== piece) {
      pieces[this.firstPiece] = piece.subarray(limit)
    } else if (++this.firstPiece === pieces.length) {
      this.pieces = undefined
      this.firstPiece = 0
    } else if (this.firstPiece >= 1024) {
      pieces.splice(0, this.firstPiece)
      this.firstPiece = 0
    }
    return taken
  }

  /** Forgets what waits. */
  clearQueue(): void {
    this.pieces = undefined
    this.firstPiece = 0
    this.connection.queuedBytes -= this.queuedBytes
    this.queuedBytes = 0
  }
}
