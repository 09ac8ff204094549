// One of several store nodes on a shared engine, as a simulated process: started, crashed and started again.
// Owns that life and the connections between nodes; refuses to decide when, which faults do. Engine, clock and connections may be
// wrapped, which is how tests plant bugs below and between nodes.
import type { Clockwork } from "#kube"
import type { GrpcClient } from "#net"
import { type Engine, StorageNode } from "#storage"
import type { Network } from "../faults/Network.ts"
import type { Kernel } from "../time/Kernel.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import type { SharedEngine } from "./SharedEngine.ts"
import { type Service, SimGrpcClient } from "./SimGrpc.ts"

/** Makes other parts of a node's parts: for tests that plant bugs. */
export interface NodeWrappers {
  readonly engine?: (engine: Engine, process: SimProcess, kernel: Kernel) => Engine
  readonly clockwork?: (clockwork: Clockwork, process: SimProcess) => Clockwork
  readonly client?: (client: GrpcClient, process: SimProcess) => GrpcClient
}

export interface SharedNodeOptions {
  readonly termMs: number
  /** Milliseconds between periodic progress notices of watches. */
  readonly progressIntervalMs: number
  readonly wrappers: NodeWrappers
}

const NO_SERVICE: Service = new Map()

export class SharedNode {
  readonly process: SimProcess
  private readonly kernel: Kernel
  private readonly network: Network
  private readonly engine: SharedEngine
  private readonly memberId: number
  private readonly options: SharedNodeOptions
  /** Every node by its peer URL, which is its process's name. */
  private readonly peers: ReadonlyMap<string, SharedNode>
  private running: StorageNode | undefined
  private clientMethods: Service = NO_SERVICE
  private peerMethods: Service = NO_SERVICE

  constructor(
    kernel: Kernel,
    network: Network,
    engine: SharedEngine,
    memberId: number,
    peers: ReadonlyMap<string, SharedNode>,
    options: SharedNodeOptions
  ) {
    this.kernel = kernel
    this.network = network
    this.engine = engine
    this.memberId = memberId
    this.peers = peers
    this.options = options
    this.process = kernel.process(`node ${memberId}`)
  }

  /** The node as it runs now; undefined while it is down or has not read the engine yet. */
  get node(): StorageNode | undefined {
    return this.running
  }

  readonly service = (): Service => this.clientMethods

  start(): void {
    const { engine, kernel, memberId, options, process } = this
    const { progressIntervalMs, termMs, wrappers } = options
    const { name } = process
    process.start()
    const opened = engine.open(process)
    const clockwork = wrappers.clockwork?.(process.clockwork, process) ?? process.clockwork
    StorageNode.open(
      wrappers.engine?.(opened, process, kernel) ?? opened,
      clockwork,
      {
        limits: { txnOpsMax: 128, requestBytesMax: 1.5 * 2 ** 20, progressIntervalMs },
        quotaBytes: 0,
        minLeaseTtlSeconds: 1,
        autoCompaction: { mode: "periodic", retention: 0 },
        auth: { token: { kind: "none" } },
        identity: { clusterId: 1, memberId },
        member: () => ({ name, peerUrls: [name], clientUrls: [name] }),
        snapshotFiles: { create: (done) => done(new Error("a simulated node takes no snapshots"), undefined) },
        termMs,
        dial: (url, dialled, lost) => this.dial(url, dialled, lost)
      },
      (node) => {
        this.running = node
        this.clientMethods = new Map(node.methods.map((method) => [method.path, method]))
        this.peerMethods = new Map(node.peerMethods.map((method) => [method.path, method]))
      }
    )
  }

  /** Ends the process without notice. */
  crash(): void {
    this.running = undefined
    this.clientMethods = NO_SERVICE
    this.peerMethods = NO_SERVICE
    this.process.crash()
  }

  private dial(url: string, dialled: (client: GrpcClient | undefined) => void, lost: () => void): void {
    const { network, options, process } = this
    const other = this.peers.get(url)
    const connection = other && network.connect(process, other.process)
    if (connection === undefined || other === undefined) return process.clockwork.defer(() => dialled(undefined))
    const client = new SimGrpcClient(connection, () => other.peerMethods)
    const { client: failCalls } = connection.onBroken
    connection.onBroken.client = () => {
      failCalls?.()
      lost()
    }
    process.clockwork.after(network.delay(process, other.process), () =>
      dialled(options.wrappers.client?.(client, process) ?? client)
    )
  }
}
