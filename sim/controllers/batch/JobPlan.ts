// How many pods a Job should have, and which of those it has should go: surplus, doubled or impossible indexes.
// Owns the decision of one sync: make, delete, wait or nothing; refuses to carry it out. Source: kubernetes
// pkg/controller/job/job_controller.go (manageJob), indexed_job_utils.go.
import type { KubeObject } from "#kube"
import { isTerminating } from "../PodFacts.ts"
import { indexBackoffMs, type JobBackoff } from "./JobBackoff.ts"
import { completionIndexOf, removalOrder } from "./JobPods.ts"
import { indexesOf, type JobState } from "./JobState.ts"

/** Pods made or deleted in one sync. */
const BATCH_MAX = 500

export type JobPlan =
  | { readonly step: "none" }
  | { readonly step: "delete"; readonly pods: ReadonlyArray<KubeObject> }
  | { readonly step: "wait"; readonly forMs: number }
  /** One entry for each pod: its index, or undefined for a Job without indexes. */
  | { readonly step: "create"; readonly indexes: ReadonlyArray<number | undefined> }

const NONE: JobPlan = { step: "none" }

/** Pods of a Job with indexes that can be of no use, and the others. */
const splitUseless = (
  pods: ReadonlyArray<KubeObject>,
  completions: number
): { readonly useless: Array<KubeObject>; readonly others: Array<KubeObject> } => {
  const byIndex = Map.groupBy(pods, completionIndexOf)
  const useless: Array<KubeObject> = []
  const others: Array<KubeObject> = []
  for (const index of [...byIndex.keys()].sort((a, b) => a - b)) {
    const same = (byIndex.get(index) ?? []).toSorted(removalOrder)
    const last = same.pop()
    if (index < 0 || index >= completions) useless.push(...same, ...(last === undefined ? [] : [last]))
    else {
      useless.push(...same)
      if (last !== undefined) others.push(last)
    }
  }
  return { useless, others }
}

const toRemove = ({ active, spec }: JobState, atLeast: number): ReadonlyArray<KubeObject> => {
  const { others, useless } = spec.isIndexed
    ? splitUseless(active, spec.completions ?? 0)
    : { useless: [], others: active }
  if (useless.length >= atLeast) return useless
  return [...useless, ...others.toSorted(removalOrder).slice(0, atLeast - useless.length)]
}

const wantedActive = ({ active, spec, succeeded }: JobState): number => {
  if (spec.completions === undefined) return succeeded > 0 ? active.length : spec.parallelism
  return Math.max(0, Math.min(spec.completions - succeeded, spec.parallelism))
}

const pendingIndexes = (state: JobState, count: number): ReadonlyArray<number> => {
  const { active, failedIndexes, indexes, pods, spec } = state
  let taken = indexes.union(indexesOf(active))
  if (spec.replacesOnlyFailed) taken = taken.union(indexesOf(pods.filter(isTerminating)))
  if (failedIndexes !== undefined) taken = taken.union(failedIndexes)
  return taken.missing(count, spec.completions ?? 0)
}

const indexesToMake = (state: JobState, count: number): JobPlan => {
  const indexes = pendingIndexes(state, count)
  if (state.spec.backoffLimitPerIndex === undefined) return { step: "create", indexes }
  const waits = indexes.map((index) => indexBackoffMs(state.kept.get(index), state.nowMs))
  const now = indexes.filter((_, at) => waits[at] === 0)
  if (now.length > 0 || indexes.length === 0) return { step: "create", indexes: now }
  return { step: "wait", forMs: Math.min(...waits) }
}

/** What to do about the Job's pods now. */
export const planPods = (state: JobState, backoff: JobBackoff): JobPlan => {
  const { active, spec } = state
  if (spec.isSuspended) return { step: "delete", pods: toRemove(state, active.length) }
  const wanted = wantedActive(state)
  const surplus = toRemove(state, Math.max(0, active.length - wanted)).slice(0, BATCH_MAX)
  // One sync either deletes or makes pods.
  if (surplus.length > 0) return { step: "delete", pods: surplus }
  const leaving = spec.replacesOnlyFailed ? state.terminating : 0
  const lacking = wanted - leaving - active.length
  if (lacking <= 0) return NONE
  const forMs = spec.backoffLimitPerIndex === undefined ? backoff.remainingMs(state.backoff, state.nowMs) : 0
  if (forMs > 0) return { step: "wait", forMs }
  const count = Math.min(lacking, BATCH_MAX)
  return spec.isIndexed
    ? indexesToMake(state, count)
    : { step: "create", indexes: Array.from({ length: count }, () => undefined) }
}
