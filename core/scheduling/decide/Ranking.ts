// Which feasible node is best: scores normalized over all feasible nodes, weighed and added, ties broken by chance.
// Owns normalization as kube-scheduler's plugins do it, once for each group of equal nodes; refuses to filter single nodes.
import type { Profile } from "../config/Profile.ts"
import { type DomainRules, PREFERENCE, TAINTS } from "./DomainRules.ts"
import type { NodeGroup } from "./NodeGroups.ts"
import { FITS } from "./Verdicts.ts"

export interface RankedGroup {
  readonly group: NodeGroup
  /** What the group's nodes have beside their own score, weighed. */
  readonly shared: number
}

/** The normalized scores of a group, before weights. */
export interface SharedScores {
  readonly taints: number
  readonly preference: number
  readonly spread: number
  readonly affinity: number
}

const SCORE_MAX = 100

export class Ranking {
  /** Groups whose nodes pass every filter. */
  readonly feasible: Array<NodeGroup> = []
  feasibleNodes = 0
  private readonly rules: DomainRules
  private readonly profile: Profile
  private taintsMax = 0
  private preferenceMax = 0
  private spreadWeights: ReadonlyArray<number> = []
  private spreadMin = Infinity
  private spreadMax = 0
  private affinityMin = Infinity
  private affinityMax = -Infinity

  constructor(groups: Iterable<NodeGroup>, rules: DomainRules, profile: Profile) {
    this.rules = rules
    this.profile = profile
    const idle = rules.isIdle
    for (const group of groups) {
      if (group.size === 0 || (!idle && rules.verdict(group.coordinates) !== FITS)) continue
      this.feasible.push(group)
      this.feasibleNodes += group.size
    }
    this.survey()
  }

  /** One of the best nodes, each as likely; `random` is in [0, 1). Undefined when no node will do. */
  best(random: () => number): number | undefined {
    let best = -1
    let count = 0
    let ties: Array<Array<number>> = []
    for (const group of this.feasible) {
      const members = group.levels[group.top]
      if (members === undefined) continue
      const total = group.top + this.shared(group)
      if (total < best) continue
      if (total > best) {
        best = total
        count = 0
        ties = []
      }
      ties.push(members)
      count += members.length
    }
    if (count === 0) return undefined
    let turn = count === 1 ? 0 : Math.floor(random() * count)
    for (const members of ties) {
      if (turn < members.length) return members[turn]
      turn -= members.length
    }
    return undefined
  }

  /** The weighed sum of what a group's nodes share. */
  shared(group: NodeGroup): number {
    const { weights } = this.profile
    const { affinity, preference, spread, taints } = this.scores(group)
    return (
      taints * (weights.get("TaintToleration") ?? 0) +
      preference * (weights.get("NodeAffinity") ?? 0) +
      spread * (weights.get("PodTopologySpread") ?? 0) +
      affinity * (weights.get("InterPodAffinity") ?? 0)
    )
  }

  /** What each normalizing plugin gives a group's nodes. */
  scores(group: NodeGroup): SharedScores {
    const { coordinates } = group
    const { profile, rules } = this
    const taints =
      this.taintsMax === 0 ? SCORE_MAX : SCORE_MAX - Math.floor((SCORE_MAX * coordinates[TAINTS]) / this.taintsMax)
    const preference =
      this.preferenceMax === 0 ? 0 : Math.floor((SCORE_MAX * coordinates[PREFERENCE]) / this.preferenceMax)
    if (rules.isIdle) return { taints, preference, spread: 0, affinity: 0 }
    return {
      taints,
      preference,
      spread: profile.weights.has("PodTopologySpread") ? this.spreadScore(group) : 0,
      affinity: profile.weights.has("InterPodAffinity") ? this.affinityScore(group) : 0
    }
  }

  private survey(): void {
    const { feasible, rules } = this
    for (const { coordinates } of feasible) {
      this.taintsMax = Math.max(this.taintsMax, coordinates[TAINTS])
      this.preferenceMax = Math.max(this.preferenceMax, coordinates[PREFERENCE])
    }
    if (rules.isIdle) return
    if (rules.spread !== undefined && rules.spread.soft.length > 0) this.surveySpread()
    if (rules.affinity !== undefined)
      for (const { coordinates } of feasible) {
        const score = rules.affinityScore(coordinates)
        this.affinityMin = Math.min(this.affinityMin, score)
        this.affinityMax = Math.max(this.affinityMax, score)
      }
  }

  private surveySpread(): void {
    const { feasible, rules } = this
    let scored = 0
    for (const { coordinates, size } of feasible) if (!rules.isIgnored(coordinates)) scored += size
    this.spreadWeights = rules.spreadWeights(
      feasible.map(({ coordinates }) => coordinates),
      scored
    )
    for (const { coordinates } of feasible) {
      if (rules.isIgnored(coordinates)) continue
      const score = rules.spreadScore(coordinates, this.spreadWeights)
      this.spreadMin = Math.min(this.spreadMin, score)
      this.spreadMax = Math.max(this.spreadMax, score)
    }
  }

  private spreadScore({ coordinates }: NodeGroup): number {
    const { rules } = this
    if (rules.spread === undefined || rules.spread.soft.length === 0 || rules.isIgnored(coordinates)) return 0
    if (this.spreadMax === 0) return SCORE_MAX
    const score = rules.spreadScore(coordinates, this.spreadWeights)
    return Math.floor((SCORE_MAX * (this.spreadMax + this.spreadMin - score)) / this.spreadMax)
  }

  private affinityScore({ coordinates }: NodeGroup): number {
    const range = this.affinityMax - this.affinityMin
    if (!(range > 0)) return 0
    return Math.trunc(SCORE_MAX * ((this.rules.affinityScore(coordinates) - this.affinityMin) / range))
  }
}
