// One gRPC call on the client. Owns how an answer (headers, messages, trailers) becomes messages and one status; refuses to
// own the request's header block, which the connection writes.
import type { ClientListener, ClientStream } from "./Contract.ts"
import type { ClientConnection } from "./ClientConnection.ts"
import { clearDeadline, type Deadline, setDeadline } from "./Deadlines.ts"
import { Flag, FrameType, frameHeaderBytes, getUint32, H2Error, putFrameHeader, putUint32 } from "./Frame.ts"
import { decodeGrpcMessage, GrpcCode, grpcCodeOfHttpStatus, grpcCodeOfReset } from "./GrpcCode.ts"
import type { HeaderList } from "./HeaderList.ts"
import { MessageReader, type MessageSink, prefixBytes } from "./MessageReader.ts"
import { GrpcStatus } from "./NetError.ts"
import { Stream } from "./Stream.ts"

/** Bytes waiting on one stream above which `send` answers false. */
const highWaterBytes = 262_144
/** The largest message that is written in place. */
const inPlaceBytes = 16_000

/** What both kinds of client calls share: sending, and the status that ends them. */
export abstract class ClientCallBase extends Stream implements MessageSink {
  declare readonly connection: ClientConnection
  protected done = false
  private deadline: Deadline | undefined
  private wantsDrain = false

  constructor(connection: ClientConnection, id: number) {
    super(connection, id, connection.peerSettings.initialWindow, connection.limits.streamWindowBytes)
  }

  abstract message(bytes: Uint8Array): void
  /** The call is over; `status` undefined is OK. Called once. */
  protected abstract settled(status: GrpcStatus | undefined): void
  protected abstract drained(): void
  abstract override onData(bytes: Buffer, start: number, end: number, endStream: boolean): void

  startDeadline(deadlineMs: number): void {
    this.deadline = setDeadline(deadlineMs, () => {
      this.deadline = undefined
      this.abandon(H2Error.Cancel, GrpcStatus.of(GrpcCode.DeadlineExceeded, "context deadline exceeded"))
    })
  }

  cancel(): void {
    this.abandon(H2Error.Cancel, GrpcStatus.of(GrpcCode.Cancelled, "cancelled by this client"))
  }

  onHeaders(headers: HeaderList, endStream: boolean): void {
    if (headers.problem !== undefined) return this.broken(GrpcCode.Internal, headers.problem)
    const status = headers.status
    if (status !== "" && status !== "200") {
      if (status.startsWith("1")) return
      const reason = `the server answered with HTTP status ${status}`
      return this.abandon(H2Error.Cancel, GrpcStatus.of(grpcCodeOfHttpStatus(Number(status)), reason))
    }
    if (!endStream) {
      if (headers.contentType.startsWith("application/grpc")) return this.opened(headers)
      return this.broken(GrpcCode.Unknown, `the answer's content-type is ${JSON.stringify(headers.contentType)}`)
    }
    this.finish(statusOf(headers))
  }

  /** The response headers came. */
  protected opened(_headers: HeaderList): void {}

  ended(): void {
    this.finish(GrpcStatus.of(GrpcCode.Internal, "the server ended the stream without a status"))
  }

  broken(code: GrpcCode, reason: string): void {
    this.abandon(H2Error.Cancel, GrpcStatus.of(code, reason))
  }

  onReset(code: number, reason: string): void {
    if (this.connection.ended) return this.finish(GrpcStatus.of(GrpcCode.Unavailable, reason))
    this.finish(GrpcStatus.of(grpcCodeOfReset(code), `${reason} (HTTP/2 error ${code})`))
  }

  onSent(): void {
    if (!this.wantsDrain || this.queuedBytes > highWaterBytes / 2) return
    this.wantsDrain = false
    this.drained()
  }

  /** Writes a message, as the last one if `last`; false above the high-water mark. */
  protected write(message: Uint8Array, last: boolean): boolean {
    const { connection } = this
    const size = prefixBytes + message.length
    if (size <= inPlaceBytes && connection.sender.free(this, size)) {
      const { out } = connection
      out.room(frameHeaderBytes + size)
      const at = out.end
      putFrameHeader(out.bytes, at, size, FrameType.Data, last ? Flag.EndStream : 0, this.id)
      putPrefix(out.bytes, at + frameHeaderBytes, message.length)
      out.bytes.set(message, at + frameHeaderBytes + prefixBytes)
      out.end = at + frameHeaderBytes + size
      connection.sender.window -= size
      this.sendWindow -= size
      connection.wrote()
      if (last) connection.endLocal(this)
      return true
    }
    const framed = Buffer.allocUnsafe(size)
    putPrefix(framed, 0, message.length)
    framed.set(message, prefixBytes)
    this.endWithData = last
    this.enqueue(framed)
    connection.sender.offer(this)
    connection.wrote()
    // Once promised, the drain is owed, however little is queued when the next message is sent.
    this.wantsDrain ||= this.queuedBytes > highWaterBytes
    return !this.wantsDrain
  }

  protected finish(status: GrpcStatus | undefined): void {
    if (this.done) return
    this.done = true
    if (this.deadline !== undefined) clearDeadline(this.deadline)
    // The server may answer before we sent everything; what is left nobody reads.
    if (!this.closed && !this.localEnded) this.connection.reset(this, H2Error.NoError)
    this.settled(status)
  }

  private abandon(code: H2Error, status: GrpcStatus): void {
    if (this.done) return
    this.connection.reset(this, code)
    this.finish(status)
  }
}

const statusOf = (headers: HeaderList): GrpcStatus | undefined => {
  const status = headers.get("grpc-status")
  if (status === "0") return undefined
  if (status === undefined) return GrpcStatus.of(GrpcCode.Unknown, "the trailers carry no grpc-status")
  const code = /^\d{1,9}$/.test(status) ? Number(status) : GrpcCode.Unknown
  return GrpcStatus.of(code, decodeGrpcMessage(headers.get("grpc-message") ?? ""))
}

const putPrefix = (bytes: Uint8Array, at: number, size: number): void => {
  bytes[at] = 0
  putUint32(bytes, at + 1, size)
}

const noMessage = new Uint8Array(0)

/** A unary call: keeps the one message until the trailers are there. */
export class ClientUnaryCall extends ClientCallBase {
  private readonly callback: (error: GrpcStatus | undefined, message: Uint8Array) => void
  private answer: Uint8Array | undefined
  private reader: MessageReader | undefined
  private gzip = false

  constructor(
    connection: ClientConnection,
    id: number,
    callback: (error: GrpcStatus | undefined, message: Uint8Array) => void
  ) {
    super(connection, id)
    this.callback = callback
  }

  /** Sends the request. */
  start(message: Uint8Array): void {
    this.write(message, true)
  }

  protected override opened(headers: HeaderList): void {
    this.gzip = headers.get("grpc-encoding") === "gzip"
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    const { connection } = this
    const length = end - start - prefixBytes
    if (this.reader === undefined && this.answer === undefined && !endStream && length >= 0) {
      if (bytes[start] === 0 && getUint32(bytes, start + 1) === length && length <= connection.maxReceiveMessageBytes) {
        connection.consumed(this, end - start)
        // A view of what was just read: the trailers mostly lie behind it, else the connection has us copy it.
        this.answer = length === 0 ? noMessage : bytes.subarray(start + prefixBytes, end)
        if (length > 0) connection.holding(this)
        return
      }
    }
    this.reader ??= new MessageReader(this, this, connection.maxReceiveMessageBytes, this.gzip)
    this.reader.push(bytes, start, end, endStream)
  }

  message(bytes: Uint8Array): void {
    if (this.answer !== undefined) return this.broken(GrpcCode.Internal, "more than one answer to a unary call")
    this.answer = Buffer.from(bytes)
  }

  /** The bytes that a held view points at are about to go. */
  keep(): void {
    if (!this.done && this.answer !== undefined) this.answer = Buffer.from(this.answer)
  }

  protected settled(status: GrpcStatus | undefined): void {
    this.reader?.stop()
    if (status === undefined && this.answer === undefined) {
      status = GrpcStatus.of(GrpcCode.Internal, "the server answered OK without a message")
    }
    const answer = this.answer ?? noMessage
    this.answer = undefined
    this.callback(status, answer)
  }

  protected drained(): void {}
}

/** A streaming call. */
export class ClientStreamCall extends ClientCallBase implements ClientStream {
  private readonly listener: ClientListener
  private reader: MessageReader | undefined
  private gzip = false
  private halfClosed = false
  private pendingEnd: { readonly status: GrpcStatus | undefined } | undefined

  constructor(connection: ClientConnection, id: number, listener: ClientListener) {
    super(connection, id)
    this.listener = listener
  }

  get bufferedBytes(): number {
    return this.queuedBytes
  }

  send(message: Uint8Array): boolean {
    return this.done || this.halfClosed ? false : this.write(message, false)
  }

  halfClose(): void {
    if (this.done || this.halfClosed) return
    this.halfClosed = true
    if (this.queuedBytes > 0) {
      this.endWithData = true
      return
    }
    const { connection } = this
    const { out } = connection
    out.room(frameHeaderBytes)
    putFrameHeader(out.bytes, out.end, 0, FrameType.Data, Flag.EndStream, this.id)
    out.end += frameHeaderBytes
    connection.wrote()
    connection.endLocal(this)
  }

  pause(): void {
    this.messages().paused = true
  }

  resume(): void {
    this.messages().resume()
  }

  protected override opened(headers: HeaderList): void {
    this.gzip = headers.get("grpc-encoding") === "gzip"
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    this.messages().push(bytes, start, end, endStream)
  }

  message(bytes: Uint8Array): void {
    if (!this.done) this.listener.message(bytes)
  }

  override ended(): void {
    if (this.pendingEnd === undefined) return super.ended()
    this.end(this.pendingEnd.status)
  }

  protected settled(status: GrpcStatus | undefined): void {
    const { reader } = this
    if (reader === undefined || !reader.holding || status !== undefined) {
      reader?.stop()
      return this.end(status)
    }
    // OK, but the owner is paused with messages still to take: its end follows them.
    this.done = false
    this.pendingEnd = { status }
    reader.push(emptyBuffer, 0, 0, true)
  }

  protected drained(): void {
    this.listener.drain?.()
  }

  private end(status: GrpcStatus | undefined): void {
    this.done = true
    this.listener.end(status ?? okStatus)
  }

  private messages(): MessageReader {
    return (this.reader ??= new MessageReader(this, this, this.connection.maxReceiveMessageBytes, this.gzip))
  }
}

const emptyBuffer = Buffer.alloc(0)
const okStatus = GrpcStatus.of(GrpcCode.Ok, "")
