// Puts servers beside each other: one and the same client (h2load), turns taken in alternation so that the machine's other work
// falls on all. Owns starting, loading and the printed table; refuses to own what the servers answer.
import { execFileSync, fork, type ChildProcess } from "node:child_process"

/** A shape of load. */
export interface Shape {
  readonly name: string
  readonly connections: number
  readonly streams: number
}

/** One kind of server: how its process is called, and what h2load asks it. */
export interface Contestant {
  readonly name: string
  readonly asks: ReadonlyArray<string>
  readonly path: string
}

export const shapes: ReadonlyArray<Shape> = [
  { name: "30 connections x 10", connections: 30, streams: 10 },
  { name: "300 connections x 1", connections: 300, streams: 1 }
]

interface Server {
  readonly child: ChildProcess
  readonly port: number
  readonly contestant: Contestant
}

const start = (module: URL, contestant: Contestant): Promise<Server> =>
  new Promise((resolve, reject) => {
    const child = fork(module, [contestant.name])
    child.once("message", (port) => resolve({ child, port: port as number, contestant }))
    child.once("error", reject)
  })

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
const load = async (server: Server, seconds: number, connections: number, streams: number): Promise<Turn> => {
  const before = await usage(server.child)
  const { asks, path } = server.contestant
  const shape = ["-D", String(seconds), "-c", String(connections), "-m", String(streams)]
  const text = execFileSync("h2load", [...shape, ...asks, `http://127.0.0.1:${server.port}${path}`], {
    encoding: "utf8"
  })
  const good = /(\d+) succeeded, (\d+) failed, (\d+) errored/.exec(text)
  if (good === null || good[2] !== "0" || good[3] !== "0") throw new Error(`h2load saw failures:\n${text}`)
  const calls = Number(good[1])
  return { callsPerSecond: calls / seconds, processorPerCall: ((await usage(server.child)) - before) / calls }
}

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1]

/** Loads every contestant in turns and prints calls per second, the server's processor time per call, and ratios to the first. */
export const compare = async (
  module: URL,
  contestants: ReadonlyArray<Contestant>,
  seconds: number,
  turns: number
): Promise<void> => {
  const servers = await Promise.all(contestants.map((contestant) => start(module, contestant)))
  for (const server of servers) await load(server, seconds, 10, 10)
  for (const shape of shapes) {
    const seen = new Map<Server, Array<Turn>>(servers.map((server) => [server, []]))
    for (let turn = 0; turn < turns; turn++) {
      for (const server of turn % 2 === 0 ? servers : [...servers].reverse()) {
        seen.get(server)!.push(await load(server, seconds, shape.connections, shape.streams))
      }
    }
    console.log(`\n${shape.name}, median of ${turns} turns of ${seconds} s`)
    const rateOf = (server: Server): number => median(seen.get(server)!.map((turn) => turn.callsPerSecond))
    const costOf = (server: Server): number => median(seen.get(server)!.map((turn) => turn.processorPerCall))
    for (const server of servers) {
      const calls = Math.round(rateOf(server)).toLocaleString("en").padStart(9)
      const cost = costOf(server).toFixed(2).padStart(7)
      const ratio = `${contestants[0].name}: ${(rateOf(servers[0]) / rateOf(server)).toFixed(1)} times the calls`
      const name = server.contestant.name.padEnd(18)
      console.log(`  ${name}${calls} calls/s ${cost} us of the server's processor per call   ${ratio}`)
    }
  }
  for (const { child } of servers) child.kill()
}
