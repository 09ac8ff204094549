// The names of what a scenario's targets may judge of a Kubernetes API front, beside what they may judge of any load.
// Owns the names, units and meanings; the numbers behind them are FrontSloCheck.ts's.

/** Latencies in ms, memory in bytes; `front.added.*` is against direct runs of the same invocation. */
export const frontSloMetrics = [
  "front.added.p50",
  "front.added.mean",
  "front.added.p99",
  "front.perCpuSecond",
  "front.connections",
  "front.requests",
  "front.memoryPerWatch"
] as const

export type FrontSloMetric = (typeof frontSloMetrics)[number]

const names: ReadonlySet<string> = new Set(frontSloMetrics)

/** Whether a target's metric is one of a front. */
export const isFrontMetric = (metric: string): metric is FrontSloMetric => names.has(metric)

/** The unit of a metric, as it stands beside numbers. */
export const frontMetricUnit = (metric: FrontSloMetric): string => {
  if (metric === "front.perCpuSecond") return "requests"
  if (metric === "front.connections") return "connections"
  if (metric === "front.requests") return "requests"
  return metric === "front.memoryPerWatch" ? "bytes" : "ms"
}
