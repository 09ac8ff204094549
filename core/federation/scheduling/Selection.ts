// Which of the clusters that would do are chosen: groups in their order, spread over topologies, no more than asked, and those where the
// object is before those where it is not.
// Owns the choice; refuses to divide replicas, and to judge a cluster by itself.
import type { Requirements } from "../api/PropagationPolicy.ts"
import { clusterMatches } from "../api/ClusterTerms.ts"
import type { Fleet } from "./Fleet.ts"

/** Clusters that would do. */
export interface Candidates {
  readonly fleet: Fleet
  readonly requirements: Requirements
  /** Positions, best first. */
  readonly ranked: ReadonlyArray<number> | Int32Array
  /** Whether the object is there, and may stay. */
  readonly isCurrent: (at: number) => boolean
  /** Those where it is. */
  readonly current: ReadonlyArray<number>
  /** What ranks: more is better. */
  readonly keys: Float64Array
}

/** The chosen ones, best first, or why there are none; `notes` tells which soft rule was not kept. */
export interface Selected {
  readonly chosen: ReadonlyArray<number> | Int32Array
  readonly notes: ReadonlyArray<string>
  readonly failure: string | undefined
}

type Positions = ReadonlyArray<number> | Int32Array

const positionsOf = (positions: Positions): ReadonlyArray<number> => Array.from(positions)

/** The first group that has enough clusters; when little is to move, the one where the object is, while it has enough. */
export const chooseGroup = ({ fleet, isCurrent, ranked, requirements }: Candidates): Selected => {
  const notes: Array<string> = []
  const groups = requirements.failoverGroups.map((group) => ({
    group,
    members: positionsOf(ranked).filter((at) => clusterMatches(group.clusters, fleet.clusters[at]))
  }))
  const enough = groups.filter(({ group, members }) => members.length >= group.minClusters)
  const held = requirements.avoidDisruption ? enough.find(({ members }) => members.some(isCurrent)) : undefined
  const chosen = held ?? enough[0]
  if (chosen === undefined) {
    const counts = groups.map(({ group, members }) => `${group.name} has ${members.length} of ${group.minClusters}`)
    return { chosen: [], notes, failure: `no failover group has enough clusters: ${counts.join(", ")}` }
  }
  const at = groups.indexOf(chosen)
  if (at > 0) notes.push(`failover group ${chosen.group.name} is used, number ${at + 1} of ${groups.length}`)
  return { chosen: chosen.members, notes, failure: undefined }
}

const CLUSTER = "cluster"

/** The group of a topology that a cluster is in; undefined: in none. */
const topologyOf = ({ fleet }: Candidates, key: string, at: number): string | undefined => {
  const { labels, name } = fleet.clusters[at]
  const value = key === CLUSTER ? name : labels[key]
  return typeof value === "string" ? value : undefined
}

/** Leaves out groups beyond `maxGroups`: the ones kept are those where the object is, then those with the best cluster. */
const withinGroups = (candidates: Candidates, chosen: Positions): ReadonlyArray<number> => {
  let left = positionsOf(chosen)
  for (const { maxGroups, topologyKey } of candidates.requirements.spread) {
    const inGroups = left.filter((at) => topologyOf(candidates, topologyKey, at) !== undefined)
    const current = inGroups.filter(candidates.isCurrent)
    const kept = new Set<string>()
    for (const at of [...current, ...inGroups]) {
      if (kept.size >= maxGroups) break
      kept.add(topologyOf(candidates, topologyKey, at) ?? "")
    }
    left = inGroups.filter((at) => kept.has(topologyOf(candidates, topologyKey, at) ?? ""))
  }
  return left
}

/** Takes as many as may be: first those that bring a group which is still wanted, then current ones, then the best. */
const covering = (candidates: Candidates, ranked: ReadonlyArray<number>, limit: number): ReadonlyArray<number> => {
  const { isCurrent, requirements } = candidates
  const wanted = requirements.spread.map(({ minGroups, topologyKey }) => ({
    topologyKey,
    minGroups,
    groups: new Set<string>()
  }))
  const order = [...ranked.filter(isCurrent), ...ranked.filter((at) => !isCurrent(at))]
  const taken = new Set<number>()
  const take = (at: number): void => {
    taken.add(at)
    for (const one of wanted) one.groups.add(topologyOf(candidates, one.topologyKey, at) ?? "")
  }
  for (const one of wanted) {
    for (const at of order) {
      if (one.groups.size >= one.minGroups || taken.size >= limit) break
      const group = topologyOf(candidates, one.topologyKey, at)
      if (!taken.has(at) && group !== undefined && !one.groups.has(group)) take(at)
    }
  }
  for (const at of order) {
    if (taken.size >= limit) break
    take(at)
  }
  return ranked.filter((at) => taken.has(at))
}

/** Keeps spread constraints while it takes at most `maxClusters`. */
export const chooseSpread = (candidates: Candidates): Selected => {
  const { requirements } = candidates
  const within = withinGroups(candidates, candidates.ranked)
  const chosen = covering(candidates, within, requirements.maxClusters)
  const notes: Array<string> = []
  for (const { minGroups, required, topologyKey } of requirements.spread) {
    const groups = new Set(chosen.map((at) => topologyOf(candidates, topologyKey, at)))
    if (groups.size >= minGroups) continue
    const why = `only ${groups.size} of ${minGroups} groups by ${topologyKey} can be used`
    if (required) return { chosen: [], notes, failure: why }
    notes.push(why)
  }
  return { chosen, notes, failure: undefined }
}

/** Takes at most `maxClusters`, current ones first. */
export const chooseFew = (candidates: Candidates): Selected => {
  const { isCurrent, keys, ranked, requirements } = candidates
  const { maxClusters } = requirements
  if (ranked.length <= maxClusters) return { chosen: ranked, notes: [], failure: undefined }
  const better = (a: number, b: number): number => keys[b] - keys[a] || a - b
  const chosen = candidates.current.toSorted(better).slice(0, maxClusters)
  for (let rank = 0; chosen.length < maxClusters; rank++) {
    const at = ranked[rank]
    if (!isCurrent(at)) chosen.push(at)
  }
  return { chosen: chosen.sort(better), notes: [], failure: undefined }
}
