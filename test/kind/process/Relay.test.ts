// The relay: bytes pass as they are, both ways and at any size; a cut ends what is there and refuses what comes, a stall only delays.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { connect, createServer, type Socket } from "node:net"
import { openRelay } from "#kind"

/** A server that sends back what it gets. */
const echo = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy())
      socket.pipe(socket)
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      resume(Effect.succeed({ port, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

const dial = (port: number): Socket => {
  const socket = connect(port, "127.0.0.1")
  socket.on("error", () => undefined)
  return socket
}

/** Sends and hears the same number of bytes. */
const exchanged = (socket: Socket, bytes: Uint8Array): Promise<Buffer> =>
  new Promise((resolve) => {
    const heard: Array<Buffer> = []
    let size = 0
    const onData = (part: Buffer): void => {
      heard.push(part)
      size += part.length
      if (size < bytes.length) return
      socket.off("data", onData)
      resolve(Buffer.concat(heard))
    }
    socket.on("data", onData)
    socket.write(bytes)
  })

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => (socket.closed ? resolve() : void socket.once("close", () => resolve())))

describe("a relay", () => {
  it.effect("passes bytes as they are", () =>
    Effect.gen(function* () {
      const { port } = yield* echo
      const relay = yield* openRelay({ host: "127.0.0.1", port })
      const socket = dial(relay.port)
      const bytes = fc.uint8Array({ minLength: 1, maxLength: 200_000 })
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(bytes, async (sent) => {
            const heard = await exchanged(socket, sent)
            assert.isTrue(heard.equals(sent))
          }),
          { numRuns: 20 }
        )
      )
      socket.destroy()
    })
  )

  it.effect("ends connections when it is cut, and works again when it is not", () =>
    Effect.gen(function* () {
      const { port } = yield* echo
      const relay = yield* openRelay({ host: "127.0.0.1", port })
      const before = dial(relay.port)
      yield* Effect.promise(() => exchanged(before, Buffer.from("a")))
      relay.setCut(true)
      yield* Effect.promise(() => closed(before))
      yield* Effect.promise(() => closed(dial(relay.port)))
      relay.setCut(false)
      const after = dial(relay.port)
      assert.strictEqual(String(yield* Effect.promise(() => exchanged(after, Buffer.from("b")))), "b")
      after.destroy()
    })
  )

  it.effect("keeps bytes back while it is stalled, and loses none", () =>
    Effect.gen(function* () {
      const { port } = yield* echo
      const relay = yield* openRelay({ host: "127.0.0.1", port })
      const socket = dial(relay.port)
      yield* Effect.promise(() => exchanged(socket, Buffer.from("a")))
      relay.setStalled(true)
      const heard: Array<string> = []
      socket.on("data", (part: Buffer) => heard.push(part.toString()))
      socket.write("late")
      // Another connection that is not stalled has had its turns by then.
      const other = dial(port)
      for (let turn = 0; turn < 20; turn++) yield* Effect.promise(() => exchanged(other, Buffer.from("turn")))
      assert.deepStrictEqual(heard, [])
      relay.setStalled(false)
      yield* Effect.promise(async () => {
        while (heard.join("") !== "late") await new Promise((resolve) => setImmediate(resolve))
      })
      socket.destroy()
      other.destroy()
    })
  )
})
