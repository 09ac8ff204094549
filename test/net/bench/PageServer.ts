// One of the servers that Pages.ts compares, in a process of its own: a kilobyte of JSON with the fields of an API server.
import { Effect } from "effect"
import { createServer, type ServerHttp2Stream } from "node:http2"
import type { AddressInfo } from "node:net"
import { type HttpExchange, listen, type UnaryCall } from "../../../core/net/index.ts"

const body = JSON.stringify({ kind: "Pod", padding: "x".repeat(1000) })
const nothing = new Uint8Array(0)
const report = (port: number): void => void process.send?.(port)
let asked = 0
/** A new value for each answer, as audit ids are. */
const auditId = (): string => `5f8a3c1e-7d2b-4c6a-9e0f-${(asked++).toString(16).padStart(12, "0")}`

const exchange = (seen: HttpExchange): void =>
  seen.respond(
    200,
    [
      ["audit-id", auditId()],
      ["cache-control", "no-cache, private"],
      ["content-type", "application/json"]
    ],
    body
  )

const ours = (): void => {
  const methods = [{ path: "/test.Bench/Empty", unary: (call: UnaryCall) => call.respond(nothing) }]
  const server = listen({ host: "127.0.0.1", port: 0, methods, exchange })
  const reported = Effect.flatMap(server, ({ port }) =>
    Effect.andThen(
      Effect.sync(() => report(port)),
      Effect.never
    )
  )
  void Effect.runPromise(Effect.scoped(reported))
}

const nodeHttp2 = (): void => {
  const server = createServer()
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.respond({
      ":status": 200,
      "audit-id": auditId(),
      "cache-control": "no-cache, private",
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body)
    })
    stream.end(body)
  })
  server.listen(0, "127.0.0.1", () => report((server.address() as AddressInfo).port))
}

process.on("message", () => process.send?.(process.cpuUsage()))

if (process.argv[2] === "node:http2") nodeHttp2()
else ours()
