// A stretch of network between two programs, as TCP connections that pass through it: it can be cut, frozen or refused, and counts.
// Owns sockets; refuses to understand a byte. It is also the plainest front there is: one that changes nothing.
import { createServer, connect, type Socket } from "node:net"

export interface Relay {
  readonly port: number
  readonly url: string
  /** Connections opened since the start, and those open now. */
  readonly opened: () => number
  readonly open: () => number
  /** Ends every connection as a reset network does; new ones are taken. */
  readonly cut: () => void
  /** No byte passes either way and no end is told, for open connections and new ones, until it is thawed. */
  readonly freeze: () => void
  readonly thaw: () => void
  /** New connections are reset at once, until they are taken again. */
  readonly refuse: (refused: boolean) => void
  readonly stop: () => void
}

interface Pair {
  readonly near: Socket
  readonly far: Socket
}

/** Starts one that leads to a port of this machine. */
export const startRelay = async (to: number): Promise<Relay> => {
  const pairs = new Set<Pair>()
  let [opened, frozen, refused] = [0, false, false]
  const pass = (from: Socket, onto: Socket): void => {
    from.on("data", (chunk) => {
      if (!onto.write(chunk)) from.pause()
    })
    onto.on("drain", () => void (frozen || from.resume()))
    from.on("end", () => onto.end())
    from.on("error", () => onto.destroy())
    from.on("close", () => onto.destroy())
  }
  const server = createServer({ allowHalfOpen: true }, (near) => {
    opened++
    if (refused) return void near.resetAndDestroy()
    const far = connect({ host: "127.0.0.1", port: to, allowHalfOpen: true })
    const pair = { near, far }
    pairs.add(pair)
    near.setNoDelay(true)
    far.setNoDelay(true)
    near.once("close", () => pairs.delete(pair))
    pass(near, far)
    pass(far, near)
    if (frozen) for (const socket of [near, far]) socket.pause()
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the relay has no port")
  const each = (act: (socket: Socket) => void): void => {
    for (const { far, near } of pairs) for (const socket of [near, far]) act(socket)
  }
  const setFrozen = (to: boolean): void => {
    frozen = to
    each((socket) => void (to ? socket.pause() : socket.resume()))
  }
  return {
    port: address.port,
    url: `https://127.0.0.1:${address.port}`,
    opened: () => opened,
    open: () => pairs.size,
    cut: () => each((socket) => void socket.resetAndDestroy()),
    freeze: () => setFrozen(true),
    thaw: () => setFrozen(false),
    refuse: (to) => void (refused = to),
    stop: () => {
      server.close()
      each((socket) => void socket.destroy())
    }
  }
}
