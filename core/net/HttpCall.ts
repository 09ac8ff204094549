// One plain HTTP request that came over HTTP/2. Owns the order of an answer (head, body, trailers), who takes the request's body,
// and telling a client that goes on sending that nobody reads it; refuses to own the handler and how frames reach the socket.
import { BodyCollector, type BodyTaker } from "./BodyCollector.ts"
import { Flag, frameHeaderBytes, H2Error, maxFrameBytes } from "./Frame.ts"
import type { HeaderList } from "./HeaderList.ts"
import { failedText } from "./Http.ts"
import type { HttpBody, HttpExchange, HttpFields, PeerCertificate } from "./HttpExchange.ts"
import { HttpStream, inPlaceBytes } from "./HttpStream.ts"
import type { ServerConnection } from "./ServerConnection.ts"
import type { TlsIdentity } from "./Tls.ts"

/** The body of an answer that can no longer be given. */
export const deadBody: HttpBody = {
  write: () => false,
  relay: () => false,
  bufferedBytes: 0,
  onDrain: undefined,
  end: () => {},
  abort: () => {}
}
const empty = Buffer.alloc(0)

export class HttpCall extends HttpStream implements HttpExchange, HttpBody {
  declare readonly connection: ServerConnection
  readonly protocol = "HTTP/2.0"
  onDrain: (() => void) | undefined
  private readonly headers: HeaderList
  private taker: BodyTaker | undefined
  private answered = false
  bodyless = false
  /** Whether the answer has no body: what is written is swallowed. */
  private bodiless = false
  private closeHook: (() => void) | undefined
  /** Whether the client went away before the answer's end. */
  private gone = false

  constructor(connection: ServerConnection, id: number, headers: HeaderList) {
    super(connection, id, connection.peerSettings.initialWindow, connection.limits.streamWindowBytes)
    this.headers = headers
    this.expectedBytes = headers.contentLength
    this.paused = true
  }

  /** Hands the request to the handler. */
  begin(endStream: boolean): void {
    this.bodyless = endStream
    if (endStream) this.onData(empty, 0, 0, true)
    this.guard(() => this.connection.service.http(this))
  }

  get method(): string {
    return this.headers.method
  }

  get path(): string {
    return this.headers.path
  }

  get peer(): string {
    return this.connection.peer.peer
  }

  get secure(): boolean {
    return this.connection.peer.secure
  }

  get peerCertificate(): PeerCertificate | undefined {
    return this.connection.peer.certificate
  }

  get peerCertificateProblem(): string | undefined {
    return this.connection.peer.certificateProblem
  }

  get serverName(): string | undefined {
    return this.connection.peer.serverName
  }

  get tlsIdentity(): TlsIdentity | undefined {
    return this.connection.peer.identity
  }

  get memo(): unknown {
    return this.headers.target
  }

  set memo(value: unknown) {
    this.headers.target = value
  }

  get connectionMemo(): unknown {
    return this.connection.peer.memo
  }

  set connectionMemo(value: unknown) {
    this.connection.peer.memo = value
  }

  hangUp(): void {
    this.connection.drain(false)
  }

  header(name: string): string | undefined {
    const { headers } = this
    return name === "host" && headers.authority !== "" ? headers.authority : headers.get(name)
  }

  fields(): HttpFields {
    return this.headers.pairs
  }

  // --- what comes in ---

  readBody(maxBytes: number, done: (body: Uint8Array | undefined) => void): void {
    if (this.closed) return done(undefined)
    this.take(new BodyCollector(maxBytes, this.expectedBytes, done))
  }

  onBody(chunk: (bytes: Uint8Array) => boolean, end: () => void): void {
    this.take({ chunk, end, lost: () => {} })
  }

  resumeBody(): void {
    if (this.taker !== undefined) this.resumeReading()
  }

  private take(taker: BodyTaker): void {
    if (this.taker !== undefined || this.closed) return
    this.taker = taker
    if (!this.remoteEnded && this.receivedBytes === 0 && this.headers.get("expect") === "100-continue") {
      if (!this.answered) this.connection.putBlock(this.id, [[":status", "100"]], false)
    }
    this.resumeReading()
  }

  protected chunk(bytes: Uint8Array): boolean {
    try {
      return this.taker?.chunk(bytes) ?? true
    } catch (defect) {
      this.died(defect)
      return true
    }
  }

  protected complete(): void {
    this.guard(() => this.taker?.end())
  }

  onHeaders(): void {
    // Request trailers only end the body.
    this.onData(empty, 0, 0, true)
  }

  onReset(): void {
    this.answered = true
    const unfinished = !this.dropping
    this.stopReading()
    this.gone = true
    if (unfinished) this.guard(() => this.taker?.lost())
    this.tellGone()
  }

  get onClose(): (() => void) | undefined {
    return this.closeHook
  }

  set onClose(hook: (() => void) | undefined) {
    this.closeHook = hook
    if (hook !== undefined && this.gone) process.nextTick(() => this.tellGone())
  }

  private tellGone(): void {
    const notify = this.closeHook
    this.closeHook = undefined
    if (notify !== undefined) this.guard(notify)
  }

  // --- what goes out ---

  respond(status: number, fields: HttpFields, body: string | Uint8Array): void {
    if (this.answered) return
    this.answered = true
    const { connection } = this
    const size = typeof body === "string" ? Buffer.byteLength(body) : body.length
    connection.answered()
    if (size === 0 || this.hasNoBody(status)) {
      connection.putAnswer(this.id, status, fields, status === 204 || status === 304 ? -1 : size, true)
      return this.ended()
    }
    const bound = connection.answerBoundOf(status, fields)
    if (size > inPlaceBytes || bound > maxFrameBytes || !connection.sender.free(this, size)) {
      connection.putAnswer(this.id, status, fields, size, false)
      this.send(typeof body === "string" ? Buffer.from(body, "utf8") : body)
      return this.finish(undefined)
    }
    const { out } = connection
    out.room(2 * frameHeaderBytes + size + bound)
    connection.putAnswer(this.id, status, fields, size, false)
    out.end = this.putData(out.end, size, Flag.EndStream)
    if (typeof body === "string") out.bytes.write(body, out.end - size, "utf8")
    else out.bytes.set(body, out.end - size)
    this.ended()
  }

  start(status: number, fields: HttpFields): HttpBody {
    if (this.answered) return deadBody
    this.answered = true
    const { connection } = this
    connection.answered()
    this.bodiless = this.hasNoBody(status)
    connection.putAnswer(this.id, status, fields, -1, this.bodiless)
    if (this.bodiless) this.ended()
    return this
  }

  write(bytes: Uint8Array): boolean {
    return this.bodiless || this.send(bytes)
  }

  relay(view: Uint8Array): boolean {
    return this.bodiless || this.send(view, true)
  }

  end(trailers?: HttpFields): void {
    this.finish(trailers)
  }

  abort(): void {
    if (this.closed || this.localEnded) return
    this.finished = true
    this.stopReading()
    this.connection.reset(this, H2Error.Internal)
  }

  upgrade(): undefined {
    return undefined
  }

  override goAway(): void {
    this.guard(() => super.goAway())
  }

  protected drained(): void {
    this.guard(() => this.onDrain?.())
  }

  protected putTrailers(fields: HttpFields): void {
    this.connection.putBlock(this.id, fields, true)
  }

  /** A header block ended the answer. */
  private ended(): void {
    this.finished = true
    this.connection.endLocal(this)
    this.left()
  }

  /** Tells a client that still sends its body that nobody reads it. */
  protected left(): void {
    if (this.closed) return
    this.stopReading()
    this.connection.leaveLater(this)
  }

  private hasNoBody(status: number): boolean {
    return this.headers.method === "HEAD" || status === 204 || status === 304
  }

  /** Runs what belongs to the handler. */
  private guard(run: () => void): void {
    try {
      run()
    } catch (defect) {
      this.died(defect)
    }
  }

  /** The handler threw: the client learns no more than that, the defect goes to whoever runs the server. */
  private died(defect: unknown): void {
    if (this.answered) this.abort()
    else this.respond(500, failedText.fields, failedText.body)
    this.connection.service.onDefect(defect)
  }
}
