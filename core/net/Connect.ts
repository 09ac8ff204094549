// Opens a client connection, and wraps calls as Effects. Owns options, their defaults and the connection's lifetime; refuses to
// own reconnecting: a lost connection fails its calls with Unavailable and stays lost, and its owner connects anew.
import { Effect, type Scope } from "effect"
import { ClientConnection, type ClientSettings } from "./ClientConnection.ts"
import type { CallOptions, GrpcClient } from "./Contract.ts"
import type { KeepaliveOptions } from "./Keepalive.ts"
import { dial, type DialOptions } from "./Dial.ts"
import type { ConnectFailed, GrpcStatus } from "./NetError.ts"

/** Where to connect as a gRPC client, and within which bounds. */
export interface ConnectOptions extends DialOptions {
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

const open = (options: ConnectOptions): Effect.Effect<GrpcClient, ConnectFailed> =>
  dial<GrpcClient>(options, ["h2"], (socket, _protocol, succeed) => {
    const client = new ClientConnection(socket, options.tls !== undefined, settingsOf(options, succeed))
    return (chunk) => client.receive(chunk)
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
