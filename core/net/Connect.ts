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

const settingsOf = (options: ConnectOptions): ClientSettings => ({
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

const dial = (options: ConnectOptions): Socket => {
  const { host, port, unixPath, tls } = options
  const where = unixPath === undefined ? { host, port } : { path: unixPath }
  if (tls === undefined) return connectSocket({ ...where, noDelay: true })
  const socket = connectTls({ ...where, ...clientTlsOptions(tls, host) })
  return socket.setNoDelay(true)
}

const open = (options: ConnectOptions): Effect.Effect<GrpcClient, ConnectFailed> =>
  Effect.callback<GrpcClient, ConnectFailed>((resume) => {
    const address = addressOf(options)
    const fail = (error: Error): void => {
      const { code, reason } = describeSystemError(error)
      resume(Effect.fail(new ConnectFailed({ address, code, message: `cannot connect to ${address}: ${reason}` })))
    }
    let socket: Socket
    try {
      socket = dial(options)
    } catch (error) {
      return fail(error as Error)
    }
    const timeoutMs = options.connectTimeoutMs ?? 5000
    const timer = setTimeout(
      () => socket.destroy(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: "ETIMEDOUT" })),
      timeoutMs
    )
    const closed = (): void => fail(Object.assign(new Error("closed while connecting"), { code: "ECONNRESET" }))
    socket.once("error", fail)
    socket.once("close", closed)
    socket.once(options.tls === undefined ? "connect" : "secureConnect", () => {
      clearTimeout(timer)
      const protocol = options.tls === undefined ? "h2" : (socket as TLSSocket).alpnProtocol
      if (protocol !== "h2") {
        socket.destroy(Object.assign(new Error("the server did not agree to HTTP/2"), { code: "NO_H2" }))
        return
      }
      const client = new ClientConnection(socket, options.tls !== undefined, settingsOf(options))
      socket.off("error", fail)
      socket.off("close", closed)
      resume(Effect.succeed(client))
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
