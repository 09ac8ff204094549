// What a call costs on our client: closed loop against our own empty handler in another process; prints calls per second and
// the client's processor time per call. Arguments: connections, streams per connection, seconds.
import { Effect } from "effect"
import { fork } from "node:child_process"
import { connect, type GrpcClient } from "../../../core/net/index.ts"

const [connections, streams, seconds] = process.argv.slice(2).map(Number)
const nothing = new Uint8Array(0)
const server = fork(new URL("EmptyServer.ts", import.meta.url), ["ours"])
const port = await new Promise<number>((resolve) => server.once("message", (value) => resolve(value as number)))

const run = (clients: ReadonlyArray<GrpcClient>): Promise<number> =>
  new Promise((resolve) => {
    let calls = 0
    let open = clients.length * streams
    let over = false
    setTimeout(() => (over = true), seconds * 1000)
    for (const client of clients) {
      const next = (): void => void client.unary("/test.Bench/Empty", nothing, done)
      const done = (error: unknown): void => {
        if (error !== undefined) throw error as Error
        calls++
        if (!over) next()
        else if (--open === 0) resolve(calls)
      }
      for (let stream = 0; stream < streams; stream++) next()
    }
  })

const program = Effect.gen(function* () {
  const clients = yield* Effect.all(
    Array.from({ length: connections }, () => connect({ host: "127.0.0.1", port })),
    { concurrency: 50 }
  )
  const before = process.cpuUsage()
  const startedMs = performance.now()
  const calls = yield* Effect.promise(() => run(clients))
  const spent = process.cpuUsage(before)
  const tookSeconds = (performance.now() - startedMs) / 1000
  const perCall = (spent.user + spent.system) / calls
  const share = ((spent.user + spent.system) / 1e6 / tookSeconds) * 100
  console.log(
    `our client, ${connections} x ${streams}: ${Math.round(calls / tookSeconds).toLocaleString("en")} calls/s, ` +
      `${perCall.toFixed(2)} us of processor time per call (${share.toFixed(0)} % of one core)`
  )
})
await Effect.runPromise(Effect.scoped(program))
server.kill()
