// HTTP/1.1 on the server: each request as an exchange, on node:http. Owns the adapter, upgrades and the goodbye to keep-alive
// connections; refuses to own sockets, which the listener hands over, and the parsing, which is node:http's.
import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { BodyCollector, type BodyTaker } from "./BodyCollector.ts"
import { failedText } from "./Http.ts"
import { deadBody } from "./HttpCall.ts"
import type { HttpBody, HttpExchange, HttpExchangeHandler, HttpFields, PeerCertificate } from "./HttpExchange.ts"
import { highWaterBytes } from "./HttpStream.ts"
import type { Peer } from "./Peer.ts"
import type { TlsIdentity } from "./Tls.ts"

/** How long a connection may stay idle between two requests (as kube-apiserver's). */
const idleMs = 90_000
/** How long a client may take to notice that its connection ends (as Go's server). */
const lingerMs = 500

/** What HTTP/1.1 connections of a listener share. */
export interface Http1Service {
  readonly http: HttpExchangeHandler
  readonly maxHeaderBytes: number
  readonly onDefect: (defect: unknown) => void
  readonly stats: { streamsOpened: number }
}

/** The HTTP/1.1 side of a listener. */
export class Http1 {
  /** Whether goodbye was said. */
  draining = false
  readonly service: Http1Service
  readonly open = new Set<Http1Exchange>()
  private readonly server: Server
  private readonly peers = new WeakMap<Duplex, Peer>()

  constructor(service: Http1Service) {
    this.service = service
    const shouldUpgradeCallback = (request: IncomingMessage): boolean => !/^h2c$/i.test(request.headers.upgrade ?? "")
    const server = createServer({
      maxHeaderSize: service.maxHeaderBytes,
      keepAliveTimeout: idleMs,
      shouldUpgradeCallback
    })
    server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => this.serve(incoming, outgoing, false))
    server.on("checkContinue", (incoming: IncomingMessage, outgoing: ServerResponse) =>
      this.serve(incoming, outgoing, true)
    )
    server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, rest: Buffer) => {
      const outgoing = new ServerResponse(incoming)
      outgoing.shouldKeepAlive = false
      outgoing.assignSocket(incoming.socket)
      if (rest.length > 0) socket.unshift(rest)
      socket.on("error", () => {})
      outgoing.on("finish", () => socket.end())
      this.serve(incoming, outgoing, false, socket)
    })
    server.on("clientError", refuse)
    // This server never listens itself; the event starts its watch over slow requests (headersTimeout, requestTimeout).
    server.emit("listening")
    this.server = server
  }

  /** Takes a socket whose first bytes are not HTTP/2's preface. */
  accept(socket: Socket, peer: Peer): void {
    this.peers.set(socket, peer)
    // What node:http calls after an answer that ends its connection. A client that still sends must not be reset before it has
    // read that answer, so we end our side and read on for a while.
    socket.destroySoon = () => {
      socket.end()
      setTimeout(() => socket.destroy(), lingerMs).unref()
    }
    this.server.emit("connection", socket)
  }

  /** Ends idle connections, and the others after their current answer. */
  drain(): void {
    this.draining = true
    this.server.closeIdleConnections()
    for (const exchange of this.open) exchange.goAway()
  }

  close(): void {
    this.server.close()
  }

  private serve(incoming: IncomingMessage, outgoing: ServerResponse, expects: boolean, upgradable?: Duplex): void {
    const peer = this.peers.get(incoming.socket)
    if (peer === undefined) return void incoming.socket.destroy()
    this.service.stats.streamsOpened++
    const exchange = new Http1Exchange(this, peer, incoming, outgoing, expects, upgradable)
    this.open.add(exchange)
    exchange.begin()
  }
}

const notHttp = new Set(["HPE_INVALID_METHOD", "HPE_INVALID_CONSTANT", "HPE_INVALID_VERSION"])

const refuse = (error: Error & { readonly code?: string }, socket: Duplex): void => {
  // What is not HTTP at all gets no answer in HTTP: a peer that meant HTTP/2 could not read it (RFC 9113 section 3.4).
  if (notHttp.has(error.code ?? "") || !socket.writable) return void socket.destroy()
  const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request"
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`)
}

class Http1Exchange implements HttpExchange, HttpBody {
  readonly protocol = "HTTP/1.1"
  onDrain: (() => void) | undefined
  memo: unknown
  private readonly http1: Http1
  private readonly names: Peer
  private readonly incoming: IncomingMessage
  private readonly outgoing: ServerResponse
  private readonly upgradable: Duplex | undefined
  private expects: boolean
  private taker: BodyTaker | undefined
  private answered = false
  private wantsDrain = false
  private goAwayHook: (() => void) | undefined
  private closeHook: (() => void) | undefined
  /** Whether the client went away before the answer's end. */
  private gone = false
  private aborted = false

  constructor(
    http1: Http1,
    peer: Peer,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    expects: boolean,
    upgradable: Duplex | undefined
  ) {
    this.http1 = http1
    this.names = peer
    this.incoming = incoming
    this.outgoing = outgoing
    this.expects = expects
    this.upgradable = upgradable
  }

  /** Hands the request to the handler. */
  begin(): void {
    const { incoming, outgoing } = this
    // The request's error is that of its connection, which the answer's end tells as well.
    incoming.on("error", () => {})
    outgoing.on("error", () => {})
    outgoing.on("close", () => this.closed())
    outgoing.on("drain", () => {
      if (!this.wantsDrain) return
      this.wantsDrain = false
      this.guard(() => this.onDrain?.())
    })
    this.guard(() => this.http1.service.http(this))
  }

  get method(): string {
    return this.incoming.method ?? "GET"
  }

  get path(): string {
    return this.incoming.url ?? "/"
  }

  get peer(): string {
    return this.names.peer
  }

  get secure(): boolean {
    return this.names.secure
  }

  get peerCertificate(): PeerCertificate | undefined {
    return this.names.certificate
  }

  get peerCertificateProblem(): string | undefined {
    return this.names.certificateProblem
  }

  get serverName(): string | undefined {
    return this.names.serverName
  }

  get tlsIdentity(): TlsIdentity | undefined {
    return this.names.identity
  }

  get connectionMemo(): unknown {
    return this.names.memo
  }

  set connectionMemo(value: unknown) {
    this.names.memo = value
  }

  get bodyless(): boolean {
    const { headers } = this.incoming
    const unframed = headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0
    return unframed || this.upgradable !== undefined
  }

  hangUp(): void {
    const { outgoing } = this
    outgoing.shouldKeepAlive = false
    if (outgoing.headersSent) outgoing.once("finish", () => this.incoming.socket.end())
  }

  header(name: string): string | undefined {
    return this.incoming.headersDistinct[name]?.[0]
  }

  fields(): HttpFields {
    const { rawHeaders } = this.incoming
    const fields: Array<readonly [string, string]> = []
    for (let at = 0; at < rawHeaders.length; at += 2) fields.push([rawHeaders[at].toLowerCase(), rawHeaders[at + 1]])
    return fields
  }

  // --- what comes in ---

  readBody(maxBytes: number, done: (body: Uint8Array | undefined) => void): void {
    const length = Number(this.header("content-length") ?? -1)
    this.take(new BodyCollector(maxBytes, length, done))
  }

  onBody(chunk: (bytes: Uint8Array) => boolean, end: () => void): void {
    this.take({ chunk, end, lost: () => {} })
  }

  resumeBody(): void {
    if (this.taker !== undefined) this.incoming.resume()
  }

  private take(taker: BodyTaker): void {
    if (this.taker !== undefined) return
    this.taker = taker
    const { incoming, outgoing } = this
    // A request that asks for an upgrade has no body: what follows belongs to the new protocol.
    if (this.upgradable !== undefined) return this.guard(() => taker.end())
    if (outgoing.destroyed) return taker.lost()
    if (this.expects && !outgoing.headersSent) outgoing.writeContinue()
    this.expects = false
    incoming.on("data", (bytes: Buffer) =>
      this.guard(() => {
        if (!taker.chunk(bytes)) incoming.pause()
      })
    )
    incoming.on("end", () => this.guard(() => taker.end()))
  }

  // --- what goes out ---

  respond(status: number, fields: HttpFields, body: string | Uint8Array): void {
    if (!this.putHead(status, fields, typeof body === "string" ? Buffer.byteLength(body) : body.length)) return
    this.outgoing.end(body)
  }

  start(status: number, fields: HttpFields): HttpBody {
    if (!this.putHead(status, fields, -1)) return deadBody
    const { socket } = this.outgoing
    socket?.cork()
    this.outgoing.flushHeaders()
    process.nextTick(() => {
      socket?.uncork()
      // A body that lies unread in the socket would hide the client's end behind it.
      if (this.taker === undefined) this.incoming.resume()
    })
    return this
  }

  get bufferedBytes(): number {
    return this.outgoing.writableLength
  }

  write(bytes: Uint8Array): boolean {
    const { outgoing } = this
    if (outgoing.writableEnded || outgoing.destroyed) return false
    outgoing.write(bytes)
    this.wantsDrain ||= outgoing.writableNeedDrain && outgoing.writableLength > highWaterBytes
    return !this.wantsDrain
  }

  relay(view: Uint8Array): boolean {
    return this.write(Buffer.from(view))
  }

  end(trailers?: HttpFields): void {
    if (this.outgoing.writableEnded || this.outgoing.destroyed) return
    if (trailers !== undefined && trailers.length > 0) this.outgoing.addTrailers(flat(trailers))
    this.outgoing.end()
  }

  abort(): void {
    if (this.outgoing.writableEnded) return
    this.aborted = true
    this.incoming.socket.destroy()
  }

  upgrade(fields: HttpFields): Duplex | undefined {
    const { upgradable, outgoing } = this
    if (upgradable === undefined || this.answered || upgradable.destroyed) return undefined
    this.answered = true
    outgoing.detachSocket(this.incoming.socket)
    const given = new Set(fields.map(([name]) => name))
    const all = [...fields]
    if (!given.has("connection")) all.push(["connection", "Upgrade"])
    if (!given.has("upgrade")) all.push(["upgrade", this.header("upgrade") ?? ""])
    const lines = all.map(([name, value]) => `${name}: ${value.replaceAll(/[\r\n]/g, " ")}\r\n`)
    upgradable.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`, "latin1")
    upgradable.once("close", () => this.http1.open.delete(this))
    return upgradable
  }

  get onGoAway(): (() => void) | undefined {
    return this.goAwayHook
  }

  set onGoAway(hook: (() => void) | undefined) {
    this.goAwayHook = hook
    if (hook !== undefined && this.http1.draining) process.nextTick(() => this.goAway())
  }

  /** The listener says goodbye: the connection ends with this answer. */
  goAway(): void {
    const notify = this.goAwayHook
    this.goAwayHook = undefined
    this.hangUp()
    this.guard(() => notify?.())
  }

  private putHead(status: number, fields: HttpFields, length: number): boolean {
    const { outgoing } = this
    if (this.answered || outgoing.destroyed) return false
    this.answered = true
    if (this.http1.draining) outgoing.shouldKeepAlive = false
    const raw = flat(fields).flat()
    const bodiless = status === 204 || status === 304
    if (length >= 0 && !bodiless) raw.push("content-length", String(length))
    try {
      outgoing.writeHead(status, raw)
    } catch (defect) {
      // A field that cannot be sent: nothing was.
      this.http1.service.onDefect(defect)
      this.abort()
      return false
    }
    return true
  }

  private closed(): void {
    this.http1.open.delete(this)
    if (this.outgoing.writableFinished) return
    this.answered = true
    this.gone = !this.aborted
    this.guard(() => {
      if (!this.incoming.complete) this.taker?.lost()
      if (this.gone) this.tellGone()
    })
  }

  get onClose(): (() => void) | undefined {
    return this.closeHook
  }

  set onClose(hook: (() => void) | undefined) {
    this.closeHook = hook
    if (hook !== undefined && this.gone) process.nextTick(() => this.guard(() => this.tellGone()))
  }

  private tellGone(): void {
    const notify = this.closeHook
    this.closeHook = undefined
    notify?.()
  }

  /** Runs what belongs to the handler; what it throws breaks this exchange only. */
  private guard(run: () => void): void {
    try {
      run()
    } catch (defect) {
      if (this.answered) this.abort()
      else this.respond(500, failedText.fields, failedText.body)
      this.http1.service.onDefect(defect)
    }
  }
}

const flat = (fields: HttpFields): Array<[string, string]> => fields.map(([name, value]) => [name, value])
