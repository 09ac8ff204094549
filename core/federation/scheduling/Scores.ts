// The plugins that compare clusters: each gives 0 to 100, the best for the emptiest, the most balanced, the best liked.
// Owns their formulas and arguments (weights of resources); refuses to add them up by the profile's weights.
import { type Fields, itemsOf, numberIn, textOf } from "#apiserver"
import { clusterMatches } from "../api/ClusterTerms.ts"
import type { MemberCluster } from "../api/FederatedCluster.ts"
import { tolerated, type UnitClass } from "./Filters.ts"

/** Scores of clusters, in their order. */
export type Score = (unit: UnitClass, clusters: ReadonlyArray<MemberCluster>, args: Fields) => Float64Array

const MOST = 100
const GPU = "nvidia.com/gpu"

const highest = (scores: Float64Array): number => {
  let most = 0
  for (const score of scores) if (score > most) most = score
  return most
}

const taintToleration: Score = (unit, clusters) => {
  const counts = Float64Array.from(
    clusters,
    ({ taints }) =>
      taints.filter((taint) => taint.effect === "PreferNoSchedule" && tolerated(unit.requirements, taint) === undefined)
        .length
  )
  const most = highest(counts)
  return counts.map((count) => (most === 0 ? MOST : MOST - Math.floor((MOST * count) / most)))
}

const clusterAffinity: Score = ({ requirements: { preferred } }, clusters) => {
  const sums = new Float64Array(clusters.length)
  if (preferred.length === 0) return sums
  clusters.forEach((cluster, at) => {
    for (const { terms, weight } of preferred) if (clusterMatches(terms, cluster)) sums[at] += weight
  })
  const most = highest(sums)
  return most === 0 ? sums : sums.map((sum) => Math.floor((MOST * sum) / most))
}

/** CPU, memory, and whatever else a pod asks for. */
const resourcesOf = (unit: UnitClass): ReadonlyArray<string> =>
  Array.from(new Set(["cpu", "memory", ...unit.request.keys()]))

const usedOf = (cluster: MemberCluster, name: string): number =>
  (cluster.allocatable.get(name) ?? 0) - (cluster.available.get(name) ?? 0)

const balanced: Score = (unit, clusters) => {
  const names = resourcesOf(unit)
  const fractions = new Float64Array(names.length)
  return Float64Array.from(clusters, (cluster) => {
    let sum = 0
    for (let at = 0; at < names.length; at++) {
      const name = names[at]
      const fraction = (usedOf(cluster, name) + (unit.request.get(name) ?? 0)) / (cluster.allocatable.get(name) ?? 0)
      if (!(fraction < 1)) return 0
      sum += fractions[at] = fraction
    }
    const mean = sum / names.length
    let squares = 0
    for (const fraction of fractions) squares += (fraction - mean) ** 2
    return Math.floor((1 - Math.sqrt(squares / names.length)) * MOST)
  })
}

const DEFAULT_WEIGHTS: ReadonlyMap<string, number> = new Map([
  ["cpu", 1],
  ["memory", 1],
  [GPU, 4]
])

/** The weights of resources: the arguments' `resources`, each with name and weight, before the usual ones. */
const weightsOf = (unit: UnitClass, args: Fields): ReadonlyArray<readonly [string, number]> => {
  const given = itemsOf(args["resources"])
  if (given.length > 0) return given.map((one) => [textOf(one["name"]), numberIn(one["weight"]) ?? 1] as const)
  return resourcesOf(unit).map((name) => [name, DEFAULT_WEIGHTS.get(name) ?? 1] as const)
}

const byRoom =
  (share: (capacity: number, used: number) => number): Score =>
  (unit, clusters, args) => {
    const weights = weightsOf(unit, args)
    return Float64Array.from(clusters, (cluster) => {
      let sum = 0
      let all = 0
      for (const [name, weight] of weights) {
        const capacity = cluster.allocatable.get(name) ?? 0
        const used = usedOf(cluster, name) + (unit.request.get(name) ?? 0)
        all += weight
        if (capacity > 0 && used <= capacity) sum += weight * Math.floor(share(capacity, used))
      }
      return all === 0 ? 0 : Math.floor(sum / all)
    })
  }

/** The plugins by name. */
export const scores: Readonly<Record<string, Score | undefined>> = {
  TaintToleration: taintToleration,
  ClusterAffinity: clusterAffinity,
  ClusterResourcesBalancedAllocation: balanced,
  ClusterResourcesLeastAllocated: byRoom((capacity, used) => ((capacity - used) * MOST) / capacity),
  ClusterResourcesMostAllocated: byRoom((capacity, used) => (used * MOST) / capacity)
}
