// The neutral row that the linter reads: one operation of one run of one system, with whatever figures are known.
// Owns that shape, the file format of published tables, and the way from a run record to rows. Holds no rules.
import { Schema } from "effect"
import { Count } from "./RecordedLoad.ts"
import type { RecordedHistogram, RecordedOperation, RecordedWatch } from "./RecordedLoad.ts"
import { measuredOperations, throughputOf } from "./Metrics.ts"
import type { RunRecord } from "./RunRecord.ts"

const Figure = Schema.optionalKey(Schema.Finite)

/** Latency figures in microseconds, each optional. */
export const LintLatency = Schema.Struct({
  min: Figure,
  mean: Figure,
  p50: Figure,
  p90: Figure,
  p95: Figure,
  p99: Figure,
  p999: Figure,
  p9999: Figure,
  max: Figure
})

/** Rows of the same system, workload and run were measured together and share their clients. */
export const LintRow = Schema.Struct({
  system: Schema.NonEmptyString,
  workload: Schema.NonEmptyString,
  run: Schema.NonEmptyString,
  operation: Schema.NonEmptyString,
  kind: Schema.Literals(["read", "write", "event", "other"]),
  transport: Schema.Literals(["network", "loopback", "in-process", "simulated"]),
  durable: Schema.optionalKey(Schema.Boolean),
  clients: Schema.optionalKey(Count).annotate({ description: "Closed-loop clients shared by all rows of the run" }),
  opsPerS: Figure,
  latencyUs: LintLatency,
  planned: Schema.optionalKey(Count),
  completed: Schema.optionalKey(Count),
  failed: Schema.optionalKey(Count),
  lost: Schema.optionalKey(Count),
  timed: Schema.optionalKey(Count)
}).annotate({ identifier: "LintRow" })

/** A table that somebody published, in our units, with where it stands. */
export const PublishedTable = Schema.Struct({
  schema: Schema.Literal("kubewharf/published-table"),
  schemaVersion: Schema.Literal(1),
  title: Schema.NonEmptyString,
  source: Schema.NonEmptyString,
  setup: Schema.String,
  rows: Schema.Array(LintRow)
}).annotate({ identifier: "PublishedTable" })

export type LintLatency = typeof LintLatency.Type
export type LintRow = typeof LintRow.Type
export type PublishedTable = typeof PublishedTable.Type

/** How a row is named in a finding. */
export const rowName = (row: LintRow): string => `${row.system} / ${row.workload} / ${row.operation} / run ${row.run}`

/** The measured operations and watchers of one run as rows; `system` tells apart runs of different folders. */
export const rowsOfRecord = (record: RunRecord, system: string): ReadonlyArray<LintRow> => {
  const phases = new Map(record.phases.map((phase) => [phase.name, phase]))
  const shared = (phase: string) => ({
    system,
    workload: `${record.scenario.name} ${phase}`,
    run: record.id,
    transport: transportOf(record.target)
  })
  const operations = measuredOperations(record).map((operation): LintRow => {
    const phase = phases.get(operation.phase)
    const opsPerS = throughputOf(record, operation)
    return {
      ...shared(operation.phase),
      ...countsOf(operation),
      durable: record.backend.durable,
      ...(phase?.loop === "closed" ? { clients: phase.clients } : {}),
      ...(opsPerS === null ? {} : { opsPerS })
    }
  })
  return [...operations, ...record.watch.map((watch) => ({ ...shared(watch.phase), ...eventsOf(watch) }))]
}

const transportOf = (target: RunRecord["target"]): LintRow["transport"] =>
  target === "sim" ? "simulated" : target === "process" ? "loopback" : "network"

type OwnFields = Omit<LintRow, "system" | "workload" | "run" | "transport">

const countsOf = (operation: RecordedOperation): OwnFields => ({
  operation: operation.name,
  kind: operation.kind === "read" || operation.kind === "write" ? operation.kind : "other",
  latencyUs: figuresOf(operation.latency),
  planned: operation.planned,
  completed: operation.completed,
  failed: Object.values(operation.errors).reduce((sum, count) => sum + count, 0),
  lost: operation.lost,
  timed: operation.latency.count
})

const eventsOf = (watch: RecordedWatch): OwnFields => ({
  operation: `events of ${watch.name}`,
  kind: "event",
  latencyUs: figuresOf(watch.lag),
  planned: watch.expected,
  completed: watch.delivered,
  failed: 0,
  lost: Math.max(0, watch.expected - watch.delivered)
})

const figuresOf = (histogram: RecordedHistogram): LintLatency => {
  const { max, mean, min, p50, p90, p99, p999, p9999 } = histogram
  const known = Object.entries({ min, mean, p50, p90, p99, p999, p9999, max }).filter(([, us]) => us !== null)
  return Object.fromEntries(known)
}
