// Opens a listener: accepts sockets, tells HTTP/2 from HTTP/1.1 by the first bytes, and closes everything with its scope. Owns
// options and their defaults; refuses to own what a connection does.
import { Effect, type Scope } from "effect"
import { createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import { withClientHello } from "./ClientHello.ts"
import type { ConnectionLimits } from "./Connection.ts"
import type { GrpcMethod } from "./Contract.ts"
import { preface } from "./Frame.ts"
import { exchangeHandler, type HttpHandler, notFound } from "./Http.ts"
import { Http1 } from "./Http1.ts"
import type { HttpExchangeHandler } from "./HttpExchange.ts"
import type { KeepaliveOptions } from "./Keepalive.ts"
import { describeSystemError, ListenFailed } from "./NetError.ts"
import { type Peer, peerOf } from "./Peer.ts"
import { ServerConnection, type Service } from "./ServerConnection.ts"
import {
  identityOptions,
  type ListenTls,
  type ServerTls,
  type TlsIdentity,
  type TlsSelect,
  watchServerTls
} from "./Tls.ts"

/** How long a client may take for its TLS handshake, and then to show its first bytes. */
const firstBytesMs = 10_000

/** What a listener serves, and within which bounds. */
export interface ListenOptions {
  /** A host name or address; ignored when `unixPath` is given. */
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly unixPath?: string
  readonly methods: ReadonlyArray<GrpcMethod>
  /** Answers everything that is not gRPC, in the simple form; by default with 404. */
  readonly http?: HttpHandler
  /** The same with streams; goes before `http`. */
  readonly exchange?: HttpExchangeHandler
  readonly tls?: ListenTls
  /** Streams that a client may have open at once. Default 100,000. */
  readonly maxConcurrentStreams?: number
  /** Bytes of the largest request message. Default 4,194,304, as grpc-go. */
  readonly maxReceiveMessageBytes?: number
  /** Bytes of the largest request header list. Default 65,536. */
  readonly maxHeaderListBytes?: number
  /** Receive window of a stream in bytes. Default 524,288. */
  readonly streamWindowBytes?: number
  /** Receive window of a connection in bytes. Default 1,048,576. */
  readonly connectionWindowBytes?: number
  /** Bytes of answers that may wait on one connection before it refuses new streams. Default 268,435,456. */
  readonly maxBufferedBytes?: number
  readonly keepalive?: KeepaliveOptions
  /** Lets several threads or processes share the port. Default false. */
  readonly reusePort?: boolean
  /** Told what a method or handler threw; by default a process warning. */
  readonly onDefect?: (defect: unknown) => void
}

/** Counters of a listener since it opened. */
export interface ListenStats {
  readonly connectionsAccepted: number
  readonly streamsOpened: number
  readonly streamsActive: number
  readonly bytesReceived: number
  readonly bytesSent: number
}

/** An open listener. */
export interface Listening {
  readonly host: string
  readonly port: number
  readonly connections: () => number
  readonly stats: () => ListenStats
  /** Accepts no more, lets open calls end for at most `graceMs`, then closes what is left. */
  readonly drain: (graceMs: number) => Effect.Effect<void>
}

/** Opens a listener that closes with the scope. */
export const listen = (options: ListenOptions): Effect.Effect<Listening, ListenFailed, Scope.Scope> =>
  Effect.acquireRelease(open(options), (listener) => listener.close()).pipe(
    Effect.map((listener) => listener.listening)
  )

const defaultKeepalive: Required<KeepaliveOptions> = {
  intervalMs: 7_200_000,
  timeoutMs: 20_000,
  minClientIntervalMs: 5000
}

const limitsOf = (options: ListenOptions): ConnectionLimits => ({
  maxConcurrentStreams: options.maxConcurrentStreams ?? 100_000,
  maxHeaderListBytes: options.maxHeaderListBytes ?? 65_536,
  streamWindowBytes: options.streamWindowBytes ?? 524_288,
  connectionWindowBytes: options.connectionWindowBytes ?? 1_048_576,
  keepalive: { ...defaultKeepalive, ...options.keepalive }
})

const addressOf = (options: ListenOptions): string =>
  options.unixPath === undefined ? `${options.host}:${options.port}` : `unix:${options.unixPath}`

const open = (options: ListenOptions): Effect.Effect<Listener, ListenFailed> =>
  Effect.callback<Listener, ListenFailed>((resume) => {
    const fail = (error: Error): void => {
      const { code, reason } = describeSystemError(error)
      const address = addressOf(options)
      resume(Effect.fail(new ListenFailed({ address, code, message: `cannot listen on ${address}: ${reason}` })))
    }
    let listener: Listener
    try {
      listener = new Listener(options)
    } catch (error) {
      return fail(error as Error)
    }
    listener.server.once("error", fail)
    const opened = (): void => {
      listener.server.off("error", fail)
      resume(Effect.succeed(listener))
    }
    const { unixPath, host, port, reusePort } = options
    if (unixPath === undefined)
      listener.server.listen({ host, port, reusePort: reusePort ?? false, backlog: 4096 }, opened)
    else listener.server.listen({ path: unixPath, backlog: 4096 }, opened)
  })

class Listener {
  readonly server: Server
  private readonly options: ListenOptions
  private readonly service: Service
  private readonly http1: Http1
  private readonly connections = new Set<ServerConnection>()
  private readonly sockets = new Set<Socket>()
  private readonly secured = new WeakMap<TlsIdentity, Server>()
  private accepted = 0
  private onIdle: (() => void) | undefined

  constructor(options: ListenOptions) {
    this.options = options
    const onDefect = options.onDefect ?? ((defect: unknown) => process.emitWarning(asError(defect)))
    const simple = options.http === undefined ? notFound : exchangeHandler(options.http, onDefect)
    const http = options.exchange ?? simple
    const stats = { streamsOpened: 0, bytesReceived: 0, bytesSent: 0 }
    const limits = limitsOf(options)
    this.http1 = new Http1({ http, maxHeaderBytes: limits.maxHeaderListBytes, onDefect, stats })
    this.service = {
      methods: new Map(options.methods.map((method) => [method.path, method])),
      http,
      limits,
      maxReceiveMessageBytes: options.maxReceiveMessageBytes ?? 4_194_304,
      maxBufferedBytes: options.maxBufferedBytes ?? 268_435_456,
      onDefect,
      onClosed: (connection) => void this.connections.delete(connection),
      stats
    }
    const { tls } = options
    if (tls === undefined) {
      this.server = createServer({ noDelay: true }, (socket) => {
        this.track(socket)
        this.sniff(socket, false)
      })
    } else if ("select" in tls) {
      this.server = createServer({ noDelay: true }, (socket) => {
        this.track(socket)
        withClientHello(socket, firstBytesMs, (serverName) => this.handshake(tls.select, serverName, socket))
      })
    } else {
      this.server = this.oneCertificate(tls)
    }
    // A connection that could not be accepted (too many open files) is lost, the listener is not.
    this.server.on("error", (error) => {
      if (this.server.listening) onDefect(error)
    })
  }

  private oneCertificate(tls: ServerTls): Server {
    const watched = watchServerTls(tls)
    const server = createTlsServer({ ...watched.options(), handshakeTimeout: firstBytesMs, noDelay: true }, (socket) =>
      this.sniff(socket, true)
    )
    // Runs before the handshake of the connection that it is called for.
    server.prependListener("connection", (socket: Socket) => {
      watched.refresh(server)
      this.track(socket)
    })
    return server
  }

  /** Each identity has a TLS server of its own, and with it its own session tickets; it ends with the identity. */
  private handshake(select: TlsSelect, serverName: string | undefined, socket: Socket): boolean {
    const identity = select(serverName)
    if (identity === undefined) return false
    try {
      let server = this.secured.get(identity)
      if (server === undefined) {
        server = createTlsServer({ ...identityOptions(identity), handshakeTimeout: firstBytesMs }, (socket) =>
          this.sniff(socket, true, identity)
        )
        this.secured.set(identity, server)
      }
      server.emit("connection", socket)
      return true
    } catch (defect) {
      // Texts that are no certificate: this name is not served, the others are.
      this.service.onDefect(defect)
      return false
    }
  }

  get listening(): Listening {
    const address = this.server.address()
    return {
      host: this.options.host,
      port: typeof address === "object" && address !== null ? address.port : 0,
      connections: () => this.sockets.size,
      stats: () => this.stats(),
      drain: (graceMs) => this.drain(graceMs)
    }
  }

  /** Closes everything; done when the port is free and every socket gone. */
  close(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      let freed = false
      this.onIdle = (): void => {
        if (freed && this.sockets.size === 0) resume(Effect.void)
      }
      this.server.close(() => {
        freed = true
        this.onIdle?.()
      })
      this.http1.close()
      for (const socket of this.sockets) socket.destroy()
    })
  }

  private drain(graceMs: number): Effect.Effect<void> {
    const goodbye = Effect.callback<void>((resume) => {
      const finish = (): void => {
        clearTimeout(timer)
        this.onIdle = undefined
        resume(Effect.void)
      }
      const timer = setTimeout(finish, graceMs)
      this.onIdle = finish
      this.server.close()
      this.http1.drain()
      for (const connection of this.connections) connection.drain()
      if (this.sockets.size === 0) finish()
    })
    return Effect.andThen(
      goodbye,
      Effect.suspend(() => this.close())
    )
  }

  private stats(): ListenStats {
    const { stats } = this.service
    let { bytesReceived, bytesSent } = stats
    let streamsActive = this.http1.open.size
    for (const connection of this.connections) {
      bytesReceived += connection.receivedBytes
      bytesSent += connection.out.total
      streamsActive += connection.streams.size
    }
    const { streamsOpened } = stats
    return { connectionsAccepted: this.accepted, streamsOpened, streamsActive, bytesReceived, bytesSent }
  }

  private track(socket: Socket): void {
    this.accepted++
    this.sockets.add(socket)
    socket.on("close", () => {
      this.sockets.delete(socket)
      if (this.sockets.size === 0) this.onIdle?.()
    })
  }

  /** Waits for as many bytes as tell the two protocols apart. */
  private sniff(socket: Socket, tls: boolean, identity?: TlsIdentity): void {
    let seen: Buffer = Buffer.alloc(0)
    const silent = (): void => void socket.destroy()
    const ignore = (): void => {}
    const onData = (chunk: Buffer): void => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
      const compared = Math.min(seen.length, preface.length)
      const isH2 = seen.compare(preface, 0, compared, 0, compared) === 0
      if (isH2 && compared < preface.length) return
      socket.off("data", onData)
      socket.off("error", ignore)
      socket.setTimeout(0, silent)
      if (isH2) this.startH2(socket, peerOf(socket, tls, identity), seen.subarray(preface.length))
      else this.startH1(socket, peerOf(socket, tls, identity), seen)
    }
    socket.setTimeout(firstBytesMs, silent)
    socket.on("error", ignore)
    socket.on("data", onData)
  }

  private startH2(socket: Socket, peer: Peer, rest: Buffer): void {
    const connection = new ServerConnection(socket, peer.secure, this.service, peer)
    this.connections.add(connection)
    socket.on("data", (chunk: Buffer) => connection.receive(chunk))
    if (rest.length > 0) connection.receive(rest)
  }

  private startH1(socket: Socket, peer: Peer, seen: Buffer): void {
    socket.on("close", () => {
      this.service.stats.bytesReceived += socket.bytesRead
      this.service.stats.bytesSent += socket.bytesWritten
    })
    socket.pause()
    socket.unshift(seen)
    this.http1.accept(socket, peer)
    socket.resume()
  }
}

const asError = (defect: unknown): Error => (defect instanceof Error ? defect : new Error(String(defect)))
