// Opens connections for plain HTTP requests, over HTTP/2 where the server speaks it, else HTTP/1.1; and HTTP/1.1 connections that
// are upgraded to another protocol. Owns options and their defaults; refuses to own pools and retries: a lost connection fails
// its requests and stays lost, and its owner connects anew.
import { Effect, type Scope } from "effect"
import { request as httpRequest } from "node:http"
import type { Duplex } from "node:stream"
import { BodyCollector } from "./BodyCollector.ts"
import { ClientConnection, type ClientSettings } from "./ClientConnection.ts"
import { dial, type DialOptions, type Protocols } from "./Dial.ts"
import { Http1Client, pairsOf, rawFields } from "./Http1Client.ts"
import { refusedRequest } from "./HttpClientCall.ts"
import type { HttpAnswerListener, HttpClient, HttpClientRequest, HttpFields, HttpRequestHead } from "./HttpExchange.ts"
import type { KeepaliveOptions } from "./Keepalive.ts"
import type { ConnectFailed } from "./NetError.ts"

/** Where to connect as an HTTP client, and within which bounds. */
export interface ConnectHttpOptions extends DialOptions {
  /** What to speak; by default what TLS agrees on, and HTTP/1.1 without TLS. */
  readonly protocol?: "h2" | "http/1.1"
  /** The `:authority` or Host of requests; by default host and port. */
  readonly authority?: string
  /** Receive window of a stream in bytes. Default 1,048,576. */
  readonly streamWindowBytes?: number
  /** Receive window of the connection in bytes. Default 8,388,608. */
  readonly connectionWindowBytes?: number
  /** Our pings over HTTP/2; by default one after 30 s of silence, whose answer may take 15 s. */
  readonly keepalive?: KeepaliveOptions
  /** Over HTTP/2: requests that are made while sockets are read wait for all of them and go out in one write. Default false. */
  readonly gathers?: boolean
}

/** An answer to a request for an upgrade. */
export interface HttpUpgraded {
  readonly status: number
  readonly fields: HttpFields
  /** The connection, when the status is 101. */
  readonly socket: Duplex | undefined
  /** What the server said instead, else empty; undefined when it said more than a mebibyte. */
  readonly body: Uint8Array | undefined
}

/** Bytes of a refusal that are read. */
const refusalBytesMax = 1_048_576
const nothing = new Uint8Array(0)

/** Connects; the connection closes with the scope. */
export const connectHttp = (options: ConnectHttpOptions): Effect.Effect<HttpClient, ConnectFailed, Scope.Scope> =>
  Effect.acquireRelease(open(options), (client) => Effect.sync(() => client.close()))

/** Connects by HTTP/1.1 and asks for an upgrade, which `head.fields` name; the connection closes with the scope. */
export const upgradeHttp = (
  options: ConnectHttpOptions,
  head: HttpRequestHead
): Effect.Effect<HttpUpgraded, ConnectFailed, Scope.Scope> =>
  Effect.acquireRelease(ask(options, head), ({ socket }) => Effect.sync(() => socket?.destroy()))

const authorityOf = ({ authority, host, port, unixPath, tls }: ConnectHttpOptions): string => {
  if (authority !== undefined) return authority
  const name = host.includes(":") ? `[${host}]` : host
  return unixPath === undefined && port !== (tls === undefined ? 80 : 443) ? `${name}:${port}` : name
}

const protocolsOf = ({ protocol, tls }: ConnectHttpOptions): Protocols => {
  if (protocol !== undefined) return [protocol]
  return tls === undefined ? ["http/1.1"] : ["h2", "http/1.1"]
}

const settingsOf = (
  options: ConnectHttpOptions,
  onReady: (connection: ClientConnection) => void,
  onClose: () => void,
  onRoom: () => void
): ClientSettings => ({
  onReady,
  onClose,
  onRoom,
  authority: authorityOf(options),
  scheme: options.tls === undefined ? "http" : "https",
  metadata: [],
  gathers: options.gathers ?? false,
  maxReceiveMessageBytes: 0,
  limits: {
    maxConcurrentStreams: 0,
    maxHeaderListBytes: 1_048_576,
    streamWindowBytes: options.streamWindowBytes ?? 1_048_576,
    connectionWindowBytes: options.connectionWindowBytes ?? 8_388_608,
    keepalive: { intervalMs: 30_000, timeoutMs: 15_000, minClientIntervalMs: 0, ...options.keepalive }
  }
})

const open = (options: ConnectHttpOptions): Effect.Effect<HttpClient, ConnectFailed> =>
  dial<HttpClient>(options, protocolsOf(options), (socket, protocol, succeed) => {
    if (protocol === "http/1.1") {
      succeed(new Http1Client(socket, authorityOf(options)))
      return undefined
    }
    let client: Http2Client | undefined
    const ready = (connection: ClientConnection): void => {
      client = new Http2Client(connection)
      succeed(client)
    }
    const closed = (): void => client?.onClose?.()
    const room = (): void => client?.onRoom?.()
    const connection = new ClientConnection(socket, options.tls !== undefined, settingsOf(options, ready, closed, room))
    return (chunk) => connection.receive(chunk)
  })

/** A connection over HTTP/2 as a client of plain HTTP. */
class Http2Client implements HttpClient {
  readonly protocol = "h2"
  onClose: (() => void) | undefined
  onRoom: (() => void) | undefined
  private readonly connection: ClientConnection

  constructor(connection: ClientConnection) {
    this.connection = connection
  }

  get ready(): boolean {
    return this.connection.hasRoom
  }

  get leaving(): boolean {
    return !this.connection.ready
  }

  get activeRequests(): number {
    return this.connection.streams.size
  }

  request(head: HttpRequestHead, listener: HttpAnswerListener): HttpClientRequest {
    if (this.ready) return this.connection.request(head, listener)
    return refusedRequest(listener, this.connection.ready ? "no stream is left" : "the connection ends")
  }

  closeWhenIdle(): void {
    this.connection.closeWhenIdle()
  }

  close(): void {
    this.connection.close()
  }
}

const ask = (options: ConnectHttpOptions, head: HttpRequestHead): Effect.Effect<HttpUpgraded, ConnectFailed> =>
  dial<HttpUpgraded>(options, ["http/1.1"], (socket, _protocol, succeed) => {
    const { method, path } = head
    const headers = rawFields(head, authorityOf(options))
    const request = httpRequest({ createConnection: () => socket, method, path, headers, setHost: false })
    request.on("error", (error) => void socket.destroy(error))
    request.on("upgrade", ({ rawHeaders, statusCode = 0 }, upgraded, rest) => {
      if (rest.length > 0) upgraded.unshift(rest)
      succeed({ status: statusCode, fields: pairsOf(rawHeaders), socket: upgraded, body: nothing })
    })
    request.on("response", (answer) => {
      const { rawHeaders, statusCode = 0 } = answer
      const collector = new BodyCollector(refusalBytesMax, -1, (body) => {
        socket.destroy()
        succeed({ status: statusCode, fields: pairsOf(rawHeaders), socket: undefined, body })
      })
      answer.on("data", (bytes: Buffer) => void collector.chunk(bytes))
      answer.on("end", () => collector.end())
    })
    request.end()
    return undefined
  })
