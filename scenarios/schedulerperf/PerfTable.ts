// Results of workloads as people read them: ours beside the floor and beside upstream's own run.
// Owns the table's form; refuses to judge, for floors were set on other machines.
import type { DataItem } from "./DataItems.ts"

/** One workload's outcome. */
export interface PerfRow {
  readonly workload: string
  readonly items: ReadonlyArray<DataItem>
  /** Why there are no figures. */
  readonly failure?: string
  /** Pods per second on Kubernetes' machines. */
  readonly floor?: number
  /** Of upstream's run on this machine. */
  readonly upstream?: ReadonlyArray<DataItem>
}

const bucket = (items: ReadonlyArray<DataItem> | undefined, metric: string, name: string): number | undefined =>
  items?.find(({ labels }) => labels["Metric"] === metric)?.data[name]

/** Pods per second: the sampled average as upstream's; where a run was too short for samples, that of the whole time. */
export const paceOf = (items: ReadonlyArray<DataItem> | undefined): number | undefined =>
  bucket(items, "SchedulingThroughput", "Average") ?? bucket(items, "OverallThroughput", "Average")

const shown = (value: number | undefined, digits = 0): string =>
  value === undefined ? "–" : value.toLocaleString("en-US", { maximumFractionDigits: digits })

const HEAD = ["Workload", "pods/s", "whole time", "floor", "upstream here", "ratio", "p99 queue ms"]

const cells = ({ failure, floor, items, upstream, workload }: PerfRow): ReadonlyArray<string> => {
  if (failure !== undefined) return [workload, failure, "", shown(floor), "", "", ""]
  const ours = paceOf(items)
  const theirs = paceOf(upstream)
  const ratio = ours === undefined || theirs === undefined ? undefined : ours / theirs
  return [
    workload,
    shown(ours),
    shown(bucket(items, "OverallThroughput", "Average")),
    shown(floor),
    shown(theirs),
    ratio === undefined ? "–" : `${shown(ratio, 1)}×`,
    shown(bucket(items, "scheduler_pod_scheduling_duration_seconds", "Perc99"))
  ]
}

/** A Markdown table, aligned for terminals too. */
export const renderPerfTable = (rows: ReadonlyArray<PerfRow>): string => {
  const table = [HEAD, ...rows.map(cells)]
  const widths = HEAD.map((_, at) => Math.max(...table.map((row) => row[at]?.length ?? 0)))
  const line = (row: ReadonlyArray<string>): string =>
    `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(" | ")} |`
  const rule = `|${widths.map((width, at) => (at === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`
  const [head = HEAD, ...rest] = table
  return [line(head), rule, ...rest.map(line)].join("\n")
}
