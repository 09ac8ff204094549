// Results in scheduler_perf's own form, which Kubernetes' performance dashboard reads.
// Owns the form, its percentiles and thresholds; refuses to measure. Source: scheduler_perf util.go, DataItems.

/** One figure: buckets like "Perc50" by what the labels say. */
export interface DataItem {
  readonly data: Readonly<Record<string, number>>
  readonly unit: string
  readonly labels: Readonly<Record<string, string>>
}

export interface DataItems {
  readonly version: string
  readonly dataItems: ReadonlyArray<DataItem>
}

const NEAREST_RANKS = [50, 90, 95, 99]

/** Average and nearest-rank percentiles of values; no buckets when there are none. */
export const buckets = (values: ReadonlyArray<number>): Readonly<Record<string, number>> => {
  if (values.length === 0) return {}
  const sorted = [...values].sort((a, b) => a - b)
  const average = sorted.reduce((sum, value) => sum + value, 0) / sorted.length
  const ranks = NEAREST_RANKS.map((rank) => [`Perc${rank}`, sorted[Math.ceil((sorted.length * rank) / 100) - 1]])
  return Object.fromEntries([["Average", average], ...ranks]) as Record<string, number>
}

/** The document, every item with the same labels as upstream's are. */
export const dataItemsOf = (items: ReadonlyArray<DataItem>): DataItems => {
  const names = [...new Set(items.flatMap(({ labels }) => Object.keys(labels)))].sort()
  const filled = ({ labels }: DataItem): Readonly<Record<string, string>> =>
    Object.fromEntries(names.map((name) => [name, labels[name] ?? "not applicable"]))
  return { version: "v1", dataItems: items.map((item) => ({ ...item, labels: filled(item) })) }
}

/** The average pods per second of a workload; undefined when none was measured. */
export const averageThroughput = (items: ReadonlyArray<DataItem>): number | undefined => {
  const found = items.find(({ labels }) => labels["Metric"] === "SchedulingThroughput")
  return found?.data["Average"]
}
