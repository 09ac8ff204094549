// The table of runs against a tracing server: what each phase was sent, how fast it was taken, and what that cost.
// Owns what stands in it. Knows nothing of markup.
import { formatBytes, formatCount, nothing } from "./Format.ts"
import type { RecordedTracingPhase } from "./RecordedTracingServer.ts"
import type { Report } from "./Report.ts"
import type { RunRecord } from "./RunRecord.ts"
import { median } from "./Statistics.ts"
import type { Table } from "./Tables.ts"
import { ingestPerCpuSecond, ingestPerSecond, measuredTracingPhases, memoryGrowth } from "./TracingMetrics.ts"

interface Column {
  readonly title: string
  readonly of: (phase: RecordedTracingPhase, record: RunRecord) => number | null
  readonly format: (value: number) => string
}

const whole = (value: number): string => formatCount(Math.round(value))
const bytes = (value: number): string => formatBytes(Math.round(value))
const some = (value: number): number | null => (value === 0 ? null : value)

const columns: ReadonlyArray<Column> = [
  { title: "events", of: ({ events }) => some(events), format: whole },
  {
    title: "bytes / event",
    of: ({ eventBytes, events }) => (events === 0 ? null : eventBytes / events),
    format: whole
  },
  { title: "events / s", of: (phase, record) => ingestPerSecond(record, phase), format: whole },
  { title: "events / CPU s", of: (phase) => ingestPerCpuSecond(phase), format: whole },
  {
    title: "facts / event",
    of: ({ events, facts }) => (events === 0 || facts === null ? null : facts / events),
    format: (value) => value.toFixed(2)
  },
  { title: "spans of a trace", of: ({ spans }) => spans, format: whole },
  { title: "largest message", of: ({ messageBytesMax }) => some(messageBytesMax), format: bytes },
  { title: "CPU s", of: ({ cpuSeconds }) => cpuSeconds, format: (value) => value.toFixed(1) },
  { title: "memory", of: ({ memoryBytes }) => memoryBytes, format: bytes },
  {
    title: "memory growth",
    of: ({ phase }, record) => memoryGrowth(record, phase),
    format: (value) => `${value.toFixed(1)} %`
  }
]

/** What each phase was sent and cost, medians over runs; undefined without runs against a tracing server. */
export const tracingTable = ({ groups }: Report): Table | undefined => {
  const records = groups.flatMap(({ records }) => records.filter(({ tracing }) => tracing !== undefined))
  const phases = [...new Set(records.flatMap(measuredTracingPhases).map(({ phase }) => phase))]
  if (phases.length === 0) return undefined
  const values = phases.map((name) =>
    columns.map(({ of }) =>
      records.flatMap((record) =>
        measuredTracingPhases(record).flatMap((phase) => (phase.phase === name ? (of(phase, record) ?? []) : []))
      )
    )
  )
  // A column that nobody has anything to say in would only make the table wide.
  const said = columns.map((_, at) => values.some((row) => row[at].length > 0))
  const shown = columns.flatMap((column, at) => (said[at] ? [{ column, at }] : []))
  return {
    id: "tracing-phases",
    caption: "What the tracing server was sent, and what that cost it; medians over runs",
    columns: [{ title: "Phase", numeric: false }, ...shown.map(({ column: { title } }) => ({ title, numeric: true }))],
    rows: phases.map((name, row) => [
      { text: name },
      ...shown.map(({ at, column }) => {
        const known = values[row][at]
        return { text: known.length === 0 ? nothing : column.format(median(known)) }
      })
    ])
  }
}

/** What the table is about, in a sentence; empty without runs against a tracing server. */
export const tracingNote = ({ groups }: Report): string => {
  const first = groups.flatMap(({ records }) => records.flatMap(({ tracing }) => tracing ?? []))[0]
  if (first === undefined) return ""
  const held =
    first.spansBefore === 0
      ? ""
      : ` The store held ${formatCount(first.spansBefore)} spans and was opened in ${formatCount(Math.round(first.openMs))} ms.`
  return `Stream ${first.stream}, ${formatCount(first.batch)} events a batch at most; a batch is answered when it is durable and indexed.${held} Processor time is that of all the server's threads; the load generator shares the machine.`
}
