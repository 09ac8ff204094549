// What a report's first screen says of a simulated cluster: how large and fast it was, and how it stands against Kubernetes' SLOs.
// Owns these sentences; they inform, and change no outcome: the scenario's own targets do that.
import { type ClusterSummary, callName, judgedCalls, podStartSloUs, speedOf } from "./ClusterSummary.ts"
import { formatBytes, formatCount, formatPlural, formatTimes, formatUs, formatVirtual } from "./Format.ts"
import type { Answer } from "./Judge.ts"

/** The answers about a cluster. */
export const clusterAnswers = (summary: ClusterSummary): ReadonlyArray<Answer> => [sizeOf(summary), slosOf(summary)]

const sizeOf = (summary: ClusterSummary): Answer => (summary.isSimulated ? simulatedSize(summary) : realSize(summary))

const realSize = ({ cluster, name, record, runs }: ClusterSummary): Answer => ({
  question: `Real programs (${name})`,
  answer: `${formatVirtual(cluster.virtualMs)} lived`,
  tone: "plain",
  details: [
    `${formatPlural(cluster.nodes, "hollow node")} and up to ${formatPlural(cluster.podsMax, "pod")}, ${formatBytes(cluster.residentMaxBytes)} of memory in all programs, ${formatPlural(runs, "run")}`,
    `store ${name} ${record.backend.version}, kube-apiserver ${record.backend.settings["kube-apiserver"] ?? "of unknown version"}, seed ${formatCount(record.seed)}`
  ]
})

const simulatedSize = ({ cluster, isRepeatable, name, record, runs }: ClusterSummary): Answer => {
  const { eventLogHash, nodes, podsMax, residentMaxBytes, virtualMs, wallMs } = cluster
  const repeated = runs > 1 && isRepeatable ? `, the same in ${formatPlural(runs, "run")}` : ""
  return {
    question: `Simulated${name === "sim" ? "" : ` (${name})`}`,
    answer: `${formatTimes(speedOf(cluster))} real time`,
    tone: isRepeatable ? "plain" : "bad",
    details: [
      `${formatPlural(nodes, "node")} and up to ${formatPlural(podsMax, "pod")} through ${formatVirtual(virtualMs)} of virtual time in ${(wallMs / 1000).toFixed(1)} s, ${formatBytes(residentMaxBytes)} of memory`,
      `seed ${formatCount(record.seed)}, event log ${eventLogHash.slice(0, 12)}${repeated}`
    ]
  }
}

const slosOf = ({ cluster, isSimulated }: ClusterSummary): Answer => {
  const judged = judgedCalls(cluster)
  const missed = judged.filter(({ share }) => share > 1)
  const { whole } = cluster.podStarts
  const startsLate = whole.p99 !== null && whole.p99 > podStartSloUs
  const [worst] = judged
  const calls =
    worst === undefined
      ? "no call was answered"
      : `slowest call against its limit: ${callName(worst.calls)}, p99 ${formatUs(worst.calls.latency.p99)} of ${formatUs(worst.limitUs)}`
  const starts =
    whole.p99 === null ? "no pod started" : `pod start p99 ${formatUs(whole.p99)} of ${formatUs(podStartSloUs)}`
  const count = missed.length + (startsLate ? 1 : 0)
  return {
    question: "Kubernetes’ SLOs",
    answer: worst === undefined ? "Nothing measured" : count === 0 ? "Kept" : `${count} missed`,
    tone: worst === undefined ? "warn" : count === 0 ? "good" : "warn",
    details: [calls, starts, isSimulated ? "in virtual time, on the modelled network and disk" : "in real time"]
  }
}
