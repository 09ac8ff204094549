// How many replicas a cluster can hold, told by the pods that it could not schedule for too long.
// Owns the estimate and the next time at which it may change; how long it outlives its cause is CapacityMemory.ts's. Refuses to move
// anything, which the scheduler does.
import { fieldsOf, itemsOf, numberOf, textOf } from "#apiserver"
import { isJsonObject, type Json, type KubeObject, parseRfc3339 } from "#kube"

/** What one cluster shows of a workload. */
export interface ClusterWorkload {
  /** What the cluster was told to run. */
  readonly desired: number
  /** As its status counts them. */
  readonly replicas: number
  readonly ready: number
  /** Its pods, of the newest template only; absent when they were not asked for. */
  readonly pods?: ReadonlyArray<KubeObject>
}

export interface CapacityEstimate {
  /** Fewer than desired: what the cluster is thought to hold. Absent: no doubt. */
  readonly estimatedCapacity?: number
  /** Pods that have a place. */
  readonly scheduledReplicas: number
  /** Milliseconds until the next pod has waited for too long. */
  readonly changesInMs?: number
}

const scheduledCondition = (
  pod: KubeObject
): { readonly status: string; readonly reason: string; readonly at: number } => {
  const found = itemsOf(fieldsOf(pod.status)["conditions"]).find((condition) => condition["type"] === "PodScheduled")
  return {
    status: textOf(found?.["status"]),
    reason: textOf(found?.["reason"]),
    at: parseRfc3339(textOf(found?.["lastTransitionTime"])) ?? 0
  }
}

const hasEnded = (pod: KubeObject): boolean => {
  const phase = fieldsOf(pod.status)["phase"]
  return pod.metadata.deletionTimestamp !== undefined || phase === "Failed" || phase === "Succeeded"
}

/** Whether pods must be looked at: while all replicas are ready there is nothing to find out. */
export const needsPods = ({ ready, replicas }: ClusterWorkload): boolean => replicas !== ready

/** The estimate of one cluster at a time. */
export const estimateCapacity = (
  { desired, pods, ready, replicas }: ClusterWorkload,
  { nowMs, thresholdMs }: { readonly nowMs: number; readonly thresholdMs: number }
): CapacityEstimate => {
  if (pods === undefined || replicas === ready) return { scheduledReplicas: ready }
  let [placed, alive, tooLong] = [0, 0, 0]
  let next = Infinity
  for (const pod of pods) {
    if (hasEnded(pod)) continue
    alive++
    const { at, reason, status } = scheduledCondition(pod)
    if (status === "True" || textOf(fieldsOf(pod.spec)["nodeName"]) !== "") placed++
    if (status !== "False" || reason !== "Unschedulable") continue
    const waited = nowMs - at
    if (waited >= thresholdMs) tooLong++
    else next = Math.min(next, thresholdMs - waited)
  }
  const capacity = (alive >= desired ? alive : desired) - tooLong
  return {
    scheduledReplicas: placed,
    ...(tooLong > 0 && capacity < desired ? { estimatedCapacity: Math.max(0, capacity) } : {}),
    ...(next === Infinity ? {} : { changesInMs: next })
  }
}

/** The annotation `auto-migration-info`. */
export interface AutoMigrationInfo {
  readonly estimatedCapacity?: Readonly<Record<string, number>>
  readonly scheduledReplicas?: Readonly<Record<string, number>>
}

const countsOf = (value: Json | undefined): Readonly<Record<string, number>> =>
  isJsonObject(value)
    ? Object.fromEntries(
        Object.entries(value).flatMap(([cluster, count]) => (typeof count === "number" ? [[cluster, count]] : []))
      )
    : {}

/** Reads the annotation; what is no such object is as good as none. */
export const parseAutoMigrationInfo = (text: string | undefined): AutoMigrationInfo => {
  if (text === undefined) return {}
  try {
    const value = JSON.parse(text) as Json
    if (!isJsonObject(value)) return {}
    return {
      estimatedCapacity: countsOf(value["estimatedCapacity"]),
      scheduledReplicas: countsOf(value["scheduledReplicas"])
    }
  } catch {
    return {}
  }
}

const sorted = (counts: ReadonlyMap<string, number>): Readonly<Record<string, number>> =>
  Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))

/** The annotation's text; undefined when there is nothing to say. */
export const autoMigrationText = (info: {
  readonly estimatedCapacity: ReadonlyMap<string, number>
  readonly scheduledReplicas: ReadonlyMap<string, number>
}): string | undefined => {
  if (info.estimatedCapacity.size === 0 && info.scheduledReplicas.size === 0) return undefined
  return JSON.stringify({
    ...(info.estimatedCapacity.size === 0 ? {} : { estimatedCapacity: sorted(info.estimatedCapacity) }),
    ...(info.scheduledReplicas.size === 0 ? {} : { scheduledReplicas: sorted(info.scheduledReplicas) })
  })
}

/** Replicas of a template as one cluster has it. */
export const replicasOf = (value: Json | undefined, otherwise: number): number =>
  value === undefined ? otherwise : numberOf(value)
