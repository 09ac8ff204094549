// Which of the clusters that would do are chosen: groups in their order, spread over topologies, no more than asked, and those where the
// object is before those where it is not.
// Owns the choice; refuses to divide replicas, and to judge a cluster by itself.
import type { FailoverGroup, Requirements } from "../api/PropagationPolicy.ts"
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

/** Which clusters a group has: 1, by position. */
const membersOf = (fleet: Fleet, group: FailoverGroup): Uint8Array =>
  fleet.remember(group, "members", () =>
    Uint8Array.from(fleet.clusters, (cluster) => (clusterMatches(group.clusters, cluster) ? 1 : 0))
  )

/** The first group that has enough clusters; when little is to move, the one where the object is, while it has enough. */
export const chooseGroup = ({ fleet, isCurrent, ranked, requirements }: Candidates): Selected => {
  const notes: Array<string> = []
  const groups = requirements.failoverGroups.map((group) => ({
    group,
    members: positionsOf(ranked).filter((at) => membersOf(fleet, group)[at] === 1)
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

/** A topology's groups as numbers. */
interface Topology {
  /** By position; NO_GROUP: in none. */
  readonly groupOf: Int32Array
  readonly count: number
  /** Whether every cluster is in a group. */
  readonly isComplete: boolean
}

const NO_GROUP = -1

const topologyOf = (fleet: Fleet, key: string): Topology =>
  fleet.remember("topology", key, () => {
    const numbers = new Map<string, number>()
    const groupOf = Int32Array.from(fleet.clusters, ({ labels, name }) => {
      const group = key === CLUSTER ? name : labels[key]
      if (group === undefined) return NO_GROUP
      const number = numbers.get(group) ?? numbers.size
      numbers.set(group, number)
      return number
    })
    return { groupOf, count: numbers.size, isComplete: !groupOf.includes(NO_GROUP) }
  })

/** Marks by position; zeros between calls. */
let marks = new Uint8Array(1024)

/** Those of some positions that are among others. */
const among = (some: ReadonlyArray<number>, others: Positions, size: number): ReadonlyArray<number> => {
  if (some.length === 0) return some
  if (marks.length < size) marks = new Uint8Array(2 ** Math.ceil(Math.log2(size)))
  for (let at = 0; at < others.length; at++) marks[others[at]] = 1
  const found = some.filter((at) => marks[at] === 1)
  for (let at = 0; at < others.length; at++) marks[others[at]] = 0
  return found
}

/** Leaves out groups beyond `maxGroups`: the ones kept are those where the object is, then those with the best cluster. */
const withinGroups = ({ current, fleet, ranked, requirements }: Candidates): Positions => {
  let left: Positions = ranked
  for (const { maxGroups, topologyKey } of requirements.spread) {
    const { count, groupOf, isComplete } = topologyOf(fleet, topologyKey)
    if (isComplete && maxGroups >= count) continue
    const kept = new Set<number>()
    const keep = (at: number): void => {
      if (groupOf[at] !== NO_GROUP && kept.size < maxGroups) kept.add(groupOf[at])
    }
    among(current, left, fleet.size).forEach(keep)
    for (const at of left) keep(at)
    const stays = (at: number): boolean => kept.has(groupOf[at])
    if (!left.every(stays)) left = positionsOf(left).filter(stays)
  }
  return left
}

/** Takes as many as may be: first those that bring a group which is still wanted, then current ones, then the best. */
const covering = (candidates: Candidates, ranked: Positions, limit: number): ReadonlyArray<number> => {
  const { fleet, isCurrent, keys, requirements } = candidates
  const better = (a: number, b: number): number => keys[b] - keys[a] || a - b
  const first = among(candidates.current, ranked, fleet.size).toSorted(better)
  const wanted = requirements.spread.map(({ minGroups, topologyKey }) => ({
    minGroups,
    groupOf: topologyOf(fleet, topologyKey).groupOf,
    groups: new Set<number>()
  }))
  const taken = new Set<number>()
  const take = (at: number): void => {
    taken.add(at)
    for (const { groupOf, groups } of wanted) groups.add(groupOf[at])
  }
  /** Walks current clusters, then the others, until it is told to stop. */
  const walk = (visit: (at: number) => boolean): void => {
    for (const at of first) if (!visit(at)) return
    for (const at of ranked) if (!isCurrent(at) && !visit(at)) return
  }
  for (const { groupOf, groups, minGroups } of wanted) {
    walk((at) => {
      if (groups.size >= minGroups || taken.size >= limit) return false
      const group = groupOf[at]
      if (!taken.has(at) && !groups.has(group)) take(at)
      return true
    })
  }
  walk((at) => {
    if (taken.size >= limit) return false
    take(at)
    return true
  })
  return Array.from(taken).sort(better)
}

/** Keeps spread constraints while it takes at most `maxClusters`. */
export const chooseSpread = (candidates: Candidates): Selected => {
  const { requirements } = candidates
  const within = withinGroups(candidates)
  const chosen = covering(candidates, within, requirements.maxClusters)
  const notes: Array<string> = []
  for (const { minGroups, required, topologyKey } of requirements.spread) {
    const { groupOf } = topologyOf(candidates.fleet, topologyKey)
    const groups = new Set(chosen.map((at) => groupOf[at]))
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
