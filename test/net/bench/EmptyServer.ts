// One of the servers that EmptyUnary.ts compares, in a process of its own: an empty answer to an empty unary call.
import grpc from "@grpc/grpc-js"
import { Effect } from "effect"
import { createServer, type ServerHttp2Stream } from "node:http2"
import type { AddressInfo } from "node:net"
import { listen } from "../../../core/net/index.ts"

const path = "/test.Bench/Empty"
const nothing = new Uint8Array(0)
const report = (port: number): void => void process.send?.(port)

const ours = (): void => {
  const methods = [{ path, unary: (call: { respond(message: Uint8Array): void }) => call.respond(nothing) }]
  const server = listen({ host: "127.0.0.1", port: 0, methods })
  void Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(server, (open) =>
        Effect.andThen(
          Effect.sync(() => report(open.port)),
          Effect.never
        )
      )
    )
  )
}

const grpcJs = (): void => {
  const server = new grpc.Server()
  const plain = (bytes: Buffer): Buffer => bytes
  const empty = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: plain,
    requestDeserialize: plain,
    responseSerialize: plain,
    responseDeserialize: plain
  }
  const answer = Buffer.alloc(0)
  server.addService(
    { empty },
    {
      empty: (_call: unknown, callback: (error: null, value: Buffer) => void) => callback(null, answer)
    }
  )
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error
    report(port)
  })
}

const nodeHttp2 = (): void => {
  const server = createServer()
  const answer = Buffer.alloc(5)
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("data", () => {})
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true })
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }))
      stream.end(answer)
    })
  })
  server.listen(0, "127.0.0.1", () => report((server.address() as AddressInfo).port))
}

process.on("message", () => process.send?.(process.cpuUsage()))

const which = process.argv[2]
if (which === "ours") ours()
else if (which === "grpc-js") grpcJs()
else nodeHttp2()
