// The tables of a report as plain data: caption, columns, cells with a tone. Terminal, Markdown and HTML print the same
// tables, so that no two renderings can disagree.
// Owns what stands in which table. Knows nothing of characters, colours or markup.
import type { Comparison } from "./Compare.ts"
import {
  formatBytes,
  formatCount,
  formatMetric,
  formatP,
  formatPercent,
  formatRate,
  formatRatio,
  formatUs,
  nothing
} from "./Format.ts"
import type { Tone } from "./Judge.ts"
import type { Report } from "./Report.ts"
import type { Verdict } from "./Verdict.ts"

/** One cell; the tone stresses it. */
export interface Cell {
  readonly text: string
  readonly tone?: Tone
}

/** A table; `numeric` columns are aligned right. */
export interface Table {
  readonly id: string
  readonly caption: string
  readonly columns: ReadonlyArray<{ readonly title: string; readonly numeric: boolean }>
  readonly rows: ReadonlyArray<ReadonlyArray<Cell>>
}

const text = (...titles: ReadonlyArray<string>) => titles.map((title) => ({ title, numeric: false }))
const numbers = (...titles: ReadonlyArray<string>) => titles.map((title) => ({ title, numeric: true }))
const cells = (...texts: ReadonlyArray<string>): ReadonlyArray<Cell> => texts.map((text) => ({ text }))
const counted = (count: number): Cell => (count === 0 ? { text: "0" } : { text: formatCount(count), tone: "bad" })

const many = (report: Report): boolean => report.summaries.length > 1
const named = (report: Report, name: string, label: string): ReadonlyArray<Cell> =>
  many(report) ? cells(label, name) : cells(label)
const nameColumns = (report: Report, first: string) => (many(report) ? text(first, "Backend") : text(first))

// Rows of the same operation stand together, one per backend, so that they can be read against each other.
const byLabel = <Item>(
  report: Report,
  items: (summary: Report["summaries"][number]) => ReadonlyArray<Item>,
  label: (item: Item) => string
): ReadonlyArray<{ readonly name: string; readonly item: Item }> => {
  const all = report.summaries.flatMap((summary) => items(summary).map((item) => ({ name: summary.name, item })))
  return [...Map.groupBy(all, ({ item }) => label(item)).values()].flat()
}

const hasOperations = (report: Report): boolean => report.summaries.some(({ operations }) => operations.length > 0)

/** Throughput and latency of each operation; undefined when there was no load generator. */
export const operationsTable = (report: Report): Table | undefined =>
  hasOperations(report) ? operationRows(report) : undefined

const operationRows = (report: Report): Table => ({
  id: "operations",
  caption: "Throughput and latency of each operation (latency from the planned send time)",
  columns: [
    ...nameColumns(report, "Operation"),
    ...numbers("per second", "p50", "p90", "p99", "p99.9", "p99.99", "max")
  ],
  rows: byLabel(
    report,
    ({ operations }) => operations,
    ({ label }) => label
  ).map(({ item, name }) => [
    ...named(report, name, item.label),
    ...cells(
      formatRate(item.throughput),
      ...[50, 90, 99, 99.9, 99.99].map((percentile) => formatUs(item.latency.percentile(percentile))),
      formatUs(item.latency.max)
    )
  ])
})

/** What was planned, sent, answered, refused and lost; undefined when there was no load generator. */
export const countsTable = (report: Report): Table | undefined =>
  hasOperations(report) ? countRows(report) : undefined

const countRows = (report: Report): Table => ({
  id: "counts",
  caption: "Operation counts and errors in the measured phases, all runs together",
  columns: [
    ...nameColumns(report, "Operation"),
    ...numbers("planned", "sent", "answered", "failed", "lost", "received", "sent out"),
    ...text("errors by code")
  ],
  rows: byLabel(
    report,
    ({ operations }) => operations,
    ({ label }) => label
  ).map(({ item, name }) => {
    const errors = Object.entries(item.errors)
    return [
      ...named(report, name, item.label),
      ...cells(formatCount(item.planned), formatCount(item.sent), formatCount(item.completed)),
      counted(errors.reduce((sum, [, count]) => sum + count, 0)),
      counted(item.lost),
      ...cells(formatBytes(item.bytesIn), formatBytes(item.bytesOut)),
      ...cells(errors.map(([code, count]) => `${code} ${formatCount(count)}`).join(", ") || "none")
    ]
  })
})

/** Delivery and lag of the watchers; undefined when nothing watched. */
export const watchTable = (report: Report): Table | undefined => {
  const rows = byLabel(
    report,
    ({ watch }) => watch,
    ({ label }) => label
  )
  if (rows.length === 0) return undefined
  return {
    id: "watch",
    caption: "Watch delivery and lag, from the write's send to the event's arrival",
    columns: [
      ...nameColumns(report, "Watch"),
      ...numbers("delivery", "lag p50", "lag p99", "lag max", "expected", "delivered", "duplicated", "out of order")
    ],
    rows: rows.map(({ item, name }) => [
      ...named(report, name, item.label),
      {
        text: formatPercent(item.expected === 0 ? null : (100 * item.delivered) / item.expected),
        tone: item.delivered === item.expected ? "good" : "bad"
      },
      ...cells(formatUs(item.lag.percentile(50)), formatUs(item.lag.percentile(99)), formatUs(item.lag.max)),
      ...cells(formatCount(item.expected), formatCount(item.delivered)),
      counted(item.duplicated),
      counted(item.outOfOrder)
    ])
  }
}

/** How each verdict should feel. */
export const verdictTones: Readonly<Record<Verdict, Tone>> = {
  faster: "good",
  slower: "bad",
  same: "plain",
  inconclusive: "warn",
  missing: "warn",
  invalid: "bad"
}

/** For memory and CPU "faster" would read oddly. */
const verdictWord = (verdict: Verdict, unit: string): string => {
  const isResource = unit === "bytes" || unit === "us/op"
  return verdict === "faster" && isResource ? "less" : verdict === "slower" && isResource ? "more" : verdict
}

/** Every metric of one comparison, with its interval and verdict. */
export const comparisonTable = (comparison: Comparison): Table => ({
  id: `compare-${comparison.candidate}`,
  caption: `${comparison.candidate} against the baseline ${comparison.baseline}`,
  columns: [
    ...text("Metric", "Verdict"),
    ...numbers("ratio", "95 % interval", comparison.candidate, comparison.baseline, "p (Holm)", "Cliff’s δ"),
    ...text("Why")
  ],
  rows: comparison.metrics.map((metric): ReadonlyArray<Cell> => [
    { text: metric.label },
    { text: verdictWord(metric.verdict, metric.unit), tone: verdictTones[metric.verdict] },
    ...cells(
      formatRatio(metric.ratio),
      metric.low === null ? nothing : `${formatRatio(metric.low)} – ${formatRatio(metric.high)}`,
      formatMetric(metric.candidate.median, metric.unit),
      formatMetric(metric.baseline.median, metric.unit),
      formatP(metric.p),
      metric.delta === null ? nothing : metric.delta.toFixed(2),
      metric.reason
    )
  ])
})

/** Counts without noise; undefined when the runs recorded none. */
export const countersTable = (comparison: Comparison): Table | undefined =>
  comparison.counters.length === 0
    ? undefined
    : {
        id: `counters-${comparison.candidate}`,
        caption: `Deterministic counters, compared exactly: ${comparison.candidate} against ${comparison.baseline}`,
        columns: [...text("Counter"), ...numbers(comparison.baseline, comparison.candidate), ...text("Verdict")],
        rows: comparison.counters.map(({ baseline, candidate, name, verdict }) => [
          ...cells(name, baseline || nothing, candidate || nothing),
          { text: verdict, tone: verdict === "equal" ? "good" : "warn" }
        ])
      }

/** The targets and what was seen; undefined when the scenario sets none. */
export const sloTable = (report: Report): Table | undefined => {
  const rows = byLabel(
    report,
    ({ slos }) => slos,
    ({ slo }) => slo.name
  )
  if (rows.length === 0) return undefined
  return {
    id: "slos",
    caption: "Targets (SLOs): a target is met when every run meets it",
    columns: [...nameColumns(report, "Target"), ...text("Verdict"), ...numbers("observed", "limit"), ...text("Rule")],
    rows: rows.map(({ item, name }) => [
      ...named(report, name, item.slo.name),
      { text: item.verdict, tone: item.verdict === "pass" ? "good" : "bad" },
      ...cells(item.observed === null ? nothing : `${+item.observed.toPrecision(3)} ${item.slo.unit}`),
      ...cells(`${item.slo.threshold} ${item.slo.unit}`, item.slo.expression)
    ])
  }
}

/** What each process used; undefined when nothing was sampled. */
export const componentsTable = (report: Report): Table | undefined => {
  const rows = byLabel(
    report,
    ({ components }) => components,
    ({ role }) => role
  )
  if (rows.length === 0) return undefined
  return {
    id: "components",
    caption: "Resources of each component over the whole run, median over runs",
    columns: [
      ...nameColumns(report, "Component"),
      ...text("Role"),
      ...numbers("CPU seconds", "highest RSS", "highest anonymous", "written to disk", "threads")
    ],
    rows: rows.map(({ item, name }) => [
      ...named(report, name, item.name),
      ...cells(
        item.role,
        item.cpuSeconds.toFixed(1),
        formatBytes(item.rssMaxBytes),
        formatBytes(item.anonymousMaxBytes)
      ),
      ...cells(formatBytes(item.diskWrittenBytes), formatCount(item.threadsMax))
    ])
  }
}

/** The linter's findings, one row per rule and subject; undefined when it found nothing. */
export const findingsTable = (report: Report): Table | undefined => {
  if (report.findings.length === 0) return undefined
  const grouped = Map.groupBy(report.findings, ({ rule, severity, subject }) => [severity, rule, subject].join("\0"))
  return {
    id: "findings",
    caption: "What the linter found",
    columns: [...text("Severity", "Rule", "What", "Where"), ...numbers("times")],
    rows: [...grouped.values()].flatMap((findings) => {
      const [first] = findings
      if (first === undefined) return []
      const severity: Cell = { text: first.severity, tone: first.severity === "impossible" ? "bad" : "warn" }
      return [[severity, ...cells(first.rule, first.text, first.subject, formatCount(findings.length))]]
    })
  }
}
