import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { createServer } from "node:net"
import { text } from "node:stream/consumers"
import { freePort } from "#kind"

const each = 150
const askers = 3

/** A process that is promised ports, says which, and holds them until its input ends. */
const script = `
  import { Effect } from "effect"
  import { freePort } from ${JSON.stringify(new URL("../../../kind/process/FreePort.ts", import.meta.url).href)}
  const ports = await Effect.runPromise(Effect.all(Array.from({ length: ${each} }, () => freePort), { concurrency: 10 }))
  process.stdout.end(JSON.stringify(ports))
  process.stdin.resume()
`

it.effect("no two askers are promised one port, nor the one behind it, while they live", () =>
  Effect.promise(async () => {
    const children = Array.from({ length: askers }, () =>
      spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["pipe", "pipe", "inherit"] })
    )
    const promised = await Promise.all(children.map((child) => text(child.stdout)))
    for (const child of children) child.stdin.end()
    const ports = promised.flatMap((line) => JSON.parse(line) as Array<number>)
    assert.strictEqual(ports.length, askers * each)
    assert.strictEqual(new Set(ports.flatMap((port) => [port, port + 1])).size, 2 * askers * each)
  })
)

it.effect("a port on which somebody listens is not promised, one that is can be listened on", () =>
  Effect.promise(async () => {
    const port = await Effect.runPromise(freePort)
    const server = createServer()
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve))
    const others = await Effect.runPromise(Effect.all(Array.from({ length: each }, () => freePort)))
    assert.notInclude(others, port)
    await new Promise((resolve) => server.close(resolve))
  })
)
