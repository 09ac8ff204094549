// The server's side of an HTTP/2 connection: opens streams for requests, decides whether they are gRPC or plain HTTP, and says
// goodbye in two steps. Owns the choice and the answers that need no method; refuses to own the calls themselves.
import type { Duplex } from "node:stream"
import { Connection, type ConnectionLimits } from "./Connection.ts"
import type { GrpcMethod } from "./Contract.ts"
import { putGoAway } from "./ControlFrames.ts"
import { setDeadline } from "./Deadlines.ts"
import { Flag, FrameType, frameHeaderBytes, H2Error, maxWindow } from "./Frame.ts"
import { ProtocolViolation, putFrameHeader } from "./Frame.ts"
import { GrpcCode } from "./GrpcCode.ts"
import type { HeaderList } from "./HeaderList.ts"
import { HeaderTemplate } from "./HeaderTemplate.ts"
import { HeaderWriter, httpFieldMode } from "./HeaderWriter.ts"
import { HttpCall } from "./HttpCall.ts"
import type { HttpExchangeHandler, HttpFields } from "./HttpExchange.ts"
import type { Peer } from "./Peer.ts"
import { responseFields, ServerCall } from "./ServerCall.ts"
import { statusFields } from "./StatusFields.ts"
import type { Stream } from "./Stream.ts"

/** How long a client may take to answer the first GOAWAY before the second follows. */
const goAwayAnswerMs = 1000

/** How long a client may go on sending a body that nobody reads: some lose the answer when they are reset at once. */
const unreadMs = 100

/** What all connections of a listener share. */
export interface Service {
  readonly methods: ReadonlyMap<string, GrpcMethod>
  readonly http: HttpExchangeHandler
  readonly limits: ConnectionLimits
  readonly maxReceiveMessageBytes: number
  /** Bytes waiting in all streams of a connection above which it takes no new stream. */
  readonly maxBufferedBytes: number
  readonly onDefect: (defect: unknown) => void
  readonly onClosed: (connection: ServerConnection) => void
  readonly stats: { streamsOpened: number; bytesReceived: number; bytesSent: number }
}

export class ServerConnection extends Connection {
  readonly service: Service
  readonly peer: Peer
  /** The most bytes of the header blocks of one answer. */
  readonly answerBound: number
  readonly writer = new HeaderWriter(this.out, this.encoder, httpFieldMode)
  private readonly head = new HeaderTemplate(responseFields)
  private readonly okTrailers = new HeaderTemplate([["grpc-status", "0"]])
  /** Streams above this are ignored: the client was told. */
  private lastServedId = maxWindow
  /** Streams whose answer ended before their request. */
  private leaving: Array<Stream> = []

  constructor(socket: Duplex, slow: boolean, service: Service, peer: Peer) {
    super(socket, slow, service.limits, true)
    this.service = service
    this.peer = peer
    this.answerBound = this.head.bound + this.okTrailers.bound
    this.greet(true)
  }

  protected headers(id: number, headers: HeaderList, endStream: boolean): void {
    const stream = this.find(id)
    if (stream !== undefined) return this.trailers(stream, headers, endStream)
    if ((id & 1) === 0) throw new ProtocolViolation(H2Error.Protocol, "a client's streams have odd numbers")
    if (id <= this.lastPeerId) {
      if (this.wasReset(id)) return
      throw new ProtocolViolation(H2Error.StreamClosed, "HEADERS on a closed stream")
    }
    if (id > this.lastServedId) return this.spend("idle")
    this.lastPeerId = id
    if (headers.oversized) return this.refuseOversized(id, endStream)
    const problem = headers.requestProblem()
    if (problem !== undefined) throw new ProtocolViolation(H2Error.Protocol, problem, id)
    if (this.streams.size >= this.limits.maxConcurrentStreams || this.queuedBytes > this.service.maxBufferedBytes) {
      this.spend("reset")
      return this.refuse(id, H2Error.RefusedStream)
    }
    this.service.stats.streamsOpened++
    if (isGrpc(headers)) this.openCall(id, headers, endStream)
    else this.openHttp(id, headers, endStream)
  }

  private trailers(stream: Stream, headers: HeaderList, endStream: boolean): void {
    const { id } = stream
    if (stream.remoteEnded) throw new ProtocolViolation(H2Error.StreamClosed, "HEADERS after END_STREAM", id)
    if (!endStream) throw new ProtocolViolation(H2Error.Protocol, "a second header block without END_STREAM", id)
    const problem = headers.trailerProblem()
    if (problem !== undefined) throw new ProtocolViolation(H2Error.Protocol, problem, id)
    stream.remoteEnded = true
    stream.onHeaders(headers, true)
    if (stream.localEnded) this.closeStream(stream)
  }

  private openCall(id: number, headers: HeaderList, endStream: boolean): void {
    const method = (headers.target ??= this.service.methods.get(headers.path)) as GrpcMethod | undefined
    if (method === undefined) return this.refuseCall(id, GrpcCode.Unimplemented, unknownMethod(headers.path), endStream)
    const encoding = headers.get("grpc-encoding")
    if (encoding !== undefined && encoding !== "identity" && encoding !== "gzip") {
      const reason = `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`
      return this.refuseCall(id, GrpcCode.Unimplemented, reason, endStream, [["grpc-accept-encoding", "identity,gzip"]])
    }
    const call = new ServerCall(this, id, headers, method)
    call.remoteEnded = endStream
    this.add(call)
    call.begin(endStream)
  }

  private refuseCall(
    id: number,
    code: GrpcCode,
    reason: string,
    endStream: boolean,
    extra: ReadonlyArray<readonly [string, string]> = []
  ): void {
    const status: ReadonlyArray<readonly [string, string]> = [
      ["grpc-status", String(code)],
      ["grpc-message", reason]
    ]
    this.putBlock(id, [...responseFields, ...status, ...extra], true)
    if (!endStream) this.refuse(id, H2Error.NoError)
  }

  private openHttp(id: number, headers: HeaderList, endStream: boolean): void {
    const call = new HttpCall(this, id, headers)
    call.remoteEnded = endStream
    this.add(call)
    call.begin(endStream)
  }

  private refuseOversized(id: number, endStream: boolean): void {
    this.spend("mistake")
    this.putBlock(id, [[":status", "431"]], true)
    if (!endStream) this.refuse(id, H2Error.NoError)
  }

  /** Writes the response headers of a gRPC answer at `at`, where `answerBound` and a frame header fit. */
  putResponseHead(id: number, at: number): number {
    return this.putTemplate(this.head, id, at, Flag.EndHeaders)
  }

  /** Writes the trailers of status OK at `at`. */
  putOkTrailers(id: number, at: number): number {
    return this.putTemplate(this.okTrailers, id, at, Flag.EndHeaders | Flag.EndStream)
  }

  private putTemplate(template: HeaderTemplate, id: number, at: number, flags: number): number {
    const { bytes } = this.out
    const start = at + frameHeaderBytes
    const end = template.put(this.encoder, bytes, start)
    putFrameHeader(bytes, at, end - start, FrameType.Headers, flags, id)
    return end
  }

  /** Writes a header block of any fields. */
  putBlock(id: number, fields: HttpFields, endStream: boolean): void {
    this.writer.put(id, noFields, fields, -1, endStream)
    this.pings.forgiven = true
    this.wrote()
  }

  /** Writes the head of an HTTP answer; a negative length is left out. */
  putAnswer(id: number, status: number, fields: HttpFields, length: number, endStream: boolean): void {
    this.writer.put(id, statusFields(status, fields), fields, length, endStream)
    this.pings.forgiven = true
    this.wrote()
  }

  /** The most bytes of the head of an HTTP answer. */
  answerBoundOf(status: number, fields: HttpFields): number {
    return this.writer.boundOf(statusFields(status, fields), fields)
  }

  /** Resets a stream whose answer ended before its request, unless the request's end comes soon. */
  leaveLater(stream: Stream): void {
    this.leaving.push(stream)
    if (!this.reading) this.onReadEnd()
  }

  protected override onReadEnd(): void {
    if (this.leaving.length === 0) return
    const { leaving } = this
    this.leaving = []
    for (const stream of leaving) {
      if (!stream.closed) setDeadline(unreadMs, () => this.reset(stream, H2Error.NoError))
    }
  }

  /** A call got its answer: the client earns back what its streams cost. */
  answered(): void {
    this.guard.earn("reset", 1)
  }

  /** Says goodbye: no new streams once the client has seen it, the open ones may end, then the socket closes. */
  drain(hurry = true): void {
    this.sayGoodbye()
    if (!hurry || this.hurried) return
    this.hurried = true
    for (const stream of this.streams.values()) stream.goAway()
  }

  private sayGoodbye(): void {
    if (this.draining || this.ended) return
    this.draining = true
    // The first GOAWAY names no last stream, for streams may be on their way; our ping's answer tells when none can be.
    putGoAway(this.out, maxWindow, H2Error.NoError, "graceful_stop")
    this.ping()
    this.flush()
    setTimeout(() => this.lastGoAway(), goAwayAnswerMs).unref()
  }

  /** Closes the socket now. */
  destroy(): void {
    this.socket.destroy()
  }

  private lastGoAway(): void {
    if (this.ended || this.lastServedId !== maxWindow) return
    this.lastServedId = this.lastPeerId
    putGoAway(this.out, this.lastPeerId, H2Error.NoError, "")
    this.wrote()
    this.closeWhenIdle()
  }

  private closeWhenIdle(): void {
    if (this.lastServedId === maxWindow || this.streams.size > 0) return
    this.flush()
    this.socket.end()
  }

  protected isIdle(id: number): boolean {
    return (id & 1) === 0 || id > this.lastPeerId
  }

  protected onGoAway(): void {
    // The client will open no more streams; those that are open go on.
  }

  protected onPingAck(): void {
    if (this.draining) this.lastGoAway()
  }

  protected onSettings(): void {}

  protected onClosed(): void {
    if (this.draining) this.closeWhenIdle()
  }

  protected onLost(): void {
    this.service.stats.bytesReceived += this.receivedBytes
    this.service.stats.bytesSent += this.out.total
    this.service.onClosed(this)
  }

  protected onDefect(defect: unknown): void {
    this.service.onDefect(defect)
  }
}

const isGrpc = (headers: HeaderList): boolean => {
  const { contentType } = headers
  if (headers.method !== "POST" || !contentType.startsWith("application/grpc")) return false
  return contentType.length === 16 || contentType[16] === "+" || contentType[16] === ";"
}

const unknownMethod = (path: string): string => {
  const slash = path.lastIndexOf("/")
  return `unknown method ${path.slice(slash + 1)} for service ${path.slice(1, Math.max(slash, 1))}`
}

const noFields: HttpFields = []
