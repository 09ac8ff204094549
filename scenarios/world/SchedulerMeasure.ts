// What a scheduler's reader asks: how long pods waited for their node, by priority; how many a second were bound, of the cluster's time
// and of ours; how many were sent away for others, and who waits still.
// Owns these counts, taken from the server's own view of pods; attempts are the placer's to count. Bound: one entry per waiting pod.
import type { KubeObject } from "#kube"
import { Latency, type RecordedScheduling } from "#reports"
import { wallMs } from "#sim"
import { fieldsOf, nodeOf, phaseOf } from "./PodStarts.ts"
import type { VirtualClock } from "./VirtualClock.ts"

/** What the placer itself counts. */
export interface PlacerCounts {
  readonly attempts: number
  readonly unschedulable: number
  readonly preemptions: number
  readonly failures: number
}

interface Waiting {
  readonly priority: string
  sinceMs: number
  gated: boolean
}

/** Between two bindings further apart the scheduler had nothing to do, or could do nothing. */
const GAP_MS = 1000

const isGated = ({ spec }: KubeObject): boolean => {
  const { schedulingGates } = fieldsOf(spec)
  return Array.isArray(schedulingGates) && schedulingGates.length > 0
}

const isPreempted = (pod: KubeObject | undefined): boolean => {
  const { conditions } = fieldsOf(pod?.status)
  return (
    Array.isArray(conditions) &&
    conditions.some((condition) => fieldsOf(condition)["reason"] === "PreemptionByScheduler")
  )
}

const priorityOf = ({ spec }: KubeObject): string => {
  const { priorityClassName } = fieldsOf(spec)
  return typeof priorityClassName === "string" && priorityClassName !== "" ? priorityClassName : "none"
}

export class SchedulerMeasure {
  private readonly clock: VirtualClock
  private readonly waiting = new Map<string, Waiting>()
  private readonly waits = new Map<string, Latency>()
  private bound = 0
  private victims = 0
  private lastMs = Number.NEGATIVE_INFINITY
  private lastWallMs = 0
  private readonly busy = { bound: 0, virtualMs: 0, wallMs: 0 }
  private second = { number: -1, bound: 0 }
  private mostInSecond = 0

  constructor(clock: VirtualClock) {
    this.clock = clock
  }

  /** The server's own view of a pod changed. */
  changed(before: KubeObject | undefined, after: KubeObject | undefined): void {
    const uid = (after ?? before)?.metadata.uid ?? ""
    if (after === undefined) return void this.waiting.delete(uid)
    if (isPreempted(after) && !isPreempted(before)) this.victims++
    const known = this.waiting.get(uid)
    if (nodeOf(after) !== "") {
      this.waiting.delete(uid)
      if (known !== undefined) this.placed(known)
      return
    }
    if (phaseOf(after) !== "Pending" || after.metadata.deletionTimestamp !== undefined)
      return void this.waiting.delete(uid)
    const gated = isGated(after)
    if (known === undefined) this.waiting.set(uid, { priority: priorityOf(after), sinceMs: this.clock.nowMs, gated })
    else if (known.gated && !gated) Object.assign(known, { gated, sinceMs: this.clock.nowMs })
  }

  recorded({ attempts, failures, preemptions, unschedulable }: PlacerCounts): RecordedScheduling {
    const { busy } = this
    let gated = 0
    for (const one of this.waiting.values()) if (one.gated) gated++
    return {
      attempts,
      bound: this.bound,
      unschedulable,
      failures,
      preemptions,
      victims: this.victims,
      waiting: this.waiting.size - gated,
      gated,
      busyBound: busy.bound,
      busyVirtualMs: busy.virtualMs,
      busyWallMs: busy.wallMs,
      mostInSecond: this.mostInSecond,
      waits: [...this.waits]
        .map(([priority, wait]) => ({ priority, wait: wait.toRecorded() }))
        .toSorted((left, right) => (left.priority < right.priority ? -1 : 1))
    }
  }

  private placed({ priority, sinceMs }: Waiting): void {
    const { nowMs } = this.clock
    this.bound++
    let wait = this.waits.get(priority)
    if (wait === undefined) this.waits.set(priority, (wait = new Latency()))
    wait.record((nowMs - sinceMs) * 1000)
    this.paced(nowMs, wallMs())
  }

  private paced(nowMs: number, realMs: number): void {
    if (nowMs - this.lastMs <= GAP_MS) {
      this.busy.bound++
      this.busy.virtualMs += nowMs - this.lastMs
      this.busy.wallMs += realMs - this.lastWallMs
    }
    this.lastMs = nowMs
    this.lastWallMs = realMs
    const number = Math.floor(nowMs / 1000)
    if (number !== this.second.number) this.second = { number, bound: 0 }
    this.second.bound++
    this.mostInSecond = Math.max(this.mostInSecond, this.second.bound)
  }
}
