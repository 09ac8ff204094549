// One of the servers that Watches.ts compares, in a process of its own: every stream gets every event, a batch of events in each
// turn of the event loop; told to begin, it sends so many events and then reports the processor time that they took.
import { Effect } from "effect"
import { createServer, type ServerHttp2Stream } from "node:http2"
import type { AddressInfo } from "node:net"
import { type HttpBody, listen } from "../../../core/net/index.ts"

const event = Buffer.from(`${JSON.stringify({ type: "MODIFIED", object: { padding: "x".repeat(350) } })}\n`)
const [which, batch] = [process.argv[2], Number(process.argv[3])]
const send = (message: unknown): void => void process.send?.(message)
const writers: Array<() => void> = []

const ours = (): void => {
  const exchange = (seen: { start(status: number, fields: []): HttpBody }): void => {
    const body = seen.start(200, [])
    writers.push(() => void body.write(event))
  }
  const server = listen({ host: "127.0.0.1", port: 0, methods: [], exchange })
  const reported = Effect.flatMap(server, ({ port }) =>
    Effect.andThen(
      Effect.sync(() => send(port)),
      Effect.never
    )
  )
  void Effect.runPromise(Effect.scoped(reported))
}

const nodeHttp2 = (): void => {
  const server = createServer()
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.respond({ ":status": 200 })
    writers.push(() => void stream.write(event))
  })
  server.listen(0, "127.0.0.1", () => send((server.address() as AddressInfo).port))
}

process.on("message", (turns: number) => {
  const before = process.cpuUsage()
  let left = turns
  const turn = (): void => {
    for (const write of writers) for (let count = 0; count < batch; count++) write()
    if (--left > 0) return void setTimeout(turn, 1)
    setTimeout(() => {
      const { user, system } = process.cpuUsage(before)
      send({ events: writers.length * batch * turns, microseconds: user + system })
    }, 300)
  }
  turn()
})

if (which === "ours") ours()
else nodeHttp2()
