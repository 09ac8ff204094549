// Pods that wait: active ones in order, those that back off, those that nothing can help until something changes, and gated ones.
// Owns their moves between these pools (upstream's PriorityQueue); refuses to attempt. Bound: one record for each waiting pod.
import type { Cancel, Clockwork, KubeObject } from "#kube"
import { podSpecOf, priorityOf, uidOf } from "../pod/PodFields.ts"
import { type ClusterEvent, podChanges } from "./ClusterEvents.ts"
import type { Hints } from "./Hints.ts"
import { InFlightEvents } from "./InFlightEvents.ts"
import { PodHeap } from "./PodHeap.ts"
import { noRejectors, type Place, type QueuedPod } from "./QueuedPod.ts"

export interface SchedulingQueueOptions {
  readonly clockwork: Clockwork
  /** Which events can help a pod that a plugin turned down. */
  readonly hints: Hints
  /** Called when a pod can be popped that could not before. */
  readonly ready: () => void
  /** The plugin that does not let a pod into the queue; empty when none objects. */
  readonly gate: (pod: KubeObject) => string
  readonly initialBackoffMs?: number
  readonly maxBackoffMs?: number
}

const WINDOW_MS = 1000
const FLUSH_EVERY_MS = 30_000
const UNSCHEDULABLE_MAX_MS = 5 * 60_000
const INITIAL_BACKOFF_MS = 1000
const MAX_BACKOFF_MS = 10_000

type Strategy = "skip" | "afterBackoff"

const window = (ms: number): number => Math.floor(ms / WINDOW_MS) * WINDOW_MS

/** By priority, then by who has waited longest. */
const isMoreUrgent = (a: QueuedPod, b: QueuedPod): boolean =>
  a.priority !== b.priority
    ? a.priority > b.priority
    : a.timestampMs !== b.timestampMs
      ? a.timestampMs < b.timestampMs
      : a.turn < b.turn

export class SchedulingQueue {
  private readonly options: SchedulingQueueOptions
  private readonly active = new PodHeap(isMoreUrgent)
  private readonly backoff: PodHeap
  private readonly errorBackoff: PodHeap
  private readonly pods = new Map<string, QueuedPod>()
  private readonly unschedulable = new Set<QueuedPod>()
  /** Unschedulable pods by the plugins that turned them down: events are shown to whom they may help. */
  private readonly byRejector = new Map<string, Set<QueuedPod>>()
  private readonly flight = new InFlightEvents()
  private turn = 0
  private cancelBackoff: Cancel | undefined
  private cancelFlush: Cancel | undefined

  constructor(options: SchedulingQueueOptions) {
    this.options = options
    const sooner = (a: QueuedPod, b: QueuedPod): boolean => {
      const first = this.backoffUntil(a)
      const second = this.backoffUntil(b)
      return first === second ? isMoreUrgent(a, b) : first < second
    }
    this.backoff = new PodHeap(sooner)
    this.errorBackoff = new PodHeap(sooner)
  }

  start(): void {
    this.cancelFlush ??= this.options.clockwork.every(FLUSH_EVERY_MS, () => this.flushUnschedulable())
  }

  stop(): void {
    this.cancelFlush?.()
    this.cancelFlush = undefined
    this.cancelBackoff?.()
    this.cancelBackoff = undefined
  }

  /** Pods in each pool. */
  get sizes(): Readonly<Record<"active" | "backoff" | "unschedulable" | "gated" | "flight", number>> {
    let gated = 0
    for (const { gate } of this.unschedulable) if (gate !== "") gated++
    return {
      active: this.active.size,
      backoff: this.backoff.size + this.errorBackoff.size,
      unschedulable: this.unschedulable.size - gated,
      gated,
      flight: this.flight.size
    }
  }

  /** What is known of a waiting pod. */
  get(uid: string): QueuedPod | undefined {
    return this.pods.get(uid)
  }

  /** Whether there is a pod to attempt now. */
  get hasNext(): boolean {
    return this.active.size > 0 || this.backoff.size > 0
  }

  /** The next pod, whose attempt begins; from those that back off when no other waits. */
  pop(): QueuedPod | undefined {
    const next = this.active.pop() ?? this.backoff.pop()
    if (next === undefined) return undefined
    next.place = "flight"
    next.attempts++
    next.backoffUntilMs = undefined
    next.rejectors = noRejectors
    next.gate = ""
    next.firstAttemptMs ??= this.now
    this.flight.begin(next)
    return next
  }

  /** The attempt is over for good: the pod was given a node, or is gone. */
  done(uid: string): void {
    const pod = this.flight.get(uid)
    this.flight.end(uid)
    if (pod !== undefined && pod.place === "flight" && this.pods.get(uid) === pod) this.pods.delete(uid)
  }

  add(pod: KubeObject): void {
    const uid = uidOf(pod)
    const known = this.pods.get(uid)
    if (known !== undefined) {
      known.pod = pod
      return
    }
    const queued: QueuedPod = {
      uid,
      pod,
      priority: priorityOf(pod),
      place: "none",
      heapAt: -1,
      turn: this.turn++,
      timestampMs: this.now,
      firstAttemptMs: undefined,
      attempts: 0,
      unschedulableCount: 0,
      errorCount: 0,
      backoffUntilMs: undefined,
      rejectors: noRejectors,
      gate: "",
      flushedAtMs: 0,
      eventsFrom: 0
    }
    this.pods.set(uid, queued)
    this.activate(queued)
  }

  /** The pod itself has changed. */
  update(before: KubeObject, after: KubeObject): void {
    const queued = this.pods.get(uidOf(after))
    if (queued === undefined) return this.add(after)
    queued.pod = after
    if (queued.place === "flight") {
      for (const event of podChanges(before, after, true)) this.flight.add(event)
      return
    }
    if (queued.place === "active") return this.active.restore(queued)
    if (queued.place !== "unschedulable") return
    for (const event of podChanges(before, after, true)) {
      if (this.judge(queued, event) === "skip") continue
      this.requeue(queued, "afterBackoff")
      return
    }
  }

  remove(uid: string): void {
    const queued = this.pods.get(uid)
    if (queued === undefined) return
    this.take(queued)
    this.pods.delete(uid)
    // An attempt under way goes on and finds out by itself.
    queued.place = "none"
  }

  /** An attempt found no node, or failed: the pod waits, unless something that helps has happened meanwhile. */
  returnUnschedulable(queued: QueuedPod, pod: KubeObject, rejectors: ReadonlySet<string>): void {
    const { uid } = queued
    if (queued.place !== "flight" || this.pods.get(uid) !== queued) return this.flight.end(uid)
    queued.pod = pod
    queued.rejectors = rejectors
    if (rejectors.size === 0) queued.errorCount++
    else {
      queued.unschedulableCount++
      queued.errorCount = 0
    }
    queued.timestampMs = this.now
    queued.backoffUntilMs = undefined
    queued.flushedAtMs = 0
    const missed = this.flight.since(queued)
    this.flight.end(uid)
    const helped = rejectors.size === 0 || missed.some((event) => this.judge(queued, event) !== "skip")
    this.requeue(queued, helped ? "afterBackoff" : "skip")
  }

  /** A pod that had been given a node comes back: binding it failed. */
  comeBack(queued: QueuedPod, pod: KubeObject): void {
    if (this.pods.has(queued.uid)) return
    queued.pod = pod
    queued.rejectors = noRejectors
    queued.errorCount++
    queued.timestampMs = this.now
    queued.backoffUntilMs = undefined
    queued.place = "none"
    this.pods.set(queued.uid, queued)
    this.requeue(queued, "afterBackoff")
  }

  /** Something happened that may help pods; `check` narrows down which. */
  moved(event: ClusterEvent, check?: (pod: KubeObject) => boolean): void {
    if (!this.options.hints.isOfInterest(event)) return
    for (const queued of this.concerned(event)) {
      if (check !== undefined && !check(queued.pod)) continue
      if (queued.gate !== "" && event.resource !== "*" && !this.options.hints.concerns(queued.gate, event)) continue
      if (this.judge(queued, event) !== "skip") this.requeue(queued, "afterBackoff")
    }
    this.flight.add(event)
  }

  /** Lets a pod be attempted now, whatever it waits for. */
  forceActive(uid: string): void {
    const queued = this.pods.get(uid)
    if (queued === undefined) return
    if (queued.place === "flight") this.flight.add({ resource: "*", action: 0, after: queued.pod })
    else if (queued.place !== "active") {
      this.take(queued)
      this.activate(queued)
    }
  }

  private get now(): number {
    return this.options.clockwork.now()
  }

  private concerned(event: ClusterEvent): ReadonlyArray<QueuedPod> {
    if (event.resource === "*") return [...this.unschedulable]
    const found = new Set<QueuedPod>()
    for (const plugin of this.options.hints.pluginsOf(event))
      for (const queued of this.byRejector.get(plugin) ?? []) found.add(queued)
    for (const queued of this.byRejector.get("") ?? []) found.add(queued)
    return [...found]
  }

  private judge({ pod, rejectors, uid }: QueuedPod, event: ClusterEvent): Strategy {
    if (rejectors.size === 0) return "afterBackoff"
    if (event.resource === "*") return event.after !== undefined && uidOf(event.after) !== uid ? "skip" : "afterBackoff"
    return this.options.hints.helps(pod, podSpecOf(pod).schedulerName, rejectors, event) ? "afterBackoff" : "skip"
  }

  private requeue(queued: QueuedPod, strategy: Strategy): void {
    this.take(queued)
    if (strategy === "skip") this.park(queued)
    else if (this.isBackingOff(queued)) this.backOff(queued)
    else this.activate(queued)
  }

  /** Takes a pod out of its pool. */
  private take(queued: QueuedPod): void {
    if (queued.place === "active") this.active.remove(queued)
    else if (queued.place === "backoff") this.backoff.remove(queued)
    else if (queued.place === "errorBackoff") this.errorBackoff.remove(queued)
    else if (queued.place === "unschedulable") {
      this.unschedulable.delete(queued)
      for (const plugin of keysOf(queued)) this.byRejector.get(plugin)?.delete(queued)
    }
    queued.place = "none"
  }

  private park(queued: QueuedPod): void {
    queued.place = "unschedulable"
    this.unschedulable.add(queued)
    for (const plugin of keysOf(queued)) {
      let pods = this.byRejector.get(plugin)
      if (pods === undefined) this.byRejector.set(plugin, (pods = new Set()))
      pods.add(queued)
    }
  }

  private isGated(queued: QueuedPod): boolean {
    const gate = this.options.gate(queued.pod)
    queued.gate = gate
    if (gate === "") return false
    queued.rejectors = new Set([...queued.rejectors, gate])
    this.park(queued)
    return true
  }

  private activate(queued: QueuedPod): void {
    if (this.isGated(queued)) return
    this.enter(queued, "active", this.active)
    this.options.ready()
  }

  private backOff(queued: QueuedPod): void {
    if (this.isGated(queued)) return
    if (queued.rejectors.size === 0) this.enter(queued, "errorBackoff", this.errorBackoff)
    else this.enter(queued, "backoff", this.backoff)
    this.armBackoff()
    if (queued.place === "backoff") this.options.ready()
  }

  private enter(queued: QueuedPod, place: Place, heap: PodHeap): void {
    queued.place = place
    heap.push(queued)
  }

  private backoffUntil(queued: QueuedPod): number {
    const { initialBackoffMs = INITIAL_BACKOFF_MS, maxBackoffMs = MAX_BACKOFF_MS } = this.options
    const count = queued.errorCount > 0 ? queued.errorCount : queued.unschedulableCount
    if (count === 0 || maxBackoffMs === 0) return -1
    queued.backoffUntilMs ??= window(
      queued.timestampMs + Math.min(maxBackoffMs, initialBackoffMs * 2 ** Math.min(count - 1, 40))
    )
    return queued.backoffUntilMs
  }

  private isBackingOff(queued: QueuedPod): boolean {
    return this.backoffUntil(queued) >= window(this.now)
  }

  /** Looks at each full second for pods whose back-off is over, while there are any. */
  private armBackoff(): void {
    if (this.cancelBackoff !== undefined) return
    const { clockwork } = this.options
    this.cancelBackoff = clockwork.after(WINDOW_MS - (this.now % WINDOW_MS), () => {
      this.cancelBackoff = undefined
      for (const heap of [this.backoff, this.errorBackoff])
        for (let first = heap.peek(); first !== undefined && !this.isBackingOff(first); first = heap.peek()) {
          heap.remove(first)
          first.place = "none"
          this.enter(first, "active", this.active)
          this.options.ready()
        }
      if (this.backoff.size + this.errorBackoff.size > 0) this.armBackoff()
    })
  }

  private flushUnschedulable(): void {
    const { now } = this
    for (const queued of this.unschedulable) {
      if (now - Math.max(queued.timestampMs, queued.flushedAtMs) <= UNSCHEDULABLE_MAX_MS) continue
      queued.flushedAtMs = now
      this.requeue(queued, "afterBackoff")
    }
  }
}

const withoutRejectors: ReadonlyArray<string> = [""]

const keysOf = ({ rejectors }: QueuedPod): Iterable<string> => (rejectors.size === 0 ? withoutRejectors : rejectors)
