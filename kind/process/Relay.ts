// A TCP relay between clients and a server of this machine, whose way can be cut or stalled: what a run does to the network of real
// programs, and how containers reach a server that listens on loopback only.
// Owns connections and their end with the scope; refuses to look into bytes. Bound: what a socket's own buffers hold, since a side that
// does not take its bytes stops the other.
import { Effect, Schema, type Scope } from "effect"
import { connect, createServer, type Server, type Socket } from "node:net"

/** Where a relay listens, and where it leads. */
export interface RelayOptions {
  /** Default 127.0.0.1. */
  readonly listenHost?: string
  /** Default a free one. */
  readonly listenPort?: number
  readonly host: string
  readonly port: number
}

/** A relay that works until its scope closes. */
export interface Relay {
  readonly host: string
  readonly port: number
  /** Connections taken since the start, and those open now. */
  readonly opened: () => number
  readonly open: () => number
  /** Ends every connection as a reset network does; new ones are taken. */
  readonly reset: () => void
  /** Refused: new connections are reset at once. */
  readonly setRefused: (refused: boolean) => void
  /** Cut: both, until it is mended. */
  readonly setCut: (cut: boolean) => void
  /** Stalled: no byte passes either way and no end is told, on open connections and new ones. */
  readonly setStalled: (stalled: boolean) => void
}

/** The address cannot be listened on. */
export class RelayFailed extends Schema.TaggedError<RelayFailed>()("RelayFailed", {
  address: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `cannot relay from ${this.address}: ${this.reason}`
  }
}

class Ways {
  opened = 0
  refused = false
  /** The two sockets of a connection, by the client's. */
  private readonly pairs = new Map<Socket, Socket>()
  private stalled = false

  get open(): number {
    return this.pairs.size
  }

  /** Takes a client's socket and joins it with one of the server's. */
  take(client: Socket, host: string, port: number): void {
    this.opened++
    client.on("error", () => undefined)
    if (this.refused) return void client.resetAndDestroy()
    const server = connect({ host, port, allowHalfOpen: true })
    this.pairs.set(client, server)
    client.once("close", () => this.pairs.delete(client))
    this.pass(client, server)
    this.pass(server, client)
  }

  setStalled(stalled: boolean): void {
    this.stalled = stalled
    this.each((socket) => void (stalled ? socket.pause() : socket.resume()))
  }

  each(act: (socket: Socket) => void): void {
    for (const pair of this.pairs) for (const socket of pair) act(socket)
  }

  private pass(from: Socket, onto: Socket): void {
    from.setNoDelay(true)
    from.on("data", (chunk) => {
      if (!onto.write(chunk)) from.pause()
    })
    onto.on("drain", () => void (this.stalled || from.resume()))
    from.on("end", () => onto.end())
    from.on("error", () => onto.destroy())
    from.on("close", () => onto.destroy())
    if (this.stalled) from.pause()
  }
}

const listening = (server: Server, host: string, port: number): Effect.Effect<number, RelayFailed> =>
  Effect.callback((resume) => {
    const failed = (cause: Error) => resume(new RelayFailed({ address: `${host}:${port}`, reason: cause.message }))
    server.once("error", failed)
    server.listen(port, host, () => {
      server.off("error", failed)
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : port))
    })
  })

/** Opens a relay. */
export const openRelay = (options: RelayOptions): Effect.Effect<Relay, RelayFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { host, listenHost = "127.0.0.1", listenPort = 0, port } = options
    const ways = new Ways()
    const reset = (): void => ways.each((socket) => void socket.resetAndDestroy())
    const setRefused = (refused: boolean): void => void (ways.refused = refused)
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => createServer({ allowHalfOpen: true }, (client) => ways.take(client, host, port))),
      (listener) =>
        Effect.sync(() => {
          listener.close()
          ways.each((socket) => void socket.destroy())
        })
    )
    return {
      host: listenHost,
      port: yield* listening(server, listenHost, listenPort),
      opened: () => ways.opened,
      open: () => ways.open,
      reset,
      setRefused,
      setCut: (cut) => {
        setRefused(cut)
        if (cut) reset()
      },
      setStalled: (stalled) => ways.setStalled(stalled)
    }
  })
