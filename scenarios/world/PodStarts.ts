// How pods get going: created, scheduled, seen by their node, running, and heard of by a watcher, each with its time.
// Owns the times of pods that are on their way and the histograms of those that arrived; refuses pods that ended before they ran.
// Bound: one small entry per pod that is on its way.
import type { KubeObject } from "#kube"
import { Latency, type RecordedPodStarts, type SlowPod } from "#reports"
import { Slowest } from "./Slowest.ts"
import type { VirtualClock } from "./VirtualClock.ts"

interface OnTheWay {
  readonly createdMs: number
  scheduledMs: number
  seenMs: number
  runningMs: number
  watchedMs: number
}

const NEVER = -1
const SLOWEST = 20

/** An object's fields; none where it is none. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}

/** The node that a pod is bound to; empty for none. */
export const nodeOf = ({ spec }: KubeObject): string => {
  const { nodeName } = fieldsOf(spec)
  return typeof nodeName === "string" ? nodeName : ""
}

/** A pod's phase as it says itself. */
export const phaseOf = ({ status }: KubeObject): string => {
  const { phase } = fieldsOf(status)
  return typeof phase === "string" ? phase : "Pending"
}

export class PodStarts {
  private readonly clock: VirtualClock
  private readonly pods = new Map<string, OnTheWay>()
  private readonly histograms = {
    scheduled: new Latency(),
    seen: new Latency(),
    running: new Latency(),
    watched: new Latency(),
    whole: new Latency()
  }
  private readonly slowest = new Slowest<SlowPod>(SLOWEST)

  constructor(clock: VirtualClock) {
    this.clock = clock
  }

  /** The server's own view of a pod changed. */
  changed(before: KubeObject | undefined, after: KubeObject | undefined): void {
    const uid = (after ?? before)?.metadata.uid ?? ""
    if (after === undefined) return void this.pods.delete(uid)
    const { nowMs } = this.clock
    let pod = this.pods.get(uid)
    if (pod === undefined) {
      if (before !== undefined || phaseOf(after) !== "Pending") return
      pod = { createdMs: nowMs, scheduledMs: NEVER, seenMs: NEVER, runningMs: NEVER, watchedMs: NEVER }
      this.pods.set(uid, pod)
    }
    if (pod.scheduledMs === NEVER && nodeOf(after) !== "") pod.scheduledMs = nowMs
    const phase = phaseOf(after)
    if (pod.runningMs === NEVER && phase === "Running") pod.runningMs = nowMs
    if (phase === "Failed" || after.metadata.deletionTimestamp !== undefined) this.pods.delete(uid)
  }

  /** The pod's node saw it first at this time. */
  seen({ metadata }: KubeObject, seenMs: number): void {
    const pod = this.pods.get(metadata.uid ?? "")
    if (pod !== undefined && pod.seenMs === NEVER) pod.seenMs = seenMs
  }

  /** A watcher heard of the pod's newest state. */
  watched(object: KubeObject): void {
    if (phaseOf(object) !== "Running") return
    const pod = this.pods.get(object.metadata.uid ?? "")
    if (pod === undefined || pod.watchedMs !== NEVER || pod.runningMs === NEVER) return
    pod.watchedMs = this.clock.nowMs
    this.arrived(object, pod)
  }

  recorded(): RecordedPodStarts {
    const { running, scheduled, seen, watched, whole } = this.histograms
    return {
      scheduled: scheduled.toRecorded(),
      seen: seen.toRecorded(),
      running: running.toRecorded(),
      watched: watched.toRecorded(),
      whole: whole.toRecorded(),
      slowest: this.slowest.list()
    }
  }

  private arrived(object: KubeObject, pod: OnTheWay): void {
    const { createdMs, runningMs, scheduledMs, seenMs, watchedMs } = pod
    const stage = (histogram: Latency, fromMs: number, toMs: number): void => {
      if (fromMs !== NEVER && toMs !== NEVER) histogram.record((toMs - fromMs) * 1000)
    }
    const { running, scheduled, seen, watched, whole } = this.histograms
    stage(scheduled, createdMs, scheduledMs)
    stage(seen, scheduledMs, seenMs)
    stage(running, seenMs === NEVER ? scheduledMs : seenMs, runningMs)
    stage(watched, runningMs, watchedMs)
    stage(whole, createdMs, watchedMs)
    this.pods.delete(object.metadata.uid ?? "")
    const us = (watchedMs - createdMs) * 1000
    if (!this.slowest.wants(us)) return
    const { name = "", namespace = "" } = object.metadata
    const times = { createdMs, scheduledMs: known(scheduledMs), seenMs: known(seenMs), runningMs: known(runningMs) }
    this.slowest.add(us, { namespace, name, node: nodeOf(object), ...times, watchedMs })
  }
}

const known = (ms: number): number | null => (ms === NEVER ? null : ms)
