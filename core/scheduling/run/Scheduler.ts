// The scheduler: it takes waiting pods one after another, decides, assumes, and binds while it goes on with the next.
// Owns the loop and the life of an attempt; refuses to decide (decide/), to keep order (queue/) and to hear of things (ClusterWatches.ts).
// Bound: BINDINGS_MAX bindings under way; at that many the loop waits. Nothing is kept that the API server does not know.
import { ApiFailure, type Client, type Clockwork, gvr, type KubeObject, parseRfc3339 } from "#kube"
import { Cluster } from "../cluster/Cluster.ts"
import { Selectors } from "../cluster/Selectors.ts"
import { defaultProfile, type Profile } from "../config/Profile.ts"
import { type Chosen, Decider } from "../decide/Decider.ts"
import { Diagnosis } from "../decide/Diagnosis.ts"
import type { Explanation } from "../decide/Explanation.ts"
import { Nominations } from "../decide/Nominations.ts"
import { Preemption } from "../decide/Preemption.ts"
import { podSpecOf, podStatusOf, uidOf } from "../pod/PodFields.ts"
import { Action } from "../queue/ClusterEvents.ts"
import { type HintContext, Hints, hintTable } from "../queue/Hints.ts"
import type { QueuedPod } from "../queue/QueuedPod.ts"
import { noRejectors } from "../queue/QueuedPod.ts"
import { SchedulingQueue } from "../queue/SchedulingQueue.ts"
import { storageHints } from "../queue/StorageHints.ts"
import { StorageObjects } from "../volumes/StorageObjects.ts"
import { type Reservation, VolumeBinder } from "../volumes/VolumeBinder.ts"
import { VolumeChecks } from "../volumes/VolumeChecks.ts"
import { ClusterWatches } from "./ClusterWatches.ts"
import { EventRecorder } from "./EventRecorder.ts"
import { Evictions } from "./Evictions.ts"
import { PodStatusWriter } from "./PodStatusWriter.ts"

export interface SchedulerOptions {
  readonly client: Client
  readonly clockwork: Clockwork
  /** Default: kube-scheduler's default profile, scoring all nodes. */
  readonly profiles?: ReadonlyArray<Profile>
  readonly initialBackoffMs?: number
  readonly maxBackoffMs?: number
  /** Who writes events; default "scheduler". */
  readonly instance?: string
  /** A call of a watch failed; it goes on by itself. */
  readonly onFailure?: (failure: ApiFailure) => void
  /** Called when a pod has been bound, with the milliseconds since it could first be attempted. */
  readonly onBound?: (pod: KubeObject, node: string, waitedMs: number) => void
}

export interface SchedulerStats {
  readonly attempts: number
  readonly bound: number
  readonly unschedulable: number
  readonly errors: number
  readonly preemptions: number
  readonly binding: number
  readonly queue: SchedulingQueue["sizes"]
}

const BINDINGS_MAX = 1024
/** Attempts of one turn of the loop: what comes in between is heard after at most so many. */
const BATCH = 32
const NO_NODES = "no nodes available to schedule pods"
const pods = gvr("", "v1", "pods")

/** A pod on its way to a node. */
interface Way {
  readonly queued: QueuedPod
  readonly node: string
  readonly assumed: KubeObject
  readonly reservation: Reservation | undefined
}

interface Lane {
  readonly decider: Decider
  readonly preemption: Preemption
}

export class Scheduler {
  readonly cluster = new Cluster()
  private readonly options: SchedulerOptions
  private readonly nominations = new Nominations()
  private readonly storage = new StorageObjects()
  private readonly volumes: VolumeBinder
  private readonly lanes = new Map<string, Lane>()
  private readonly queue: SchedulingQueue
  private readonly watches: ClusterWatches
  private readonly recorder: EventRecorder
  private readonly statuses: PodStatusWriter
  private readonly evictions: Evictions
  private readonly counts = { attempts: 0, bound: 0, unschedulable: 0, errors: 0, preemptions: 0 }
  private binding = 0
  private state: "new" | "syncing" | "running" | "stopped" = "new"
  private turning = false

  constructor(options: SchedulerOptions) {
    this.options = options
    const { client, clockwork, profiles = [defaultProfile] } = options
    const selectors = new Selectors()
    this.recorder = new EventRecorder(client, clockwork, options.instance ?? "scheduler")
    this.statuses = new PodStatusWriter(client, clockwork)
    this.volumes = new VolumeBinder(client, clockwork, this.storage)
    const contexts = new Map(
      profiles.map((profile): readonly [string, HintContext] => [
        profile.schedulerName,
        { cluster: this.cluster, selectors, profile }
      ])
    )
    this.queue = new SchedulingQueue({
      clockwork,
      hints: new Hints(contexts, [...hintTable, ...storageHints]),
      ready: () => this.wake(),
      gate: (pod) => this.gateOf(pod),
      ...(options.initialBackoffMs === undefined ? {} : { initialBackoffMs: options.initialBackoffMs }),
      ...(options.maxBackoffMs === undefined ? {} : { maxBackoffMs: options.maxBackoffMs })
    })
    this.watches = new ClusterWatches({
      client,
      clockwork,
      cluster: this.cluster,
      queue: this.queue,
      nominations: this.nominations,
      selectors,
      storage: this.storage,
      schedulerNames: new Set(contexts.keys()),
      ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure })
    })
    this.evictions = new Evictions({
      client,
      cluster: this.cluster,
      nominations: this.nominations,
      recorder: this.recorder,
      statuses: this.statuses,
      failed: (uid) => this.queue.forceActive(uid)
    })
    for (const profile of profiles) this.lanes.set(profile.schedulerName, this.lane(profile, selectors))
  }

  start(): void {
    if (this.state !== "new") return
    this.state = "syncing"
    this.queue.start()
    this.watches.start(() => {
      if (this.state !== "syncing") return
      this.state = "running"
      this.wake()
    })
  }

  /** Ends; bindings under way are answered, but no longer followed. */
  stop(): void {
    this.state = "stopped"
    this.queue.stop()
    this.watches.stop()
  }

  get stats(): SchedulerStats {
    return { ...this.counts, binding: this.binding, queue: this.queue.sizes }
  }

  /** Why a waiting pod would go where it would; undefined when the pod or its profile is not known. */
  explain(key: string, limit = 5): Explanation | undefined {
    const pod = this.watches.podNamed(key)
    return pod === undefined ? undefined : this.laneOf(pod)?.decider.explain(pod, limit)
  }

  private lane(profile: Profile, selectors: Selectors): Lane {
    const { clockwork } = this.options
    const decider = new Decider({
      cluster: this.cluster,
      profile,
      nominations: this.nominations,
      selectors,
      volumes: (verdicts, own) =>
        new VolumeChecks({ cluster: this.cluster, objects: this.storage, verdicts, profile: own }),
      random: clockwork.random
    })
    const preemption = new Preemption({
      decider,
      budgets: this.watches.budgets,
      random: clockwork.random,
      startedAt: (pod) => startOf(pod) ?? clockwork.now()
    })
    return { decider, preemption }
  }

  private gateOf(pod: KubeObject): string {
    const gates = this.laneOf(pod)?.decider.profile.gates
    if (gates?.has("SchedulingGates") === true && (podSpecOf(pod).schedulingGates?.length ?? 0) > 0)
      return "SchedulingGates"
    return gates?.has("DefaultPreemption") === true && this.evictions.isWaiting(uidOf(pod)) ? "DefaultPreemption" : ""
  }

  private laneOf(pod: KubeObject): Lane | undefined {
    return this.lanes.get(podSpecOf(pod).schedulerName ?? "default-scheduler")
  }

  private wake(): void {
    if (this.turning || this.state !== "running") return
    this.turning = true
    this.options.clockwork.defer(() => {
      this.turning = false
      this.turn()
    })
  }

  private turn(): void {
    for (let done = 0; done < BATCH && this.state === "running" && this.binding < BINDINGS_MAX; done++) {
      const queued = this.queue.pop()
      if (queued === undefined) return
      this.attempt(queued)
    }
    if (this.binding < BINDINGS_MAX && this.queue.hasNext) this.wake()
  }

  private attempt(queued: QueuedPod): void {
    const { pod, uid } = queued
    const lane = this.laneOf(pod)
    if (lane === undefined || this.watches.isAssumed(uid)) return this.queue.done(uid)
    if (pod.metadata.deletionTimestamp !== undefined) {
      const { name = "", namespace = "" } = pod.metadata
      this.fail(pod, `skip schedule deleting pod: ${namespace}/${name}`)
      return this.queue.done(uid)
    }
    this.counts.attempts++
    if (this.cluster.nodeCount === 0) return this.noNode(queued, NO_NODES, noRejectors, "")
    const decision = lane.decider.decide(pod)
    if (decision instanceof Diagnosis) this.unschedulable(queued, lane, decision)
    else this.bind(queued, lane, decision)
  }

  /** Assumes the pod on its node, gets its volumes there, and binds it. */
  private bind(queued: QueuedPod, { decider }: Lane, { name: node, node: number }: Chosen): void {
    const { pod, uid } = queued
    const plan = decider.volumePlan(pod, number)
    const needed = plan !== undefined && plan.bindings.length + plan.provisions.length > 0
    const way: Way = {
      queued,
      node,
      assumed: this.watches.assume(pod, node),
      reservation: needed ? this.volumes.reserve(plan, node) : undefined
    }
    this.nominations.remove(uid)
    this.queue.done(uid)
    this.binding++
    if (way.reservation === undefined) return this.bindPod(way)
    this.volumes.bind(way.reservation, (problem) => {
      if (problem === undefined) return this.bindPod(way)
      this.bindingEnded()
      this.bindFailed(way, `running PreBind plugin "VolumeBinding": ${problem}`)
    })
  }

  private bindPod(way: Way): void {
    const { assumed, node, queued } = way
    const { client, clockwork } = this.options
    const { name = "", namespace = "", uid = "" } = assumed.metadata
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, namespace, uid },
      target: { apiVersion: "v1", kind: "Node", name: node }
    }
    client.create({ resource: pods, namespace, name, subresource: "binding" }, binding, {}, (answer) => {
      this.bindingEnded()
      if (answer instanceof ApiFailure)
        return this.bindFailed(way, `running Bind plugin "DefaultBinder": ${answer.message}`)
      this.counts.bound++
      this.recorder.record(assumed, schedulerOf(assumed), {
        type: "Normal",
        reason: "Scheduled",
        action: "Binding",
        note: `Successfully assigned ${namespace}/${name} to ${node}`
      })
      this.options.onBound?.(queued.pod, node, clockwork.now() - (queued.firstAttemptMs ?? clockwork.now()))
    })
  }

  private bindingEnded(): void {
    this.binding--
    this.wake()
  }

  private bindFailed({ assumed, queued, reservation }: Way, problem: string): void {
    if (reservation !== undefined) this.volumes.revert(reservation)
    if (this.watches.forget(queued.uid))
      this.queue.moved({ resource: "AssignedPod", action: Action.delete, before: assumed })
    const newest = this.watches.pod(queued.pod)
    this.counts.errors++
    // Gone, made anew, or bound by somebody else: the watch tells.
    if (newest === undefined || uidOf(newest) !== queued.uid || podSpecOf(newest).nodeName !== undefined) return
    this.queue.comeBack(queued, newest)
    this.tell(newest, "SchedulerError", problem, "")
  }

  private unschedulable(queued: QueuedPod, lane: Lane, diagnosis: Diagnosis): void {
    const { pod } = queued
    let promised: string | undefined = lane.decider.profile.preempts ? undefined : ""
    if (lane.decider.profile.preempts) {
      const found = lane.preemption.search(pod, diagnosis)
      if ("message" in found) {
        diagnosis.afterText = `preemption: ${found.message}`
        promised = found.clearsPromise ? "" : undefined
      } else {
        const chosen = lane.preemption.choose(found.candidates)
        this.counts.preemptions++
        promised = chosen.name
        diagnosis.afterText = `preemption: found a potential placement for pod on node ${chosen.name}, preempting ${chosen.victims.length} victims`
        this.evictions.evict(pod, chosen)
      }
    }
    this.noNode(queued, diagnosis.text, diagnosis.plugins, promised)
  }

  /** The attempt found no node: back to the queue, and what is to be said of it. */
  private noNode(
    queued: QueuedPod,
    message: string,
    rejectors: ReadonlySet<string>,
    promised: string | undefined
  ): void {
    this.counts.unschedulable++
    const newest = this.watches.pod(queued.pod)
    if (newest === undefined || uidOf(newest) !== queued.uid || podSpecOf(newest).nodeName !== undefined)
      return this.queue.done(queued.uid)
    this.queue.returnUnschedulable(queued, newest, rejectors)
    this.tell(newest, "Unschedulable", message, promised)
  }

  private tell(pod: KubeObject, reason: string, message: string, promised: string | undefined): void {
    if (promised === undefined) this.nominations.add(pod)
    else this.nominations.add(pod, promised)
    this.fail(pod, message)
    this.statuses.write(pod, { type: "PodScheduled", status: "False", reason, message }, promised, () => undefined)
  }

  private fail(pod: KubeObject, note: string): void {
    const event = { type: "Warning", reason: "FailedScheduling", action: "Scheduling", note } as const
    this.recorder.record(pod, schedulerOf(pod), event)
  }
}

const schedulerOf = (pod: KubeObject): string => podSpecOf(pod).schedulerName ?? "default-scheduler"

const startOf = (pod: KubeObject): number | undefined => {
  const { startTime } = podStatusOf(pod)
  return startTime === undefined ? undefined : parseRfc3339(startTime)
}
