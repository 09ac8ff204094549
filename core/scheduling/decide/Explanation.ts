// A decision told: how many nodes each plugin ruled out and why, and what the best of the others scored by plugin.
// Owns the shape and its making from a ranking; refuses to decide.
import type { Cluster } from "../cluster/Cluster.ts"
import type { Diagnosis } from "./Diagnosis.ts"
import type { NodeGroup } from "./NodeGroups.ts"
import type { NodeJudge } from "./NodeJudge.ts"
import type { Ranking } from "./Ranking.ts"

export interface ScoredNode {
  readonly node: string
  /** Weighted sum. */
  readonly total: number
  /** Normalized scores by plugin, 0 to 100, before weights. */
  readonly scores: Readonly<Record<string, number>>
}

export interface Explanation {
  readonly nodeCount: number
  readonly feasible: number
  /** Set when the pod can be nowhere, before any node is looked at. */
  readonly before?: { readonly plugin: string; readonly reasons: ReadonlyArray<string> }
  readonly ruledOut: ReadonlyArray<{ readonly plugin: string; readonly reason: string; readonly nodes: number }>
  /** The best nodes, best first, equals by name. */
  readonly best: ReadonlyArray<ScoredNode>
}

export const explainNowhere = ({ before, nodeCount }: Diagnosis): Explanation => ({
  nodeCount,
  feasible: 0,
  ...(before === undefined ? {} : { before: { plugin: before.plugin, reasons: before.reasons } }),
  ruledOut: [],
  best: []
})

interface RankingParts {
  readonly diagnosis: Diagnosis
  readonly judge: NodeJudge
  readonly ranking: Ranking
  readonly cluster: Cluster
  readonly limit: number
}

/** The best nodes of a group by their own score; no more than could be among the best of all. */
const leaders = (group: NodeGroup, limit: number): ReadonlyArray<readonly [number, number]> => {
  const found: Array<readonly [number, number]> = []
  for (let level = group.top; level >= 0 && found.length < limit; level--)
    for (const node of group.levels[level] ?? []) found.push([node, level])
  return found
}

export const explainRanking = ({ cluster, diagnosis, judge, limit, ranking }: RankingParts): Explanation => {
  const all: Array<ScoredNode> = []
  for (const group of ranking.feasible) {
    const { affinity, preference, spread, taints } = ranking.scores(group)
    const shared = ranking.shared(group)
    for (const [node, own] of leaders(group, limit))
      all.push({
        node: cluster.rows[node].name,
        total: own + shared,
        scores: {
          TaintToleration: taints,
          NodeAffinity: preference,
          NodeResourcesFit: judge.room.fitScore(node),
          ...(judge.volumes === undefined ? {} : { VolumeBinding: judge.volumes.score(node) }),
          PodTopologySpread: spread,
          InterPodAffinity: affinity,
          NodeResourcesBalancedAllocation: judge.room.balancedScore(node),
          ImageLocality: judge.room.imagesScore(node)
        }
      })
  }
  return {
    nodeCount: diagnosis.nodeCount,
    feasible: ranking.feasibleNodes,
    ruledOut: diagnosis.reasons,
    best: all.sort((a, b) => b.total - a.total || (a.node < b.node ? -1 : 1)).slice(0, limit)
  }
}

/** The explanation as lines for a terminal. */
export const explanationText = (name: string, { before, best, feasible, nodeCount, ruledOut }: Explanation): string => {
  const lines = [`${name}: ${feasible} of ${nodeCount} nodes will do`]
  if (before !== undefined) lines.push(`  ${before.plugin}: ${before.reasons.join(", ")}`)
  for (const { nodes, plugin, reason } of ruledOut) lines.push(`  ${nodes} ${plugin}: ${reason}`)
  for (const { node, scores, total } of best) {
    const parts = Object.entries(scores).map(([plugin, score]) => `${plugin} ${score}`)
    lines.push(`  ${node}: ${total} (${parts.join(", ")})`)
  }
  return lines.join("\n")
}
