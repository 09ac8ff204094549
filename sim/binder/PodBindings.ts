// Binds pods to the nodes that a chooser names: the queue, the calls and the pods for which there is no room.
// Owns waiting pods and their retries; refuses to choose. A pod without a node is told so once (condition and event) and tried again when
// a node changes, when room is given back, and every so often.
import { ApiFailure, type Client, gvr, type Json, type JsonObject, type KubeObject, Reflector, rfc3339 } from "#kube"
import { podEvent } from "../nodes/PodEvent.ts"
import { podSpec, podStatus } from "../nodes/PodStatus.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import type { NodeChooser } from "./NodeChooser.ts"

export interface PodBindingsOptions {
  readonly process: SimProcess
  readonly client: Client
  readonly chooser: NodeChooser
  /** Pods bound in one second of virtual time; default 10,000. */
  readonly perSecond?: number
  /** Called when a pod is bound, with the milliseconds that it waited. */
  readonly onBound?: (pod: KubeObject, waitedMs: number) => void
}

const PER_SECOND = 10_000
const TICK_MS = 5
const RETRY_MS = 1000
const RETRY_ALL_MS = 60_000
const SCHEDULER = "default-scheduler"
const pods = gvr("", "v1", "pods")
const nodes = gvr("", "v1", "nodes")
const events = gvr("", "v1", "events")

interface Waiting {
  pod: KubeObject
  readonly sinceMs: number
}

export class PodBindings {
  readonly stats = { bound: 0, attempts: 0, unschedulable: 0, preemptions: 0, failures: 0 }
  private readonly options: PodBindingsOptions
  private readonly waiting = new Map<string, Waiting>()
  private readonly hopeless = new Map<string, Waiting>()
  private readonly told = new Map<string, string>()
  private readonly reflectors: ReadonlyArray<Reflector>
  private ticking = false
  private retryPending = false
  private stopped = false

  constructor(options: PodBindingsOptions) {
    this.options = options
    const { chooser, client, process } = options
    const { clockwork } = process
    this.reflectors = [
      new Reflector(
        { client, clockwork, collection: { resource: nodes, namespace: "" } },
        {
          replace: (objects) => objects.forEach((object) => this.nodeSeen(object)),
          event: ({ object, type }) =>
            type === "DELETED" ? chooser.nodeGone(object.metadata.name ?? "") : this.nodeSeen(object)
        }
      ),
      new Reflector(
        { client, clockwork, collection: { resource: pods, namespace: "" } },
        {
          replace: (objects) => this.replace(objects),
          event: ({ object, type }) => (type === "DELETED" ? this.podGone(object) : this.podSeen(object))
        }
      )
    ]
  }

  /** Pods that wait for a node, and those for which there was none. */
  get backlog(): { readonly waiting: number; readonly unschedulable: number } {
    return { waiting: this.waiting.size, unschedulable: this.hopeless.size }
  }

  start(): void {
    for (const reflector of this.reflectors) reflector.start()
    this.options.process.clockwork.every(RETRY_ALL_MS, () => this.retryHopeless())
  }

  stop(): void {
    this.stopped = true
    for (const reflector of this.reflectors) reflector.stop()
  }

  private nodeSeen(node: KubeObject): void {
    this.options.chooser.nodeSeen(node)
    this.retrySoon()
  }

  private replace(objects: ReadonlyArray<KubeObject>): void {
    const left = new Set([...this.waiting.keys(), ...this.hopeless.keys()])
    for (const object of objects) {
      left.delete(object.metadata.uid ?? "")
      this.podSeen(object)
    }
    for (const uid of left) this.forget(uid)
  }

  private podSeen(pod: KubeObject): void {
    const uid = pod.metadata.uid ?? ""
    const { nodeName, schedulerName, schedulingGates } = podSpec(pod)
    const { phase } = podStatus(pod)
    if (phase === "Succeeded" || phase === "Failed") return this.podGone(pod)
    if (typeof nodeName === "string" && nodeName !== "") {
      this.forget(uid)
      return this.options.chooser.podPlaced(pod, nodeName)
    }
    const isGated = Array.isArray(schedulingGates) && schedulingGates.length > 0
    const isOurs = schedulerName === undefined || schedulerName === SCHEDULER
    if (isGated || !isOurs || pod.metadata.deletionTimestamp !== undefined) return this.forget(uid)
    const known = this.waiting.get(uid) ?? this.hopeless.get(uid)
    if (known !== undefined) known.pod = pod
    else {
      this.waiting.set(uid, { pod, sinceMs: this.options.process.clockwork.monotonic() })
      this.tick()
    }
  }

  private podGone(pod: KubeObject): void {
    this.forget(pod.metadata.uid ?? "")
    this.options.chooser.podGone(pod)
    this.retrySoon()
  }

  private forget(uid: string): void {
    this.waiting.delete(uid)
    this.hopeless.delete(uid)
    this.told.delete(uid)
  }

  private tick(): void {
    if (this.ticking || this.stopped || this.waiting.size === 0) return
    this.ticking = true
    this.options.process.clockwork.after(TICK_MS, () => {
      this.ticking = false
      let left = Math.ceil(((this.options.perSecond ?? PER_SECOND) * TICK_MS) / 1000)
      for (const [uid, one] of this.waiting) {
        if (left-- <= 0) break
        this.waiting.delete(uid)
        this.bind(uid, one)
      }
      this.tick()
    })
  }

  private bind(uid: string, one: Waiting): void {
    const { chooser, client, process } = this.options
    const { pod } = one
    this.stats.attempts++
    const choice = chooser.choose(pod)
    if ("reasons" in choice) return this.noRoom(uid, one, choice.reasons)
    const { name = "", namespace = "" } = pod.metadata
    chooser.podPlaced(pod, choice.node)
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, namespace, uid },
      target: { apiVersion: "v1", kind: "Node", name: choice.node }
    }
    client.create({ resource: pods, namespace, name, subresource: "binding" }, binding, {}, (answer) => {
      if (!(answer instanceof ApiFailure)) {
        this.stats.bound++
        return this.options.onBound?.(pod, process.clockwork.monotonic() - one.sinceMs)
      }
      this.stats.failures++
      chooser.podGone(pod)
      // Gone or bound by somebody else: the watch tells.
      if (answer.code === 404 || answer.code === 409) return
      process.clockwork.after(RETRY_MS, () => {
        this.waiting.set(uid, one)
        this.tick()
      })
    })
  }

  private noRoom(uid: string, one: Waiting, reasons: ReadonlyMap<string, number>): void {
    this.hopeless.set(uid, one)
    const all = this.options.chooser.nodeCount()
    const parts = Array.from(reasons, ([reason, count]) => `${count} ${reason}`).sort()
    const message = `0/${all} nodes are available${parts.length === 0 ? "" : `: ${parts.join(", ")}`}.`
    if (this.told.get(uid) === message) return
    if (!this.told.has(uid)) this.stats.unschedulable++
    this.told.set(uid, message)
    this.tell(one.pod, message)
  }

  private tell(pod: KubeObject, message: string): void {
    const { client, process } = this.options
    const { name = "", namespace = "" } = pod.metadata
    const now = rfc3339(process.clockwork.now())
    const condition: JsonObject = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
      lastProbeTime: null,
      lastTransitionTime: now
    }
    const { conditions } = podStatus(pod)
    const others = (Array.isArray(conditions) ? (conditions as ReadonlyArray<JsonObject>) : []).filter(
      ({ type }) => type !== "PodScheduled"
    )
    const status: Json = { ...podStatus(pod), conditions: [...others, condition] }
    const event = podEvent(pod, { type: "Warning", reason: "FailedScheduling", message }, process.clockwork.now(), {
      component: SCHEDULER
    })
    const failed = (answer: KubeObject | ApiFailure): void => {
      if (answer instanceof ApiFailure) this.stats.failures++
    }
    client.update({ resource: pods, namespace, name, subresource: "status" }, { ...pod, status }, {}, failed)
    client.create({ resource: events, namespace }, event, {}, failed)
  }

  private retrySoon(): void {
    if (this.retryPending || this.hopeless.size === 0) return
    this.retryPending = true
    this.options.process.clockwork.after(RETRY_MS, () => {
      this.retryPending = false
      this.retryHopeless()
    })
  }

  private retryHopeless(): void {
    for (const [uid, one] of this.hopeless) this.waiting.set(uid, one)
    this.hopeless.clear()
    this.tick()
  }
}
