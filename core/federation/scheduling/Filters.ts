// The plugins that rule clusters out, each a sentence about one cluster.
// Owns their rules: what keeps an object from a cluster, and what drives it from one where it is, which is less, so that nothing is
// deleted on doubt. Refuses webhooks, and what differs from object to object of one class.
import { clusterMatches } from "../api/ClusterTerms.ts"
import { type Amounts, type MemberCluster, typeName } from "../api/FederatedCluster.ts"
import { clusterTaints } from "../api/FederationNames.ts"
import type { Requirements } from "../api/PropagationPolicy.ts"
import { answersTaint, type ClusterTaint, toleratedUntil } from "../api/Taints.ts"

/** What objects of one class have in common. */
export interface UnitClass {
  readonly apiVersion: string
  readonly kind: string
  readonly request: Amounts
  readonly requirements: Requirements
}

/** A question about one cluster. */
export interface FilterQuestion {
  readonly unit: UnitClass
  readonly cluster: MemberCluster
  /** Whether the object is there already. */
  readonly placed: boolean
  readonly nowMs: number
}

/** Why a cluster is ruled out; undefined: it is not. */
export type Filter = (question: FilterQuestion) => string | undefined

const OURS: ReadonlySet<string> = new Set(Object.values(clusterTaints))

const untilByEach = (requirements: Requirements, taint: ClusterTaint): number | undefined => {
  let until = Infinity
  for (const tolerations of requirements.tolerations) {
    const one = toleratedUntil(tolerations, taint)
    if (one === undefined) return undefined
    until = Math.min(until, one)
  }
  return until
}

/** Until when a taint is put up with: by the policy's tolerations, or, of taints that we set, for as long as failover waits. */
export const tolerated = (requirements: Requirements, taint: ClusterTaint): number | undefined => {
  const isOurs = OURS.has(taint.key)
  if (!isOurs || requirements.tolerations.some((list) => list.some((one) => answersTaint(one, taint)))) {
    return untilByEach(requirements, taint)
  }
  return requirements.failover.disabled ? Infinity : taint.addedMs + requirements.failover.tolerationMs
}

const taintText = ({ effect, key, value }: ClusterTaint): string => `${key}${value === "" ? "" : `=${value}`}:${effect}`

/** When a cluster's taints drive out what is there; Infinity: never. */
export const drivenOutAt = ({ cluster, unit }: Omit<FilterQuestion, "placed" | "nowMs">): number => {
  let at = Infinity
  for (const taint of cluster.taints) {
    if (taint.effect === "NoExecute") at = Math.min(at, tolerated(unit.requirements, taint) ?? 0)
  }
  return at
}

/** Whether more replicas are kept from going where some are: by taints, or because the cluster does not answer. */
export const isFrozen = ({ cluster, unit }: Omit<FilterQuestion, "placed" | "nowMs">): boolean =>
  !cluster.ready ||
  cluster.taints.some(
    (taint) =>
      taint.effect !== "PreferNoSchedule" && (OURS.has(taint.key) || tolerated(unit.requirements, taint) === undefined)
  )

const taintToleration: Filter = ({ cluster, nowMs, placed, unit }) => {
  for (const taint of cluster.taints) {
    if (taint.effect === "PreferNoSchedule" || (placed && taint.effect !== "NoExecute")) continue
    const until = tolerated(unit.requirements, taint)
    // A lost cluster is waited for where the object is; nothing new goes there.
    if (until === undefined || until <= nowMs || (!placed && OURS.has(taint.key))) {
      return `taint ${taintText(taint)} is not tolerated${until !== undefined && until <= nowMs ? " any longer" : ""}`
    }
  }
  return undefined
}

const apiResources: Filter = ({ cluster, placed, unit }) => {
  const type = typeName(unit.apiVersion, unit.kind)
  // What a cluster serves is not known for a moment, or for as long as it is away: what is there stays.
  if (cluster.types === undefined) return placed ? undefined : "its types are not known yet"
  if (cluster.types.has(type) || (placed && !cluster.ready)) return undefined
  return `does not serve ${unit.apiVersion} ${unit.kind}`
}

const resourcesFit: Filter = ({ cluster, placed, unit }) => {
  if (placed) return undefined
  for (const [name, asked] of unit.request) {
    if (asked > (cluster.available.get(name) ?? 0)) return `has not enough ${name} left for one pod`
  }
  return undefined
}

const KATALYST = "resource.katalyst.kubewharf.io/"

const katalystResourcesExist: Filter = ({ cluster, placed, unit }) => {
  if (placed || !Array.from(unit.request.keys()).some((name) => name.startsWith(KATALYST))) return undefined
  for (const [name, amount] of cluster.allocatable) if (name.startsWith(KATALYST) && amount > 0) return undefined
  return "has no reclaimed resources of Katalyst"
}

/** The plugins by name. ClusterEvicted is asked of each object, not of its class. */
export const filters: Readonly<Record<string, Filter | undefined>> = {
  APIResources: apiResources,
  TaintToleration: taintToleration,
  ClusterReady: ({ cluster, placed }) => (cluster.ready || placed ? undefined : "is not ready"),
  ClusterTerminating: ({ cluster }) => (cluster.terminating ? "is being removed from the federation" : undefined),
  PlacementFilter: ({ cluster, unit }) =>
    unit.requirements.placement?.has(cluster.name) === false ? "is not among the clusters of the placement" : undefined,
  ClusterAffinity: ({ cluster, unit }) =>
    unit.requirements.clusters.every((terms) => clusterMatches(terms, cluster))
      ? undefined
      : "does not match the cluster selector or affinity",
  ClusterResourcesFit: resourcesFit,
  KatalystResourcesExist: katalystResourcesExist
}
