// Opens a client connection, and wraps calls as Effects. Owns options, their defaults and the connection's lifetime; refuses to
// own reconnecting: a lost connection fails its calls with Unavailable and stays lost, and its owner connects anew.
import { Effect, type Scope } from "effect"
import { connect as connectSocket, type Socket } from "node:net"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { ClientConnection, type ClientSettings } from "./ClientConnection.ts"
import type { CallOptions, GrpcClient } from "./Contract.ts"
import type { KeepaliveOptions } from "./Keepalive.ts"
import { ConnectFailed, describeSystemError, type GrpcStatus } from "./NetError.ts"
import { type ClientTls, clientTlsOptions } from "./Tls.ts"

/** Where to connect, and within which bounds. */
export interface ConnectOptions {
  /** A host name or address; with `unixPath` only the name that requests carry. */
  readonly host: string
  readonly port: number
  readonly unixPath?: string
  readonly tls?: ClientTls
  /** How long connecting and the TLS handshake may take. Default 5,000. */
  readonly connectTimeoutMs?: number
  /** Bytes of the largest answer message. Default 2,147,483,647, as etcd's client. */
  readonly maxReceiveMessageBytes?: number
  /** Receive window of a stream in bytes. Default 1,048,576. */
  readonly streamWindowBytes?: number
  /** Receive window of the connection in bytes. Default 8,388,608. */
  readonly connectionWindowBytes?: number
  /** Our pings; by default none. */
  readonly keepalive?: KeepaliveOptions
  /** The `:authority` of requests; by default host and port. */
  readonly authority?: string
  /** Metadata of every request. */
  readonly metadata?: ReadonlyArray<readonly [string, string]>
  /** Called once when the connection is over. */
  readonly onClose?: (reason: string) => void
}

/** Connects; the connection closes with the scope. */
export const connect = (options: ConnectOptions): Effect.Effect<GrpcClient, ConnectFailed, Scope.Scope> =>
  Effect.acquireRelease(open(options), (client) => Effect.sync(() => client.close()))

const addressOf = (options: ConnectOptions): string => options.unixPath ?? `${options.host}:${options.port}`

const settingsOf = (options: ConnectOptions, onReady: (client: GrpcClient) => void): ClientSettings => ({
  onReady,
  authority: options.authority ?? (options.unixPath === undefined ? `${options.host}:${options.port}` : options.host),
  scheme: options.tls === undefined ? "http" : "https",
  metadata: options.metadata ?? [],
  onClose: options.onClose,
  maxReceiveMessageBytes: options.maxReceiveMessageBytes ?? 2_147_483_647,
  limits: {
    maxConcurrentStreams: 0,
    maxHeaderListBytes: 1_048_576,
    streamWindowBytes: options.streamWindowBytes ?? 1_048_576,
    connectionWindowBytes: options.connectionWindowBytes ?? 8_388_608,
    keepalive: { intervalMs: 0, timeoutMs: 20_000, minClientIntervalMs: 0, ...options.keepalive }
  }
})

/** Bytes that one read takes at most. */
const readBytes = 65_536
/** What all plain connections of this thread read into: each read is handled before the next one begins. */
const sharedRead = Buffer.allocUnsafeSlow(readBytes)

type Take = (chunk: Buffer) => void

const dial = (options: ConnectOptions, take: Take): Socket => {
  const { host, port, unixPath, tls } = options
  const where = unixPath === undefined ? { host, port } : { path: unixPath }
  if (tls !== undefined) {
    const socket = connectTls({ ...where, ...clientTlsOptions(tls, host, ["h2"]) })
    socket.on("data", take)
    return socket.setNoDelay(true)
  }
  // On Windows a read is under way while others finish, so memory cannot be shared there.
  const buffer = process.platform === "win32" ? Buffer.allocUnsafeSlow(readBytes) : sharedRead
  const callback = (count: number): boolean => {
    take(buffer.subarray(0, count))
    return true
  }
  return connectSocket({ ...where, noDelay: true, onread: { buffer, callback } })
}

const open = (options: ConnectOptions): Effect.Effect<GrpcClient, ConnectFailed> =>
  Effect.callback<GrpcClient, ConnectFailed>((resume) => {
    const address = addressOf(options)
    let timer: NodeJS.Timeout | undefined
    const fail = (error: Error): void => {
      clearTimeout(timer)
      const { code, reason } = describeSystemError(error)
      resume(Effect.fail(new ConnectFailed({ address, code, message: `cannot connect to ${address}: ${reason}` })))
    }
    let client: ClientConnection | undefined
    let socket: Socket
    try {
      socket = dial(options, (chunk) => client?.receive(chunk))
    } catch (error) {
      return fail(error as Error)
    }
    // "Closed" comes after "error" and is then ignored: an Effect is resumed once.
    const timeoutMs = options.connectTimeoutMs ?? 5000
    timer = setTimeout(
      () => socket.destroy(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: "ETIMEDOUT" })),
      timeoutMs
    )
    const closed = (): void => fail(Object.assign(new Error("closed while connecting"), { code: "ECONNRESET" }))
    socket.once("error", fail)
    socket.once("close", closed)
    const ready = (connected: GrpcClient): void => {
      clearTimeout(timer)
      socket.off("error", fail)
      socket.off("close", closed)
      resume(Effect.succeed(connected))
    }
    socket.once(options.tls === undefined ? "connect" : "secureConnect", () => {
      if (options.tls !== undefined && (socket as TLSSocket).alpnProtocol !== "h2") {
        socket.destroy(Object.assign(new Error("the server did not agree to HTTP/2"), { code: "NO_H2" }))
      } else {
        client = new ClientConnection(socket, options.tls !== undefined, settingsOf(options, ready))
      }
    })
    return Effect.sync(() => {
      clearTimeout(timer)
      socket.destroy()
    })
  })

/** Calls a unary method; the answer is the caller's own copy. Interruption cancels the call. */
export const callUnary = (
  client: GrpcClient,
  path: string,
  message: Uint8Array,
  options?: CallOptions
): Effect.Effect<Uint8Array, GrpcStatus> =>
  Effect.callback<Uint8Array, GrpcStatus>((resume) => {
    const call = client.unary(
      path,
      message,
      (error, answer) => resume(error === undefined ? Effect.succeed(Uint8Array.from(answer)) : Effect.fail(error)),
      options
    )
    return Effect.sync(() => call.cancel())
  })
