// Ports for programs that are told where to listen: free ones, promised to one asker only.
// Owns how a promise is kept: a socket of the asker's listens on a port that stands for the promised one, so that no other
// process is promised it before the program listens or while it starts again, and nothing is left behind when the asker dies.
import { Effect } from "effect"
import { randomInt } from "node:crypto"
import { createServer, type Server } from "node:net"

/** Below the ports that Linux (32,768) and IANA (49,152) lend to clients, above those of etcd's test suites (20,000). */
const firstPort = 22_000
const portCount = 5_000
const host = "127.0.0.1"

const listenOn = (port: number): Promise<Server | undefined> =>
  new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once("error", () => resolve(undefined))
    server.listen({ host, port, exclusive: true }, () => resolve(server))
  })

const closed = (server: Server): Promise<unknown> => new Promise((resolve) => server.close(resolve))

const isFree = async (port: number): Promise<boolean> => {
  const probe = await listenOn(port)
  if (probe === undefined) return false
  await closed(probe)
  return true
}

const promised = async (): Promise<number> => {
  for (;;) {
    const port = firstPort + 2 * randomInt(portCount / 2)
    const claim = await listenOn(port + portCount)
    if (claim === undefined) continue
    if ((await isFree(port)) && (await isFree(port + 1))) {
      claim.unref()
      return port
    }
    await closed(claim)
  }
}

/**
 * A TCP port of 127.0.0.1 that nobody listens on and that no other asker is promised while this process lives; the one behind it
 * belongs to it, because the peers of some programs listen there.
 */
export const freePort: Effect.Effect<number> = Effect.promise(promised)
