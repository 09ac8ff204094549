// Evicting the victims of a preemption: a condition on each, its deletion, an event; and the promises of less important pods taken back.
// Owns the calls and who waits for them; refuses to choose victims. Bound: one eviction under way for each preempting pod.
import { type ApiFailure, type Client, gvr, type KubeObject } from "#kube"
import type { Cluster, PlacedPod } from "../cluster/Cluster.ts"
import type { Nominations } from "../decide/Nominations.ts"
import type { Candidate } from "../decide/DryRuns.ts"
import { podSpecOf, priorityOf, uidOf } from "../pod/PodFields.ts"
import type { EventRecorder } from "./EventRecorder.ts"
import type { PodStatusWriter } from "./PodStatusWriter.ts"

export interface EvictionsOptions {
  readonly client: Client
  readonly cluster: Cluster
  readonly nominations: Nominations
  readonly recorder: EventRecorder
  readonly statuses: PodStatusWriter
  /** Something went wrong: the preempting pod is to be attempted again. */
  readonly failed: (uid: string) => void
}

const pods = gvr("", "v1", "pods")

interface Eviction {
  /** Victims whose deletion is not acknowledged yet. */
  readonly waiting: Set<string>
}

export class Evictions {
  private readonly options: EvictionsOptions
  private readonly running = new Map<string, Eviction>()

  constructor(options: EvictionsOptions) {
    this.options = options
  }

  /** Whether a pod has to wait: deletions that it asked for are under way and have not shown yet. */
  isWaiting(uid: string): boolean {
    const eviction = this.running.get(uid)
    if (eviction === undefined) return false
    for (const victim of eviction.waiting) {
      const placed = this.options.cluster.placedPod(victim)
      if (placed !== undefined && !placed.ending) return true
    }
    return false
  }

  evict(preemptor: KubeObject, { name, victims }: Candidate): void {
    const { nominations, statuses } = this.options
    for (const lesser of nominations.behind(name, priorityOf(preemptor)))
      statuses.write(lesser, undefined, "", () => undefined)
    const going = victims.filter(({ ending }) => !ending)
    if (going.length === 0) return
    const uid = uidOf(preemptor)
    const eviction: Eviction = { waiting: new Set(going.map((victim) => victim.uid)) }
    this.running.set(uid, eviction)
    for (const victim of going)
      this.evictOne(preemptor, victim, name, (failure) => {
        eviction.waiting.delete(victim.uid)
        if (eviction.waiting.size === 0 && this.running.get(uid) === eviction) this.running.delete(uid)
        if (failure !== undefined && failure.code !== 404) this.options.failed(uid)
      })
  }

  private evictOne(
    preemptor: KubeObject,
    { pod }: PlacedPod,
    node: string,
    done: (failure: ApiFailure | undefined) => void
  ): void {
    const { client, recorder, statuses } = this.options
    const scheduler = podSpecOf(preemptor).schedulerName ?? "default-scheduler"
    const condition = {
      type: "DisruptionTarget",
      status: "True",
      reason: "PreemptionByScheduler",
      message: `${scheduler}: preempting to accommodate a higher priority pod`
    } as const
    const { name = "", namespace = "", uid } = pod.metadata
    statuses.write(pod, condition, undefined, (failure) => {
      if (failure !== undefined) return done(failure)
      const preconditions = uid === undefined ? {} : { preconditions: { uid } }
      client.delete({ resource: pods, namespace, name }, preconditions, (answer) => {
        if (answer instanceof Error) return done(answer)
        recorder.record(pod, scheduler, {
          type: "Normal",
          reason: "Preempted",
          action: "Preempting",
          note: `Preempted by pod ${uidOf(preemptor)} on node ${node}`,
          related: preemptor
        })
        done(undefined)
      })
    })
  }
}
