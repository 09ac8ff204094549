// What a report's first screen says of a simulated cluster: how large and fast it was, and how it stands against Kubernetes' SLOs.
// Owns these sentences; they inform, and change no outcome: the scenario's own targets do that.
import { calibrationBadge } from "./CalibrationBadge.ts"
import { type ClusterSummary, callName, judgedCalls, podStartSloUs, speedOf } from "./ClusterSummary.ts"
import { formatBytes, formatCount, formatPlural, formatTimes, formatUs, formatVirtual } from "./Format.ts"
import type { Answer } from "./Judge.ts"

/** The answers about a cluster. */
export const clusterAnswers = (summary: ClusterSummary): ReadonlyArray<Answer> => [
  sizeOf(summary),
  slosOf(summary),
  ...(summary.isSimulated ? [truthOf(summary)] : [])
]

/** How old and how good the calibration of a simulation is. */
const truthOf = ({ cluster }: ClusterSummary): Answer => {
  const { text, tone } = calibrationBadge(cluster)
  const { calibration } = cluster
  if (calibration === undefined)
    return { question: "Calibration", answer: "None", tone, details: [text, "wharf calibrate measures one"] }
  return {
    question: "Calibration",
    answer: `Within ${calibration.medianFactor.toFixed(2)}×`,
    tone,
    details: [text]
  }
}

const sizeOf = (summary: ClusterSummary): Answer => (summary.isSimulated ? simulatedSize(summary) : realSize(summary))

const realSize = ({ cluster, name, record, runs }: ClusterSummary): Answer => {
  const { backend, seed, target } = record
  const { nodes, podsMax, residentMaxBytes, virtualMs } = cluster
  const memory = residentMaxBytes === 0 ? "" : `, ${formatBytes(residentMaxBytes)} of memory in all programs`
  const existing = target === "kubeconfig"
  return {
    question: existing ? `On ${name}` : `Real programs (${name})`,
    answer: `${formatVirtual(virtualMs)} lived`,
    tone: "plain",
    details: [
      `${formatPlural(nodes, existing ? "node" : "hollow node")} and up to ${formatPlural(podsMax, "pod")}${memory}, ${formatPlural(runs, "run")}`,
      existing
        ? `in namespaces of its own on ${backend.settings["server"] ?? "an existing cluster"}, seed ${formatCount(seed)}`
        : `store ${name} ${backend.version}, kube-apiserver ${backend.settings["kube-apiserver"] ?? "of unknown version"}, seed ${formatCount(seed)}`
    ]
  }
}

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
