// One plain HTTP request that came over HTTP/2. Owns collecting its body up to a bound, writing the answer, and telling a client
// that goes on sending that nobody reads it; refuses to own the handler, which serves HTTP/1.1 as well.
import { H2Error, ProtocolViolation } from "./Frame.ts"
import type { HeaderList } from "./HeaderList.ts"
import { type HttpRequest, type HttpResponse, httpBodyBytesMax, runHandler, textResponse } from "./Http.ts"
import type { ServerConnection } from "./ServerConnection.ts"
import { Stream } from "./Stream.ts"

export class HttpCall extends Stream implements HttpRequest {
  declare readonly connection: ServerConnection
  body: Uint8Array = new Uint8Array(0)
  private readonly headers: HeaderList
  private chunks: Array<Buffer> = []
  private receivedBytes = 0
  private answered = false

  constructor(connection: ServerConnection, id: number, headers: HeaderList) {
    super(connection, id, connection.peerSettings.initialWindow, connection.limits.streamWindowBytes)
    this.headers = headers
  }

  get method(): string {
    return this.headers.method
  }

  get path(): string {
    return this.headers.path
  }

  get peer(): string {
    return this.connection.peer
  }

  header(name: string): string | undefined {
    return this.headers.get(name)
  }

  onHeaders(): void {
    this.onData(Buffer.alloc(0), 0, 0, true)
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    const size = end - start
    this.receivedBytes += size
    const expected = this.headers.contentLength
    if (expected >= 0 && (this.receivedBytes > expected || (endStream && this.receivedBytes !== expected))) {
      throw new ProtocolViolation(H2Error.Protocol, "content-length and data disagree", this.id)
    }
    this.connection.consumed(this, size)
    if (this.answered) return
    if (this.receivedBytes > httpBodyBytesMax) return this.answer(textResponse(413, "request body too large\n"))
    if (size > 0) this.chunks.push(Buffer.from(bytes.subarray(start, end)))
    if (!endStream) return
    this.body = Buffer.concat(this.chunks)
    this.chunks = []
    const { service } = this.connection
    runHandler(service.http, this, (response) => this.answer(response), service.onDefect)
  }

  onReset(): void {
    this.answered = true
    this.chunks = []
  }

  onSent(): void {
    this.leave()
  }

  private answer(response: HttpResponse): void {
    if (this.answered) return
    this.answered = true
    const { connection } = this
    const body = typeof response.body === "string" ? Buffer.from(response.body, "utf8") : response.body
    const fields: Array<readonly [string, string]> = [[":status", String(response.status)]]
    for (const [name, value] of Object.entries(response.headers)) fields.push([name.toLowerCase(), value])
    fields.push(["content-length", String(body.length)])
    const headersOnly = body.length === 0 || this.method === "HEAD"
    connection.answered()
    connection.putBlock(this.id, fields, headersOnly)
    if (headersOnly) {
      connection.endLocal(this)
      return this.leave()
    }
    this.endWithData = true
    this.enqueue(body)
    connection.sender.offer(this)
    connection.wrote()
  }

  /** Tells a client that still sends its body that nobody reads it. */
  private leave(): void {
    if (this.localEnded && !this.closed) this.connection.reset(this, H2Error.NoError)
  }
}
