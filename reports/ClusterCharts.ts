// What the charts of a simulated cluster draw: latency curves by kind of call and by stage, objects and queues over virtual time, and
// the cost of sizes. Owns the choice and reduction of the data; pixels are the page's, words HtmlCluster.ts's.
import {
  type Chart,
  type ChartMark,
  type ChartSeries,
  type ChartUnit,
  curveSeries,
  percentileChart,
  slug
} from "./Charts.ts"
import { type ClusterSummary, clustersOf } from "./ClusterSummary.ts"
import { Latency } from "./Latency.ts"
import type { RecordedCalls } from "./RecordedCluster.ts"
import type { Report } from "./Report.ts"

const linesMax = 6

/** Latencies below a microsecond of virtual time are drawn at one: the axis is logarithmic. */
const drawable = (series: ReadonlyArray<ChartSeries>): ReadonlyArray<ChartSeries> =>
  series
    .filter(({ values }) => values.some((value) => value !== null))
    .map((line) => ({ ...line, values: line.values.map((value) => (value === null ? null : Math.max(1, value))) }))

const kinds: ReadonlyArray<readonly [name: string, means: (calls: RecordedCalls) => boolean]> = [
  ["create", ({ verb }) => verb === "create"],
  ["update and patch", ({ verb }) => verb === "update" || verb === "patch"],
  ["delete", ({ verb }) => verb === "delete"],
  ["get", ({ verb }) => verb === "get"],
  ["list of a namespace", ({ scope, verb }) => verb === "list" && scope === "namespace"],
  ["list of all", ({ scope, verb }) => verb === "list" && scope === "cluster"]
]

/** Latency curves of the kinds of calls. */
export const callsChart = ({ cluster, name }: ClusterSummary): Chart => {
  const lines = kinds.map(([label, means], slot) =>
    curveSeries(label, slot, Latency.merge(cluster.calls.filter(means).map(({ latency }) => latency)))
  )
  return percentileChart(`calls-curve-${slug(name)}`, "Latency of API calls by percentile", drawable(lines))
}

/** Latency curves of a pod's stages. */
export const podStartChart = ({ cluster, name }: ClusterSummary): Chart => {
  const { podStarts } = cluster
  const lines = [
    curveSeries("the whole way", 1, Latency.fromRecorded(podStarts.whole)),
    curveSeries("created → scheduled", 2, Latency.fromRecorded(podStarts.scheduled)),
    curveSeries("scheduled → seen", 3, Latency.fromRecorded(podStarts.seen)),
    curveSeries("seen → running", 4, Latency.fromRecorded(podStarts.running)),
    curveSeries("running → watched", 5, Latency.fromRecorded(podStarts.watched))
  ]
  return percentileChart(`pod-start-curve-${slug(name)}`, "Pod start by percentile", drawable(lines))
}

/** Watch lag curves of the resources with the most events. */
export const informersChart = ({ cluster, name }: ClusterSummary): Chart => {
  const most = cluster.informers.toSorted((left, right) => right.lag.count - left.lag.count).slice(0, linesMax - 1)
  const lines = most.map(({ lag, resource }, at) => curveSeries(resource, at + 1, Latency.fromRecorded(lag)))
  return percentileChart(`informers-curve-${slug(name)}`, "Watch lag by percentile", drawable(lines))
}

const marksOf = ({ cluster }: ClusterSummary): ReadonlyArray<ChartMark> =>
  cluster.marks
    .filter(({ kind }) => kind !== "violation")
    .map(({ atMs, kind, text }) => ({ atS: atMs / 1000, text, slot: kind === "fault" ? 2 : 0 }))

const clockChart = (
  summary: ClusterSummary,
  { id, title, unit }: { readonly id: string; readonly title: string; readonly unit: ChartUnit },
  columns: ReadonlyArray<readonly [string, ReadonlyArray<number>]>
): Chart => ({
  id: `${id}-${slug(summary.name)}`,
  kind: "clock",
  title,
  unit,
  x: summary.cluster.state.atMs.map((ms) => Math.round(ms / 1000)),
  series: columns.map(([name, values], at) => ({ name, slot: (at + 1) % linesMax, values })),
  marks: marksOf(summary)
})

const highest = (
  columns: Readonly<Record<string, ReadonlyArray<number>>>
): ReadonlyArray<readonly [string, ReadonlyArray<number>]> =>
  Object.entries(columns)
    .filter(([, values]) => Math.max(0, ...values) > 0)
    .toSorted(([, left], [, right]) => Math.max(...right) - Math.max(...left))
    .slice(0, linesMax)

/** Nothing to see in the objects that every cluster begins with. */
const bootstrap: ReadonlySet<string> = new Set([
  "clusterroles",
  "clusterrolebindings",
  "roles",
  "rolebindings",
  "priorityclasses",
  "prioritylevelconfigurations",
  "flowschemas"
])

/** Stored objects by resource over virtual time. */
export const objectsChart = (summary: ClusterSummary): Chart => {
  const objects = Object.entries(summary.cluster.state.objects).filter(([resource]) => !bootstrap.has(resource))
  const chart = clockChart(
    summary,
    { id: "objects-over-time", title: "Stored objects by resource", unit: "count" },
    highest(Object.fromEntries(objects))
  )
  return { ...chart, isLogarithmic: true }
}

/** Keys that wait in the controllers' queues over virtual time; undefined when none ever waited at a sample. */
export const queuesChart = (summary: ClusterSummary): Chart | undefined => {
  const columns = highest(summary.cluster.state.queues)
  if (columns.length === 0) return undefined
  return clockChart(
    summary,
    { id: "queues-over-time", title: "Keys waiting or in work, by controller", unit: "count" },
    columns
  )
}

/** How much real time a virtual second took, and memory, over virtual time. */
export const paceCharts = (summary: ClusterSummary): ReadonlyArray<Chart> => {
  const { atMs, residentBytes, wallMs } = summary.cluster.state
  const pace = atMs.map((ms, at) => {
    const [virtual, wall] = [ms - (atMs[at - 1] ?? 0), (wallMs[at] ?? 0) - (wallMs[at - 1] ?? 0)]
    return virtual > 0 ? +((wall * 1000) / virtual).toPrecision(4) : 0
  })
  return [
    clockChart(summary, { id: "pace-over-time", title: "Real time for each virtual second", unit: "ms" }, [
      ["real time", pace]
    ]),
    clockChart(summary, { id: "memory-over-time", title: "Memory of the world’s process", unit: "bytes" }, [
      ["resident", residentBytes]
    ])
  ]
}

/** Cost against nodes: real time per virtual second, and memory. */
export const costCharts = ({ cluster, name }: ClusterSummary): ReadonlyArray<Chart> => {
  const curve = (cluster.curve ?? []).toSorted((left, right) => left.nodes - right.nodes)
  if (curve.length === 0) return []
  const x = curve.map(({ nodes }) => nodes)
  const chart = (id: string, title: string, unit: ChartUnit, values: ReadonlyArray<number>): Chart => ({
    id: `${id}-${slug(name)}`,
    kind: "scale",
    title,
    unit,
    x,
    series: [{ name: "measured", slot: 1, values }],
    marks: []
  })
  return [
    chart(
      "cost-time",
      "Real time per virtual second, by nodes",
      "ms",
      curve.map((point) => point.wallMsPerVirtualS)
    ),
    chart(
      "cost-memory",
      "Memory, by nodes",
      "bytes",
      curve.map(({ residentBytes }) => residentBytes)
    )
  ]
}

/** Every chart of every cluster of a report. */
export const clusterCharts = (report: Report): ReadonlyArray<Chart> =>
  clustersOf(report.groups).flatMap((summary) => {
    const queues = queuesChart(summary)
    return [
      callsChart(summary),
      podStartChart(summary),
      informersChart(summary),
      objectsChart(summary),
      ...(queues === undefined ? [] : [queues]),
      ...paceCharts(summary),
      ...costCharts(summary)
    ].filter(({ series }) => series.length > 0)
  })
