// A group of runs reduced to what a page shows of it: each operation's counts, throughput and merged histogram, what
// the watchers saw, what each component used, how the targets fared.
// Owns the merging over runs. Does not format and does not judge.
import type { RunGroup } from "./Compare.ts"
import { Latency } from "./Latency.ts"
import { measuredOperations, measurePhases, operationLabel, throughputOf } from "./Metrics.ts"
import type { RecordedOperation, RecordedWatch } from "./RecordedLoad.ts"
import type { RunRecord, SloVerdict } from "./RunRecord.ts"
import { median } from "./Statistics.ts"

/** One operation over all runs of a group; `throughput` is the median over runs, per second. */
export interface OperationSummary {
  readonly label: string
  readonly planned: number
  readonly sent: number
  readonly completed: number
  readonly lost: number
  readonly errors: Readonly<Record<string, number>>
  readonly bytesIn: number
  readonly bytesOut: number
  readonly throughput: number | null
  readonly latency: Latency
  readonly service: Latency
}

/** What the watchers saw, over all runs of a group. */
export interface WatchSummary {
  readonly label: string
  readonly expected: number
  readonly delivered: number
  readonly duplicated: number
  readonly outOfOrder: number
  readonly lag: Latency
}

/** Medians over runs of one process's totals. */
export interface ComponentSummary {
  readonly name: string
  readonly role: string
  readonly cpuSeconds: number
  readonly rssMaxBytes: number
  readonly anonymousMaxBytes: number
  readonly diskWrittenBytes: number
  readonly threadsMax: number
}

/** One target over all runs: met only when every run met it. `observed` is the median. */
export interface SloSummary {
  readonly slo: SloVerdict
  readonly observed: number | null
  readonly verdict: SloVerdict["verdict"]
  readonly failedRuns: number
  readonly runs: number
}

/** A group of runs as a page shows it. */
export interface GroupSummary {
  readonly name: string
  readonly runs: number
  readonly operations: ReadonlyArray<OperationSummary>
  readonly watch: ReadonlyArray<WatchSummary>
  readonly components: ReadonlyArray<ComponentSummary>
  readonly slos: ReadonlyArray<SloSummary>
}

/** Merges the runs of a group. */
export const summarize = (group: RunGroup): GroupSummary => ({
  name: group.name,
  runs: group.records.length,
  operations: operationsOf(group.records),
  watch: watchOf(group.records),
  components: componentsOf(group.records),
  slos: slosOf(group.records)
})

const grouped = <Item>(
  records: ReadonlyArray<RunRecord>,
  items: (record: RunRecord) => ReadonlyArray<Item>,
  label: (record: RunRecord, item: Item) => string
): ReadonlyArray<readonly [string, ReadonlyArray<{ readonly record: RunRecord; readonly item: Item }>]> => {
  const pairs = records.flatMap((record) => items(record).map((item) => ({ record, item })))
  return [...Map.groupBy(pairs, ({ item, record }) => label(record, item))]
}

const sum = <Item>(items: ReadonlyArray<Item>, of: (item: Item) => number): number =>
  items.reduce((total, item) => total + of(item), 0)

const operationsOf = (records: ReadonlyArray<RunRecord>): ReadonlyArray<OperationSummary> =>
  grouped(records, measuredOperations, operationLabel).map(([label, pairs]) => {
    const items = pairs.map(({ item }) => item)
    const throughputs = pairs.flatMap(({ item, record }) => throughputOf(record, item) ?? [])
    return {
      label,
      planned: sum(items, (item) => item.planned),
      sent: sum(items, (item) => item.sent),
      completed: sum(items, (item) => item.completed),
      lost: sum(items, (item) => item.lost),
      errors: errorsOf(items),
      bytesIn: sum(items, (item) => item.bytesIn),
      bytesOut: sum(items, (item) => item.bytesOut),
      throughput: throughputs.length === 0 ? null : median(throughputs),
      latency: Latency.merge(items.map((item) => item.latency)),
      service: Latency.merge(items.map((item) => item.service))
    }
  })

const errorsOf = (operations: ReadonlyArray<RecordedOperation>): Readonly<Record<string, number>> => {
  const errors: Record<string, number> = {}
  for (const operation of operations) {
    for (const [code, count] of Object.entries(operation.errors)) errors[code] = (errors[code] ?? 0) + count
  }
  return errors
}

const measuredWatches = (record: RunRecord): ReadonlyArray<RecordedWatch> => {
  const phases = new Set(measurePhases(record).map((phase) => phase.name))
  return record.watch.filter((watch) => phases.has(watch.phase))
}

const watchOf = (records: ReadonlyArray<RunRecord>): ReadonlyArray<WatchSummary> =>
  grouped(records, measuredWatches, operationLabel).map(([label, pairs]) => {
    const items = pairs.map(({ item }) => item)
    return {
      label,
      expected: sum(items, (item) => item.expected),
      delivered: sum(items, (item) => item.delivered),
      duplicated: sum(items, (item) => item.duplicated),
      outOfOrder: sum(items, (item) => item.outOfOrder),
      lag: Latency.merge(items.map((item) => item.lag))
    }
  })

const componentsOf = (records: ReadonlyArray<RunRecord>): ReadonlyArray<ComponentSummary> =>
  grouped(
    records,
    (record) => record.components,
    (_, component) => component.name
  ).map(([name, pairs]) => {
    const totals = pairs.map(({ item }) => item.totals)
    const middle = (of: (total: (typeof totals)[number]) => number) => median(totals.map(of))
    return {
      name,
      role: pairs[0]?.item.role ?? "other",
      cpuSeconds: middle((total) => total.cpuSeconds),
      rssMaxBytes: middle((total) => total.rssMaxBytes),
      anonymousMaxBytes: middle((total) => total.anonymousMaxBytes),
      diskWrittenBytes: middle((total) => total.diskWrittenBytes),
      threadsMax: middle((total) => total.threadsMax)
    }
  })

const slosOf = (records: ReadonlyArray<RunRecord>): ReadonlyArray<SloSummary> =>
  grouped(
    records,
    (record) => record.slos,
    (_, slo) => slo.name
  ).flatMap(([, pairs]) => {
    const items = pairs.map(({ item }) => item)
    const observed = items.flatMap((item) => item.observed ?? [])
    const failedRuns = items.filter((item) => item.verdict === "fail").length
    const isMissing = items.some((item) => item.verdict === "missing")
    const [slo] = items
    if (slo === undefined) return []
    return {
      slo,
      observed: observed.length === 0 ? null : median(observed),
      verdict: failedRuns > 0 ? "fail" : isMissing ? "missing" : "pass",
      failedRuns,
      runs: items.length
    }
  })
