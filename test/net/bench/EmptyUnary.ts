// The price of an empty unary call: our server beside @grpc/grpc-js and node:http2, one and the same client (h2load), turns
// taken in alternation so that the machine's other work falls on all. Prints calls per second, the server's processor time per
// call (which other work disturbs less) and ratios; then what our own client costs. Run: node test/net/bench/EmptyUnary.ts [seconds per turn] [turns]
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

interface Server {
  readonly child: ChildProcess
  readonly port: number
}

const start = (name: ServerName): Promise<Server> =>
  new Promise((resolve, reject) => {
    const child = fork(new URL("EmptyServer.ts", import.meta.url), [name])
    child.once("message", (port) => resolve({ child, port: port as number }))
    child.once("error", reject)
  })

const requestFile = join(mkdtempSync(join(tmpdir(), "empty-unary-")), "request")
writeFileSync(requestFile, Buffer.alloc(5))

/** Microseconds of processor time that a server has used so far. */
const usage = (child: ChildProcess): Promise<number> =>
  new Promise((resolve) => {
    child.once("message", (used) => {
      const { system, user } = used as NodeJS.CpuUsage
      resolve(user + system)
    })
    child.send("usage")
  })

interface Turn {
  readonly callsPerSecond: number
  /** Of the server, in microseconds. */
  readonly processorPerCall: number
}

/** One turn of h2load; a call counts when it was answered well. */
const load = async (server: Server, connections: number, streams: number): Promise<Turn> => {
  const before = await usage(server.child)
  const text = execFileSync(
    "h2load",
    [
      ["-D", String(seconds), "-c", String(connections), "-m", String(streams), "-d", requestFile],
      ["-H", "content-type: application/grpc", "-H", "te: trailers"],
      [`http://127.0.0.1:${server.port}/test.Bench/Empty`]
    ].flat(),
    { encoding: "utf8" }
  )
  const good = /(\d+) succeeded, (\d+) failed, (\d+) errored/.exec(text)
  if (good === null || good[2] !== "0" || good[3] !== "0") throw new Error(`h2load saw failures:\n${text}`)
  const calls = Number(good[1])
  return { callsPerSecond: calls / seconds, processorPerCall: ((await usage(server.child)) - before) / calls }
}

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1]

const main = async (): Promise<void> => {
  const running = new Map(await Promise.all(servers.map(async (name) => [name, await start(name)] as const)))
  for (const server of running.values()) await load(server, 10, 10)
  for (const shape of shapes) {
    const seen = new Map<ServerName, Array<Turn>>(servers.map((name) => [name, []]))
    for (let turn = 0; turn < turns; turn++) {
      for (const name of turn % 2 === 0 ? servers : [...servers].reverse()) {
        seen.get(name)!.push(await load(running.get(name)!, shape.connections, shape.streams))
      }
    }
    console.log(`\n${shape.name}, median of ${turns} turns of ${seconds} s`)
    const rateOf = (name: ServerName): number => median(seen.get(name)!.map((turn) => turn.callsPerSecond))
    const costOf = (name: ServerName): number => median(seen.get(name)!.map((turn) => turn.processorPerCall))
    for (const name of servers) {
      const calls = Math.round(rateOf(name)).toLocaleString("en").padStart(9)
      const cost = costOf(name).toFixed(2).padStart(7)
      const ratio = `ours: ${(rateOf("ours") / rateOf(name)).toFixed(1)} times the calls`
      console.log(`  ${name.padEnd(11)}${calls} calls/s ${cost} us of the server's processor per call   ${ratio}`)
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
