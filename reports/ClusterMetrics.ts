// The numbers of one simulated cluster that are compared with those of another: what it cost in real time and memory, and what its
// users felt in virtual time. Owns how a cluster is reduced to one value per metric and which direction is better. Does not compare.
import { Latency } from "./Latency.ts"
import type { Metric } from "./Metrics.ts"
import type { RecordedCalls } from "./RecordedCluster.ts"
import type { RecordedHistogram } from "./RecordedLoad.ts"
import { waitOfAll } from "./SchedulerTables.ts"
import type { RunRecord } from "./RunRecord.ts"

/** The metric that sums a comparison of clusters up: real time for a second of virtual time. */
export const clusterCostId = "cluster.cost"

const lower = (id: string, label: string, unit: Metric["unit"], value: number | null): Metric => ({
  id,
  label,
  unit,
  better: "lower",
  value,
  within: []
})

const percentiles = (id: string, label: string, histogram: RecordedHistogram): ReadonlyArray<Metric> =>
  (["p50", "p99"] as const).map((digest) => lower(`${id}.${digest}`, `${label} ${digest}`, "us", histogram[digest]))

const kinds: ReadonlyArray<readonly [id: string, label: string, means: (calls: RecordedCalls) => boolean]> = [
  ["api.mutating", "mutating calls", ({ scope, verb }) => scope === "object" && verb !== "get"],
  ["api.get", "get calls", ({ verb }) => verb === "get"],
  ["api.list", "list calls", ({ verb }) => verb === "list"]
]

/** Every metric of a run's cluster; none when it has none. */
export const clusterMetrics = ({ cluster }: RunRecord): ReadonlyArray<Metric> => {
  if (cluster === undefined) return []
  const { calls, informers, podStarts, residentMaxBytes, scheduling, virtualMs, wallMs } = cluster
  const cost = virtualMs > 0 ? (wallMs * 1_000_000) / virtualMs : null
  return [
    lower(clusterCostId, "real time per virtual second", "us", cost),
    lower("cluster.memory", "memory of the world, highest", "bytes", residentMaxBytes),
    ...kinds.flatMap(([id, label, means]) =>
      percentiles(id, label, Latency.merge(calls.filter(means).map(({ latency }) => latency)).toRecorded())
    ),
    ...percentiles("pod.start", "pod start", podStarts.whole),
    ...(scheduling === undefined || scheduling.waits.length === 0
      ? []
      : percentiles("scheduler.wait", "time until pods had a node", waitOfAll(scheduling))),
    ...percentiles("informer.lag", "watch lag", Latency.merge(informers.map(({ lag }) => lag)).toRecorded())
  ]
}
