// An explanation as lines for a terminal.
// Owns the words and their order: what it came to, what was ruled out, where it goes and why, where not and why, what was not kept to.
import type { ExplainedCluster, Explanation } from "../scheduling/Outcome.ts"

const scoreText = ({ scores, total }: ExplainedCluster): string => {
  if (total === undefined) return ""
  const parts = Object.entries(scores ?? {}).map(([plugin, score]) => `${plugin} ${score}`)
  return `, score ${total}${parts.length === 0 ? "" : ` (${parts.join(", ")})`}`
}

const clusterText = (one: ExplainedCluster): string => {
  const replicas = one.replicas === undefined ? "the whole object" : `${one.replicas} replicas`
  return `${one.cluster}: ${replicas}${scoreText(one)}${one.reasons.length === 0 ? "" : `: ${one.reasons.join("; ")}`}`
}

/** The explanation as lines. */
export const placementText = (told: Explanation): string => {
  const policy = told.policy === "" ? "no policy" : told.policy
  const profile = told.profile === "" ? "the default profile" : `profile ${told.profile}`
  const replicas = told.replicas === undefined ? "" : `; ${told.replicas} replicas, ${told.unassigned} of them nowhere`
  const lines = [
    `${told.object}: ${told.reason}: ${told.message}`,
    `  ${policy}, ${profile}`,
    `  ${told.feasible} of ${told.clusterCount} clusters will do${replicas}`,
    ...told.ruledOut.map(({ clusters, plugin, reason }) => `  ${clusters} not: ${plugin}: ${reason}`),
    ...told.chosen.map((one) => `  ${clusterText(one)}`),
    ...told.rejected.map((one) => `  not ${one.cluster}${scoreText(one)}: ${one.reasons.join("; ")}`),
    ...told.notes.map((note) => `  note: ${note}`)
  ]
  return lines.join("\n")
}
