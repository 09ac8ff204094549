// The price of an empty unary call: our server beside @grpc/grpc-js and node:http2, one and the same client (h2load), turns
// taken in alternation so that the machine's other work falls on all. Prints calls per second and ratios; then what our own
// client costs. Run: node test/net/bench/EmptyUnary.ts [seconds per turn] [turns]
import { execFileSync, fork, type ChildProcess } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const servers = ["ours", "grpc-js", "node:http2"] as const
type ServerName = (typeof servers)[number]
const shapes = [
  { name: "30 connections x 10", connections: 30, streams: 10 },
  { name: "300 connections x 1", connections: 300, streams: 1 }
] as const

const seconds = Number(process.argv[2] ?? 2)
const turns = Number(process.argv[3] ?? 3)

const start = (name: ServerName): Promise<{ readonly child: ChildProcess; readonly port: number }> =>
  new Promise((resolve, reject) => {
    const child = fork(new URL("EmptyServer.ts", import.meta.url), [name])
    child.once("message", (port) => resolve({ child, port: port as number }))
    child.once("error", reject)
  })

const requestFile = join(mkdtempSync(join(tmpdir(), "empty-unary-")), "request")
writeFileSync(requestFile, Buffer.alloc(5))

/** Calls per second as h2load counts the successful ones, with the server's processor time beside. */
const load = (port: number, connections: number, streams: number): number => {
  const text = execFileSync(
    "h2load",
    [
      ["-D", String(seconds), "-c", String(connections), "-m", String(streams), "-d", requestFile],
      ["-H", "content-type: application/grpc", "-H", "te: trailers"],
      [`http://127.0.0.1:${port}/test.Bench/Empty`]
    ].flat(),
    { encoding: "utf8" }
  )
  const good = /(\d+) succeeded, (\d+) failed, (\d+) errored/.exec(text)
  if (good === null || good[2] !== "0" || good[3] !== "0") throw new Error(`h2load saw failures:\n${text}`)
  return Number(good[1]) / seconds
}

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1]

const main = async (): Promise<void> => {
  const running = new Map(await Promise.all(servers.map(async (name) => [name, await start(name)] as const)))
  for (const { port } of running.values()) load(port, 10, 10)
  for (const shape of shapes) {
    const seen = new Map<ServerName, Array<number>>(servers.map((name) => [name, []]))
    for (let turn = 0; turn < turns; turn++) {
      for (const name of turn % 2 === 0 ? servers : [...servers].reverse()) {
        seen.get(name)!.push(load(running.get(name)!.port, shape.connections, shape.streams))
      }
    }
    const ours = median(seen.get("ours")!)
    console.log(`\n${shape.name}, median of ${turns} turns of ${seconds} s`)
    for (const name of servers) {
      const rate = median(seen.get(name)!)
      console.log(
        `  ${name.padEnd(12)} ${Math.round(rate).toLocaleString("en").padStart(9)} calls/s   ours is ${(ours / rate).toFixed(2)} times`
      )
    }
  }
  for (const { child } of running.values()) child.kill()
  for (const shape of shapes) {
    const child = fork(new URL("ClientCost.ts", import.meta.url), [
      String(shape.connections),
      String(shape.streams),
      String(seconds)
    ])
    await new Promise((resolve) => child.once("exit", resolve))
  }
}

await main()
