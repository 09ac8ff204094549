// Topology spread and affinity between pods, judged for a group of nodes that agree in all coordinates these rules look at.
// Owns both plugins' filters and raw scores, and which coordinates a node has; refuses to count pods (AffinityCounts, SpreadCounts).
// Domains of other labels than the host's are coordinates themselves; what a host's own pods say is one number each.
import type { Domains } from "../cluster/Topology.ts"
import { HOST_KEY } from "../pod/SpreadConstraint.ts"
import type { AffinityCounts, DomainCounts } from "./AffinityCounts.ts"
import type { SpreadCounts, SpreadTally } from "./SpreadCounts.ts"
import { FITS, type Verdicts } from "./Verdicts.ts"

export const SPREAD_DIFFERS = "node(s) didn't match pod topology spread constraints"
/** Stands for the count of a node without the host's label: no count is as low, and in a trial one may be below 0. */
const NO_LABEL = -(2 ** 31)
export const SPREAD_LABEL_MISSING = `${SPREAD_DIFFERS} (missing required label)`
export const AFFINITY_RULES = "node(s) didn't match pod affinity rules"
export const ANTI_AFFINITY_RULES = "node(s) didn't match pod anti-affinity rules"
export const EXISTING_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"

/** Coordinates of a node: the two static scores, what its host's pods say, their score, then domains and counts. */
export type Coordinates = Array<number>

export const TAINTS = 0
export const PREFERENCE = 1
const HOST_SAYS = 2
const HOST_SCORE = 3
const FIRST_DOMAIN = 4

const REPELLED = 1
const CONFLICTS = 2
const NEAR_BITS = 2

const isHost = ({ domains }: DomainCounts | SpreadTally): boolean => domains.key === HOST_KEY

export class DomainRules {
  readonly affinity: AffinityCounts | undefined
  readonly spread: SpreadCounts | undefined
  private readonly verdicts: Verdicts
  /** Labels other than the host's, in the order of their coordinates. */
  private readonly domains: Array<Domains> = []
  private readonly hostTallies: ReadonlyArray<SpreadTally>
  /** Moves when coordinates are different. */
  layout = 0
  private outlined = -1
  private outlineText = ""
  private readonly countsByNode: boolean
  private scoresSeen = -1
  private repelledSeen = -1

  private readonly filtersAffinity: boolean

  constructor(
    affinity: AffinityCounts | undefined,
    spread: SpreadCounts | undefined,
    verdicts: Verdicts,
    filters: ReadonlySet<string>
  ) {
    this.filtersAffinity = filters.has("InterPodAffinity")
    this.affinity = affinity
    this.spread = spread
    this.verdicts = verdicts
    this.hostTallies = [...(spread?.hard ?? []), ...(spread?.soft ?? [])].filter(isHost)
    this.countsByNode = this.hostTallies.every(({ onNode }) => onNode !== undefined)
    this.reviewLabels()
  }

  /** Whether nothing here matters: all nodes are equal to these rules. */
  get isIdle(): boolean {
    return this.spread === undefined && (this.affinity === undefined || this.affinity.isIdle)
  }

  /** Whether no node is turned down by these rules, wherever pods that are placed now may go. */
  get isLenient(): boolean {
    const { affinity, filtersAffinity, spread } = this
    if (spread !== undefined && spread.hard.length > 0) return false
    return affinity === undefined || !filtersAffinity || affinity.isLenient
  }

  /** Whether all that the rules say of single nodes is how many pods are there, and nearly everywhere none: see isStray. */
  get isLocal(): boolean {
    return this.countsByNode && (this.affinity === undefined || this.affinity.isIdle)
  }

  /** Where rules are local: whether a node has other coordinates than its labels alone would give it. */
  isStray(node: number): boolean {
    for (const { onNode } of this.hostTallies) if (onNode?.has(node) === true) return true
    return false
  }

  /** Shows the nodes that are so, some more than once. */
  eachStray(see: (node: number) => void): void {
    for (const { onNode } of this.hostTallies) for (const node of onNode?.keys() ?? []) see(node)
  }

  /** Which coordinates there are: nodes that are no strays have the same ones by all local rules of the same outline. */
  get outline(): string {
    if (this.outlined !== this.layout) {
      this.outlined = this.layout
      this.outlineText = `${this.hostTallies.length}/${this.domains.map(({ key }) => key).join()}`
    }
    return this.outlineText
  }

  /** Learns of labels that pods which came since have named. */
  reviewLabels(): void {
    const { affinity, spread } = this
    if (affinity?.scores.length === this.scoresSeen && affinity.repelled.length === this.repelledSeen) return
    this.scoresSeen = affinity?.scores.length ?? 0
    this.repelledSeen = affinity?.repelled.length ?? 0
    const before = this.domains.length
    const named = [
      ...(spread?.hard ?? []),
      ...(spread?.soft ?? []),
      ...(affinity?.near ?? []),
      ...(affinity?.anti ?? []),
      ...(affinity?.repelled ?? []),
      ...(affinity?.scores ?? [])
    ]
    for (const one of named) if (!isHost(one) && !this.domains.includes(one.domains)) this.domains.push(one.domains)
    if (this.domains.length !== before) this.layout++
  }

  /** Adds a node's coordinates beyond the two static scores. */
  locate(node: number, into: Coordinates): void {
    into[HOST_SAYS] = this.affinity === undefined ? 0 : hostSays(this.affinity, node)
    into[HOST_SCORE] = this.affinity === undefined ? 0 : hostScore(this.affinity, node)
    let at = FIRST_DOMAIN
    for (const domains of this.domains) into[at++] = domains.of[node]
    for (const { counts, domains, onNode } of this.hostTallies) {
      const domain = domains.of[node]
      into[at++] = domain < 0 ? NO_LABEL : onNode === undefined ? counts[domain] : (onNode.get(node) ?? 0)
    }
    into.length = at
  }

  /** Why the group's nodes will not do, or FITS. */
  verdict(group: Coordinates): number {
    if (this.spread !== undefined) {
      const spread = this.spreadVerdict(this.spread, group)
      if (spread !== FITS) return spread
    }
    return this.affinity === undefined || !this.filtersAffinity ? FITS : this.affinityVerdict(this.affinity, group)
  }

  /** Whether nodes of the group have no score by spread: they lack a label that a soft constraint names. */
  isIgnored(group: Coordinates): boolean {
    const { spread } = this
    if (spread?.needsAllSoft !== true) return false
    return spread.soft.some((tally) => this.domainAt(tally, group) < 0)
  }

  /** The sum over soft constraints, rounded; `weights` are theirs. */
  spreadScore(group: Coordinates, weights: ReadonlyArray<number>): number {
    let score = 0
    const soft = this.spread?.soft ?? []
    for (let at = 0; at < soft.length; at++) {
      const tally = soft[at]
      const value = this.domainAt(tally, group)
      if (value < 0) continue
      const count = isHost(tally) ? value : tally.counts[value]
      score += count * weights[at] + (tally.constraint.maxSkew - 1)
    }
    return Math.round(score)
  }

  /** The weight of each soft constraint, by how many domains the feasible groups lie in. */
  spreadWeights(groups: ReadonlyArray<Coordinates>, scoredNodes: number): ReadonlyArray<number> {
    return (this.spread?.soft ?? []).map((tally) => {
      if (isHost(tally)) return Math.log(scoredNodes + 2)
      const seen = new Set<number>()
      for (const group of groups) if (!this.isIgnored(group)) seen.add(this.domainAt(tally, group))
      return Math.log(seen.size + 2)
    })
  }

  affinityScore(group: Coordinates): number {
    let score = group[HOST_SCORE]
    for (const one of this.affinity?.scores ?? []) {
      if (isHost(one)) continue
      const domain = this.domainOf(one.domains, group)
      if (domain >= 0) score += one.counts[domain]
    }
    return score
  }

  private domainOf(domains: Domains, group: Coordinates): number {
    return group[FIRST_DOMAIN + this.domains.indexOf(domains)]
  }

  /** A domain, or for the host's label the count itself. */
  private domainAt(tally: SpreadTally, group: Coordinates): number {
    return isHost(tally)
      ? group[FIRST_DOMAIN + this.domains.length + this.hostTallies.indexOf(tally)]
      : this.domainOf(tally.domains, group)
  }

  private spreadVerdict(spread: SpreadCounts, group: Coordinates): number {
    for (const tally of spread.hard) {
      const value = this.domainAt(tally, group)
      if (isHost(tally) ? value === NO_LABEL : value < 0)
        return this.verdicts.id("PodTopologySpread", false, [SPREAD_LABEL_MISSING])
      const count = isHost(tally) ? value : tally.counts[value]
      const skew = count + (tally.matchesItself ? 1 : 0) - spread.leastOf(tally)
      if (skew > tally.constraint.maxSkew) return this.verdicts.id("PodTopologySpread", true, [SPREAD_DIFFERS])
    }
    return FITS
  }

  private affinityVerdict(affinity: AffinityCounts, group: Coordinates): number {
    const says = group[HOST_SAYS]
    if (!this.isNear(affinity, group)) return this.verdicts.id("InterPodAffinity", false, [AFFINITY_RULES])
    const crowded = (one: DomainCounts): boolean => {
      if (isHost(one)) return false
      const domain = this.domainOf(one.domains, group)
      return domain >= 0 && one.counts[domain] > 0
    }
    if ((says & CONFLICTS) !== 0 || affinity.anti.some(crowded))
      return this.verdicts.id("InterPodAffinity", true, [ANTI_AFFINITY_RULES])
    if ((says & REPELLED) !== 0 || affinity.repelled.some(crowded))
      return this.verdicts.id("InterPodAffinity", true, [EXISTING_ANTI_AFFINITY])
    return FITS
  }

  private isNear({ matchesItself, near, nearTotal }: AffinityCounts, group: Coordinates): boolean {
    if (near.length === 0) return true
    let everywhere = true
    for (let at = 0; at < near.length; at++) {
      const one = near[at]
      if (isHost(one)) {
        const bits = group[HOST_SAYS] >> (NEAR_BITS + 2 * at)
        if ((bits & 1) === 0) return false
        if ((bits & 2) === 0) everywhere = false
        continue
      }
      const domain = this.domainOf(one.domains, group)
      if (domain < 0) return false
      if (one.counts[domain] <= 0) everywhere = false
    }
    return everywhere || (nearTotal === 0 && matchesItself)
  }
}

const hostSays = ({ anti, near, repelled }: AffinityCounts, node: number): number => {
  let says = 0
  for (const one of repelled) if (isHost(one) && countAt(one, node) > 0) says |= REPELLED
  for (const one of anti) if (isHost(one) && countAt(one, node) > 0) says |= CONFLICTS
  for (let at = 0; at < near.length; at++) {
    const one = near[at]
    if (!isHost(one) || one.domains.of[node] < 0) continue
    says |= (countAt(one, node) > 0 ? 3 : 1) << (NEAR_BITS + 2 * at)
  }
  return says
}

const hostScore = ({ scores }: AffinityCounts, node: number): number => {
  let score = 0
  for (const one of scores) if (isHost(one)) score += countAt(one, node)
  return score
}

const countAt = ({ counts, domains }: DomainCounts, node: number): number => {
  const domain = domains.of[node]
  return domain < 0 ? 0 : counts[domain]
}
