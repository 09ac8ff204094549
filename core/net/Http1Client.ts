// An HTTP/1.1 connection as an HttpClient, on node:http: one request at a time. Owns the connection's reuse and what its end
// means to a request; refuses to own connecting and upgrades.
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http"
import type { Socket } from "node:net"
import type { HttpAnswerListener, HttpClient, HttpClientRequest, HttpFields, HttpRequestHead } from "./HttpExchange.ts"
import { refusedRequest } from "./HttpClientCall.ts"
import { highWaterBytes } from "./HttpStream.ts"
import { RequestFailed } from "./NetError.ts"

/** How long a connection may be silent before the system probes it. */
const probeMs = 30_000

/** Hands out one and the same socket, again and again, until that is gone. */
class OneSocket extends Agent {
  private readonly socket: Socket

  constructor(socket: Socket) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 })
    this.socket = socket
  }

  override createConnection(): Socket {
    return this.socket
  }
}

/** Field pairs of node's flat list, names in lower case. */
export const pairsOf = (raw: ReadonlyArray<string>): HttpFields => {
  const fields: Array<readonly [string, string]> = []
  for (let at = 0; at < raw.length; at += 2) fields.push([raw[at].toLowerCase(), raw[at + 1]])
  return fields
}

/** A request's fields as node takes them; the Host comes first. */
export const rawFields = (head: HttpRequestHead, authority: string): Array<string> => {
  const fields = head.fields.flatMap(([name, value]) => (name === "host" ? [] : [name, value]))
  return ["host", head.authority ?? authority, ...fields]
}

export class Http1Client implements HttpClient {
  readonly protocol = "http/1.1"
  onClose: (() => void) | undefined
  onRoom: (() => void) | undefined
  private readonly socket: Socket
  private readonly agent: OneSocket
  private readonly authority: string
  private current: Http1Request | undefined
  private closing = false

  constructor(socket: Socket, authority: string) {
    this.socket = socket
    this.authority = authority
    this.agent = new OneSocket(socket)
    socket.setKeepAlive(true, probeMs)
    socket.on("error", () => {})
    // The request that is lost with the socket hears of it first.
    socket.once("close", () => setImmediate(() => this.closed()))
  }

  get ready(): boolean {
    return this.current === undefined && !this.closing && !this.socket.destroyed && this.socket.writable
  }

  get leaving(): boolean {
    return this.closing || this.socket.destroyed || !this.socket.writable
  }

  get activeRequests(): number {
    return this.current === undefined ? 0 : 1
  }

  request(head: HttpRequestHead, listener: HttpAnswerListener): HttpClientRequest {
    if (!this.ready) return refusedRequest(listener, "the connection is busy or gone")
    const { method, path } = head
    const headers = rawFields(head, this.authority)
    const outgoing = httpRequest({ agent: this.agent, method, path, headers, setHost: false })
    this.current = new Http1Request(outgoing, listener, () => this.freed())
    return this.current
  }

  closeWhenIdle(): void {
    this.closing = true
    if (this.current === undefined) this.close()
  }

  close(): void {
    this.closing = true
    this.socket.destroy()
    this.agent.destroy()
  }

  private freed(): void {
    this.current = undefined
    if (this.closing) this.close()
    else if (this.ready) this.onRoom?.()
  }

  private closed(): void {
    const notify = this.onClose
    this.onClose = undefined
    notify?.()
  }
}

class Http1Request implements HttpClientRequest {
  private readonly outgoing: ClientRequest
  private readonly listener: HttpAnswerListener
  private incoming: IncomingMessage | undefined
  private paused = false
  private over = false
  private wantsDrain = false

  constructor(outgoing: ClientRequest, listener: HttpAnswerListener, freed: () => void) {
    this.outgoing = outgoing
    this.listener = listener
    outgoing.on("response", (incoming) => this.answered(incoming))
    outgoing.on("error", (error) => this.failed(error))
    outgoing.on("drain", () => {
      if (!this.wantsDrain) return
      this.wantsDrain = false
      if (!this.over) this.guard(() => listener.drain?.())
    })
    // Only now is the socket free for another request.
    outgoing.on("close", () => {
      this.failed(new Error("the connection was closed"))
      freed()
    })
    outgoing.on("upgrade", (_incoming, socket) => socket.destroy())
  }

  get bufferedBytes(): number {
    return this.outgoing.writableLength
  }

  write(bytes: Uint8Array): boolean {
    const { outgoing } = this
    if (this.over || outgoing.writableEnded || outgoing.destroyed) return false
    outgoing.write(bytes)
    this.wantsDrain ||= outgoing.writableNeedDrain && outgoing.writableLength > highWaterBytes
    return !this.wantsDrain
  }

  relay(view: Uint8Array): boolean {
    return this.write(Buffer.from(view))
  }

  end(bytes?: Uint8Array): void {
    if (!this.outgoing.writableEnded && !this.outgoing.destroyed) this.outgoing.end(bytes)
  }

  pause(): void {
    this.paused = true
    this.incoming?.pause()
  }

  resume(): void {
    this.paused = false
    this.incoming?.resume()
  }

  cancel(): void {
    this.over = true
    this.outgoing.destroy()
  }

  private answered(incoming: IncomingMessage): void {
    const { listener } = this
    this.incoming = incoming
    incoming.on("error", (error) => this.failed(error))
    if (this.over) return void incoming.resume()
    this.guard(() => listener.head(incoming.statusCode ?? 0, pairsOf(incoming.rawHeaders)))
    incoming.on("data", (bytes: Buffer) => {
      if (!this.over) this.guard(() => listener.body(bytes))
    })
    incoming.on("end", () => {
      if (this.over) return
      this.over = true
      // The server may answer before we sent everything; what is left nobody reads, and only a new connection is clean.
      if (!this.outgoing.writableEnded) this.outgoing.destroy()
      this.guard(() => listener.end(pairsOf(incoming.rawTrailers)))
    })
    if (this.paused) incoming.pause()
  }

  private failed(error: Error): void {
    if (this.over) return
    this.over = true
    this.guard(() => this.listener.failed(RequestFailed.of(error.message), true))
  }

  /** What a listener throws ends its own request only. */
  private guard(run: () => void): void {
    try {
      run()
    } catch (defect) {
      this.cancel()
      process.emitWarning(defect instanceof Error ? defect : new Error(String(defect)))
    }
  }
}
