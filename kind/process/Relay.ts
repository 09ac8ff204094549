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
  /** Cut: connections end at once, and new ones as soon as they are made. */
  readonly setCut: (cut: boolean) => void
  /** Stalled: connections stay, and nothing moves on them in either direction. */
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
  private readonly sockets = new Set<Socket>()
  private cut = false
  private stalled = false

  /** Joins a client's socket with the server's. */
  join(client: Socket, server: Socket): void {
    if (this.cut) {
      client.destroy()
      server.destroy()
      return
    }
    for (const [from, to] of [
      [client, server],
      [server, client]
    ] as const) {
      this.sockets.add(from)
      from.setNoDelay(true)
      from.pipe(to)
      from.once("error", () => to.destroy())
      from.once("close", () => {
        this.sockets.delete(from)
        to.destroy()
      })
      if (this.stalled) from.pause()
    }
  }

  setCut(cut: boolean): void {
    this.cut = cut
    if (cut) this.end()
  }

  setStalled(stalled: boolean): void {
    this.stalled = stalled
    for (const socket of this.sockets) {
      if (stalled) socket.pause()
      else socket.resume()
    }
  }

  end(): void {
    for (const socket of this.sockets) socket.destroy()
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
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => createServer((client) => ways.join(client, connect({ host, port })))),
      (opened) =>
        Effect.sync(() => {
          opened.close()
          ways.end()
        })
    )
    return {
      host: listenHost,
      port: yield* listening(server, listenHost, listenPort),
      setCut: (cut) => ways.setCut(cut),
      setStalled: (stalled) => ways.setStalled(stalled)
    }
  })
