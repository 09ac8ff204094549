// The names of what a scenario's targets may judge of a simulated cluster.
// Owns the names, units and meanings; the numbers behind them are ClusterSloCheck.ts's.

/** Latencies and lags are in ms of virtual time, `cluster.wall` in ms of real time, `cluster.memory` in bytes; rates are pods in a second. */
export const clusterSloMetrics = [
  "api.mutating.p99",
  "api.get.p99",
  "api.list.p99",
  "api.errors",
  "pod.start.p50",
  "pod.start.p99",
  "scheduler.wait.p50",
  "scheduler.wait.p99",
  "scheduler.virtual-rate",
  "scheduler.wall-rate",
  "scheduler.bound",
  "scheduler.waiting",
  "scheduler.victims",
  "informer.lag.p50",
  "informer.lag.p99",
  "nodes.ready",
  "pods.running",
  "tracing.stuck",
  "cluster.speed",
  "cluster.memory",
  "cluster.wall"
] as const

export type ClusterSloMetric = (typeof clusterSloMetrics)[number]

const names: ReadonlySet<string> = new Set(clusterSloMetrics)

/** Whether a target's metric is one of a cluster. */
export const isClusterMetric = (metric: string): metric is ClusterSloMetric => names.has(metric)

/** The unit of a metric, as it stands beside numbers. */
export const clusterMetricUnit = (metric: ClusterSloMetric): string => {
  if (metric === "api.errors" || metric === "nodes.ready" || metric === "pods.running") return "%"
  if (metric === "cluster.memory") return "bytes"
  if (metric === "scheduler.virtual-rate" || metric === "scheduler.wall-rate") return "pods/s"
  if (metric === "scheduler.bound" || metric === "scheduler.waiting" || metric === "scheduler.victims") return "pods"
  if (metric === "tracing.stuck") return "objects"
  return metric === "cluster.speed" ? "× real time" : "ms"
}
