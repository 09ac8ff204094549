// One gRPC call on the server. Owns the order of an answer (headers, messages, trailers), the deadline and cancellation;
// refuses to own how frames reach the socket. A short unary answer is written as three frames in one go; anything that does
// not fit the windows now waits in the stream's queue.
import type { GrpcMethod, OutSpace, StreamCall, StreamListener, UnaryCall } from "./Contract.ts"
import { clearDeadline, type Deadline, setDeadline } from "./Deadlines.ts"
import { FrameType, frameHeaderBytes, getUint32, H2Error, ProtocolViolation } from "./Frame.ts"
import { putFrameHeader, putUint32 } from "./Frame.ts"
import { decodeGrpcTimeout, encodeGrpcMessage, GrpcCode } from "./GrpcCode.ts"
import type { HeaderList } from "./HeaderList.ts"
import { MessageReader, type MessageSink, prefixBytes } from "./MessageReader.ts"
import type { ServerConnection } from "./ServerConnection.ts"
import { Stream } from "./Stream.ts"

/** Bytes waiting on one stream above which `send` answers false. */
export const highWaterBytes = 262_144
/** Messages from this size on are not copied when their memory is handed over. */
const ownFromBytes = 16_384
/** The largest message that is written in place. */
const inPlaceBytes = 16_000

const space: OutSpace = { bytes: new Uint8Array(0), offset: 0 }
const noMessage = new Uint8Array(0)

export class ServerCall extends Stream implements UnaryCall, StreamCall, MessageSink {
  declare readonly connection: ServerConnection
  onCancel: (() => void) | undefined
  onDrain: (() => void) | undefined
  cancelled = false
  private readonly headers: HeaderList
  private readonly method: GrpcMethod
  private listener: StreamListener | undefined
  private reader: MessageReader | undefined
  private deadline: Deadline | undefined
  private dispatched = false
  private headSent = false
  private answered = false
  private trailersWait: { readonly code: GrpcCode; readonly message: string } | undefined
  private wantsDrain = false
  private extraHeaders: Array<readonly [string, string]> | undefined
  private extraTrailers: Array<readonly [string, string]> | undefined
  private reserved = -1
  private scratch: Uint8Array | undefined
  private receivedBytes = 0

  constructor(connection: ServerConnection, id: number, headers: HeaderList, method: GrpcMethod) {
    super(connection, id, connection.peerSettings.initialWindow, connection.limits.streamWindowBytes)
    this.headers = headers
    this.method = method
  }

  /** Starts the call: deadline, and for streams the method itself. */
  begin(endStream: boolean): void {
    const { timeout } = this.headers
    if (timeout !== "") {
      const timeoutMs = decodeGrpcTimeout(timeout)
      if (timeoutMs === undefined) return this.fail(GrpcCode.Internal, `malformed grpc-timeout: ${timeout}`)
      this.deadline = setDeadline(timeoutMs, () => this.expired())
    }
    if ("stream" in this.method) {
      this.dispatched = true
      try {
        this.listener = this.method.stream(this)
      } catch (defect) {
        this.died(defect)
      }
    }
    if (endStream) this.onData(emptyBuffer, 0, 0, true)
  }

  get peer(): string {
    return this.connection.peer.peer
  }

  get localAddress(): string {
    return this.connection.peer.localAddress
  }

  get tlsPeerCertificate(): Uint8Array | undefined {
    return this.connection.peer.certificate?.raw
  }

  get tlsPeerCommonName(): string | undefined {
    return this.connection.peer.certificate?.commonName
  }

  get bufferedBytes(): number {
    return this.queuedBytes
  }

  header(name: string): string | undefined {
    return name === ":path" ? this.headers.path : this.headers.get(name)
  }

  binaryHeader(name: string): Uint8Array | undefined {
    const value = this.headers.get(name)
    return value === undefined ? undefined : Buffer.from(value.split(",", 1)[0], "base64")
  }

  setHeader(name: string, value: string): void {
    ;(this.extraHeaders ??= []).push([name, value])
  }

  setTrailer(name: string, value: string): void {
    ;(this.extraTrailers ??= []).push([name, value])
  }

  // --- what comes in ---

  onHeaders(): void {
    // Request trailers carry nothing that gRPC gives a meaning; they only end the client's side.
    this.onData(emptyBuffer, 0, 0, true)
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    this.receivedBytes += end - start
    if (this.headers.contentLength >= 0) this.checkLength(endStream)
    if (this.answered) return this.connection.consumed(this, end - start)
    if (this.reader === undefined) {
      const length = end - start - prefixBytes
      if (endStream && length >= 0 && bytes[start] === 0 && getUint32(bytes, start + 1) === length) {
        if (length <= this.connection.service.maxReceiveMessageBytes) {
          this.message(length === 0 ? noMessage : bytes.subarray(start + prefixBytes, end))
          return this.ended()
        }
      }
      const gzip = this.headers.get("grpc-encoding") === "gzip"
      this.reader = new MessageReader(this, this, this.connection.service.maxReceiveMessageBytes, gzip)
    }
    this.reader.push(bytes, start, end, endStream)
  }

  message(bytes: Uint8Array): void {
    if (this.answered) return
    try {
      if (this.listener !== undefined) return this.listener.message(bytes)
      if (this.dispatched) return this.broken(GrpcCode.Internal, "more than one request message for a unary method")
      this.dispatched = true
      if ("unary" in this.method) this.method.unary(this, bytes)
    } catch (defect) {
      this.died(defect)
    }
  }

  ended(): void {
    if (this.listener !== undefined) {
      try {
        if (!this.answered) this.listener.end()
      } catch (defect) {
        this.died(defect)
      }
    } else if (!this.dispatched) {
      this.fail(GrpcCode.Internal, "no request message for a unary method")
    }
  }

  broken(code: GrpcCode, reason: string): void {
    this.cancelWith(code, reason)
  }

  onReset(): void {
    this.clearDeadline()
    this.reader?.stop()
    if (this.answered) return
    this.answered = true
    this.tally(GrpcCode.Cancelled)
    this.cancel()
  }

  override goAway(): void {
    try {
      super.goAway()
    } catch (defect) {
      this.died(defect)
    }
  }

  pause(): void {
    const gzip = this.headers.get("grpc-encoding") === "gzip"
    this.reader ??= new MessageReader(this, this, this.connection.service.maxReceiveMessageBytes, gzip)
    this.reader.paused = true
  }

  resume(): void {
    this.reader?.resume()
  }

  private checkLength(endStream: boolean): void {
    const expected = this.headers.contentLength
    if (this.receivedBytes > expected || (endStream && this.receivedBytes !== expected)) {
      throw new ProtocolViolation(H2Error.Protocol, "content-length and data disagree", this.id)
    }
  }

  // --- what goes out ---

  respond(message: Uint8Array): void {
    if (this.answered) return
    const size = message.length
    if (size <= inPlaceBytes && this.canWriteNow(size)) {
      const at = this.openAnswer(size)
      this.connection.out.bytes.set(message, at)
      return this.closeAnswer(at + size)
    }
    this.respondLater(Buffer.from(message))
  }

  respondOwned(message: Uint8Array, released?: () => void): void {
    if (this.answered) return
    if (message.length < ownFromBytes) {
      this.respond(message)
      return released?.()
    }
    this.released = released
    this.respondLater(message)
  }

  reserve(size: number): OutSpace {
    if (!this.answered && size <= inPlaceBytes && this.canWriteNow(size)) {
      space.offset = this.openAnswer(size)
      space.bytes = this.connection.out.bytes
      this.scratch = undefined
    } else {
      this.scratch = Buffer.allocUnsafeSlow(size)
      space.bytes = this.scratch
      space.offset = 0
    }
    this.reserved = size
    return space
  }

  commit(): void {
    if (this.reserved < 0) return
    const size = this.reserved
    this.reserved = -1
    if (this.scratch === undefined) this.closeAnswer(space.offset + size)
    else this.respondOwned(this.scratch)
  }

  send(message: Uint8Array): boolean {
    const size = message.length
    if (this.answered) return false
    if (size > inPlaceBytes || !this.canWriteNow(size)) {
      const framed = Buffer.allocUnsafe(prefixBytes + size)
      putPrefix(framed, 0, size)
      framed.set(message, prefixBytes)
      return this.sendLater(framed)
    }
    const { connection } = this
    const { out } = connection
    if (!this.headSent) this.putHead()
    out.room(frameHeaderBytes + prefixBytes + size)
    const at = this.putData(out.end, size)
    out.bytes.set(message, at)
    out.end = at + size
    connection.wrote()
    return true
  }

  sendOwned(message: Uint8Array): boolean {
    if (this.answered) return false
    if (message.length < ownFromBytes) return this.send(message)
    const prefix = Buffer.allocUnsafe(prefixBytes)
    putPrefix(prefix, 0, message.length)
    return this.sendLater(prefix, message)
  }

  end(): void {
    this.finish(GrpcCode.Ok, "")
  }

  fail(code: GrpcCode, message: string): void {
    this.finish(code, message)
  }

  onSent(): void {
    if (this.trailersWait !== undefined && this.queuedBytes === 0) {
      const { code, message } = this.trailersWait
      this.trailersWait = undefined
      this.putTrailers(code, message)
    }
    if (!this.wantsDrain || this.queuedBytes > highWaterBytes / 2 || this.answered) return
    this.wantsDrain = false
    this.onDrain?.()
  }

  private canWriteNow(size: number): boolean {
    return this.extraHeaders === undefined && this.connection.sender.free(this, size + prefixBytes)
  }

  /** Writes headers and the start of the only message; answers where the message goes. */
  private openAnswer(size: number): number {
    const { connection } = this
    const { out } = connection
    out.room(3 * frameHeaderBytes + prefixBytes + size + connection.answerBound)
    const at = this.headSent ? out.end : connection.putResponseHead(this.id, out.end)
    this.headSent = true
    return this.putData(at, size)
  }

  /** Writes a DATA frame's header and the message prefix at `at`; answers where the message goes. */
  private putData(at: number, size: number): number {
    const { connection } = this
    const { bytes } = connection.out
    const payload = prefixBytes + size
    putFrameHeader(bytes, at, payload, FrameType.Data, 0, this.id)
    putPrefix(bytes, at + frameHeaderBytes, size)
    connection.sender.window -= payload
    this.sendWindow -= payload
    connection.sender.frames++
    connection.pings.forgiven = true
    return at + frameHeaderBytes + prefixBytes
  }

  /** Ends an answer begun by `openAnswer`, whose message ends at `at`. */
  private closeAnswer(at: number): void {
    const { connection } = this
    this.settle(GrpcCode.Ok)
    if (this.extraTrailers === undefined) {
      connection.out.end = connection.putOkTrailers(this.id, at)
    } else {
      connection.out.end = at
      connection.putBlock(this.id, [["grpc-status", "0"], ...this.extraTrailers], true)
    }
    connection.wrote()
    this.leave()
  }

  private respondLater(message: Uint8Array): void {
    const prefix = Buffer.allocUnsafe(prefixBytes)
    putPrefix(prefix, 0, message.length)
    if (!this.headSent) this.putHead()
    this.enqueue(prefix)
    this.enqueue(message)
    this.finish(GrpcCode.Ok, "")
    this.connection.sender.offer(this)
    this.connection.wrote()
  }

  private sendLater(first: Uint8Array, second?: Uint8Array): boolean {
    if (!this.headSent) this.putHead()
    this.enqueue(first)
    if (second !== undefined) this.enqueue(second)
    this.connection.sender.offer(this)
    this.connection.wrote()
    // Once promised, the drain is owed, however little is queued when the next message is sent.
    this.wantsDrain ||= this.queuedBytes > highWaterBytes
    return !this.wantsDrain
  }

  private putHead(): void {
    const { connection } = this
    this.headSent = true
    if (this.extraHeaders === undefined) {
      connection.out.room(frameHeaderBytes + connection.answerBound)
      connection.out.end = connection.putResponseHead(this.id, connection.out.end)
    } else {
      connection.putBlock(this.id, [...responseFields, ...this.extraHeaders], false)
    }
  }

  private finish(code: GrpcCode, message: string): void {
    if (this.answered) return
    this.settle(code)
    if (this.queuedBytes > 0) this.trailersWait = { code, message }
    else this.putTrailers(code, message)
  }

  private putTrailers(code: GrpcCode, message: string): void {
    const { connection } = this
    const fields: Array<readonly [string, string]> = [["grpc-status", String(code)]]
    if (message !== "") fields.push(["grpc-message", encodeGrpcMessage(message)])
    if (this.extraTrailers !== undefined) fields.push(...this.extraTrailers)
    // An answer of a status alone is one header block ("Trailers-Only").
    if (!this.headSent) fields.unshift(...responseFields, ...(this.extraHeaders ?? []))
    this.headSent = true
    connection.putBlock(this.id, fields, true)
    this.leave()
  }

  /** The call has its answer: nothing may change it any more. */
  private settle(code: GrpcCode): void {
    this.answered = true
    this.tally(code)
    this.clearDeadline()
    this.reader?.stop()
    this.connection.answered()
  }

  private tally(code: GrpcCode): void {
    const { handled } = this.method
    if (handled !== undefined) handled[code]++
  }

  /** Our END_STREAM is written. A client that still streams is told to stop; a unary one is about to end anyway. */
  private leave(): void {
    this.connection.endLocal(this)
    if (!this.closed && this.listener !== undefined) this.connection.reset(this, H2Error.NoError)
  }

  private clearDeadline(): void {
    if (this.deadline === undefined) return
    clearDeadline(this.deadline)
    this.deadline = undefined
  }

  private expired(): void {
    this.deadline = undefined
    this.cancelWith(GrpcCode.DeadlineExceeded, "context deadline exceeded")
  }

  /** The method threw: the client learns no more than that, the defect goes to whoever runs the server. */
  private died(defect: unknown): void {
    // Inside a reserved space the answer's headers are half written: only the connection's end is a clean end.
    if (this.reserved >= 0) this.connection.abort(H2Error.Internal, "internal error")
    else this.cancelWith(GrpcCode.Internal, "internal error")
    this.connection.service.onDefect(defect)
  }

  /** Ends the call from our side, with or without the method's consent; what waits to be sent is dropped. */
  private cancelWith(code: GrpcCode, reason: string): void {
    if (this.answered) return
    this.clearQueue()
    this.cancel()
    this.finish(code, reason)
  }

  private cancel(): void {
    this.cancelled = true
    const notify = this.onCancel
    this.onCancel = undefined
    notify?.()
  }
}

const emptyBuffer = Buffer.alloc(0)

/** The response header fields of every gRPC answer. */
export const responseFields: ReadonlyArray<readonly [string, string]> = [
  [":status", "200"],
  ["content-type", "application/grpc"]
]

const putPrefix = (bytes: Uint8Array, at: number, size: number): void => {
  bytes[at] = 0
  putUint32(bytes, at + 1, size)
}
