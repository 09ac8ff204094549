// What a simulated cluster's scheduler did, as tables of plain data: counts, pace and how long pods waited, by priority class.
// Owns these tables and the two rates; knows no markup.
import type { ClusterSummary } from "./ClusterSummary.ts"
import { formatCount, formatRate, formatUs, nothing } from "./Format.ts"
import { Latency } from "./Latency.ts"
import type { RecordedScheduling } from "./RecordedCluster.ts"
import type { RecordedHistogram } from "./RecordedLoad.ts"
import type { Cell, Table } from "./Tables.ts"

const perSecond = (count: number, ms: number): number | undefined => (ms > 0 ? (count * 1000) / ms : undefined)

/** Pods bound in a second of virtual time while there were pods to bind; undefined when too few came one after another. */
export const virtualRate = ({ busyBound, busyVirtualMs }: RecordedScheduling): number | undefined =>
  perSecond(busyBound, busyVirtualMs)

/** Pods bound in a second of real time in the same stretches; everything else that the world did then is part of that time. */
export const wallRate = ({ busyBound, busyWallMs }: RecordedScheduling): number | undefined =>
  perSecond(busyBound, busyWallMs)

/** How long pods waited for their node, all priorities together. */
export const waitOfAll = ({ waits }: RecordedScheduling): RecordedHistogram =>
  Latency.merge(waits.map(({ wait }) => wait)).toRecorded()

const cells = (...texts: ReadonlyArray<string>): ReadonlyArray<Cell> => texts.map((text) => ({ text }))
const columns = (first: string, ...numbers: ReadonlyArray<string>) => [
  { title: first, numeric: false },
  ...numbers.map((title) => ({ title, numeric: true }))
]
const rate = (value: number | undefined): string => (value === undefined ? nothing : formatRate(value))

/** What was counted, and the pace. */
export const schedulerTable = ({ cluster, isSimulated, name, time }: ClusterSummary): Table | undefined => {
  const { scheduling } = cluster
  if (scheduling === undefined || scheduling.bound + scheduling.waiting + scheduling.gated === 0) return undefined
  const { attempts, bound, failures, gated, mostInSecond, preemptions, unschedulable, victims, waiting } = scheduling
  // A scheduler that is a program of its own tells nobody of its attempts; what it did is seen at the pods.
  const told: ReadonlyArray<readonly [string, string]> = [
    ["attempts", formatCount(attempts)],
    ["attempts that found no node", formatCount(unschedulable)],
    ["bindings that failed", formatCount(failures)],
    ["preemptions", formatCount(preemptions)]
  ]
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["pods bound", formatCount(bound)],
    ...(isSimulated ? told : []),
    ["pods that had to give way", formatCount(victims)],
    ["without a node at the end", formatCount(waiting)],
    ["behind scheduling gates at the end", formatCount(gated)],
    [`bound per second of ${time}`, rate(virtualRate(scheduling))],
    [`most in one second of ${time}`, formatCount(mostInSecond)],
    ...(isSimulated ? [["bound per second of real time", rate(wallRate(scheduling))] as const] : [])
  ]
  return {
    id: `scheduler-${name}`,
    caption: "What the scheduler did",
    columns: columns("Of the whole run", "number"),
    rows: rows.map((row) => cells(...row))
  }
}

/** How long pods waited from their creation, or from the opening of their gates, until they had a node. */
export const waitsTable = ({ cluster, name, time }: ClusterSummary): Table | undefined => {
  const { scheduling } = cluster
  if (scheduling === undefined || scheduling.waits.length === 0) return undefined
  const row = (title: string, { count, max, p50, p90, p99 }: RecordedHistogram) => [
    ...cells(title, formatCount(count)),
    ...cells(...[p50, p90, p99, max].map(formatUs))
  ]
  const all = scheduling.waits.length > 1 ? [row("all", waitOfAll(scheduling))] : []
  return {
    id: `waits-${name}`,
    caption: `Time until pods had a node, by priority class, in ${time}`,
    columns: columns("Priority class", "pods", "p50", "p90", "p99", "max"),
    rows: [...scheduling.waits.map(({ priority, wait }) => row(priority, wait)), ...all]
  }
}
