// The sections below the first screen, in reading order: differences, operations, watch, resources, counts, targets,
// counters, the linter, runs, environment, scenario and how to run it again.
// Owns which section stands where and leaves out those without data.
import { operationPanels, resourceCharts, watchCharts } from "./Charts.ts"
import { formatBytes, formatCount, formatPercent, formatRate, nothing } from "./Format.ts"
import { chartHtml, tabsHtml } from "./HtmlCharts.ts"
import { clusterSections } from "./HtmlCluster.ts"
import { federationSections } from "./HtmlFederation.ts"
import { frontSections } from "./HtmlFront.ts"
import { comparisonHtml } from "./HtmlOverview.ts"
import { escapeHtml, facts, type Section, tableHtml } from "./HtmlText.ts"
import type { Report } from "./Report.ts"
import type { RunRecord } from "./RunRecord.ts"
import {
  componentsTable,
  countersTable,
  countsTable,
  findingsTable,
  operationsTable,
  sloTable,
  type Table,
  watchTable
} from "./Tables.ts"
import { tracingNote, tracingTable } from "./TracingTables.ts"
import { assessValidity } from "./Validity.ts"

const maybe = (table: Table | undefined): string => (table === undefined ? "" : tableHtml(table))

const tracingBody = (report: Report): string => {
  const table = tracingTable(report)
  return table === undefined ? "" : `${tableHtml(table)}<p class="note">${escapeHtml(tracingNote(report))}</p>`
}

// Long lists are folded away: one line says what they hold and how much of it.
const folded = (table: Table | undefined): string => {
  if (table === undefined || table.rows.length <= 10) return maybe(table)
  return `<details class="fold"><summary>${escapeHtml(table.caption)} (${table.rows.length})</summary>${tableHtml(table)}</details>`
}

/** All sections of a report; those without data are left out. */
export const sectionsOf = (report: Report): ReadonlyArray<Section> => {
  const watching = watchTable(report)
  const resources = componentsTable(report)
  const all: ReadonlyArray<Section> = [
    ...clusterSections(report),
    ...federationSections(report),
    ...frontSections(report),
    { id: "tracing", title: "Tracing", body: tracingBody(report) },
    { id: "comparison", title: "Comparison", body: report.comparisons.map(comparisonHtml).join("\n") },
    { id: "operations", title: "Operations", body: operationsBody(report) },
    {
      id: "watch",
      title: "Watch",
      body: watching === undefined ? "" : chartsAnd(watchCharts(report).map(chartHtml), maybe(watching))
    },
    {
      id: "resources",
      title: "Resources",
      body: resources === undefined ? "" : chartsAnd(resourceCharts(report).map(chartHtml), maybe(resources))
    },
    { id: "counts", title: "Counts and errors", short: "Counts", body: maybe(countsTable(report)) },
    { id: "targets", title: "Targets", body: maybe(sloTable(report)) || `<p>The scenario sets no targets.</p>` },
    { id: "counters", title: "Deterministic counters", short: "Counters", body: countersBody(report) },
    { id: "linter", title: "Linter", body: linterBody(report) },
    { id: "runs", title: "Runs", body: folded(runsTable(report)) + folded(eventsTable(report)) },
    { id: "environment", title: "Environment", body: environmentBody(report) },
    { id: "scenario", title: "Scenario", body: scenarioBody(report) }
  ]
  return all.filter(({ body }) => body !== "")
}

const chartsAnd = (charts: ReadonlyArray<string>, table: string): string =>
  `<div class="charts">${charts.join("\n")}</div>${table}`

const operationsBody = (report: Report): string => {
  const table = operationsTable(report)
  if (table === undefined) return ""
  return tabsHtml("operation-tabs", "Charts by operation", operationPanels(report)) + tableHtml(table)
}

const countersBody = (report: Report): string => {
  const compared = report.comparisons.map(countersTable).map(maybe).join("")
  const [only] = report.groups
  const counters = Object.entries(only?.records[0]?.counters ?? {})
  if (report.groups.length > 1 || counters.length === 0) return compared
  return tableHtml({
    id: "counters-one",
    caption: "Counts that another run of the same seed must repeat exactly",
    columns: [
      { title: "Counter", numeric: false },
      { title: "count", numeric: true }
    ],
    rows: counters.map(([name, count]) => [{ text: name }, { text: formatCount(count) }])
  })
}

const linterBody = (report: Report): string => {
  const table = findingsTable(report)
  const rules =
    "averages above p99 or above what the percentiles allow, minima below the physical floor, percentiles out of order, rows printed twice, lost samples, Little’s law, events against writes, counts that do not add up"
  return table === undefined
    ? `<p class="t-good"><span class="mark" aria-hidden="true">✓</span> The linter found nothing. It looked for ${rules}.</p>`
    : tableHtml(table)
}

const column = (title: string, numeric = false) => ({ title, numeric })

const runsTable = (report: Report): Table => ({
  id: "runs-table",
  caption: "Every run in the order in which it really ran",
  columns: [
    column("Position", true),
    column("Backend"),
    column("Repeat", true),
    column("Started (UTC)"),
    column("Seconds", true),
    column("Load before", true),
    column("Generator CPU", true),
    column("Valid")
  ],
  rows: report.groups
    .flatMap(({ name, records }) => records.map((record) => ({ name, record })))
    .sort((x, y) => x.record.startedAt.localeCompare(y.record.startedAt))
    .map(({ name, record }, index) => {
      const { reasons, valid } = assessValidity(record)
      return [
        { text: String(index + 1) },
        { text: name },
        { text: `${record.repeat.index + 1} of ${record.repeat.of}` },
        { text: record.startedAt.replace("T", " ").replace(/(\.\d+)?Z$/, "") },
        { text: (record.durationMs / 1000).toFixed(1) },
        { text: record.machine.loadBefore[0].toFixed(2) },
        { text: formatPercent(record.generator.cpuPercent) },
        { text: valid ? "yes" : reasons.map(({ code }) => code).join(", "), tone: valid ? "good" : "bad" }
      ]
    })
})

const eventsTable = (report: Report): Table | undefined => {
  const events = report.groups.flatMap(({ name, records }) =>
    records.flatMap((record) => record.annotations.map((annotation) => ({ name, record, annotation })))
  )
  if (events.length === 0) return undefined
  return {
    id: "events-table",
    caption: "What happened while the load ran",
    columns: [
      column("Event"),
      column("Backend"),
      column("Repeat", true),
      column("At second", true),
      column("Lasted, ms", true),
      column("What")
    ],
    rows: events.map(({ annotation, name, record }) => [
      { text: annotation.kind },
      { text: name },
      { text: String(record.repeat.index + 1) },
      { text: (annotation.atMs / 1000).toFixed(1) },
      { text: annotation.durationMs === null ? nothing : formatCount(annotation.durationMs) },
      { text: annotation.text }
    ])
  }
}

const environmentBody = (report: Report): string => {
  const blocks = report.groups.flatMap(({ name, records }) => {
    const [first] = records
    return first === undefined ? [] : [`<h3>${escapeHtml(name)}</h3>${environmentFacts(first)}`]
  })
  return `<div class="columns">${blocks.map((block) => `<div>${block}</div>`).join("")}</div>`
}

const environmentFacts = (record: RunRecord): string => {
  const { backend, generator, machine, versions } = record
  const settings = Object.entries(backend.settings).map(([key, value]) => `${key}=${value}`)
  return facts([
    ["Backend", `${backend.name} ${backend.version}`],
    [
      "Durable",
      backend.durable ? "yes, acknowledged writes are flushed" : "no, acknowledged writes may be lost in a crash"
    ],
    ["Settings", settings.join(", ") || "defaults"],
    ["Target", record.target],
    ["Machine", `${machine.cpuModel}, ${machine.cores} cores, ${formatBytes(machine.memoryBytes)}`],
    ["Kernel, Node", `${machine.kernel}, ${machine.node}, governor ${machine.governor ?? "not exposed"}`],
    ["Boot", machine.bootIdHash.slice(0, 12)],
    [
      "Load generator’s ceiling",
      generator.ceilingPerS === null
        ? "not measured"
        : `${formatRate(generator.ceilingPerS)}/s against an empty handler, at ${formatPercent(generator.ceilingCpuPercent)} of a core`
    ],
    ["wharf", `${versions.wharf}, commit ${versions.gitCommit ?? "unknown"}`]
  ])
}

const scenarioBody = (report: Report): string => {
  const records = report.groups.flatMap(({ records }) => records)
  const commands = [...new Set(records.map(({ command }) => command))]
  const scenarios = [
    ...new Map(
      records.map(({ scenario, seed }) => [scenario.hash + JSON.stringify(scenario.overrides), { scenario, seed }])
    ).values()
  ]
  const blocks = scenarios.map(({ scenario, seed }) => {
    const overrides = Object.entries(scenario.overrides).map(([key, value]) => `${key}=${value}`)
    const about = facts([
      ["Name", scenario.name],
      ["Seed", String(seed)],
      ["SHA-256", scenario.hash],
      ["Overrides", overrides.join(", ") || "none"]
    ])
    return `${about}<div class="scroll" role="region" aria-label="Scenario file"><pre><code>${escapeHtml(scenario.text)}</code></pre></div>`
  })
  const lines = commands.map(
    (command, index) =>
      `<div class="command"><code id="command-${index}">${escapeHtml(command)}</code><button type="button" class="copy" data-copy="command-${index}">Copy</button></div>`
  )
  return `<h3>Run it again</h3>${lines.join("")}<h3>Scenario file</h3>${blocks.join("")}`
}
