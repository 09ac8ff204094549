// What one sync of a Job knows: the Job, its pods, what of them is new, and what follows from it step by step.
// Owns the counting; refuses to judge (JobOutcome.ts) and to act (JobPodWork.ts, JobTracking.ts). Source: kubernetes
// pkg/controller/job/job_controller.go.
import type { KubeObject } from "#kube"
import { isActive, isReady, isTerminating, phaseOf } from "../PodFacts.ts"
import { IndexSet } from "./IndexSet.ts"
import type { BackoffRecord, JobBackoff } from "./JobBackoff.ts"
import { type JobCondition, type JobSpec, jobSpecOf, type JobStatus, jobStatusOf } from "./JobFacts.ts"
import {
  completionIndexOf,
  finishedMs,
  hasValidIndex,
  indexAllFailures,
  indexFailures,
  isPodFailed,
  isTracked
} from "./JobPods.ts"
import { judgeFailure } from "./PodFailurePolicy.ts"

export interface JobState {
  readonly key: string
  /** The newest version of the Job that is known. */
  job: KubeObject
  readonly spec: JobSpec
  readonly status: JobStatus
  readonly pods: ReadonlyArray<KubeObject>
  readonly active: ReadonlyArray<KubeObject>
  readonly nowMs: number
  /** The same as meta/v1 writes it. */
  readonly now: string
  /** Uids of pods that were counted and freed, which the informer does not show yet. */
  readonly freed: ReadonlySet<string>
  /** What the status held uncounted before this sync. */
  readonly uncounted: { readonly succeeded: ReadonlySet<string>; readonly failed: ReadonlySet<string> }
  readonly backoff: BackoffRecord
  succeeded: number
  readonly failed: number
  readonly indexesBefore: IndexSet
  indexes: IndexSet
  readonly failedIndexes: IndexSet | undefined
  /** Failed pods that stay until another one of their index tells their failures on. */
  readonly kept: ReadonlyMap<number, KubeObject>
  terminating: number
  ready: number
  /** The end that was found: FailureTarget, Failed, SuccessCriteriaMet or Complete. */
  finished: JobCondition | undefined
}

export const uidOf = ({ metadata }: KubeObject): string => metadata.uid ?? ""

const newly = (
  pods: ReadonlyArray<KubeObject>,
  spec: JobSpec,
  freed: ReadonlySet<string>,
  known: ReadonlySet<string>
): ReadonlyArray<KubeObject> =>
  pods.filter(
    (pod) =>
      isTracked(pod) &&
      !known.has(uidOf(pod)) &&
      !freed.has(uidOf(pod)) &&
      (!spec.isIndexed || hasValidIndex(pod, spec))
  )

const countedIndexes = (
  pods: ReadonlyArray<KubeObject>,
  spec: JobSpec,
  counts: (pod: KubeObject) => boolean
): IndexSet =>
  IndexSet.of(pods.filter((pod) => hasValidIndex(pod, spec) && isTracked(pod) && counts(pod)).map(completionIndexOf))

const isIndexFailed = (pod: KubeObject, spec: JobSpec): boolean => {
  if (!isPodFailed(pod, spec)) return false
  const { action, counts } = judgeFailure(spec.failureRules, pod)
  return action === "FailIndex" || (counts && indexFailures(pod) >= (spec.backoffLimitPerIndex ?? 0))
}

/** Whether a failed pod knows of more failures than another, and ended no earlier. */
const isLaterFailure = (pod: KubeObject, other: KubeObject): boolean =>
  indexAllFailures(other) <= indexAllFailures(pod) && finishedMs(pod) >= finishedMs(other)

const keptFailures = (
  fresh: ReadonlyArray<KubeObject>,
  spec: JobSpec,
  settled: ReadonlyArray<IndexSet>
): ReadonlyMap<number, KubeObject> => {
  const kept = new Map<number, KubeObject>()
  for (const pod of fresh) {
    const index = completionIndexOf(pod)
    if (!isPodFailed(pod, spec) || settled.some((set) => set.has(index))) continue
    const known = kept.get(index)
    if (known === undefined || isLaterFailure(pod, known)) kept.set(index, pod)
  }
  return kept
}

/** The indexes of some pods. */
export const indexesOf = (pods: ReadonlyArray<KubeObject>): IndexSet =>
  IndexSet.of(pods.map(completionIndexOf).filter((index) => index >= 0))

/** The numbers that indexes give: of a Job without them, none. */
const indexFacts = (
  { isIndexed, ...spec }: JobSpec,
  status: JobStatus,
  pods: ReadonlyArray<KubeObject>,
  active: ReadonlyArray<KubeObject>,
  freed: ReadonlySet<string>
) => {
  const none = { indexesBefore: IndexSet.empty, indexes: IndexSet.empty, failedIndexes: undefined }
  if (!isIndexed) return { ...none, kept: new Map<number, KubeObject>() }
  const whole = { ...spec, isIndexed }
  const completions = spec.completions ?? 0
  const indexesBefore = IndexSet.parse(status.completedIndexes, completions)
  const indexes = indexesBefore.union(countedIndexes(pods, whole, (pod) => phaseOf(pod) === "Succeeded"))
  if (spec.backoffLimitPerIndex === undefined) {
    return { ...none, indexesBefore, indexes, kept: new Map<number, KubeObject>() }
  }
  const failedIndexes = IndexSet.parse(status.failedIndexes ?? "", completions).union(
    countedIndexes(pods, whole, (pod) => isIndexFailed(pod, whole))
  )
  const fresh = newly(pods, whole, freed, new Set())
  const kept = keptFailures(fresh, whole, [indexes, failedIndexes, indexesOf(active)])
  return { indexesBefore, indexes, failedIndexes, kept }
}

export interface StateSources {
  readonly key: string
  readonly job: KubeObject
  readonly pods: ReadonlyArray<KubeObject>
  readonly freed: ReadonlySet<string>
  readonly backoff: JobBackoff
  readonly nowMs: number
  readonly now: string
}

/** What a sync begins with. */
export const jobStateOf = ({ backoff, freed, job, key, now, nowMs, pods }: StateSources): JobState => {
  const spec = jobSpecOf(job)
  const status = jobStatusOf(job)
  const active = pods.filter(isActive)
  const uncounted = { succeeded: new Set(status.uncounted.succeeded), failed: new Set(status.uncounted.failed) }
  const newSucceeded = newly(pods, spec, freed, uncounted.succeeded).filter((pod) => phaseOf(pod) === "Succeeded")
  const newFailed = newly(pods, spec, freed, uncounted.failed).filter((pod) => isPodFailed(pod, spec))
  const counted = newFailed.filter((pod) => judgeFailure(spec.failureRules, pod).counts)
  const facts = indexFacts(spec, status, pods, active, freed)
  if (status.startTime === undefined && !spec.isSuspended) status.startTime = now
  return {
    key,
    job,
    spec,
    status,
    pods,
    active,
    nowMs,
    now,
    freed,
    uncounted,
    backoff: backoff.after(key, newSucceeded, newFailed),
    succeeded: spec.isIndexed ? facts.indexes.size : status.succeeded + newSucceeded.length + uncounted.succeeded.size,
    failed: status.failed + counted.length + uncounted.failed.size,
    ...facts,
    terminating: pods.filter(isTerminating).length,
    ready: active.filter(isReady).length,
    finished: undefined
  }
}
