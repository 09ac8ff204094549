// A whole simulated cluster: control plane, machines, pods, binder, controllers, users and misfortunes, on one kernel from one seed.
// Owns how these are joined and started; refuses to know controllers (functions that are handed in) and resources (definitions).
// Without a network model every client calls the server in process: no latency, no faults of the way, the fastest world.
import type { Cancel, Client } from "#kube"
import type { Storage } from "#storage"
import { ApiNode, type BareServer, type WholeServer } from "./ApiNode.ts"
import type { ChurnStep } from "./churn/ChurnStep.ts"
import { FaultInjector, type FaultTargets } from "./faults/FaultInjector.ts"
import type { FaultPlan } from "./faults/FaultPlan.ts"
import { Network, type NetworkOptions } from "./faults/Network.ts"
import { ServerPace, type ServerTimes } from "./faults/ServerPace.ts"
import type { SimDiskOptions } from "./faults/SimDisk.ts"
import { makeNetworkClient } from "./NetworkClient.ts"
import { Population, type PopulationOptions } from "./Population.ts"
import { Kernel } from "./time/Kernel.ts"
import { hashText } from "./time/RandomStream.ts"
import type { SimProcess } from "./time/SimProcess.ts"

export type { ControllerContext, ControllerStart } from "./Population.ts"

/** What a world is made of beside its server. */
export interface WorldParts extends PopulationOptions {
  readonly seed: number
  readonly network?: NetworkOptions
  readonly disk?: SimDiskOptions
  /** How long the server takes for what clients ask over the network; default: no virtual time. */
  readonly serverTimes?: ServerTimes
  readonly compactionMs?: number
  readonly faults?: FaultPlan
  readonly epochMs?: number
  /** Wraps each client: where tests plant bugs and checkers listen. */
  readonly wrapClient?: (client: Client, process: SimProcess) => Client
}

export type WorldOptions = WorldParts & (BareServer | { readonly server: WholeServer })

const NOTE_COMMIT = 40
const NOISE_TICK_MS = 10

export class World {
  readonly kernel: Kernel
  readonly network: Network
  readonly api: ApiNode
  readonly population: Population
  readonly nodes: Population["nodes"]
  readonly pods: Population["pods"]
  readonly bindings: Population["bindings"]
  readonly player: Population["player"]
  /** Called at each start of the server. */
  onServerStart: ((storage: Storage, client: Client) => void) | undefined
  /** Called once, when the server has what every cluster begins with and everyone is about to start. */
  onReady: ((failures: ReadonlyArray<string>) => void) | undefined
  private readonly options: WorldOptions
  private readonly clients = new Map<string, SimProcess>()
  private readonly pace: ServerPace | undefined

  constructor(options: WorldOptions) {
    const { epochMs, seed } = options
    this.options = options
    const kernel = (this.kernel = new Kernel({ seed, ...(epochMs === undefined ? {} : { epochMs }) }))
    this.network = new Network(kernel, options.network)
    const { serverTimes } = options
    this.pace = serverTimes && new ServerPace(serverTimes, kernel.random.split("server pace"))
    this.api = new ApiNode({
      kernel,
      server: "server" in options ? options.server : options,
      disk: options.disk ?? { flush: { kind: "constant", ms: 0.2 } },
      ...(options.compactionMs === undefined ? {} : { compactionMs: options.compactionMs })
    })
    this.api.onStart = (storage, client) => {
      storage.store.listen({
        committed: (revision, events) => {
          let digest = revision
          for (const { kind, text } of events) digest = hashText(text, Math.imul(digest, 31) + kind)
          this.api.process.note(NOTE_COMMIT, digest)
        }
      })
      this.onServerStart?.(storage, client)
    }
    const population = (this.population = new Population(kernel, (name) => this.client(name), options))
    this.nodes = population.nodes
    this.pods = population.pods
    this.bindings = population.bindings
    this.player = population.player
  }

  /** A client in a process of this name. */
  client(name: string): Client {
    const { api, kernel, network } = this
    const process = kernel.process(name)
    this.clients.set(name, process)
    const plain =
      this.options.network === undefined
        ? directClient(api.local)
        : makeNetworkClient({
            network,
            process,
            server: api.process,
            local: api.local,
            ...(this.pace && { pace: this.pace })
          })
    return this.options.wrapClient?.(plain, process) ?? plain
  }

  /** Starts the server, and everyone else as soon as it is ready; time moves when the kernel runs. */
  start(): void {
    this.api.onReady = (failures) => {
      this.api.onReady = undefined
      this.onReady?.(failures)
      this.population.start()
      new FaultInjector(this.kernel, this.network, this.faultTargets()).schedule(this.options.faults ?? [])
    }
    this.api.start()
  }

  /** Plays steps of users, beside all else. */
  play(steps: Iterable<ChurnStep>): void {
    this.population.play(steps)
  }

  stop(): void {
    this.population.stop()
  }

  private faultTargets(): FaultTargets {
    const { api, nodes } = this
    const compact = (keep: number): void => {
      const { storage } = api.node
      const revision = (storage?.store.revision ?? 0) - keep
      if (revision > 0) storage?.compactor.compact(revision, false, () => undefined)
    }
    return {
      servers: new Map([
        [
          "apiserver",
          { process: api.process, disk: api.node.disk, start: () => api.start(), crash: () => api.crash(), compact }
        ]
      ]),
      clients: this.clients,
      nodes: {
        kill: (zone, count) => nodes.kill(zone, count),
        revive: (dead) => nodes.revive(dead),
        setZoneCut: (zone, cut) => nodes.setZoneCut(zone, cut)
      },
      setNoise: (perSecond) => this.setNoise(perSecond)
    }
  }

  private stopNoise: Cancel | undefined

  /** A tenant that lists everything, again and again. */
  private setNoise(perSecond: number): void {
    this.stopNoise?.()
    this.stopNoise = undefined
    if (perSecond === 0) return
    const { clockwork } = this.kernel.process("noisy tenant")
    const client = this.client("noisy tenant")
    const pods = { resource: { group: "", version: "v1", resource: "pods" }, namespace: "" }
    let owed = 0
    this.stopNoise = clockwork.every(NOISE_TICK_MS, () => {
      for (owed += (perSecond * NOISE_TICK_MS) / 1000; owed >= 1; owed--)
        client.list(pods, { resourceVersion: "0" }, () => undefined)
    })
  }
}

/** The server's own client, whichever runs now; calls to a server that is down are never answered, as there is no way to fail. */
const directClient = (local: () => Client | undefined): Client => ({
  get: (target, options, done) => local()?.get(target, options, done),
  list: (collection, options, done) => local()?.list(collection, options, done),
  watch: (collection, options, listener) => local()?.watch(collection, options, listener) ?? (() => undefined),
  create: (target, object, options, done) => local()?.create(target, object, options, done),
  update: (target, object, options, done) => local()?.update(target, object, options, done),
  patch: (target, patch, options, done) => local()?.patch(target, patch, options, done),
  delete: (target, options, done) => local()?.delete(target, options, done),
  deleteCollection: (collection, options, selection, done) =>
    local()?.deleteCollection(collection, options, selection, done)
})
