// The scheduler: it takes waiting pods one after another, decides, assumes, and binds while it goes on with the next.
// Owns the loop and the life of an attempt; refuses to decide (decide/), to keep order (queue/) and to hear of things (ClusterWatches.ts).
// Bound: that of Bindings.ts; when it is full the loop waits. Nothing is kept that the API server does not know.
import { type ApiFailure, type Client, type Clockwork, type KubeObject } from "#kube"
import { Cluster } from "../cluster/Cluster.ts"
import { Selectors } from "../cluster/Selectors.ts"
import { defaultProfile, type Profile } from "../config/Profile.ts"
import { type Chosen, Decider } from "../decide/Decider.ts"
import { Diagnosis } from "../decide/Diagnosis.ts"
import type { Explanation } from "../decide/Explanation.ts"
import { Nominations } from "../decide/Nominations.ts"
import type { Candidate } from "../decide/DryRuns.ts"
import { Preemption } from "../decide/Preemption.ts"
import { type Extender, ExtenderFailure } from "../extenders/Extender.ts"
import { podSpecOf, uidOf } from "../pod/PodFields.ts"
import { Action } from "../queue/ClusterEvents.ts"
import { extenderHints, type HintContext, Hints, hintTable } from "../queue/Hints.ts"
import type { QueuedPod } from "../queue/QueuedPod.ts"
import { noRejectors } from "../queue/QueuedPod.ts"
import { SchedulingQueue } from "../queue/SchedulingQueue.ts"
import { storageHints } from "../queue/StorageHints.ts"
import { StorageObjects } from "../volumes/StorageObjects.ts"
import { VolumeBinder } from "../volumes/VolumeBinder.ts"
import { VolumeChecks } from "../volumes/VolumeChecks.ts"
import { Bindings } from "./Bindings.ts"
import { ClusterWatches } from "./ClusterWatches.ts"
import { extendedCandidates, extendedDecision } from "./ExtendedAttempt.ts"
import { EventRecorder } from "./EventRecorder.ts"
import { Evictions } from "./Evictions.ts"
import { PodStatusWriter } from "./PodStatusWriter.ts"
import { StatusQueue } from "./StatusQueue.ts"

export interface SchedulerOptions {
  readonly client: Client
  readonly clockwork: Clockwork
  /** Default: kube-scheduler's default profile, scoring all nodes. */
  readonly profiles?: ReadonlyArray<Profile>
  readonly extenders?: ReadonlyArray<Extender>
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

/** Attempts of one turn of the loop: what comes in between is heard after at most so many. */
const BATCH = 32
const NO_NODES = "no nodes available to schedule pods"

interface Lane {
  readonly decider: Decider
  readonly preemption: Preemption
}

export class Scheduler {
  readonly cluster = new Cluster()
  private readonly nominations = new Nominations(this.cluster)
  private readonly options: SchedulerOptions
  private readonly storage = new StorageObjects()
  private readonly bindings: Bindings
  private readonly lanes = new Map<string, Lane>()
  private readonly queue: SchedulingQueue
  private readonly watches: ClusterWatches
  private readonly recorder: EventRecorder
  private readonly statuses: StatusQueue
  private readonly evictions: Evictions
  private readonly counts = { attempts: 0, bound: 0, unschedulable: 0, errors: 0, preemptions: 0 }
  private state: "new" | "syncing" | "running" | "stopped" = "new"
  private turning = false
  /** Extenders are being asked about a pod: until they have answered, no other is attempted. */
  private asking = false

  constructor(options: SchedulerOptions) {
    this.options = options
    const { client, clockwork, profiles = [defaultProfile] } = options
    const selectors = new Selectors()
    this.recorder = new EventRecorder(client, clockwork, options.instance ?? "scheduler")
    const writer = new PodStatusWriter(client, clockwork)
    this.statuses = new StatusQueue(writer)
    const contexts = new Map(
      profiles.map((profile): readonly [string, HintContext] => [
        profile.schedulerName,
        { cluster: this.cluster, selectors, profile }
      ])
    )
    this.queue = new SchedulingQueue({
      clockwork,
      hints: new Hints(contexts, [
        ...hintTable,
        ...storageHints,
        ...(options.extenders === undefined ? [] : extenderHints)
      ]),
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
      statuses: writer,
      failed: (uid) => this.queue.forceActive(uid)
    })
    this.bindings = new Bindings({
      client,
      watches: this.watches,
      volumes: new VolumeBinder(client, clockwork, this.storage),
      recorder: this.recorder,
      binderOf: (pod) => this.extendersOf(pod).find(({ binds }) => binds),
      ended: () => this.wake(),
      bound: (queued, node) => this.bound(queued, node),
      failed: (queued, assumed, problem) => this.bindFailed(queued, assumed, problem)
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

  /** Follows the cluster without attempting anything, for explanations; calls back once everything has been seen. */
  observe(seen: () => void): void {
    if (this.state !== "new") return
    this.state = "syncing"
    this.watches.start(() => {
      if (this.state === "syncing") seen()
    })
  }

  /** Ends; bindings under way are answered, but no longer followed. */
  stop(): void {
    this.state = "stopped"
    this.queue.stop()
    this.statuses.stop()
    this.watches.stop()
  }

  get stats(): SchedulerStats {
    return { ...this.counts, binding: this.bindings.size, queue: this.queue.sizes }
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
      random: clockwork.random
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
    if (this.turning || this.asking || this.state !== "running") return
    this.turning = true
    this.options.clockwork.defer(() => {
      this.turning = false
      this.turn()
    })
  }

  private turn(): void {
    for (let done = 0; done < BATCH && this.mayGoOn; done++) {
      const queued = this.queue.pop()
      if (queued === undefined) return
      this.attempt(queued)
    }
    if (this.mayGoOn && this.queue.hasNext) this.wake()
  }

  private get mayGoOn(): boolean {
    return this.state === "running" && !this.asking && !this.bindings.isFull
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
    const extenders = this.extendersOf(pod).filter((one) => one.filters || one.prioritizes)
    if (extenders.length === 0) return this.decided(queued, lane, lane.decider.decide(pod))
    const { random } = this.options.clockwork
    this.ask((answered) =>
      extendedDecision({ decider: lane.decider, extenders, pod, random }, (outcome) =>
        answered(() => this.decided(queued, lane, outcome))
      )
    )
  }

  private decided(queued: QueuedPod, lane: Lane, outcome: Chosen | Diagnosis | ExtenderFailure): void {
    if (outcome instanceof ExtenderFailure) return this.attemptFailed(queued, outcome.message)
    if (outcome instanceof Diagnosis) this.unschedulable(queued, lane, outcome)
    else {
      this.statuses.forget(queued.uid)
      this.bindings.begin(queued, lane.decider, outcome)
      this.nominations.remove(queued.uid)
      this.queue.done(queued.uid)
    }
  }

  private extendersOf(pod: KubeObject): ReadonlyArray<Extender> {
    return (this.options.extenders ?? []).filter((extender) => extender.isInterested(pod))
  }

  /** Asks somebody outside; the loop stands still until the answer has been acted upon. */
  private ask(question: (answered: (act: () => void) => void) => void): void {
    this.asking = true
    question((act) => {
      if (this.state === "stopped") return
      this.asking = false
      act()
      this.wake()
    })
  }

  private attemptFailed(queued: QueuedPod, problem: string): void {
    this.counts.errors++
    this.giveBack(queued, noRejectors, "SchedulerError", problem, "")
  }

  private bound(queued: QueuedPod, node: string): void {
    const { clockwork, onBound } = this.options
    this.counts.bound++
    onBound?.(queued.pod, node, clockwork.now() - (queued.firstAttemptMs ?? clockwork.now()))
  }

  private bindFailed(queued: QueuedPod, assumed: KubeObject, problem: string): void {
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
    if (!lane.decider.profile.preempts) return this.noNode(queued, diagnosis.text, diagnosis.plugins, "")
    const found = lane.preemption.search(pod, diagnosis)
    if ("message" in found) {
      diagnosis.afterText = found.message
      return this.noNode(queued, diagnosis.text, diagnosis.plugins, found.clearsPromise ? "" : undefined)
    }
    const extenders = this.extendersOf(pod).filter(({ preempts }) => preempts)
    if (extenders.length === 0) return this.preempt(queued, lane, diagnosis, found.candidates)
    this.ask((answered) =>
      extendedCandidates({ extenders, pod }, found.candidates, (kept) =>
        answered(() => {
          if (kept instanceof ExtenderFailure) {
            diagnosis.afterText = kept.message
            this.noNode(queued, diagnosis.text, diagnosis.plugins, undefined)
          } else this.preempt(queued, lane, diagnosis, kept)
        })
      )
    )
  }

  private preempt(queued: QueuedPod, lane: Lane, diagnosis: Diagnosis, candidates: ReadonlyArray<Candidate>): void {
    if (candidates.length === 0) {
      diagnosis.afterText = "preemption: no candidate node for preemption"
      return this.noNode(queued, diagnosis.text, diagnosis.plugins, undefined)
    }
    const chosen = lane.preemption.choose(candidates)
    this.counts.preemptions++
    const { name, victims } = chosen
    diagnosis.afterText = `preemption: found a potential placement for pod on node ${name}, preempting ${victims.length} victims`
    this.evictions.evict(queued.pod, chosen)
    this.noNode(queued, diagnosis.text, diagnosis.plugins, name)
  }

  /** The attempt found no node: back to the queue, and what is to be said of it. */
  private noNode(
    queued: QueuedPod,
    message: string,
    rejectors: ReadonlySet<string>,
    promised: string | undefined
  ): void {
    this.counts.unschedulable++
    this.giveBack(queued, rejectors, "Unschedulable", message, promised)
  }

  private giveBack(
    queued: QueuedPod,
    rejectors: ReadonlySet<string>,
    reason: string,
    message: string,
    promised: string | undefined
  ): void {
    const newest = this.watches.pod(queued.pod)
    if (newest === undefined || uidOf(newest) !== queued.uid || podSpecOf(newest).nodeName !== undefined)
      return this.queue.done(queued.uid)
    this.queue.returnUnschedulable(queued, newest, rejectors)
    this.tell(newest, reason, message, promised)
  }

  private tell(pod: KubeObject, reason: string, message: string, promised: string | undefined): void {
    if (promised === undefined) this.nominations.add(pod)
    else this.nominations.add(pod, promised)
    this.fail(pod, message)
    this.statuses.put(pod, { type: "PodScheduled", status: "False", reason, message }, promised)
  }

  private fail(pod: KubeObject, note: string): void {
    const event = { type: "Warning", reason: "FailedScheduling", action: "Scheduling", note } as const
    this.recorder.record(pod, schedulerOf(pod), event)
  }
}

const schedulerOf = (pod: KubeObject): string => podSpecOf(pod).schedulerName ?? "default-scheduler"
