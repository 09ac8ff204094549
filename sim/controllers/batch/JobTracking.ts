// How ended pods of a Job come to be counted, each once: first their uids are written into the status, then their finalizers are
// taken off, then the counters go up and the uids go. A crash at any point loses and doubles nothing.
// Owns these steps and the last conditions; refuses to judge. Source: kubernetes pkg/controller/job/job_controller.go.
import { Effect } from "effect"
import { type ApiFailure, type EffectClient, gvr, type Informer, type KubeObject } from "#kube"
import { phaseOf } from "../PodFacts.ts"
import type { Freshness } from "../Freshness.ts"
import { IndexSet } from "./IndexSet.ts"
import type { JobBackoff } from "./JobBackoff.ts"
import { jobCondition, type JobStatus, setJobCondition, writtenStatus } from "./JobFacts.ts"
import { finalCondition } from "./JobOutcome.ts"
import type { JobPodWork } from "./JobPodWork.ts"
import { completionIndexOf, hasValidIndex, isPodFailed, isTracked } from "./JobPods.ts"
import { type JobState, uidOf } from "./JobState.ts"
import { judgeFailure } from "./PodFailurePolicy.ts"

export const jobResource = gvr("batch", "v1", "jobs")

/** Uids in a status: its text stays below 20 KB. */
const UNCOUNTED_MAX = 500

/** What a look at the pods brought. */
interface Found {
  readonly toFree: ReadonlyArray<KubeObject>
  readonly changed: boolean
  /** There are more pods to be counted than one sync may. */
  readonly reachedMax: boolean
}

/** Counts what the status holds and no pod holds back any more. */
const countFreed = (status: JobStatus, held: ReadonlySet<string>): boolean => {
  const { uncounted } = status
  const succeeded = uncounted.succeeded.filter((uid) => held.has(uid))
  const failed = uncounted.failed.filter((uid) => held.has(uid))
  const changed = succeeded.length !== uncounted.succeeded.length || failed.length !== uncounted.failed.length
  status.succeeded += uncounted.succeeded.length - succeeded.length
  status.failed += uncounted.failed.length - failed.length
  status.uncounted = { succeeded, failed }
  return changed
}

const canFree = (state: JobState, pod: KubeObject): boolean => {
  const { finished, job, kept, spec } = state
  if (job.metadata.deletionTimestamp !== undefined || finished !== undefined) return true
  if (phaseOf(pod) === "Succeeded") return true
  if (!isPodFailed(pod, spec)) return false
  const keeper = kept.get(completionIndexOf(pod))
  return keeper === undefined || uidOf(keeper) !== uidOf(pod)
}

const hasSucceeded = ({ finished }: JobState): boolean => finished?.type === "SuccessCriteriaMet"

/** Puts a pod down as ended; whether that changes the status. */
const putDown = (state: JobState, pod: KubeObject, newIndexes: Array<number>): boolean => {
  const { finished, indexesBefore, spec, status, uncounted } = state
  const uid = uidOf(pod)
  if (phaseOf(pod) === "Succeeded" && !uncounted.failed.has(uid)) {
    if (spec.isIndexed) {
      const index = completionIndexOf(pod)
      if (!hasValidIndex(pod, spec) || indexesBefore.has(index)) return false
      newIndexes.push(index)
      return true
    }
    if (uncounted.succeeded.has(uid)) return false
    status.uncounted.succeeded.push(uid)
    return true
  }
  // Of a Job that is over otherwise, every pod that has not ended counts as failed.
  if (!isPodFailed(pod, spec) && (finished === undefined || hasSucceeded(state))) return false
  if (uncounted.failed.has(uid) || (spec.isIndexed && !hasValidIndex(pod, spec))) return false
  if (!judgeFailure(spec.failureRules, pod).counts) return false
  status.uncounted.failed.push(uid)
  return true
}

const lookAtPods = (state: JobState): Found => {
  const { freed, spec, status } = state
  const pods = spec.isIndexed ? state.pods.toSorted((a, b) => completionIndexOf(a) - completionIndexOf(b)) : state.pods
  const toFree: Array<KubeObject> = []
  const newIndexes: Array<number> = []
  let changed = false
  let reachedMax = false
  for (const pod of pods) {
    if (!isTracked(pod) || freed.has(uidOf(pod)) || !canFree(state, pod)) continue
    toFree.push(pod)
    if (putDown(state, pod, newIndexes)) changed = true
    const { failed, succeeded } = status.uncounted
    reachedMax = newIndexes.length + succeeded.length + failed.length >= UNCOUNTED_MAX
    if (reachedMax) break
  }
  if (spec.isIndexed && putIndexes(state, newIndexes)) changed = true
  return { toFree, changed, reachedMax }
}

const putIndexes = (state: JobState, newIndexes: ReadonlyArray<number>): boolean => {
  const { failedIndexes, status } = state
  state.indexes = state.indexes.union(IndexSet.of(newIndexes))
  const completed = state.indexes.toString()
  const failed = failedIndexes?.toString()
  const changed = completed !== status.completedIndexes || failed !== status.failedIndexes
  status.succeeded = state.indexes.size
  status.completedIndexes = completed
  status.failedIndexes = failed
  return changed
}

/** Writes the condition that announces the end, and turns to the one that will be the end. */
const announce = (state: JobState): boolean => {
  const { finished, status } = state
  if (finished?.type === "FailureTarget") {
    status.conditions.push(finished)
    state.finished = finalCondition(state, "Failed", finished)
    return true
  }
  if (finished?.type !== "SuccessCriteriaMet") return false
  const known = jobCondition(status.conditions, "SuccessCriteriaMet")?.status === "True"
  if (!known) status.conditions.push(finished)
  state.finished = finalCondition(state, "Complete", finished)
  return !known
}

/** Writes the last condition once nothing is left to count or to wait for. */
const enact = (state: JobState): boolean => {
  const { finished, now, status, terminating } = state
  const { failed, succeeded } = status.uncounted
  if (finished === undefined || failed.length + succeeded.length > 0 || terminating > 0) return false
  setJobCondition(status, finished, now)
  if (finished.type === "Complete") status.completionTime = now
  return true
}

export class JobTracking {
  readonly #client: EffectClient
  readonly #work: JobPodWork
  readonly #backoff: JobBackoff
  readonly #jobs: Informer
  readonly #written: Freshness

  constructor(parts: {
    readonly client: EffectClient
    readonly work: JobPodWork
    readonly backoff: JobBackoff
    readonly jobs: Informer
    readonly written: Freshness
  }) {
    this.#client = parts.client
    this.#work = parts.work
    this.#backoff = parts.backoff
    this.#jobs = parts.jobs
    this.#written = parts.written
  }

  /** Counts what has ended and writes the status where it `changed`; answers whether the Job is over now. */
  track = (state: JobState, changed: boolean): Effect.Effect<boolean, ApiFailure> => this.#track(this, state, changed)

  readonly #track = Effect.fnUntraced(function* (self: JobTracking, state: JobState, needsWrite: boolean) {
    const held = new Set(state.pods.filter((pod) => isTracked(pod) && !state.freed.has(uidOf(pod))).map(uidOf))
    let changed = needsWrite
    if (countFreed(state.status, held)) changed = true
    const { changed: found, reachedMax, toFree } = lookAtPods(state)
    if (found) changed = true
    if (announce(state)) changed = true
    if (changed) {
      yield* self.#write(state)
      self.#backoff.keep(state.key, state.backoff)
      changed = false
    }
    const { failure, free } =
      toFree.length === 0
        ? { failure: undefined, free: new Set<string>() }
        : yield* self.#work.freeAll(state.key, toFree)
    for (const uid of free) held.delete(uid)
    if (countFreed(state.status, held)) changed = true
    if (failure !== undefined) {
      if (changed) yield* self.#write(state)
      return yield* Effect.fail(failure)
    }
    const isOver = !reachedMax && enact(state)
    if (changed || isOver) yield* self.#write(state)
    return isOver
  })

  #write(state: JobState): Effect.Effect<void, ApiFailure> {
    const { name = "", namespace = "" } = state.job.metadata
    const target = { resource: jobResource, namespace, name, subresource: "status" }
    return Effect.map(this.#client.update(target, { ...state.job, status: writtenStatus(state.status) }), (written) => {
      state.job = written
      this.#written.wrote(state.key, this.#jobs, written.metadata.resourceVersion)
    })
  }
}
