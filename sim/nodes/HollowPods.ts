// The pods of all hollow nodes: one watch for all of them, told apart by the node they are bound to, each in a stage of its life.
// Owns each pod's slot (arrays, no objects of its own), its pending stage and the calls that carry it out; refuses to decide what a
// stage says. A pod whose node is dead or cut off waits; a call that failed is tried again.
import { ApiFailure, type Client, gvr, type KubeObject, Reflector, type WatchEvent } from "#kube"
import type { EventHandle } from "../time/EventHeap.ts"
import type { HandlerId, Kernel } from "../time/Kernel.ts"
import type { RandomStream } from "../time/RandomStream.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import type { HollowNodes } from "./HollowNodes.ts"
import { placeOf, podIp } from "./NodeGroup.ts"
import { PodPlaces } from "./PodPlaces.ts"
import { podSpec, podStatus, textOf } from "./PodStatus.ts"
import { chooseStage, drawDelay, type Stage, type StagePlace } from "./Stage.ts"
import { runSteps } from "./StageSteps.ts"
import { TimeTexts } from "./TimeTexts.ts"

export interface HollowPodsOptions {
  readonly kernel: Kernel
  readonly process: SimProcess
  readonly client: Client
  readonly nodes: HollowNodes
  readonly stages: ReadonlyArray<Stage>
}

/** Hears when pods get on: for latencies by stage. */
export interface PodObserver {
  /** A stage was carried out; `boundMs` is when the node first saw the pod, in milliseconds since the world began. */
  readonly stageDone: (stage: string, pod: KubeObject, boundMs: number, nowMs: number) => void
}

const RETRY_MS = 1000
const pods = gvr("", "v1", "pods")
const KUBELET_PORT = 10_250

export class HollowPods {
  readonly stats = { known: 0, stagesDone: 0, failures: 0 }
  observer: PodObserver | undefined
  private readonly kernel: Kernel
  private readonly process: SimProcess
  private readonly client: Client
  private readonly nodes: HollowNodes
  private readonly stages: ReadonlyArray<Stage>
  private readonly random: RandomStream
  private readonly texts = new TimeTexts()
  private readonly slots = new Map<string, number>()
  private readonly free: Array<number> = []
  // By slot.
  private readonly objects: Array<KubeObject | undefined> = []
  private readonly nodeOf: Array<number> = []
  /** The stage that is due or under way; −1 for none. */
  private readonly stageOf: Array<number> = []
  private readonly timers: Array<EventHandle> = []
  private readonly boundMs: Array<number> = []
  private readonly places: Array<number> = []
  /** Slots of each node, for when it comes back. */
  private readonly onNode: ReadonlyArray<Set<number>>
  private readonly podPlaces: PodPlaces
  private readonly handler: HandlerId
  private readonly reflector: Reflector

  constructor({ client, kernel, nodes, process, stages }: HollowPodsOptions) {
    this.kernel = kernel
    this.process = process
    this.client = client
    this.nodes = nodes
    this.stages = stages
    this.random = process.random.split("pods")
    this.onNode = Array.from({ length: nodes.count }, () => new Set<number>())
    this.podPlaces = new PodPlaces(nodes.count)
    this.handler = kernel.handler(process, (slot) => this.due(slot), { spread: true })
    nodes.onBack = (node) => {
      for (const slot of this.onNode[node]) this.advance(slot)
    }
    this.reflector = new Reflector(
      {
        client,
        clockwork: process.clockwork,
        collection: { resource: pods, namespace: "" },
        fieldSelector: "spec.nodeName!="
      },
      { replace: (objects) => this.replace(objects), event: (event) => this.heard(event) }
    )
  }

  start(): void {
    this.reflector.start()
  }

  stop(): void {
    this.reflector.stop()
  }

  private replace(objects: ReadonlyArray<KubeObject>): void {
    const left = new Set(this.slots.keys())
    for (const object of objects) {
      left.delete(object.metadata.uid ?? "")
      this.seen(object)
    }
    for (const uid of left) this.gone(uid)
  }

  private heard({ object, type }: WatchEvent): void {
    if (type === "DELETED") this.gone(object.metadata.uid ?? "")
    else this.seen(object)
  }

  private seen(object: KubeObject): void {
    const uid = object.metadata.uid ?? ""
    let slot = this.slots.get(uid)
    if (slot === undefined) {
      const node = this.nodes.numberOf(textOf(podSpec(object)["nodeName"]))
      if (node === undefined) return
      slot = this.take(uid, node, textOf(podStatus(object)["podIP"]))
    }
    this.objects[slot] = object
    this.advance(slot)
  }

  private take(uid: string, node: number, address: string): number {
    const slot = this.free.pop() ?? this.objects.length
    this.slots.set(uid, slot)
    this.nodeOf[slot] = node
    this.stageOf[slot] = -1
    this.timers[slot] = -1
    this.boundMs[slot] = this.kernel.nowMs
    this.places[slot] = this.placeFor(node, address)
    this.onNode[node].add(slot)
    this.stats.known++
    return slot
  }

  /** The place that a pod has already, or the next one. */
  private placeFor(node: number, address: string): number {
    const known = address === "" ? undefined : placeOf(node, address)
    if (known === undefined) return this.podPlaces.take(node)
    this.podPlaces.hold(node, known)
    return known
  }

  private gone(uid: string): void {
    const slot = this.slots.get(uid)
    if (slot === undefined) return
    this.cancel(slot)
    this.slots.delete(uid)
    const node = this.nodeOf[slot]
    this.onNode[node].delete(slot)
    this.podPlaces.free(node, this.places[slot])
    this.objects[slot] = undefined
    this.free.push(slot)
    this.stats.known--
  }

  private cancel(slot: number): void {
    if (this.timers[slot] >= 0) this.kernel.cancel(this.timers[slot])
    this.timers[slot] = -1
    this.stageOf[slot] = -1
  }

  /** Chooses the stage that a pod is in now; one that waits already goes on waiting. */
  private advance(slot: number): void {
    const object = this.objects[slot]
    if (object === undefined) return
    const stage = chooseStage(this.stages, object, this.random)
    const index = stage === undefined ? -1 : this.stages.indexOf(stage)
    if (index === this.stageOf[slot] && this.timers[slot] >= 0) return
    this.cancel(slot)
    if (stage === undefined || !this.nodes.isWell(this.nodeOf[slot])) return
    this.stageOf[slot] = index
    const delay = drawDelay(stage, object, this.process.clockwork.now(), this.random)
    this.timers[slot] = this.kernel.at(this.kernel.nowMs + delay, this.handler, slot)
  }

  private due(slot: number): void {
    const object = this.objects[slot]
    const stage = this.stages[this.stageOf[slot]]
    this.timers[slot] = -1
    this.stageOf[slot] = -1
    if (object === undefined || stage === undefined || !this.nodes.isWell(this.nodeOf[slot])) return
    const { name = "", namespace = "", uid } = object.metadata
    runSteps(
      this.client,
      { resource: pods, namespace, name },
      object,
      stage.steps,
      () => this.place(slot),
      (answer) => {
        if (this.objects[slot]?.metadata.uid !== uid) return
        if (answer instanceof ApiFailure) this.failed(slot, answer)
        else this.done(slot, answer, stage)
      }
    )
  }

  private done(slot: number, object: KubeObject, stage: Stage): void {
    this.stats.stagesDone++
    this.observer?.stageDone(stage.name, object, this.boundMs[slot], this.kernel.nowMs)
    if (!stage.immediateNextStage) return
    this.objects[slot] = object
    this.advance(slot)
  }

  /** What is newer will be heard of; anything else is tried again. */
  private failed(slot: number, failure: ApiFailure): void {
    this.stats.failures++
    if (failure.code === 404 || this.timers[slot] >= 0) return
    this.timers[slot] = this.kernel.closureAt(this.kernel.nowMs + RETRY_MS, this.process, () => {
      this.timers[slot] = -1
      this.advance(slot)
    })
  }

  private place(slot: number): StagePlace {
    const node = this.nodeOf[slot]
    const { ip, ips, name } = this.nodes.machines[node].facts
    const nowMs = this.process.clockwork.now()
    const address = podIp(node, this.places[slot])
    return {
      nowMs,
      now: this.texts.time(nowMs),
      nodeName: name,
      nodeIp: ip,
      nodeIps: ips,
      nodePort: KUBELET_PORT,
      podIp: (pod) => textOf(podStatus(pod)["podIP"]) || address
    }
  }
}
