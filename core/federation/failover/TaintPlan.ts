// Which clusters are tainted because nothing good is heard of them, and the brake: when very many are lost at once it is more likely that
// we are, and nothing is driven out.
// Owns the taints of ours that each cluster should have, with time as an argument; refuses the taints of users, and to write any.
import type { ClusterTaint } from "../api/Taints.ts"
import { clusterTaints } from "../api/FederationNames.ts"
import { type ClusterHealth, healthDueMs, type HealthOptions, observeHealth } from "./ClusterHealth.ts"

/** When the brake is on. */
export interface BrakeOptions {
  /** Lost clusters beyond this part of all, and beyond `lostMin`, brake. */
  readonly lostFraction: number
  readonly lostMin: number
}

export const defaultBrakeOptions: BrakeOptions = { lostFraction: 0.34, lostMin: 1 }

/** A cluster as it is thought of and as it is tainted. */
export interface TaintedCluster {
  readonly name: string
  readonly health: ClusterHealth
  readonly taints: ReadonlyArray<ClusterTaint>
}

/** The taints that a cluster should have instead. */
export interface TaintChange {
  readonly cluster: string
  readonly taints: ReadonlyArray<ClusterTaint>
}

/** What is to be done now. */
export interface TaintPlan {
  readonly changes: ReadonlyArray<TaintChange>
  readonly braked: boolean
  readonly lost: number
  /** When to plan again though nothing is seen to change; Infinity: never. */
  readonly wakeAtMs: number
}

export interface TaintPlanRequest {
  readonly clusters: ReadonlyArray<TaintedCluster>
  readonly nowMs: number
  readonly health: HealthOptions
  readonly brake: BrakeOptions
}

const OURS: ReadonlySet<string> = new Set(Object.values(clusterTaints))

const keyOf = ({ seen }: ClusterHealth): string =>
  seen === "unreachable" ? clusterTaints.unreachable : clusterTaints.notReady

/** The taints that a cluster should have: NoSchedule at once, NoExecute unless the brake is on. */
const wanted = ({ health, taints }: TaintedCluster, braked: boolean, nowMs: number): ReadonlyArray<ClusterTaint> => {
  const theirs = taints.filter(({ key }) => !OURS.has(key))
  if (!health.lost) return theirs
  // One that is seen to be good again, but not for long enough, keeps the taints that it has.
  const key = health.seen === "ready" ? (taints.find((one) => OURS.has(one.key))?.key ?? keyOf(health)) : keyOf(health)
  const since = (effect: ClusterTaint["effect"]): number =>
    taints.find((one) => OURS.has(one.key) && one.effect === effect)?.addedMs ?? nowMs
  const one = (effect: ClusterTaint["effect"]): ClusterTaint => ({ key, value: "", effect, addedMs: since(effect) })
  return [...theirs, one("NoSchedule"), ...(braked ? [] : [one("NoExecute")])]
}

const textOf = ({ addedMs, effect, key, value }: ClusterTaint): string => `${key}=${value}:${effect}@${addedMs}`

const isSame = (a: ReadonlyArray<ClusterTaint>, b: ReadonlyArray<ClusterTaint>): boolean =>
  a.length === b.length && new Set([...a, ...b].map(textOf)).size === a.length

/** Plans taints. A taint keeps the time at which it was added: failover counts from there, and anew after a brake. */
export const planTaints = ({ brake, clusters, health, nowMs }: TaintPlanRequest): TaintPlan => {
  let wakeAtMs = Infinity
  const current = clusters.map((cluster) => {
    const settled = observeHealth(cluster.health, { seen: cluster.health.seen, nowMs, options: health })
    wakeAtMs = Math.min(wakeAtMs, healthDueMs(settled, health))
    return { ...cluster, health: settled }
  })
  const lost = current.filter((cluster) => cluster.health.lost).length
  const braked = lost > Math.max(brake.lostMin, Math.floor(clusters.length * brake.lostFraction))
  const changes = current.flatMap((cluster) => {
    const taints = wanted(cluster, braked, nowMs)
    return isSame(taints, cluster.taints) ? [] : [{ cluster: cluster.name, taints }]
  })
  return { changes, braked, lost, wakeAtMs }
}
