// The price of an event of 400 bytes to a watch stream over HTTP/2: an exchange of ours beside node:http2, both read by our
// client. Run: node test/net/bench/Watches.ts [connections] [streams per connection] [events per stream and turn] [turns]
import { Effect } from "effect"
import { fork } from "node:child_process"
import { connectHttp } from "../../../core/net/index.ts"

const [connections = 10, streams = 100, batch = 1, turns = 500] = process.argv.slice(2).map(Number)

interface Cost {
  readonly events: number
  readonly microseconds: number
}

const measure = (name: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const child = fork(new URL("WatchServer.ts", import.meta.url), [name, String(batch)])
      const next = Effect.callback<unknown>((resume) => {
        child.once("message", (message) => resume(Effect.succeed(message)))
      })
      const port = (yield* next) as number
      const clients = yield* Effect.all(
        Array.from({ length: connections }, () => connectHttp({ host: "127.0.0.1", port, protocol: "h2" }))
      )
      let unopened = connections * streams
      let allOpen: (() => void) | undefined
      let bytes = 0
      const listener = {
        head: () => {
          if (--unopened === 0) allOpen?.()
        },
        body: (chunk: Uint8Array) => {
          bytes += chunk.length
        },
        end: () => {},
        failed: () => {}
      }
      yield* Effect.callback<void>((resume) => {
        allOpen = () => resume(Effect.void)
        for (const client of clients) {
          for (let n = 0; n < streams; n++)
            client.request({ method: "GET", path: "/watch", fields: [] }, listener).end()
        }
      })
      child.send(turns)
      const { events, microseconds } = (yield* next) as Cost
      child.kill()
      const cost = (microseconds / events).toFixed(2)
      console.log(`${name.padEnd(11)} ${events} events, ${cost} us of the server's processor per event, ${bytes} bytes`)
    })
  )

await Effect.runPromise(Effect.andThen(measure("ours"), measure("node:http2")))
