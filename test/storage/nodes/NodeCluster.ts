// Several nodes of the store as processes on one TiKV test bed: started, killed, paused, asked to go, started again.
// Owns their ports and processes; refuses to speak to them beyond asking who leads.
import { type ChildProcess, spawn } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { Effect, Exit, Scope } from "effect"
import { callUnary, connect, type GrpcClient } from "#net"
import { Empty, StatusResponse } from "#storage"
import { freePort } from "../../FreePort.ts"
import { commandOf } from "../ServerProcess.ts"
import { TestBed, type TestBedPrograms } from "../tikv/TestBed.ts"

interface NodeProcess {
  readonly name: string
  readonly clientPort: number
  readonly peerPort: number
  child: ChildProcess | undefined
  log: string
}

const running = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** A connection of its own; closed with `close`. */
export const open = async (endpoint: string, onClose: () => void = () => undefined): Promise<GrpcClient> => {
  const [host, port] = endpoint.split(":")
  const scope = await Effect.runPromise(Scope.make())
  try {
    return await Effect.runPromise(Scope.provide(connect({ host, port: Number(port), onClose }), scope))
  } catch (error) {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    throw error
  }
}

export interface NodeClusterOptions {
  readonly nodes?: number
  readonly termMs?: number
  readonly flags?: ReadonlyArray<string>
  /** Put before each node's command, such as `prlimit …`; told which node it is. */
  readonly wrapper?: (at: number) => ReadonlyArray<string>
}

export class NodeCluster {
  readonly bed: TestBed
  readonly nodes: ReadonlyArray<NodeProcess>
  private readonly options: NodeClusterOptions

  private constructor(bed: TestBed, nodes: ReadonlyArray<NodeProcess>, options: NodeClusterOptions) {
    this.bed = bed
    this.nodes = nodes
    this.options = options
  }

  static async start(programs: TestBedPrograms, options: NodeClusterOptions = {}): Promise<NodeCluster> {
    const nodes: Array<NodeProcess> = []
    for (let at = 0; at < (options.nodes ?? 3); at++) {
      nodes.push({
        name: `n${at + 1}`,
        clientPort: await freePort(),
        peerPort: await freePort(),
        child: undefined,
        log: ""
      })
    }
    const cluster = new NodeCluster(await TestBed.start(programs, 2), nodes, options)
    try {
      await Promise.all(nodes.map((_node, at) => cluster.startNode(at)))
    } catch (error) {
      await cluster.destroy()
      throw error
    }
    return cluster
  }

  endpoint(at: number): string {
    return `127.0.0.1:${this.nodes[at].clientPort}`
  }

  get endpoints(): ReadonlyArray<string> {
    return this.nodes.map((_node, at) => this.endpoint(at))
  }

  /** Starts a node and waits until it serves. */
  startNode(at: number): Promise<void> {
    const node = this.nodes[at]
    const url = `http://${this.endpoint(at)}`
    const flags = {
      name: node.name,
      backend: "tikv",
      "pd-endpoints": this.bed.pd,
      "peer-urls": `http://127.0.0.1:${node.peerPort}`,
      "listen-client-urls": url,
      "advertise-client-urls": url,
      "election-timeout": String(this.options.termMs ?? 1000)
    }
    const args = [
      ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
      ...(this.options.flags ?? [])
    ]
    const wrapper = this.options.wrapper?.(at) ?? []
    const [command, ...rest] = [...wrapper, ...commandOf("lmdb"), ...args]
    const child = spawn(command, rest, { stdio: ["ignore", "ignore", "pipe"] })
    node.child = child
    node.log = ""
    running.add(child)
    return new Promise((resolve, reject) => {
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        node.log = (node.log + text).slice(-200_000)
        if (node.log.includes("ready to serve client requests")) resolve()
      })
      child.once("close", (code, signal) => {
        running.delete(child)
        reject(new Error(`${node.name} ended with ${code ?? signal}: ${node.log.slice(-3000)}`))
      })
    })
  }

  signal(at: number, signal: NodeJS.Signals): void {
    this.nodes[at].child?.kill(signal)
  }

  /** Sends a signal that ends the node, and waits until it has. */
  async end(at: number, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const { child } = this.nodes[at]
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => void child.once("close", resolve))
    child.kill(signal)
    await ended
  }

  /** Which node leads, by asking them all until one says so. */
  async leader(): Promise<number> {
    for (const end = Date.now() + 30_000; Date.now() < end; await sleep(50)) {
      for (const at of this.nodes.keys()) {
        const status = await this.status(at).catch(() => undefined)
        if (status !== undefined && status.leader !== 0 && status.leader === status.header?.memberId) return at
      }
    }
    throw new Error("nobody leads")
  }

  async status(at: number) {
    const client = await open(this.endpoint(at))
    try {
      const path = "/etcdserverpb.Maintenance/Status"
      return StatusResponse.decode(
        await Effect.runPromise(callUnary(client, path, Empty.encode({}), { deadlineMs: 1000 }))
      )
    } finally {
      client.close()
    }
  }

  async destroy(): Promise<void> {
    for (const { child } of this.nodes) {
      child?.kill("SIGCONT")
      child?.kill("SIGKILL")
    }
    await this.bed.destroy()
  }
}
