// Connections that outlive servers: each is made anew, to the next endpoint, when it is lost, and a call goes to a sibling while its
// own connection is away, as etcd's client does it. What was under way on a lost connection fails.
// Owns the connections of one load or watch; refuses to send anything twice.
import {
  type CallOptions,
  type ClientCall,
  type ClientListener,
  type ClientStream,
  connect,
  type ConnectFailed,
  type GrpcClient,
  GrpcCode,
  GrpcStatus
} from "#net"
import { Deferred, Effect, type Scope } from "effect"
import { windowBytes } from "./Clients.ts"
import { noStream } from "./NoStream.ts"
import type { Endpoint } from "./Protocol.ts"

/** Between attempts to connect, in milliseconds. */
const retryMs = 20
const connectTimeoutMs = 1000

const away = (): GrpcStatus => GrpcStatus.of(GrpcCode.Unavailable, "no server is connected")
const nothing = new Uint8Array(0)

/** One of several connections that stand in for each other. */
class RoamingClient implements GrpcClient {
  readonly #siblings: ReadonlyArray<RoamingClient>
  current: GrpcClient | undefined

  constructor(siblings: ReadonlyArray<RoamingClient>) {
    this.#siblings = siblings
  }

  #pick(): GrpcClient | undefined {
    const { current } = this
    if (current?.ready === true) return current
    return this.#siblings.find((sibling) => sibling.current?.ready === true)?.current
  }

  get ready(): boolean {
    return this.#pick() !== undefined
  }

  unary(
    path: string,
    message: Uint8Array,
    callback: (error: GrpcStatus | undefined, message: Uint8Array) => void,
    options?: CallOptions
  ): ClientCall {
    const client = this.#pick()
    if (client !== undefined) return client.unary(path, message, callback, options)
    queueMicrotask(() => callback(away(), nothing))
    return noStream
  }

  stream(path: string, listener: ClientListener, options?: CallOptions): ClientStream {
    const client = this.#pick()
    if (client !== undefined) return client.stream(path, listener, options)
    queueMicrotask(() => listener.end(away()))
    return noStream
  }

  close(): void {
    this.current?.close()
  }
}

/** Stays connected to an endpoint until the connection is lost; fails when it cannot be made. */
const stay = (
  client: RoamingClient,
  { host, port }: Endpoint,
  connected: Effect.Effect<unknown>
): Effect.Effect<void, ConnectFailed> =>
  Effect.gen(function* () {
    const lost = yield* Deferred.make<void>()
    client.current = yield* connect({
      host,
      port,
      connectTimeoutMs,
      streamWindowBytes: windowBytes,
      connectionWindowBytes: windowBytes,
      onClose: () => Deferred.doneUnsafe(lost, Effect.void)
    })
    yield* connected
    yield* Deferred.await(lost)
  }).pipe(Effect.scoped, Effect.ensuring(Effect.sync(() => (client.current = undefined))))

/** Opens that many connections, spread over the endpoints, and keeps them up for the life of the scope; `onLost` hears of each loss. */
export const openRoamingClients = (
  endpoints: ReadonlyArray<Endpoint>,
  count: number,
  onLost: () => void
): Effect.Effect<ReadonlyArray<GrpcClient>, ConnectFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const clients: Array<RoamingClient> = []
    for (let index = 0; index < count; index++) {
      const client = new RoamingClient(clients)
      clients.push(client)
      const first = yield* Deferred.make<void, ConnectFailed>()
      const run = Effect.gen(function* () {
        for (let at = index; ; at++) {
          const ended = yield* Effect.result(
            stay(client, endpoints[at % endpoints.length], Deferred.succeed(first, undefined))
          )
          if (ended._tag === "Failure") yield* Deferred.fail(first, ended.failure)
          else onLost()
          yield* Effect.sleep(retryMs)
        }
      })
      yield* Effect.forkScoped(run)
      yield* Deferred.await(first)
    }
    return clients
  })
