// The table of runs of a federation: what each step did to placements, on the host and to replicas.
// Owns what stands in it; throughput and latencies stand with the operations. Knows nothing of markup.
import type { RunGroup } from "./Compare.ts"
import { hostWritesPerObject, judgedSteps } from "./FederationMetrics.ts"
import { formatBytes, formatCount, formatUs, nothing } from "./Format.ts"
import type { RecordedFederationStep } from "./RecordedFederation.ts"
import type { Report } from "./Report.ts"
import { median } from "./Statistics.ts"
import type { Cell, Table } from "./Tables.ts"

/** The groups that are runs of a federation. */
export const federationGroups = ({ groups }: Report): ReadonlyArray<RunGroup> =>
  groups.filter(({ records }) => records.some(({ federation }) => federation !== undefined))

interface Column {
  readonly title: string
  readonly of: (step: RecordedFederationStep) => number | null
  readonly format: (value: number) => string
  /** A number above zero is a finding. */
  readonly isFault?: true
}

const whole = (value: number): string => formatCount(Math.round(value))
const time = (ms: number): string => formatUs(ms * 1000)

const columns: ReadonlyArray<Column> = [
  { title: "objects", of: ({ objects }) => objects, format: whole },
  { title: "placements", of: ({ placements }) => placements, format: whole },
  { title: "host writes / object", of: hostWritesPerObject, format: (value) => value.toFixed(2) },
  { title: "until rest", of: ({ restMs }) => restMs, format: time },
  { title: "members lost", of: ({ membersLost }) => membersLost, format: whole },
  { title: "replicas moved", of: ({ replicasMoved }) => replicasMoved, format: whole },
  { title: "all elsewhere", of: ({ elsewhereMs }) => elsewhereMs, format: time },
  { title: "run twice", of: ({ tooMany }) => tooMany, format: whole, isFault: true },
  { title: "memory", of: ({ memoryBytes }) => memoryBytes, format: (bytes) => formatBytes(Math.round(bytes)) }
]

const cellOf = (steps: ReadonlyArray<RecordedFederationStep>, { format, isFault, of }: Column): Cell => {
  const known = steps.flatMap((step) => of(step) ?? [])
  if (known.length === 0) return { text: nothing }
  const value = median(known)
  return isFault === true && Math.max(...known) > 0
    ? { text: format(Math.max(...known)), tone: "bad" }
    : { text: format(value) }
}

/** What each step did, medians over runs; undefined without runs of a federation. */
export const federationTable = (report: Report): Table | undefined => {
  const groups = federationGroups(report)
  if (groups.length === 0) return undefined
  const rows = groups.flatMap(({ name, records }) => {
    const steps = Map.groupBy(records.flatMap(judgedSteps), ({ step }) => step)
    return [...steps].map(([step, seen]) => [
      { text: step },
      ...(groups.length > 1 ? [{ text: name }] : []),
      ...columns.map((column) => cellOf(seen, column))
    ])
  })
  return {
    id: "federation-steps",
    caption: "What each step did to placements, on the host and to replicas; medians over runs",
    columns: [
      ...(groups.length > 1 ? ["Step", "Backend"] : ["Step"]).map((title) => ({ title, numeric: false })),
      ...columns.map(({ title }) => ({ title, numeric: true }))
    ],
    rows
  }
}
