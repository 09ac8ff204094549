// The names of what a scenario's targets may judge of a tracing server, beside what they may judge of any load.
// Owns the names, units and meanings; the numbers behind them are TracingSloCheck.ts's.

/** Of the phases that send audit events or read traces. */
export const tracingSloMetrics = [
  "ingest.events",
  "ingest.perCpuSecond",
  "ingest.growth",
  "trace.chunk",
  "trace.spans"
] as const

export type TracingSloMetric = (typeof tracingSloMetrics)[number]

const names: ReadonlySet<string> = new Set(tracingSloMetrics)

/** Whether a target's metric is one of a tracing server. */
export const isTracingMetric = (metric: string): metric is TracingSloMetric => names.has(metric)

/** The unit of a metric, as it stands beside numbers. */
export const tracingMetricUnit = (metric: TracingSloMetric): string => {
  if (metric === "ingest.events") return "events/s"
  if (metric === "ingest.perCpuSecond") return "events"
  if (metric === "ingest.growth") return "%"
  return metric === "trace.chunk" ? "bytes" : "spans"
}
