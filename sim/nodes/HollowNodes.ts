// Thousands of machines without machines: each registers, renews its lease and reports its status as a kubelet does.
// Owns the nodes' state, one array entry each, and their calls; refuses pods, which HollowPods.ts runs on them. Intervals are the
// kubelet's defaults: a lease each 10 s (jitter 4%), a status each 5 min (the first one spread by half of it).
import {
  ApiFailure,
  type Client,
  gvr,
  isJsonObject,
  type KubeObject,
  type JsonObject,
  Reflector,
  type WatchEvent
} from "#kube"
import type { HandlerId, Kernel } from "../time/Kernel.ts"
import type { RandomStream } from "../time/RandomStream.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import { LeaseRenewals } from "./LeaseRenewals.ts"
import { type Machine, machinesOf, type NodeGroup, registration } from "./NodeGroup.ts"
import { withHeartbeat } from "./NodeStatus.ts"
import { NodeStages } from "./NodeStages.ts"
import type { Stage } from "./Stage.ts"
import { TimeTexts } from "./TimeTexts.ts"

export interface HollowNodesOptions {
  readonly kernel: Kernel
  readonly process: SimProcess
  readonly client: Client
  readonly groups: ReadonlyArray<NodeGroup>
  /** Milliseconds over which nodes come up, at the start as after a death; default 0. */
  readonly registerOverMs?: number
  readonly leaseIntervalMs?: number
  readonly statusIntervalMs?: number
  /** Renewals happen on multiples of this many milliseconds, so that those of one moment share a commit; default 10. */
  readonly tickMs?: number
  /** Stages of nodes beside what every kubelet does. */
  readonly stages?: ReadonlyArray<Stage>
}

const REGISTERED = 1
const DEAD = 2
const CUT = 4
/** Its status says what is not true any more, and will be set right within the kubelet's next look. */
const WRONGED = 8
/** Dead still, and about to boot. */
const BOOTING = 16

const LEASE_INTERVAL_MS = 10_000
const STATUS_INTERVAL_MS = 300_000
const TICK_MS = 10
const JITTER = 0.04
/** How often a kubelet looks whether its status is still what it would say; it reports at once when it is not. */
const LOOK_INTERVAL_MS = 10_000
/** Waits of a kubelet whose registration failed: from 100 ms, doubled up to 7 s. */
const REGISTER_RETRY_MS = 100
const REGISTER_RETRY_MAX_MS = 7000
const nodesResource = gvr("", "v1", "nodes")

export class HollowNodes {
  readonly machines: ReadonlyArray<Machine>
  readonly stats = { registered: 0, heartbeats: 0, failures: 0 }
  readonly renewals: LeaseRenewals
  /** Called when a node is alive and reaches the server again. */
  onBack: ((node: number) => void) | undefined
  private readonly kernel: Kernel
  private readonly process: SimProcess
  private readonly client: Client
  private readonly random: RandomStream
  private readonly options: HollowNodesOptions
  private readonly byName = new Map<string, number>()
  private readonly states: Uint8Array
  private readonly retries: Uint8Array
  /** 1 for nodes whose timers run: they go on over the node's death and its next registration. */
  private readonly ticking: Uint8Array
  private readonly objects: Array<KubeObject | undefined>
  private readonly texts = new TimeTexts()
  private readonly leaseHandler: HandlerId
  private readonly statusHandler: HandlerId
  private readonly registerHandler: HandlerId
  private readonly bootHandler: HandlerId
  private readonly lookHandler: HandlerId
  private readonly reflector: Reflector
  private readonly stages: NodeStages | undefined

  constructor(options: HollowNodesOptions) {
    const { client, kernel, process } = options
    this.options = options
    this.kernel = kernel
    this.process = process
    this.client = client
    this.random = process.random.split("nodes")
    this.machines = machinesOf(options.groups)
    for (const [at, { facts }] of this.machines.entries()) this.byName.set(facts.name, at)
    this.states = new Uint8Array(this.machines.length)
    this.retries = new Uint8Array(this.machines.length)
    this.ticking = new Uint8Array(this.machines.length)
    this.objects = new Array<KubeObject | undefined>(this.machines.length)
    this.renewals = new LeaseRenewals(client, this.machines, (node) => this.objects[node]?.metadata.uid)
    const { stages = [] } = options
    const isWell = (node: number): boolean => this.isWell(node)
    this.stages =
      stages.length === 0
        ? undefined
        : new NodeStages({ kernel, process, client, machines: this.machines, stages, isWell })
    this.leaseHandler = kernel.handler(process, (node) => this.renew(node), { spread: true })
    this.statusHandler = kernel.handler(process, (node) => this.report(node), { spread: true })
    this.registerHandler = kernel.handler(process, (node) => this.register(node), { spread: true })
    this.bootHandler = kernel.handler(process, (node) => this.boot(node), { spread: true })
    this.lookHandler = kernel.handler(process, (node) => this.setRight(node), { spread: true })
    this.reflector = new Reflector(
      { client, clockwork: process.clockwork, collection: { resource: nodesResource, namespace: "" } },
      { replace: (objects) => objects.forEach((object) => this.seen(object)), event: (event) => this.heard(event) }
    )
  }

  start(): void {
    this.reflector.start()
    for (let node = 0; node < this.machines.length; node++) this.soon(this.registerHandler, node)
  }

  stop(): void {
    this.reflector.stop()
    this.states.fill(DEAD)
  }

  /** The number of a node of ours; undefined for others. */
  numberOf(name: string): number | undefined {
    return this.byName.get(name)
  }

  /** Whether a node is alive, registered and reaches the server. */
  isWell(node: number): boolean {
    return (this.states[node] & ~WRONGED) === REGISTERED
  }

  get count(): number {
    return this.machines.length
  }

  /** Kills the nodes of a zone, or so many anywhere when the zone is empty; answers those that lived. */
  kill(zone: string, count: number): ReadonlyArray<number> {
    const living = this.machines.flatMap((machine, at) =>
      (this.states[at] & (DEAD | BOOTING)) !== DEAD && (zone === "" || machine.zone === zone) ? [at] : []
    )
    const doomed = zone === "" ? this.random.shuffled(living).slice(0, count) : living
    for (const node of doomed) this.states[node] = (this.states[node] | DEAD) & ~BOOTING
    return doomed
  }

  /** Lets dead nodes boot again, each at its own time. */
  revive(nodes: ReadonlyArray<number>): void {
    for (const node of nodes) {
      this.states[node] |= BOOTING
      this.soon(this.bootHandler, node)
    }
  }

  /** Cuts the nodes of a zone off from the server, or lets them reach it again. */
  setZoneCut(zone: string, cut: boolean): void {
    for (const [node, machine] of this.machines.entries()) {
      if (machine.zone !== zone) continue
      if (cut) this.states[node] |= CUT
      else {
        this.states[node] &= ~CUT
        this.back(node)
      }
    }
  }

  private soon(handler: HandlerId, node: number): void {
    const { registerOverMs = 0 } = this.options
    this.kernel.at(this.kernel.nowMs + this.random.float() * registerOverMs, handler, node)
  }

  private boot(node: number): void {
    if ((this.states[node] & BOOTING) === 0) return
    this.states[node] &= ~(DEAD | BOOTING)
    this.register(node)
  }

  private register(node: number): void {
    if ((this.states[node] & (DEAD | CUT)) !== 0) return
    const machine = this.machines[node]
    const object = registration(machine, this.texts.time(this.process.clockwork.now()))
    this.client.create({ resource: nodesResource, namespace: "" }, object, {}, (answer) => {
      if (answer instanceof ApiFailure && answer.code !== 409) return this.retryRegistration(node)
      this.retries[node] = 0
      const isNew = (this.states[node] & REGISTERED) === 0
      this.states[node] |= REGISTERED
      if (isNew) this.stats.registered++
      if (answer instanceof ApiFailure) this.sendStatus(node)
      else this.seen(answer)
      this.back(node)
      if (this.ticking[node] === 1) return
      this.ticking[node] = 1
      const { leaseIntervalMs = LEASE_INTERVAL_MS, statusIntervalMs = STATUS_INTERVAL_MS } = this.options
      const { nowMs } = this.kernel
      this.kernel.at(nowMs + this.random.float() * leaseIntervalMs, this.leaseHandler, node)
      const firstReportMs = statusIntervalMs * (0.5 + this.random.float())
      this.kernel.at(nowMs + firstReportMs, this.statusHandler, node)
    })
  }

  private retryRegistration(node: number): void {
    this.stats.failures++
    const wait = Math.min(REGISTER_RETRY_MS * 2 ** this.retries[node], REGISTER_RETRY_MAX_MS)
    this.retries[node] = Math.min(this.retries[node] + 1, 10)
    this.kernel.at(this.kernel.nowMs + wait, this.registerHandler, node)
  }

  /** A node can be heard again: it says so at once. */
  private back(node: number): void {
    if (!this.isWell(node)) return
    this.renewals.renew(node, this.texts.microTime(this.process.clockwork.now()))
    const object = this.objects[node]
    if (object !== undefined) this.look(node, object)
    this.onBack?.(node)
  }

  private renew(node: number): void {
    const { leaseIntervalMs = LEASE_INTERVAL_MS, tickMs = TICK_MS } = this.options
    const dueMs = this.kernel.nowMs + leaseIntervalMs * (1 + JITTER * this.random.float())
    this.kernel.at(Math.ceil(dueMs / tickMs) * tickMs, this.leaseHandler, node)
    if (!this.isWell(node)) return
    this.renewals.renew(node, this.texts.microTime(this.process.clockwork.now()))
  }

  /** Sends a status with new heartbeats; a conflict is tried again with what is newer. */
  private report(node: number): void {
    const { statusIntervalMs = STATUS_INTERVAL_MS } = this.options
    this.kernel.at(this.kernel.nowMs + statusIntervalMs * (1 + JITTER * this.random.float()), this.statusHandler, node)
    this.sendStatus(node)
  }

  private sendStatus(node: number): void {
    const object = this.objects[node]
    if (object === undefined || !this.isWell(node)) return
    const { name } = this.machines[node].facts
    const now = this.texts.time(this.process.clockwork.now())
    // SAFETY: a node's status is an object, ours in the first place.
    const status = withHeartbeat((object.status ?? {}) as JsonObject, now)
    const target = { resource: nodesResource, namespace: "", name, subresource: "status" }
    this.client.update(target, { ...object, status }, {}, (answer) => {
      if (answer instanceof ApiFailure) this.stats.failures++
      else {
        this.stats.heartbeats++
        this.seen(answer)
      }
    })
  }

  private heard({ object, type }: WatchEvent): void {
    if (type !== "DELETED") return this.seen(object)
    const node = this.byName.get(object.metadata.name ?? "")
    if (node === undefined) return
    this.objects[node] = undefined
    this.renewals.forget(node)
    this.stages?.gone(node)
    // A kubelet whose Node is gone keeps failing to report; when it is restarted it registers again. So does ours, a little later.
    this.states[node] &= ~REGISTERED
    this.kernel.at(this.kernel.nowMs + REGISTER_RETRY_MAX_MS, this.registerHandler, node)
  }

  /** A status that somebody else wrote, as of a node that nobody hears, is corrected soon by one that can be heard. */
  private look(node: number, object: KubeObject): void {
    if (this.states[node] !== REGISTERED || !saysUnknown(object)) return
    this.states[node] |= WRONGED
    this.kernel.at(this.kernel.nowMs + this.random.float() * LOOK_INTERVAL_MS, this.lookHandler, node)
  }

  private setRight(node: number): void {
    this.states[node] &= ~WRONGED
    const object = this.objects[node]
    if (object !== undefined && saysUnknown(object)) this.sendStatus(node)
  }

  private seen(object: KubeObject): void {
    const node = this.byName.get(object.metadata.name ?? "")
    if (node === undefined) return
    this.objects[node] = object
    this.look(node, object)
    this.stages?.seen(node, object)
  }
}

const saysUnknown = ({ status }: KubeObject): boolean => {
  const conditions = isJsonObject(status) ? status["conditions"] : undefined
  if (!Array.isArray(conditions)) return false
  for (const one of conditions as ReadonlyArray<JsonObject>)
    if (one["type"] === "Ready") return one["status"] === "Unknown"
  return false
}
