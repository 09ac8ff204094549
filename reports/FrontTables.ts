// The tables of runs against a Kubernetes API front: what each front adds to direct runs, operation by operation, and what it uses
// and does at the upstream, phase by phase. Owns what stands in them. Knows nothing of markup.
import { differenceOfMedians, type RunSample } from "./Bootstrap.ts"
import type { RunGroup } from "./Compare.ts"
import { formatBytes, formatCount, formatMetric, formatUs, nothing } from "./Format.ts"
import { measuredFrontPhases } from "./FrontMetrics.ts"
import { measuredOperations, operationLabel } from "./Metrics.ts"
import type { RecordedFrontPhase } from "./RecordedFront.ts"
import type { RecordedOperation } from "./RecordedLoad.ts"
import type { Report } from "./Report.ts"
import { seedOf } from "./SeededRandom.ts"
import { median } from "./Statistics.ts"
import type { Cell, Table } from "./Tables.ts"

const text = (...titles: ReadonlyArray<string>) => titles.map((title) => ({ title, numeric: false }))
const numbers = (...titles: ReadonlyArray<string>) => titles.map((title) => ({ title, numeric: true }))
const cells = (...texts: ReadonlyArray<string>): ReadonlyArray<Cell> => texts.map((one) => ({ text: one }))

/** The groups that are runs against a front. */
export const frontGroups = ({ groups }: Report): ReadonlyArray<RunGroup> =>
  groups.filter(({ records }) => records.some(({ front }) => front !== undefined))

const digests = ["p50", "mean", "p99"] as const

type Digest = (typeof digests)[number]

const samplesOf = ({ records }: RunGroup, label: string, digest: Digest): ReadonlyArray<RunSample> =>
  records.flatMap((record) =>
    measuredOperations(record).flatMap((operation): ReadonlyArray<RunSample> => {
      const value = operation.latency[digest]
      return value === null || operationLabel(record, operation) !== label ? [] : [{ value, within: [] }]
    })
  )

/** Microseconds with their sign. */
const signed = (us: number): string =>
  Number.isFinite(us) ? `${us < 0 ? "−" : "+"}${formatUs(Math.abs(us))}` : nothing

const middle = (samples: ReadonlyArray<RunSample>): string =>
  samples.length === 0 ? nothing : formatUs(median(samples.map(({ value }) => value)))

const addedCells = (
  [direct, group]: readonly [RunGroup, RunGroup],
  label: string,
  digest: Digest,
  hasIntervals: boolean
): ReadonlyArray<Cell> => {
  const [base, own] = [samplesOf(direct, label, digest), samplesOf(group, label, digest)]
  const told = (added: string, interval: string) => cells(middle(own), added, ...(hasIntervals ? [interval] : []))
  if (group === direct || base.length === 0 || own.length === 0) return told(nothing, nothing)
  const options = { seed: seedOf(`added ${label} ${digest}`), resamples: 2000, confidence: 0.95 }
  const { high, low, value } = differenceOfMedians(base, own, options)
  return told(signed(value), Number.isFinite(low) ? `${signed(low)} to ${signed(high)}` : nothing)
}

const labelsOf = (groups: ReadonlyArray<RunGroup>): ReadonlyArray<string> => [
  ...new Set(
    groups.flatMap(({ records }) =>
      records.flatMap((record) =>
        measuredOperations(record).flatMap((operation: RecordedOperation) =>
          operation.latency.count === 0 ? [] : [operationLabel(record, operation)]
        )
      )
    )
  )
]

/** What each front adds to direct runs; undefined without runs against a front, or without direct ones. */
export const addedTable = (report: Report): Table | undefined => {
  const groups = frontGroups(report)
  const direct = groups.find(({ name }) => name === "direct")
  if (direct === undefined || groups.length < 2) return undefined
  // One run has no scatter that an interval could be made of.
  const hasIntervals = groups.every(({ records }) => records.length > 1)
  const titles = (digest: Digest) => [digest, "added", ...(hasIntervals ? ["95 %"] : [])]
  return {
    id: "front-added",
    caption: `Added latency of each front against direct runs: differences of medians over runs${hasIntervals ? ", with 95 % intervals" : ""}`,
    columns: [...text("Operation", "Front"), ...numbers(...digests.flatMap(titles))],
    rows: labelsOf(groups).flatMap((label) =>
      groups
        .filter((group) => samplesOf(group, label, "p50").length > 0)
        .map((group) => [
          ...cells(label, group.name),
          ...digests.flatMap((digest) => addedCells([direct, group], label, digest, hasIntervals))
        ])
    )
  }
}

interface Seen {
  readonly group: RunGroup
  readonly phases: ReadonlyArray<RecordedFrontPhase>
}

/** The middle over runs; a dash where no run knows. */
const over = (
  { phases }: Seen,
  of: (phase: RecordedFrontPhase) => number | null,
  format: (value: number) => string
): Cell => {
  const known = phases.flatMap((phase) => of(phase) ?? [])
  return { text: known.length === 0 ? nothing : format(median(known)) }
}

const part = (above: number | null, below: number | null): number | null =>
  above === null || below === null || below === 0 ? null : above / below

const perWatch = ({ idleWatches, memoryBeforeBytes, memoryIdleBytes }: RecordedFrontPhase): number | null =>
  idleWatches === 0 || memoryBeforeBytes === null || memoryIdleBytes === null
    ? null
    : Math.max(0, memoryIdleBytes - memoryBeforeBytes) / idleWatches

const ratio = (value: number): string => (value === 0 ? "0" : value.toFixed(value < 10 ? 3 : 1))
const whole = (value: number): string => formatCount(Math.round(value))

const rowOf = (seen: Seen, phase: string, columns: ReadonlyArray<Column>): ReadonlyArray<Cell> => [
  ...cells(phase, seen.group.name),
  ...columns.map(({ format, of }) => over(seen, of, format))
]

interface Column {
  readonly title: string
  readonly of: (phase: RecordedFrontPhase) => number | null
  readonly format: (value: number) => string
}

const columns: ReadonlyArray<Column> = [
  { title: "requests / CPU s", of: ({ cpuSeconds, requests }) => part(requests, cpuSeconds), format: whole },
  {
    title: "CPU / request",
    of: ({ cpuSeconds, requests }) => part(cpuSeconds === null ? null : cpuSeconds * 1e6, requests),
    format: (us) => formatMetric(us, "us/op")
  },
  { title: "client conn.", of: ({ clientConnections }) => clientConnections, format: whole },
  { title: "upstream conn.", of: ({ upstreamConnections }) => upstreamConnections, format: whole },
  {
    title: "upstream / request",
    of: ({ refused, requests, upstreamRequests }) => part(upstreamRequests, requests - refused),
    format: ratio
  },
  { title: "reviews / request", of: ({ requests, reviews }) => part(reviews, requests), format: ratio },
  {
    title: "refused",
    of: ({ refused, requests }) => part(refused * 100, requests),
    format: (value) => (value === 0 ? "0 %" : `${value.toFixed(1)} %`)
  },
  { title: "memory / idle watch", of: perWatch, format: (bytes) => formatBytes(Math.round(bytes)) },
  { title: "configs", of: ({ swaps }) => (swaps === 0 ? null : swaps), format: whole }
]

/** What each front uses and does at the upstream; undefined without runs against a front. */
export const frontTable = (report: Report): Table | undefined => {
  const groups = frontGroups(report)
  if (groups.length === 0) return undefined
  const phases = [
    ...new Set(groups.flatMap(({ records }) => records.flatMap(measuredFrontPhases)).map(({ phase }) => phase))
  ]
  const rows = phases.flatMap((phase) =>
    groups.map((group) => ({
      phase,
      seen: { group, phases: group.records.flatMap(measuredFrontPhases).filter((one) => one.phase === phase) }
    }))
  )
  // A column that nobody has anything to say in would only make the table wide.
  const said = columns.filter(({ of }) => rows.some(({ seen }) => seen.phases.some((phase) => (of(phase) ?? 0) !== 0)))
  return {
    id: "front-phases",
    caption: "What each front uses, and what reaches the upstream, while the loads run; medians over runs",
    columns: [...text("Phase", "Front"), ...numbers(...said.map(({ title }) => title))],
    rows: rows.filter(({ seen }) => seen.phases.length > 0).map(({ phase, seen }) => rowOf(seen, phase, said))
  }
}
