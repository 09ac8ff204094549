// One plain HTTP request over HTTP/2 on the client. Owns how an answer (head, body, trailers) reaches its listener and what a
// reset means to it; refuses to own the connection's life.
import type { ClientConnection } from "./ClientConnection.ts"
import { Flag, H2Error } from "./Frame.ts"
import type { HeaderList } from "./HeaderList.ts"
import type { HttpAnswerListener, HttpClientRequest, HttpFields, HttpRequestHead } from "./HttpExchange.ts"
import { HttpStream } from "./HttpStream.ts"
import { RequestFailed } from "./NetError.ts"

const empty = Buffer.alloc(0)
const noFields: HttpFields = []

export class HttpClientCall extends HttpStream implements HttpClientRequest {
  declare readonly connection: ClientConnection
  private readonly listener: HttpAnswerListener
  private readonly isHead: boolean
  private headSeen = false
  private done = false
  private trailers: HttpFields = noFields
  /** Where the request's HEADERS frame stands, as long as it is the last thing that was written. */
  private readonly headAt: number
  private readonly headTotal: number
  private readonly headEnd: number

  constructor(connection: ClientConnection, id: number, head: HttpRequestHead, listener: HttpAnswerListener) {
    super(connection, id, connection.peerSettings.initialWindow, connection.limits.streamWindowBytes)
    this.listener = listener
    this.isHead = head.method === "HEAD"
    const { out } = connection
    this.headAt = connection.putRequest(id, head)
    this.headEnd = out.end
    this.headTotal = out.total
  }

  // --- what goes out ---

  write(bytes: Uint8Array): boolean {
    return this.send(bytes)
  }

  relay(view: Uint8Array): boolean {
    return this.send(view, true)
  }

  end(bytes?: Uint8Array): void {
    if (this.finished || this.closed) return
    if (bytes !== undefined && bytes.length > 0) return this.sendLast(bytes)
    const { connection } = this
    const { out } = connection
    const untouched = this.headAt >= 0 && out.end === this.headEnd && out.total === this.headTotal
    if (!untouched || this.queuedBytes > 0) return this.finish(undefined)
    // Nothing was written since the head, which has not left yet: it says itself that no body follows.
    this.finished = true
    out.bytes[this.headAt + 4] |= Flag.EndStream
    connection.endLocal(this)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (this.paused) this.resumeReading()
  }

  cancel(): void {
    if (this.done) return
    this.done = true
    this.stopReading()
    this.connection.reset(this, H2Error.Cancel)
  }

  protected putTrailers(fields: HttpFields): void {
    this.connection.writer.put(this.id, noFields, fields, -1, true)
  }

  protected left(): void {}

  protected drained(): void {
    this.guard(() => this.listener.drain?.())
  }

  // --- what comes in ---

  onHeaders(headers: HeaderList, endStream: boolean): void {
    if (this.done) return
    if (headers.problem !== undefined) return this.malformed(headers.problem)
    if (this.headSeen) {
      if (!endStream || headers.pseudoCount > 0) return this.malformed("a second header block is no trailer block")
      this.trailers = headers.pairs
    } else {
      const status = Number(headers.status)
      if (!(status >= 100 && status <= 999)) return this.malformed("the answer has no status")
      // What is only informational says nothing that a listener could use.
      if (status < 200) return endStream ? this.malformed("an informational answer is not the last") : undefined
      this.headSeen = true
      const bodiless = this.isHead || status === 204 || status === 304
      this.expectedBytes = bodiless ? -1 : headers.contentLength
      this.guard(() => this.listener.head(status, headers.pairs))
    }
    if (endStream) this.onData(empty, 0, 0, true)
  }

  override onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (!this.headSeen && !this.done) return this.malformed("the answer's body comes before its head")
    super.onData(bytes, start, end, endStream)
  }

  protected chunk(bytes: Uint8Array): boolean {
    this.guard(() => this.listener.body(bytes))
    return !this.paused
  }

  protected complete(): void {
    if (this.done) return
    this.done = true
    // The server may answer before we sent everything; what is left nobody reads.
    if (!this.closed && !this.localEnded) this.connection.reset(this, H2Error.NoError)
    this.guard(() => this.listener.end(this.trailers))
  }

  onReset(code: number, reason: string): void {
    // The answer is whole, though not all of it was taken yet: only our body is not wanted any more.
    if (this.done || this.incomingEnded) return
    this.failed(code, reason)
  }

  private malformed(reason: string): void {
    this.connection.reset(this, H2Error.Protocol)
    this.failed(H2Error.Protocol, `the answer is malformed: ${reason}`)
  }

  private failed(code: number, reason: string): void {
    this.done = true
    this.stopReading()
    const error = RequestFailed.of(this.connection.ended ? reason : `${reason} (HTTP/2 error ${code})`)
    this.guard(() => this.listener.failed(error, code !== H2Error.RefusedStream))
  }

  /** What a listener throws ends its own request only. */
  private guard(run: () => void): void {
    try {
      run()
    } catch (defect) {
      this.cancel()
      this.connection.defect(defect)
    }
  }
}

/** A request that could not start. */
export const refusedRequest = (listener: HttpAnswerListener, reason: string): HttpClientRequest => {
  let cancelled = false
  process.nextTick(() => {
    if (!cancelled) listener.failed(RequestFailed.of(reason), false)
  })
  return {
    write: () => false,
    relay: () => false,
    end: () => {},
    bufferedBytes: 0,
    pause: () => {},
    resume: () => {},
    cancel: () => {
      cancelled = true
    }
  }
}
