// The tables of a simulated cluster as plain data: calls against their SLOs, pod starts by stage, watch lag, the slowest of each by
// name, and what sizes cost. Terminal, Markdown and HTML print the same tables. Owns what stands in which; knows no markup.
import { type ClusterSummary, callName, callSloUs, clustersOf, podStartSloUs } from "./ClusterSummary.ts"
import { formatBytes, formatClock, formatCount, formatUs, nothing } from "./Format.ts"
import type { PodStage, RecordedCalls } from "./RecordedCluster.ts"
import type { RecordedHistogram } from "./RecordedLoad.ts"
import type { Report } from "./Report.ts"
import { schedulerTable, waitsTable } from "./SchedulerTables.ts"
import type { Cell, Table } from "./Tables.ts"

const text = (...titles: ReadonlyArray<string>) => titles.map((title) => ({ title, numeric: false }))
const numbers = (...titles: ReadonlyArray<string>) => titles.map((title) => ({ title, numeric: true }))
const cells = (...texts: ReadonlyArray<string>): ReadonlyArray<Cell> => texts.map((one) => ({ text: one }))

const digest = ({ max, p50, p90, p99 }: RecordedHistogram): ReadonlyArray<Cell> =>
  cells(...[p50, p90, p99, max].map(formatUs))

const limitCells = (p99: number | null, limitUs: number | undefined): ReadonlyArray<Cell> => {
  if (limitUs === undefined) return cells(nothing, "no SLO")
  if (p99 === null) return cells(formatUs(limitUs), nothing)
  return [
    { text: formatUs(limitUs) },
    p99 <= limitUs ? { text: "kept", tone: "good" } : { text: "missed", tone: "bad" }
  ]
}

/** Failures that say that the server could not; what a rule refused is no trouble. */
const errorCell = (errors: Readonly<Record<string, number>>): Cell => {
  const all = Object.entries(errors)
  if (all.length === 0) return { text: "none" }
  const told = all.map(([code, count]) => `${code}: ${formatCount(count)}`).join(", ")
  return all.some(([code]) => !(Number(code) < 500)) ? { text: told, tone: "warn" } : { text: told }
}

/** Calls in the order of their resource, those about one object first. */
export const sortedCalls = ({ cluster }: ClusterSummary): ReadonlyArray<RecordedCalls> =>
  cluster.calls.toSorted((left, right) => right.answered - left.answered)

/** API call latency by verb, resource and scope against Kubernetes' SLOs. */
export const callsTable = (summary: ClusterSummary, most = Number.POSITIVE_INFINITY): Table => ({
  id: `calls-${summary.name}`,
  caption: `API calls by verb, resource and scope, as the clients saw them in ${summary.time}, ${summary.cluster.calls.length > most ? `the ${most} most frequent of ${summary.cluster.calls.length}` : "the most frequent first"}`,
  columns: [
    ...text("Call"),
    ...numbers("answered", "p50", "p90", "p99", "max", "p99 limit"),
    ...text("SLO", "failures by code")
  ],
  rows: sortedCalls(summary)
    .slice(0, most)
    .map((calls) => [
      ...cells(callName(calls), formatCount(calls.answered)),
      ...digest(calls.latency),
      ...limitCells(calls.latency.p99, callSloUs(calls)),
      errorCell(calls.errors)
    ])
})

const stageNames: Readonly<Record<PodStage, string>> = {
  scheduled: "created → scheduled",
  seen: "scheduled → seen by its node",
  running: "seen → running",
  watched: "running → watched",
  whole: "created → watched, the whole way"
}

/** Pod start latency by stage. */
export const podStartTable = ({ cluster, name, time }: ClusterSummary): Table | undefined =>
  cluster.podStarts.whole.count === 0
    ? undefined
    : {
        id: `pod-start-${name}`,
        caption: `How pods got going, stage by stage, in ${time}`,
        columns: [...text("Stage"), ...numbers("pods", "p50", "p90", "p99", "max", "p99 limit"), ...text("SLO")],
        rows: (["scheduled", "seen", "running", "watched", "whole"] as const).map((stage) => {
          const histogram = cluster.podStarts[stage]
          return [
            ...cells(stageNames[stage], formatCount(histogram.count)),
            ...digest(histogram),
            ...limitCells(histogram.p99, stage === "whole" ? podStartSloUs : undefined)
          ]
        })
      }

/** How late watchers heard, by resource. */
export const informersTable = ({ cluster, isSimulated, name, time }: ClusterSummary): Table | undefined =>
  cluster.informers.length === 0
    ? undefined
    : {
        id: `informers-${name}`,
        caption: `Watch lag by resource, from ${isSimulated ? "the commit" : "the first client’s hearing of it"} to the event’s arrival, in ${time}`,
        columns: [...text("Resource"), ...numbers("watches opened", "events", "lag p50", "p90", "p99", "max")],
        rows: cluster.informers
          .toSorted((left, right) => right.lag.count - left.lag.count)
          .map(({ lag, resource, watches }) => [
            ...cells(resource, formatCount(watches), formatCount(lag.count)),
            ...digest(lag)
          ])
      }

const objectName = (namespace: string, name: string): string => {
  if (name === "") return namespace === "" ? "all" : `all of ${namespace}`
  return namespace === "" ? name : `${namespace}/${name}`
}

const SLOWEST_SHOWN = 25

/** The very calls behind the slow percentiles. */
export const slowCallsTable = ({ cluster, name }: ClusterSummary): Table => ({
  id: `slow-calls-${name}`,
  caption: `The ${SLOWEST_SHOWN} slowest calls: which object, for whom, when`,
  columns: [...text("Call", "Object", "Client"), ...numbers("sent at", "took")],
  rows: cluster.calls
    .flatMap((calls) => calls.slowest.map((slow) => ({ calls, slow })))
    .toSorted((left, right) => right.slow.us - left.slow.us)
    .slice(0, SLOWEST_SHOWN)
    .map(({ calls, slow }) =>
      cells(
        callName(calls),
        objectName(slow.namespace, slow.name),
        slow.client,
        formatClock(slow.atMs),
        formatUs(slow.us)
      )
    )
})

/** The slowest calls of one kind. */
export const slowestOfTable = (calls: RecordedCalls, id: string): Table => ({
  id,
  caption: `The slowest of ${callName(calls)}`,
  columns: [...text("Object", "Client"), ...numbers("sent at", "took")],
  rows: calls.slowest.map((slow) =>
    cells(objectName(slow.namespace, slow.name), slow.client, formatClock(slow.atMs), formatUs(slow.us))
  )
})

const gap = (fromMs: number | null, toMs: number | null): string =>
  fromMs === null || toMs === null ? nothing : formatUs((toMs - fromMs) * 1000)

/** The pods that took longest to start, with the time of each stage. */
export const slowPodsTable = ({ cluster, name }: ClusterSummary): Table => ({
  id: `slow-pods-${name}`,
  caption: "The pods that took longest to start",
  columns: [
    ...text("Pod", "Node"),
    ...numbers("created at", "to scheduled", "to seen", "to running", "to watched", "in all")
  ],
  rows: cluster.podStarts.slowest.map(
    ({ createdMs, name: own, namespace, node, runningMs, scheduledMs, seenMs, watchedMs }) =>
      cells(
        objectName(namespace, own),
        node,
        formatClock(createdMs),
        gap(createdMs, scheduledMs),
        gap(scheduledMs, seenMs),
        gap(seenMs ?? scheduledMs, runningMs),
        gap(runningMs, watchedMs),
        gap(createdMs, watchedMs)
      )
  )
})

/** The events that were heard latest. */
export const slowEventsTable = ({ cluster, name }: ClusterSummary): Table => ({
  id: `slow-events-${name}`,
  caption: `The ${SLOWEST_SHOWN} events that were heard latest: of which object, by whom`,
  columns: [...text("Event", "Object", "Client"), ...numbers("committed at", "heard after")],
  rows: cluster.informers
    .flatMap(({ resource, slowest }) => slowest.map((slow) => ({ resource, slow })))
    .toSorted((left, right) => right.slow.us - left.slow.us)
    .slice(0, SLOWEST_SHOWN)
    .map(({ resource, slow }) =>
      cells(
        `${slow.type} ${resource}`,
        objectName(slow.namespace, slow.name),
        slow.client,
        formatClock(slow.atMs),
        formatUs(slow.us)
      )
    )
})

/** What happened to the cluster and what was done to it. */
export const marksTable = ({ cluster, name, time }: ClusterSummary): Table | undefined =>
  cluster.marks.length === 0
    ? undefined
    : {
        id: `marks-${name}`,
        caption: `What happened to the cluster, in ${time}`,
        columns: [...numbers("at"), ...text("Kind", "What"), ...numbers("lasted")],
        rows: cluster.marks.map(({ atMs, durationMs, kind, text: words }) => [
          { text: formatClock(atMs) },
          kind === "action" ? { text: kind } : { text: kind, tone: kind === "fault" ? "warn" : "bad" },
          ...cells(words, durationMs === null ? nothing : formatClock(durationMs))
        ])
      }

/** The constants of a simulation, as they were measured. */
export const constantsTable = ({ cluster, name }: ClusterSummary): Table | undefined => {
  const { calibration } = cluster
  if (calibration === undefined) return undefined
  return {
    id: `constants-${name}`,
    caption: `Constants of the simulation, measured ${calibration.measuredAt.slice(0, 10)}`,
    columns: [...text("What takes the time"), ...numbers("values", "p50", "p99")],
    rows: calibration.constants.map((one) =>
      cells(one.name, formatCount(one.count), formatUs(one.p50Ms * 1000), formatUs(one.p99Ms * 1000))
    )
  }
}

/** The curve of cost against nodes. */
export const costTable = ({ cluster, name }: ClusterSummary): Table | undefined =>
  cluster.curve === undefined || cluster.curve.length === 0
    ? undefined
    : {
        id: `cost-${name}`,
        caption:
          "What clusters of these sizes cost, with 30 pods a node and 300,000 at most, each in a process of its own",
        columns: numbers(
          "nodes",
          "pods",
          "real time until ready",
          "real time per virtual second",
          "times real time",
          "memory"
        ),
        rows: cluster.curve.map(({ nodes, pods, readyWallMs, residentBytes, wallMsPerVirtualS }) =>
          cells(
            formatCount(nodes),
            formatCount(pods),
            formatUs(readyWallMs * 1000),
            formatUs(wallMsPerVirtualS * 1000),
            wallMsPerVirtualS > 0 ? `${formatCount(1000 / wallMsPerVirtualS)}×` : nothing,
            formatBytes(residentBytes)
          )
        )
      }

/** Kinds of calls that stand where there is little room. */
const CALLS_SHOWN = 12

/** The tables that every rendering shows. */
export const clusterTables = (report: Report): ReadonlyArray<Table | undefined> =>
  clustersOf(report.groups).flatMap((summary) => [
    callsTable(summary, CALLS_SHOWN),
    podStartTable(summary),
    schedulerTable(summary),
    waitsTable(summary),
    informersTable(summary),
    costTable(summary)
  ])
