// The least that a server over another server can add: a process that takes a call over our wire, asks a TiKV store some times, one
// after the other, and answers how long it waited. It keeps nothing and decides nothing, so what is left of a request is sockets,
// frames and the wake-ups of three processes.
// Owns that process; refuses to judge. As a program: `node test/storage/bench/Relay.ts STORE_ADDRESS` prints its port.
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { connect, type GrpcClient, type GrpcMethod, listen } from "#net"
import { StoreMethods } from "../../../core/storage/tikv/TikvMessages.ts"

/** The method that asks a store `waits` times. */
export const relayPath = (waits: number): string => `/bench.Relay/Wait${waits}`
const WAITS_MAX = 6

const method = (store: GrpcClient, waits: number): GrpcMethod => ({
  path: relayPath(waits),
  unary: (call) => {
    let waitedMs = 0
    const ask = (left: number): void => {
      if (left === 0) {
        const answer = Buffer.alloc(8)
        answer.writeDoubleLE(waitedMs)
        return call.respond(answer)
      }
      const begunMs = performance.now()
      // Without a region the store refuses at once; that is an answer like any other.
      store.unary(StoreMethods.batchGet.path, StoreMethods.batchGet.request.encode({}), () => {
        waitedMs += performance.now() - begunMs
        ask(left - 1)
      })
    }
    ask(waits)
  }
})

/** Starts a relay before a store; answers its address. */
export const startRelay = (store: string): Promise<{ readonly address: string; readonly child: ChildProcess }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), store], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    child.once("exit", (code) => reject(new Error(`the relay ended with ${code}`)))
    child.stdout.once("data", (port: Buffer) => resolve({ address: `127.0.0.1:${Number(port)}`, child }))
  })

if (import.meta.main) {
  const [host, port] = (process.argv[2] ?? "").split(":")
  const serve = Effect.gen(function* () {
    const store = yield* connect({ host, port: Number(port) })
    const methods = Array.from({ length: WAITS_MAX + 1 }, (_, waits) => method(store, waits))
    const listening = yield* listen({ host: "127.0.0.1", port: 0, methods })
    process.stdout.write(`${listening.port}\n`)
    return yield* Effect.never
  })
  const alive = setInterval(() => undefined, 60_000)
  await Effect.runPromise(Effect.scoped(serve)).finally(() => clearInterval(alive))
}
