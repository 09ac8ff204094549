// A gRPC server whose one method does nothing, in a process of its own: what the load generator is measured against.
// Says its port over IPC and ends with the channel.
import { listen } from "#net"
import { Effect } from "effect"
import { emptyMethod } from "./Ceiling.ts"

const nothing = new Uint8Array(0)

process.on("disconnect", () => process.exit(0))

const program = Effect.gen(function* () {
  const method = {
    path: emptyMethod,
    unary: (call: { respond: (message: Uint8Array) => void }) => call.respond(nothing)
  }
  const { port } = yield* listen({ host: "127.0.0.1", port: 0, methods: [method] })
  process.send?.({ type: "port", port })
  return yield* Effect.never
})

Effect.runFork(Effect.scoped(program))
