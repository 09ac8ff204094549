// A whole simulated cluster: control plane, machines, pods, binder, controllers, users and misfortunes, on one kernel from one seed.
// Owns how these are joined and started; refuses to know controllers (functions that are handed in) and resources (definitions).
// Without a network model every client calls the server in process: no latency, no faults of the way, the fastest world.
import type { AdmissionPlugin, Definitions } from "#apiserver"
import type { Cancel, Client, Clockwork } from "#kube"
import type { Storage } from "#storage"
import { ApiNode } from "./ApiNode.ts"
import { OnePassChooser } from "./binder/OnePassChooser.ts"
import { PodBindings } from "./binder/PodBindings.ts"
import type { NodeChooser } from "./binder/NodeChooser.ts"
import { ChurnPlayer } from "./churn/ChurnPlayer.ts"
import type { ChurnStep } from "./churn/ChurnStep.ts"
import { FaultInjector, type FaultTargets } from "./faults/FaultInjector.ts"
import type { FaultPlan } from "./faults/FaultPlan.ts"
import { Network, type NetworkOptions } from "./faults/Network.ts"
import type { SimDiskOptions } from "./faults/SimDisk.ts"
import { makeNetworkClient } from "./NetworkClient.ts"
import { HollowNodes } from "./nodes/HollowNodes.ts"
import { HollowPods } from "./nodes/HollowPods.ts"
import type { NodeGroup } from "./nodes/NodeGroup.ts"
import { kubeletPodStages } from "./nodes/PodStages.ts"
import type { Stage } from "./nodes/Stage.ts"
import { Kernel } from "./time/Kernel.ts"
import { hashText } from "./time/RandomStream.ts"
import type { SimProcess } from "./time/SimProcess.ts"

/** What a controller is started with; it runs in a process of its own. */
export interface ControllerContext {
  readonly name: string
  readonly clockwork: Clockwork
  readonly client: Client
}

/** Starts a controller; the answer, if any, stops it. */
export interface ControllerStart {
  readonly name: string
  readonly start: (context: ControllerContext) => Cancel | undefined
}

export interface WorldOptions {
  readonly seed: number
  /** Made anew each time the server starts. */
  readonly definitions: () => Definitions
  readonly admission?: () => ReadonlyArray<AdmissionPlugin>
  readonly nodeGroups: ReadonlyArray<NodeGroup>
  /** Default: those of a kubelet. */
  readonly podStages?: ReadonlyArray<Stage>
  /** Stages of nodes beside what every kubelet does; default none. */
  readonly nodeStages?: ReadonlyArray<Stage>
  /** Milliseconds over which the nodes come up; default 0. */
  readonly registerOverMs?: number
  /** Who chooses nodes for pods; default the plain one-pass binder. */
  readonly chooser?: NodeChooser
  readonly bindingsPerSecond?: number
  readonly controllers?: ReadonlyArray<ControllerStart>
  readonly network?: NetworkOptions
  readonly disk?: SimDiskOptions
  readonly compactionMs?: number
  readonly faults?: FaultPlan
  readonly epochMs?: number
  /** Wraps each client: where tests plant bugs and checkers listen. */
  readonly wrapClient?: (client: Client, process: SimProcess) => Client
}

const NOTE_COMMIT = 40
const NOISE_TICK_MS = 10

export class World {
  readonly kernel: Kernel
  readonly network: Network
  readonly api: ApiNode
  readonly nodes: HollowNodes
  readonly pods: HollowPods
  readonly bindings: PodBindings
  readonly player: ChurnPlayer
  /** Called at each start of the server. */
  onServerStart: ((storage: Storage, client: Client) => void) | undefined
  private readonly options: WorldOptions
  private readonly clients = new Map<string, SimProcess>()
  private readonly stops: Array<Cancel> = []

  constructor(options: WorldOptions) {
    const { epochMs, seed } = options
    this.options = options
    const kernel = (this.kernel = new Kernel({ seed, ...(epochMs === undefined ? {} : { epochMs }) }))
    this.network = new Network(kernel, options.network)
    this.api = new ApiNode({
      kernel,
      definitions: options.definitions,
      disk: options.disk ?? { flush: { kind: "constant", ms: 0.2 } },
      ...(options.admission && { admission: options.admission }),
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
    const kubelets = kernel.process("kubelets")
    const kubeletClient = this.client("kubelets")
    this.nodes = new HollowNodes({
      kernel,
      process: kubelets,
      client: kubeletClient,
      groups: options.nodeGroups,
      registerOverMs: options.registerOverMs ?? 0,
      stages: options.nodeStages ?? []
    })
    const stages = options.podStages ?? kubeletPodStages
    this.pods = new HollowPods({ kernel, process: kubelets, client: kubeletClient, nodes: this.nodes, stages })
    this.bindings = new PodBindings({
      process: kernel.process("scheduler"),
      client: this.client("scheduler"),
      chooser: options.chooser ?? new OnePassChooser(),
      ...(options.bindingsPerSecond === undefined ? {} : { perSecond: options.bindingsPerSecond })
    })
    this.player = new ChurnPlayer(kernel.process("users"), this.client("users"))
  }

  /** A client in a process of this name. */
  client(name: string): Client {
    const { api, kernel, network } = this
    const process = kernel.process(name)
    this.clients.set(name, process)
    const plain =
      this.options.network === undefined
        ? directClient(api.local)
        : makeNetworkClient({ network, process, server: api.process, local: api.local })
    return this.options.wrapClient?.(plain, process) ?? plain
  }

  /** Starts everything; time moves when the kernel runs. */
  start(): void {
    this.api.start()
    this.nodes.start()
    this.pods.start()
    this.bindings.start()
    for (const { name, start } of this.options.controllers ?? []) {
      const { clockwork } = this.kernel.process(name)
      const stop = start({ name, clockwork, client: this.client(name) })
      if (stop !== undefined) this.stops.push(stop)
    }
    new FaultInjector(this.kernel, this.network, this.faultTargets()).schedule(this.options.faults ?? [])
  }

  /** Plays steps of users, beside all else. */
  play(steps: Iterable<ChurnStep>): void {
    this.kernel.closureAt(this.kernel.nowMs, this.kernel.process("users"), () => this.player.play(steps))
  }

  stop(): void {
    for (const stop of this.stops) stop()
    this.pods.stop()
    this.nodes.stop()
    this.bindings.stop()
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
