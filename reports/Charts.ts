// What a report's charts draw, as plain aligned columns: latency curves from merged histograms, seconds as medians over
// the runs of a group.
// Owns the choice and reduction of data. Knows nothing of pixels; the page's script draws, HtmlCharts.ts describes.
import { isClusterGroup } from "./ClusterSummary.ts"
import type { RunGroup } from "./Compare.ts"
import { curvePercentiles, Latency } from "./Latency.ts"
import { measuredOperations, operationLabel } from "./Metrics.ts"
import type { Report } from "./Report.ts"
import type { RunRecord } from "./RunRecord.ts"
import { median } from "./Statistics.ts"

/** What a chart’s values count. */
export type ChartUnit = "us" | "ops/s" | "%" | "bytes" | "count" | "ms"

/** One line; `slot` picks its colour and dash: 0 is the baseline, candidates count from 1. */
export interface ChartSeries {
  readonly name: string
  readonly slot: number
  readonly values: ReadonlyArray<number | null>
}

/** A vertical mark on a time axis. */
export interface ChartMark {
  readonly atS: number
  readonly text: string
  readonly slot: number
}

/**
 * For `percentile` charts x holds percentiles, for `time` charts seconds since the start of the run, for `clock` charts seconds of
 * virtual time, for `scale` charts numbers of nodes.
 */
export interface Chart {
  readonly id: string
  readonly kind: "percentile" | "time" | "clock" | "scale"
  readonly title: string
  readonly unit: ChartUnit
  readonly x: ReadonlyArray<number>
  readonly series: ReadonlyArray<ChartSeries>
  readonly marks: ReadonlyArray<ChartMark>
  /** Values on a logarithmic axis; a zero is a gap there. */
  readonly isLogarithmic?: boolean
}

/** A heading's charts: one operation, the watchers, or the resources. */
export interface ChartPanel {
  readonly id: string
  readonly title: string
  readonly charts: ReadonlyArray<Chart>
}

/** Text as part of an element id. */
export const slug = (text: string): string =>
  encodeURIComponent(text)
    .replace(/[^A-Za-z0-9]+/g, "-")
    .toLowerCase()

/** Which colour a group has on every chart of the page. */
export const slotOf = (report: Report, name: string): number => {
  if (name === report.baseline) return 0
  const others = report.groups.filter((group) => group.name !== report.baseline)
  // Clusters are drawn on charts of their own: they take no colour from the stores.
  const ordered = [...others.filter((group) => !isClusterGroup(group)), ...others.filter(isClusterGroup)]
  return 1 + ordered.findIndex((group) => group.name === name)
}

const round = (value: number): number => +value.toPrecision(4)

/** A latency curve as a line. */
export const curveSeries = (name: string, slot: number, latency: Latency): ChartSeries => {
  const curve = new Map(latency.curve().map((point) => [point.percentile, point.us]))
  return { name, slot, values: curvePercentiles.map((percentile) => curve.get(percentile) ?? null) }
}

/** Latency curves on one chart, up to the highest percentile that one of them reaches. */
export const percentileChart = (id: string, title: string, series: ReadonlyArray<ChartSeries>): Chart => {
  const last = curvePercentiles.findLastIndex((_, index) =>
    series.some(({ values }) => (values[index] ?? null) !== null)
  )
  return {
    id,
    kind: "percentile",
    title,
    unit: "us",
    x: curvePercentiles.slice(0, last + 1).map((percentile) => +percentile.toFixed(4)),
    series: series.map(({ name, slot, values }) => ({ name, slot, values: values.slice(0, last + 1) })),
    marks: []
  }
}

/** A record's values of one line, by second. */
export type Column = (record: RunRecord) => ReadonlyArray<readonly [atS: number, value: number | null]>

const timeSeries = (group: RunGroup, name: string, slot: number, column: Column, seconds: number): ChartSeries => {
  const bySecond = new Map<number, Array<number>>()
  for (const record of group.records) {
    for (const [atS, value] of column(record)) {
      if (value !== null) bySecond.set(Math.floor(atS), [...(bySecond.get(Math.floor(atS)) ?? []), value])
    }
  }
  const values = Array.from({ length: seconds }, (_, second) => {
    const runs = bySecond.get(second)
    return runs === undefined ? null : round(median(runs))
  })
  return { name, slot, values }
}

const secondsOf = (report: Report): number =>
  Math.max(
    0,
    ...report.groups.flatMap(({ records }) =>
      records.flatMap(({ series }) => Math.floor((series.atS.at(-1) ?? -1) + 1))
    )
  )

/** A chart over the seconds of a run, with one line per group and column. */
export interface TimeChart {
  readonly id: string
  readonly title: string
  readonly unit: ChartUnit
  readonly columns: ReadonlyArray<{ readonly suffix: string; readonly column: Column }>
}

/** Draws such a chart as medians over the runs of each group. */
export const timeChart = (report: Report, chart: TimeChart): Chart => {
  const seconds = secondsOf(report)
  const series = report.groups.flatMap((group) =>
    chart.columns.map(({ column, suffix }) =>
      timeSeries(group, `${group.name}${suffix}`, slotOf(report, group.name), column, seconds)
    )
  )
  return {
    id: chart.id,
    kind: "time",
    title: chart.title,
    unit: chart.unit,
    x: Array.from({ length: seconds }, (_, second) => second),
    series: series.filter(({ values }) => values.some((value) => value !== null)),
    marks: marksOf(report)
  }
}

// With several runs a mark would stand for one of them only; the table of events lists them all.
const marksOf = (report: Report): ReadonlyArray<ChartMark> => {
  const [only] = report.groups.flatMap(({ records }) => records)
  if (only === undefined || report.groups.some(({ records }) => records.length > 1)) return []
  return report.groups.flatMap(({ name, records }) =>
    records.flatMap(({ annotations }) =>
      annotations.map(({ atMs, kind }) => ({
        atS: atMs / 1000,
        text: report.groups.length > 1 ? `${name}: ${kind}` : kind,
        slot: slotOf(report, name)
      }))
    )
  )
}

const zip = (record: RunRecord, values: ReadonlyArray<number | null> | undefined) =>
  (values ?? []).map((value, index) => [record.series.atS[index] ?? 0, value] as const)

// Only the seconds of the phase that the label names: the same operation may run in others as well.
const operationColumn =
  (label: string, field: "completed" | "p99Us"): Column =>
  (record) => {
    const operation = measuredOperations(record).find((operation) => operationLabel(record, operation) === label)
    const phase = record.phases.find(({ name }) => name === operation?.phase)
    const series = record.series.operations.find(({ name }) => name === operation?.name)
    if (phase === undefined || series === undefined) return []
    const isAlone = record.operations.filter(({ name }) => name === series.name).length === 1
    return zip(record, series[field]).filter(
      ([atS]) => isAlone || ((atS + 1) * 1000 > phase.startMs && atS * 1000 < phase.endMs)
    )
  }

const totalColumn: Column = (record) =>
  record.series.atS.map((atS, index) => [
    atS,
    record.series.operations.reduce((sum, { completed }) => sum + (completed[index] ?? 0), 0)
  ])

/** One panel per operation, and one over all when there are several. */
export const operationPanels = (report: Report): ReadonlyArray<ChartPanel> => {
  const labels = [...new Set(report.summaries.flatMap(({ operations }) => operations.map(({ label }) => label)))]
  const panels = labels.map((label) => operationPanel(report, label))
  if (labels.length < 2) return panels
  const columns = [{ suffix: "", column: totalColumn }]
  const total = timeChart(report, {
    id: "all-throughput",
    title: "Throughput of all operations",
    unit: "ops/s",
    columns
  })
  const curves = report.summaries.map(({ name, operations }) =>
    curveSeries(name, slotOf(report, name), Latency.merge(operations.map(({ latency }) => latency.toRecorded())))
  )
  const latency = percentileChart("all-latency", "Latency of all operations by percentile", curves)
  return [{ id: "all", title: "All operations", charts: [latency, total] }, ...panels]
}

const operationPanel = (report: Report, label: string): ChartPanel => {
  const id = `op-${slug(label)}`
  const curves = report.summaries.flatMap((summary) =>
    summary.operations
      .filter((operation) => operation.label === label)
      .map((operation) => curveSeries(summary.name, slotOf(report, summary.name), operation.latency))
  )
  const time = (field: "completed" | "p99Us", title: string, unit: ChartUnit) =>
    timeChart(report, {
      id: `${id}-${field === "completed" ? "throughput" : "p99"}`,
      title,
      unit,
      columns: [{ suffix: "", column: operationColumn(label, field) }]
    })
  return {
    id,
    title: label,
    charts: [
      percentileChart(`${id}-latency`, `Latency of ${label} by percentile`, curves),
      time("completed", `Throughput of ${label}`, "ops/s"),
      time("p99Us", `p99 latency of ${label}, each second`, "us")
    ]
  }
}

/** Lag by percentile and by second; no charts when nothing watched. */
export const watchCharts = (report: Report): ReadonlyArray<Chart> => {
  const curves = report.summaries.flatMap((summary) =>
    summary.watch.map(({ label, lag }) => {
      const name = summary.watch.length > 1 ? `${summary.name} ${label}` : summary.name
      return curveSeries(name, slotOf(report, summary.name), lag)
    })
  )
  if (curves.length === 0) return []
  const lag: Column = (record) => zip(record, record.series.watch?.lagP99Us)
  return [
    percentileChart("watch-curve", "Watch lag by percentile", curves),
    timeChart(report, {
      id: "watch-lag",
      title: "Watch lag p99, each second",
      unit: "us",
      columns: [{ suffix: "", column: lag }]
    })
  ]
}

/** CPU and memory of every component by second; no charts when nothing was sampled. */
export const resourceCharts = (report: Report): ReadonlyArray<Chart> => {
  const of =
    (role: string, field: "cpuPercent" | "anonymousBytes" | "diskWrittenBytes"): Column =>
    (record) =>
      record.components
        .filter((component) => component.role === role)
        .flatMap((component) => component[field].map((value, index) => [component.atS[index] ?? 0, value] as const))
  const chart = (
    field: "cpuPercent" | "anonymousBytes" | "diskWrittenBytes",
    title: string,
    unit: ChartUnit,
    role: string
  ) =>
    timeChart(report, { id: `${role}-${slug(field)}`, title, unit, columns: [{ suffix: "", column: of(role, field) }] })
  return [
    chart("cpuPercent", "Server CPU (100 % is one core)", "%", "server"),
    chart("anonymousBytes", "Server memory (anonymous)", "bytes", "server"),
    chart("diskWrittenBytes", "Server, written to disk each second", "bytes", "server"),
    chart("cpuPercent", "Load generator CPU (100 % is one core)", "%", "load-generator")
  ].filter(({ series }) => series.length > 0)
}
