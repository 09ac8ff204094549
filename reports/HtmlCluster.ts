// The sections of a page about a simulated cluster: its state over time, API calls, pod starts, watch lag, objects and queues, cost.
// Owns which section stands where and the small plots beside table rows; data comes from ClusterTables.ts and ClusterCharts.ts.
import { type Chart, slug } from "./Charts.ts"
import {
  callsChart,
  costCharts,
  informersChart,
  objectsChart,
  paceCharts,
  podStartChart,
  queuesChart
} from "./ClusterCharts.ts"
import { callName, callSloUs, type ClusterSummary, clustersOf, speedOf } from "./ClusterSummary.ts"
import {
  callsTable,
  constantsTable,
  costTable,
  informersTable,
  marksTable,
  podStartTable,
  slowCallsTable,
  slowestOfTable,
  slowEventsTable,
  slowPodsTable,
  sortedCalls
} from "./ClusterTables.ts"
import { formatBytes, formatCount, formatPlural, formatTimes, formatVirtual } from "./Format.ts"
import { chartHtml } from "./HtmlCharts.ts"
import { scrubberHtml } from "./HtmlScrubber.ts"
import { escapeHtml, facts, type Section, tableHtml } from "./HtmlText.ts"
import { lifeLinks, tracingBody } from "./HtmlTracing.ts"
import { calibrationBadge } from "./CalibrationBadge.ts"
import type { RecordedCalls, SlowPod } from "./RecordedCluster.ts"
import { schedulerTable, waitsTable } from "./SchedulerTables.ts"
import type { Report } from "./Report.ts"
import type { Table } from "./Tables.ts"

const maybe = (table: Table | undefined): string => (table === undefined ? "" : tableHtml(table))

const chartsHtml = (charts: ReadonlyArray<Chart | undefined>): string => {
  const drawn = charts.flatMap((chart) => (chart === undefined || chart.series.length === 0 ? [] : [chartHtml(chart)]))
  return drawn.length === 0 ? "" : `<div class="charts">${drawn.join("\n")}</div>`
}

/** The sections of all clusters of a report, each section holding one part per cluster. */
export const clusterSections = (report: Report): ReadonlyArray<Section> => {
  const clusters = clustersOf(report.groups)
  const section = (id: string, title: string, body: (summary: ClusterSummary) => string, short?: string): Section => {
    const parts = clusters.map((summary) => {
      const part = body(summary)
      return part === "" || clusters.length === 1 ? part : `<h3>${escapeHtml(summary.name)}</h3>${part}`
    })
    return { id, title, body: parts.join("\n"), ...(short === undefined ? {} : { short }) }
  }
  return [
    section("cluster", "The cluster", clusterBody, "Cluster"),
    section("api-calls", "API calls", callsBody),
    section("pod-start", "Pod start", podStartBody),
    section("scheduling", "Scheduling", schedulingBody),
    section("informers", "Watch lag", informersBody),
    section("tracing", "Who was stuck", tracingBody),
    section("objects", "Objects and queues", objectsBody, "Objects"),
    section("cost", "Cost", costBody)
  ].filter(({ body }) => body !== "")
}

const clusterBody = (summary: ClusterSummary): string => {
  const { cluster, isRepeatable, record, runs } = summary
  const repeated =
    runs < 2 ? "run once" : isRepeatable ? `the same in all ${formatPlural(runs, "run")}` : "NOT the same in all runs"
  const about = facts([
    ["Size", `${formatPlural(cluster.nodes, "node")}, up to ${formatPlural(cluster.podsMax, "pod")}`],
    [
      "Time",
      `${formatVirtual(cluster.virtualMs)} of virtual time in ${(cluster.wallMs / 1000).toFixed(1)} s of real time: ${formatTimes(speedOf(cluster))} real time`
    ],
    ["Cost", `${formatCount(cluster.events)} events, ${formatBytes(cluster.residentMaxBytes)} of memory at the most`],
    ["Seed and log", `seed ${record.seed}, event log ${cluster.eventLogHash} (${repeated})`],
    ...(summary.isSimulated ? [["Calibration", calibrationBadge(cluster).text] as const] : []),
    ...(cluster.replay === undefined ? [] : [["Replay it", cluster.replay] as const]),
    ["Model", cluster.model.join(" ")]
  ])
  return `${scrubberHtml(summary)}${about}${folded(marksTable(summary))}${folded(constantsTable(summary))}`
}

const folded = (table: Table | undefined): string =>
  table === undefined
    ? ""
    : `<details class="fold"><summary>${escapeHtml(table.caption)} (${table.rows.length})</summary>${tableHtml(table)}</details>`

const AXIS = { lowUs: 10, highUs: 60_000_000, width: 170 }

const axisX = (us: number): number => {
  const { highUs, lowUs, width } = AXIS
  const share = Math.log(Math.max(us, lowUs) / lowUs) / Math.log(highUs / lowUs)
  return +(Math.min(1, share) * width).toFixed(1)
}

/** From p50 to p99 on a logarithmic axis, with the limit as a line: what is left of it is kept. */
const limitPlot = (calls: RecordedCalls): string => {
  const { p50, p99 } = calls.latency
  const limit = callSloUs(calls)
  if (p50 === null || p99 === null) return ""
  const tone = limit === undefined ? "plain" : p99 <= limit ? "good" : "bad"
  const line = limit === undefined ? "" : `<line class="one" x1="${axisX(limit)}" y1="0" x2="${axisX(limit)}" y2="18"/>`
  return `<svg class="interval t-${tone}" viewBox="-5 0 ${AXIS.width + 10} 18" width="${AXIS.width + 10}" height="18" aria-hidden="true"><rect class="band" x="0" y="7" width="${AXIS.width}" height="4" rx="2"/>${line}<line class="range" x1="${axisX(p50)}" y1="9" x2="${axisX(p99)}" y2="9"/><circle cx="${axisX(p99)}" cy="9" r="4"/></svg>`
}

/** Kinds of calls that stand open; a control plane makes dozens of others when it starts. */
const CALLS_OPEN = 25

const callsBody = (summary: ClusterSummary): string => {
  const sorted = sortedCalls(summary)
  if (sorted.length === 0) return ""
  const whole = callsTable(summary)
  const plots = { title: "p50 to p99, against the limit", after: 7, cells: sorted.map(limitPlot) }
  const rest = {
    ...whole,
    id: `${whole.id}-rest`,
    caption: "The rest of the calls",
    rows: whole.rows.slice(CALLS_OPEN)
  }
  const restPlots = { ...plots, cells: plots.cells.slice(CALLS_OPEN) }
  const seldom =
    rest.rows.length === 0
      ? ""
      : `<details class="fold"><summary>${rest.rows.length} more kinds of calls, less frequent</summary>${tableHtml(rest, restPlots)}</details>`
  const latency = summary.isSimulated ? "virtual time, on the modelled network and disk," : "real time,"
  const note = `Latency is ${latency} from the client’s call to its answer, over every client of the cluster. Kubernetes’ SLOs allow a p99 of 1 s for calls about one object and of 30 s for lists. Plots run from 10 µs to 1 min on a logarithmic axis; the line is the limit.`
  const each = sorted
    .map((calls, at) => {
      const table = slowestOfTable(calls, `slowest-${slug(summary.name)}-${at}`)
      return `<details class="fold"><summary>${escapeHtml(callName(calls))} (${calls.slowest.length})</summary>${tableHtml(table)}</details>`
    })
    .join("")
  return `<p class="note">${note}</p>${tableHtml({ ...whole, rows: whole.rows.slice(0, CALLS_OPEN) }, plots)}${seldom}${chartsHtml([callsChart(summary)])}${tableHtml(slowCallsTable(summary))}<details class="fold"><summary>The slowest of each kind of call, by name (${sorted.length} kinds)</summary><div class="folds">${each}</div></details>`
}

const WAY = 240

const stagesOf = ({ createdMs, runningMs, scheduledMs, seenMs, watchedMs }: SlowPod) => {
  const steps = [
    { stage: "scheduled", toMs: scheduledMs },
    { stage: "seen", toMs: seenMs },
    { stage: "running", toMs: runningMs },
    { stage: "watched", toMs: watchedMs }
  ]
  let fromMs = createdMs
  return steps.flatMap(({ stage, toMs }) => {
    if (toMs === null) return []
    const piece = { stage, fromMs, toMs }
    fromMs = toMs
    return [piece]
  })
}

/** A pod's way as a bar, its stages side by side, all bars on one scale. */
const wayPlot = (pod: SlowPod, longestMs: number): string => {
  const x = (ms: number): number => +(((ms - pod.createdMs) / longestMs) * WAY).toFixed(1)
  const pieces = stagesOf(pod).map(
    ({ fromMs, stage, toMs }) =>
      `<rect class="g-${stage}" x="${x(fromMs)}" y="4" width="${Math.max(0.5, x(toMs) - x(fromMs)).toFixed(1)}" height="10"/>`
  )
  return `<svg class="way" viewBox="0 0 ${WAY} 18" width="${WAY}" height="18" aria-hidden="true">${pieces.join("")}</svg>`
}

const wayLegend = `<ul class="ways">${[
  ["scheduled", "waits for a node"],
  ["seen", "waits for its node to see it"],
  ["running", "starts"],
  ["watched", "waits to be heard of"]
]
  .map(([stage, words]) => `<li class="g-${stage}"><i aria-hidden="true"></i>${words}</li>`)
  .join("")}</ul>`

const podStartBody = (summary: ClusterSummary): string => {
  const table = podStartTable(summary)
  if (table === undefined) return ""
  const { slowest } = summary.cluster.podStarts
  const longestMs = Math.max(1, ...slowest.map(({ createdMs, watchedMs }) => watchedMs - createdMs))
  const links = lifeLinks(summary)
  const cells = slowest.map((pod, at) => `${wayPlot(pod, longestMs)}${links?.[at] ?? ""}`)
  const plots = { title: "its way", after: 3, cells }
  return `${tableHtml(table)}${chartsHtml([podStartChart(summary)])}<h3>Who was slow</h3>${wayLegend}${tableHtml(slowPodsTable(summary), plots)}`
}

const schedulingBody = (summary: ClusterSummary): string => {
  const [counts, waits] = [schedulerTable(summary), waitsTable(summary)]
  if (counts === undefined) return ""
  const note =
    "Rates are over the stretches in which pods were bound without a second of virtual time in between. Per second of virtual time a scheduler binds what is asked for, at most; per second of real time counts everything that the world did beside it: API server, store, watches, kubelets."
  return `<p class="note">${note}</p>${tableHtml(counts)}${maybe(waits)}`
}

const informersBody = (summary: ClusterSummary): string => {
  const table = informersTable(summary)
  if (table === undefined) return ""
  return `${tableHtml(table)}${chartsHtml([informersChart(summary)])}${tableHtml(slowEventsTable(summary))}`
}

const objectsBody = (summary: ClusterSummary): string => chartsHtml([objectsChart(summary), queuesChart(summary)])

const costBody = (summary: ClusterSummary): string =>
  `${chartsHtml([...costCharts(summary), ...paceCharts(summary)])}${maybe(costTable(summary))}`
