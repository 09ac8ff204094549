// The numbers of one run that are compared with those of another: throughput and latency of each operation, watch
// delivery and lag, what the server used.
// Owns how a record is reduced to one value per run (only `measure` phases count) and which direction is better. Does
// not compare.
import { clusterCostId, clusterMetrics } from "./ClusterMetrics.ts"
import { federationMetrics } from "./FederationMetrics.ts"
import { frontMetrics } from "./FrontMetrics.ts"
import { Latency } from "./Latency.ts"
import type { RecordedHistogram, RecordedOperation } from "./RecordedLoad.ts"
import type { RecordedPhase, RunRecord } from "./RunRecord.ts"
import { geometricMean } from "./Statistics.ts"
import { tracingMetrics } from "./TracingMetrics.ts"

/** One value per run; `value` is null when the run holds no sample of it, `within` are samples inside the run. */
export interface Metric {
  readonly id: string
  readonly label: string
  readonly unit: MetricUnit
  readonly better: "higher" | "lower"
  readonly value: number | null
  readonly within: ReadonlyArray<number>
  /** Some backends cannot have it: beside one of those it is left out instead of missing. */
  readonly byNature?: true
}

/** What a metric's value counts. */
export type MetricUnit = "ops/s" | "us" | "%" | "us/op" | "bytes" | "count"

/** The phases that enter verdicts. */
export const measurePhases = (record: RunRecord): ReadonlyArray<RecordedPhase> =>
  record.phases.filter((phase) => phase.kind === "measure")

/** Whether a second that starts at `atS` lies wholly inside a measured phase. */
export const isMeasured = (record: RunRecord, atS: number): boolean =>
  measurePhases(record).some((phase) => atS * 1000 >= phase.startMs && (atS + 1) * 1000 <= phase.endMs)

/** The operations of measured phases. */
export const measuredOperations = (record: RunRecord): ReadonlyArray<RecordedOperation> => {
  const phases = new Set(measurePhases(record).map((phase) => phase.name))
  return record.operations.filter((operation) => phases.has(operation.phase))
}

/** Answered calls per second of one operation over its phase; null for a phase without length. */
export const throughputOf = (record: RunRecord, operation: RecordedOperation): number | null => {
  const phase = record.phases.find((phase) => phase.name === operation.phase)
  const seconds = phase === undefined ? 0 : (phase.endMs - phase.startMs) / 1000
  return seconds > 0 ? operation.completed / seconds : null
}

/** How operations are told apart in a report: by name, and by phase where a run measures several and the names differ. */
export const operationLabel = (
  record: RunRecord,
  operation: { readonly name: string; readonly phase: string }
): string =>
  measurePhases(record).length > 1 && operation.phase !== operation.name
    ? `${operation.phase} · ${operation.name}`
    : operation.name

/** Every metric of a run, in the order in which a report shows them. */
export const metricsOf = (record: RunRecord): ReadonlyArray<Metric> => [
  ...overallMetrics(record),
  ...measuredOperations(record).flatMap((operation) => operationMetrics(record, operation)),
  ...watchMetrics(record),
  ...serverMetrics(record),
  ...federationMetrics(record),
  ...frontMetrics(record),
  ...tracingMetrics(record),
  ...clusterMetrics(record)
]

/** Whether an operation is the account of another's answers of 429, which a backend without limits does not have. */
export const isRefusal = (name: string): boolean => name.endsWith(" refused")

const operationMetrics = (record: RunRecord, operation: RecordedOperation): ReadonlyArray<Metric> => {
  const label = operationLabel(record, operation)
  const throughput: Metric = {
    id: `${label}.throughput`,
    label: `${label} throughput`,
    unit: "ops/s",
    better: "higher",
    value: operation.planned === 0 ? null : throughputOf(record, operation),
    within: secondsOf(record, operation)
  }
  const metrics = [throughput, ...latencyMetrics(label, operation.latency)]
  return isRefusal(operation.name) ? metrics.map((metric) => ({ ...metric, byNature: true as const })) : metrics
}

const inClosedLoop = (record: RunRecord, operation: RecordedOperation): boolean =>
  record.phases.some(({ loop, name }) => name === operation.phase && loop === "closed")

/** The metric that sums a comparison up: throughput where the server sets the pace, otherwise p99. */
export const headlineId = (record: RunRecord): string => {
  if (record.cluster !== undefined) return clusterCostId
  const operations = measuredOperations(record).filter(({ name }) => !isRefusal(name))
  const [first] = operations
  const kind = operations.some((operation) => inClosedLoop(record, operation)) ? "throughput" : "p99"
  return operations.length > 1 || first === undefined ? `all.${kind}` : `${operationLabel(record, first)}.${kind}`
}

// Operations weigh the same, however many of them there were: a sum would tell of the cheapest one alone. An open loop
// sends what was planned, so its throughput says nothing; its latencies do.
const overallMetrics = (record: RunRecord): ReadonlyArray<Metric> => {
  const operations = measuredOperations(record).filter(({ name }) => !isRefusal(name))
  if (operations.length < 2) return []
  const closed = operations.filter((operation) => inClosedLoop(record, operation))
  const overall = (id: string, label: string, parts: ReadonlyArray<number | null>): Metric => ({
    id,
    label: `${label}, geometric mean`,
    unit: id === "all.throughput" ? "ops/s" : "us",
    better: id === "all.throughput" ? "higher" : "lower",
    value: meanOrNull(parts),
    within: []
  })
  const latencies = (["p50", "p99"] as const).map((digest) =>
    overall(
      `all.${digest}`,
      digest,
      operations.map(({ latency }) => latency[digest])
    )
  )
  const throughputs = closed.map((operation) => throughputOf(record, operation))
  return [...(closed.length === 0 ? [] : [overall("all.throughput", "throughput", throughputs)]), ...latencies]
}

const meanOrNull = (parts: ReadonlyArray<number | null>): number | null => {
  const mean = geometricMean(parts.map((part) => part ?? Number.NaN))
  return Number.isFinite(mean) ? mean : null
}

const latencyMetrics = (label: string, histogram: RecordedHistogram): ReadonlyArray<Metric> =>
  (["p50", "p99"] as const).map((digest) => ({
    id: `${label}.${digest}`,
    label: `${label} ${digest}`,
    unit: "us",
    better: "lower",
    value: histogram[digest],
    within: []
  }))

const secondsOf = (record: RunRecord, operation: RecordedOperation): ReadonlyArray<number> => {
  const phase = record.phases.find((phase) => phase.name === operation.phase)
  const column = record.series.operations.find((series) => series.name === operation.name)
  if (phase === undefined || column === undefined) return []
  const inside = (atS: number) => atS * 1000 >= phase.startMs && (atS + 1) * 1000 <= phase.endMs
  return column.completed.filter((_, index) => inside(record.series.atS[index] ?? -1))
}

const watchMetrics = (record: RunRecord): ReadonlyArray<Metric> => {
  const phases = new Set(measurePhases(record).map((phase) => phase.name))
  const watches = record.watch.filter((watch) => phases.has(watch.phase))
  if (watches.length === 0) return []
  const [expected, delivered] = [
    watches.reduce((sum, watch) => sum + watch.expected, 0),
    watches.reduce((sum, watch) => sum + watch.delivered, 0)
  ]
  const delivery: Metric = {
    id: "watch.delivery",
    label: "watch delivery",
    unit: "%",
    better: "higher",
    value: expected === 0 ? null : (100 * delivered) / expected,
    within: []
  }
  return [delivery, ...latencyMetrics("watch lag", Latency.merge(watches.map((watch) => watch.lag)).toRecorded())]
}

const serverMetrics = (record: RunRecord): ReadonlyArray<Metric> => {
  const servers = record.components.filter((component) => component.role === "server")
  if (servers.length === 0) return []
  let cpuUs = 0
  for (const server of servers) {
    for (const [index, atS] of server.atS.entries()) {
      if (isMeasured(record, atS)) cpuUs += (server.cpuPercent[index] ?? 0) * 10_000
    }
  }
  const completed = measuredOperations(record).reduce((sum, operation) => sum + operation.completed, 0)
  const byNature = record.front === undefined ? {} : ({ byNature: true } as const)
  const anonymous = servers.reduce((sum, server) => sum + server.totals.anonymousMaxBytes, 0)
  const cpu: Metric = {
    id: "server.cpu",
    label: "server CPU per operation",
    unit: "us/op",
    better: "lower",
    value: completed > 0 && cpuUs > 0 ? cpuUs / completed : null,
    within: []
  }
  return [
    // Of a front it is known exactly (FrontMetrics.ts), not only from whole seconds.
    ...(record.front === undefined ? [cpu] : []),
    {
      id: "server.memory",
      label: "server memory, highest",
      unit: "bytes",
      better: "lower",
      value: anonymous > 0 ? anonymous : null,
      within: [],
      ...byNature
    }
  ]
}
