// The client's side of an HTTP/2 connection, for gRPC calls and for plain HTTP requests: opens streams, writes request header
// blocks that cost a few bytes after the first, and queues gRPC calls above the server's stream limit. Owns all this; refuses
// to own connecting.
import type { Duplex } from "node:stream"
import { ClientStreamCall, ClientUnaryCall } from "./ClientCall.ts"
import { Connection, type ConnectionLimits } from "./Connection.ts"
import type { CallOptions, ClientCall, ClientListener, ClientStream, GrpcClient } from "./Contract.ts"
import { putHeaderBlock } from "./ControlFrames.ts"
import type { FloodKind } from "./FloodGuard.ts"
import { Flag, FrameType, frameHeaderBytes, H2Error, maxWindow } from "./Frame.ts"
import { preface, putFrameHeader } from "./Frame.ts"
import { encodeGrpcTimeout, GrpcCode } from "./GrpcCode.ts"
import type { HeaderList } from "./HeaderList.ts"
import { HeaderWriter, httpFieldMode } from "./HeaderWriter.ts"
import { HpackEncoder } from "./HpackEncoder.ts"
import { HttpClientCall } from "./HttpClientCall.ts"
import type { HttpAnswerListener, HttpFields, HttpRequestHead } from "./HttpExchange.ts"
import { GrpcStatus } from "./NetError.ts"
import { type WaitingCall, WaitingStream, WaitingUnary } from "./WaitingCall.ts"

/** Calls that may wait for the server's stream limit; a further one fails with ResourceExhausted. */
const waitingMax = 100_000
/** Different request header blocks that are remembered per connection. */
const rememberedBlocks = 256

type Metadata = ReadonlyArray<readonly [string, string]>

interface Block {
  readonly bytes: Uint8Array
  readonly generation: number
  readonly metadata: Metadata
  readonly deadlineMs: number | undefined
}

const noMetadata: Metadata = []

/** What a client connection is told beside the common limits. */
export interface ClientSettings {
  readonly limits: ConnectionLimits
  readonly maxReceiveMessageBytes: number
  /** Whether requests that many callers make in one turn of the event loop go out in one write. */
  readonly gathers?: boolean
  readonly authority: string
  readonly scheme: "http" | "https"
  /** Fields that every request carries. */
  readonly metadata: Metadata
  /** Called once, when the server's SETTINGS are here: from then on its stream limit is known. */
  readonly onReady: (client: ClientConnection) => void
  readonly onClose: ((reason: string) => void) | undefined
  /** Called when a stream has ended and its place is free. */
  readonly onRoom?: () => void
}

export class ClientConnection extends Connection implements GrpcClient {
  readonly maxReceiveMessageBytes: number
  readonly writer = new HeaderWriter(this.out, this.encoder, httpFieldMode)
  private readonly settings: ClientSettings
  private nextId = 1
  private away = false
  private greeted = false
  private lostReason = ""
  private readonly blockOf = new Map<string, Block>()
  private held: Array<ClientUnaryCall> = []
  private waiting: Array<WaitingCall> = []

  constructor(socket: Duplex, slow: boolean, settings: ClientSettings) {
    super(socket, slow, settings.limits, false)
    this.settings = settings
    this.gathers = settings.gathers ?? false
    this.maxReceiveMessageBytes = settings.maxReceiveMessageBytes
    this.out.room(preface.length)
    this.out.bytes.set(preface, this.out.end)
    this.out.end += preface.length
    this.greet(false)
  }

  get ready(): boolean {
    return !this.ended && !this.away
  }

  unary(
    path: string,
    message: Uint8Array,
    callback: (error: GrpcStatus | undefined, message: Uint8Array) => void,
    options?: CallOptions
  ): ClientCall {
    if (this.mustWait()) {
      return this.wait(new WaitingUnary(this, path, Buffer.from(message), callback, options), options)
    }
    const call = new ClientUnaryCall(this, this.open(path, options), callback)
    this.begin(call, options)
    call.start(message)
    return call
  }

  stream(path: string, listener: ClientListener, options?: CallOptions): ClientStream {
    if (this.mustWait()) return this.wait(new WaitingStream(this, path, listener, options), options)
    const call = new ClientStreamCall(this, this.open(path, options), listener)
    this.begin(call, options)
    return call
  }

  /** Sends the head of a plain HTTP request; `hasRoom` must say so. */
  request(head: HttpRequestHead, listener: HttpAnswerListener): HttpClientCall {
    const call = new HttpClientCall(this, this.takeId(), head, listener)
    this.add(call)
    this.wrote()
    return call
  }

  /** Whether a request can start now. */
  get hasRoom(): boolean {
    return this.ready && this.waiting.length === 0 && this.streams.size < this.peerSettings.maxConcurrentStreams
  }

  /** Writes a request's head; answers where it stands in the outgoing memory, -1 when it took several frames. */
  putRequest(id: number, head: HttpRequestHead): number {
    const { settings } = this
    const authority = head.authority ?? settings.authority
    const pseudo: HttpFields = [
      [":method", head.method],
      [":scheme", settings.scheme],
      [":path", head.path],
      [":authority", authority]
    ]
    return head.repeats === true
      ? this.writer.putRepeated(id, pseudo, head.fields)
      : this.writer.put(id, pseudo, head.fields, -1, false)
  }

  /** Takes no more requests and ends with the last open one. */
  closeWhenIdle(): void {
    this.away = true
    this.lostReason ||= "the client was closed"
    if (this.streams.size === 0) this.close()
  }

  /** A listener threw. */
  defect(defect: unknown): void {
    this.onDefect(defect)
  }

  close(): void {
    if (this.ended) return
    this.abort(H2Error.NoError, "the client was closed")
  }

  /** Remembers a call that holds a view of the bytes being read. */
  holding(call: ClientUnaryCall): void {
    this.held.push(call)
  }

  private mustWait(): boolean {
    return !this.hasRoom
  }

  private wait<W extends WaitingCall>(call: W, options: CallOptions | undefined): W {
    if (!this.ready) {
      call.failLater(GrpcStatus.of(GrpcCode.Unavailable, this.lostReason || "the server is going away"))
    } else if (this.waiting.length >= waitingMax) {
      call.failLater(GrpcStatus.of(GrpcCode.ResourceExhausted, `more than ${waitingMax} calls wait for a free stream`))
    } else {
      if (options?.deadlineMs !== undefined) call.startDeadline(options.deadlineMs)
      this.waiting.push(call)
    }
    return call
  }

  private begin(call: ClientUnaryCall | ClientStreamCall, options: CallOptions | undefined): void {
    this.add(call)
    if (options?.deadlineMs !== undefined) call.startDeadline(options.deadlineMs)
  }

  /** Starts waiting calls as far as the server's limit allows. */
  private startWaiting(): void {
    while (this.waiting.length > 0 && this.ready && this.streams.size < this.peerSettings.maxConcurrentStreams) {
      const batch = this.waiting
      const count = Math.min(batch.length, this.peerSettings.maxConcurrentStreams - this.streams.size)
      this.waiting = []
      for (const call of batch.slice(0, count)) call.start()
      this.waiting = [...batch.slice(count), ...this.waiting]
    }
  }

  /** Writes the HEADERS frame of a new stream; answers its id. */
  private open(path: string, options: CallOptions | undefined): number {
    const id = this.takeId()
    const metadata = options?.metadata ?? noMetadata
    const deadlineMs = options?.deadlineMs
    const block = this.blockOf.get(path)
    const isSame = block?.metadata === metadata && block.deadlineMs === deadlineMs
    if (isSame && block.generation === this.encoder.generation) {
      this.putBlock(id, block.bytes)
    } else {
      this.putFresh(id, path, metadata, deadlineMs)
    }
    this.wrote()
    return id
  }

  private takeId(): number {
    const id = this.nextId
    this.nextId += 2
    // Ids run out after 2^30 calls: the owner connects anew.
    if (this.nextId > maxWindow - 2) this.away = true
    return id
  }

  private putBlock(id: number, block: Uint8Array): void {
    const { out } = this
    const { length } = block
    if (length > 64) return putHeaderBlock(out, id, block, false)
    out.room(frameHeaderBytes + length)
    const at = out.end
    putFrameHeader(out.bytes, at, length, FrameType.Headers, Flag.EndHeaders, id)
    for (let index = 0; index < length; index++) out.bytes[at + frameHeaderBytes + index] = block[index]
    out.end = at + frameHeaderBytes + length
  }

  private putFresh(id: number, path: string, metadata: Metadata, deadlineMs: number | undefined): void {
    const { encoder, settings } = this
    const fields: Array<readonly [string, string]> = [
      [":method", "POST"],
      [":scheme", settings.scheme],
      [":path", path],
      [":authority", settings.authority],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
      ["user-agent", "wharf-net"],
      ...settings.metadata,
      ...metadata
    ]
    let bound = 32
    for (const [name, value] of fields) bound += HpackEncoder.boundOf(name, value)
    const block = Buffer.allocUnsafe(bound)
    const generation = encoder.generation
    const start = encoder.begin(block, 0)
    let end = start
    for (const [name, value] of fields) end = encoder.field(block, end, name, value, modeOf(name))
    if (deadlineMs !== undefined)
      end = encoder.field(block, end, "grpc-timeout", encodeGrpcTimeout(deadlineMs), "plain")
    if (start === 0 && generation === encoder.generation) {
      if (this.blockOf.size >= rememberedBlocks) this.blockOf.clear()
      this.blockOf.set(path, { bytes: block.subarray(0, end), generation, metadata, deadlineMs })
    }
    putHeaderBlock(this.out, id, block.subarray(0, end), false)
  }

  protected headers(id: number, headers: HeaderList, endStream: boolean): void {
    const stream = this.find(id)
    if (stream === undefined) return this.onStrayFrame(id, "HEADERS")
    if (endStream) stream.remoteEnded = true
    stream.onHeaders(headers, endStream)
    if (endStream && stream.localEnded) this.closeStream(stream)
  }

  protected override onReadEnd(): void {
    if (this.held.length === 0) return
    const calls = this.held
    this.held = []
    for (const call of calls) call.keep()
  }

  protected isIdle(id: number): boolean {
    return (id & 1) === 0 || id >= this.nextId
  }

  protected onGoAway(lastId: number, code: number, reason: string): void {
    this.away = true
    this.lostReason = `the server is going away (HTTP/2 error ${code}${reason === "" ? "" : `: ${reason}`})`
    const unserved = [...this.streams.values()].filter((stream) => stream.id > lastId)
    for (const stream of unserved) {
      this.closeStream(stream)
      stream.onReset(H2Error.RefusedStream, this.lostReason)
    }
    this.failWaiting()
    if (this.streams.size === 0) this.abort(H2Error.NoError, this.lostReason)
  }

  protected onPingAck(): void {}

  /**
   * Budgets guard a server; what a client's own cancellations cross with must not end its connection, and neither must
   * the pings with which grpc-go's server measures the bandwidth, up to one for each round trip that carries data.
   */
  protected override spend(kind: FloodKind): void {
    if (kind !== "idle" && kind !== "reset" && kind !== "ping") super.spend(kind)
  }

  protected onSettings(): void {
    if (!this.greeted) {
      this.greeted = true
      this.settings.onReady(this)
    }
    this.startWaiting()
  }

  protected onClosed(): void {
    if (this.waiting.length > 0) this.startWaiting()
    if (this.hasRoom) this.settings.onRoom?.()
    if (this.away && this.streams.size === 0) this.abort(H2Error.NoError, this.lostReason)
  }

  protected onLost(reason: string): void {
    this.lostReason ||= reason
    this.failWaiting()
    this.settings.onClose?.(reason)
  }

  private failWaiting(): void {
    const waiting = this.waiting
    this.waiting = []
    for (const call of waiting) call.failLater(GrpcStatus.of(GrpcCode.Unavailable, this.lostReason))
  }

  protected onDefect(defect: unknown): void {
    process.emitWarning(defect instanceof Error ? defect : new Error(String(defect)))
  }
}

/** Secrets and what differs from call to call have no place in the table. */
const modeOf = (name: string): "index" | "plain" | "never" => {
  if (name === "authorization" || name === "token") return "never"
  return "index"
}
