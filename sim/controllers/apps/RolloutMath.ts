// How many pods a Deployment may have, must have available, and gives to each of its ReplicaSets.
// Owns the arithmetic, with upstream's rounding; refuses to change anything.
import { type Deployment, type IntOrPercent, type ReplicaSet, replicasOf } from "./Workloads.ts"

export const DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
export const MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"

/** A number, or a share of a total: rounded up or down to a whole one. */
export const scaled = (value: IntOrPercent | undefined, total: number, up: boolean): number => {
  if (value === undefined) return 0
  if (typeof value === "number") return value
  const share = (Number.parseInt(value, 10) * total) / 100
  return Number.isNaN(share) ? 0 : up ? Math.ceil(share) : Math.floor(share)
}

export const isRolling = ({ spec }: Deployment): boolean => (spec.strategy?.type ?? "RollingUpdate") === "RollingUpdate"

/** Both bounds at once: where both round to none, one pod may be missing, or nothing would ever move. */
const fenceposts = (deployment: Deployment): { readonly surge: number; readonly unavailable: number } => {
  const { maxSurge, maxUnavailable } = deployment.spec.strategy?.rollingUpdate ?? {}
  const surge = scaled(maxSurge, replicasOf(deployment), true)
  const unavailable = scaled(maxUnavailable, replicasOf(deployment), false)
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

/** Pods that a rollout may have beyond the replicas. */
export const maxSurgeOf = (deployment: Deployment): number => (isRolling(deployment) ? fenceposts(deployment).surge : 0)

/** Pods that may be unavailable during a rollout. */
export const maxUnavailableOf = (deployment: Deployment): number => {
  const replicas = replicasOf(deployment)
  return !isRolling(deployment) || replicas === 0 ? 0 : Math.min(fenceposts(deployment).unavailable, replicas)
}

/** The sum of what sets are asked for. */
export const wantedReplicas = (sets: ReadonlyArray<ReplicaSet>): number =>
  sets.reduce((sum, set) => sum + replicasOf(set), 0)

/** The sum of a count of their statuses. */
export const statusSum = (
  sets: ReadonlyArray<ReplicaSet>,
  field: "replicas" | "readyReplicas" | "availableReplicas"
): number => sets.reduce((sum, { status }) => sum + (status?.[field] ?? 0), 0)

/** The replicas that the newest set should have now, within the surge. */
export const newSetReplicas = (deployment: Deployment, all: ReadonlyArray<ReplicaSet>, current: number): number => {
  const replicas = replicasOf(deployment)
  if (!isRolling(deployment)) return replicas
  const room =
    replicas + scaled(deployment.spec.strategy?.rollingUpdate?.maxSurge, replicas, true) - wantedReplicas(all)
  return room <= 0 ? current : current + Math.min(room, replicas - current)
}

/** A number that an annotation of a set has; undefined when it has none. */
export const annotatedCount = ({ metadata }: ReplicaSet, annotation: string): number | undefined => {
  const text = metadata.annotations?.[annotation]
  if (text === undefined || !/^\d+$/.test(text)) return undefined
  const value = Number(text)
  return value <= 2_147_483_647 ? value : undefined
}

/** Half away from zero, as Go's RoundToInt32. */
const rounded = (value: number): number => (value < 0 ? Math.trunc(value - 0.5) : Math.trunc(value + 0.5))

const fraction = (set: ReplicaSet, deployment: Deployment): number => {
  const size = replicasOf(set)
  if (replicasOf(deployment) === 0) return -size
  const before = annotatedCount(set, MAX_REPLICAS) ?? 0
  const base = before === 0 ? (deployment.status?.replicas ?? 0) : before
  return base === 0 ? 0 : rounded((size * (replicasOf(deployment) + maxSurgeOf(deployment))) / base) - size
}

/**
 * The sizes of sets after a Deployment was scaled in the middle of a rollout: what is added or taken is spread in proportion to what
 * they have, the rest goes to the largest.
 */
export const proportionalSizes = (
  deployment: Deployment,
  active: ReadonlyArray<ReplicaSet>
): ReadonlyArray<readonly [ReplicaSet, number]> => {
  const replicas = replicasOf(deployment)
  const allowed = replicas > 0 ? replicas + maxSurgeOf(deployment) : 0
  const toAdd = allowed - wantedReplicas(active)
  const sets = toAdd === 0 ? active : active.toSorted(bySize(toAdd > 0))
  let added = 0
  const sizes = sets.map((set): [ReplicaSet, number] => {
    if (toAdd === 0 || replicasOf(set) === 0 || toAdd === added) return [set, replicasOf(set)]
    const own = fraction(set, deployment)
    const proportion = toAdd > 0 ? Math.min(own, toAdd - added) : Math.max(own, toAdd - added)
    added += proportion
    return [set, replicasOf(set) + proportion]
  })
  const [largest] = sizes
  if (largest !== undefined) largest[1] = Math.max(0, largest[1] + toAdd - added)
  return sizes
}

/** The older first; names decide between those of one second. */
export const byAge = (a: ReplicaSet, b: ReplicaSet): number => {
  const { creationTimestamp: x = "", name: n = "" } = a.metadata
  const { creationTimestamp: y = "", name: m = "" } = b.metadata
  return x === y ? (n < m ? -1 : n > m ? 1 : 0) : x < y ? -1 : 1
}

const bySize =
  (newerFirst: boolean) =>
  (a: ReplicaSet, b: ReplicaSet): number => {
    const bigger = replicasOf(b) - replicasOf(a)
    return bigger === 0 ? (newerFirst ? byAge(b, a) : byAge(a, b)) : bigger
  }

/** Whether a set has all replicas of its Deployment, and all are available. */
export const isSaturated = (deployment: Deployment, set: ReplicaSet | undefined): boolean => {
  const replicas = replicasOf(deployment)
  return (
    set !== undefined &&
    annotatedCount(set, DESIRED_REPLICAS) === replicas &&
    replicasOf(set) === replicas &&
    (set.status?.availableReplicas ?? 0) === replicas
  )
}
