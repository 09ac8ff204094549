// How true a simulation is: the same scenario lived in virtual time and on a real control plane, indicator by indicator, as the ratio of
// what was simulated to what was real.
// Owns the choice of indicators, their intervals and the factor that holds for all of them; refuses to judge which side is better.
// A quantile's interval is that of order statistics of the calls themselves: calls of one run share that run's luck, so that two runs
// may differ by more. Fewer than 20 values on a side say nothing of a quantile: they are left out, by name.
import { Latency } from "./Latency.ts"
import type { PodStage, RecordedCalls, RecordedCluster } from "./RecordedCluster.ts"
import type { RecordedHistogram } from "./RecordedLoad.ts"
import type { RunRecord } from "./RunRecord.ts"
import { median } from "./Statistics.ts"

/** One indicator on both sides. Latencies are in µs, rates in calls or revisions a second, counts in objects, sizes in bytes. */
export interface FidelityRow {
  readonly group: "API latency" | "pod start" | "watch lag" | "objects" | "rate" | "bytes"
  readonly label: string
  readonly unit: "us" | "count" | "perSecond" | "bytes"
  readonly simulated: number
  readonly real: number
  /** simulated / real; below 1 the simulation is faster, or has less of it. */
  readonly ratio: number
  /** Of the ratio, at 95 %; NaN where a single number stands on either side. */
  readonly low: number
  readonly high: number
  readonly isMedian: boolean
}

/** The comparison of one scenario's runs. */
export interface Fidelity {
  readonly scenario: string
  readonly rows: ReadonlyArray<FidelityRow>
  /** Every ratio lies between 1/factor and factor. */
  readonly factor: number
  /** The same for medians of API latency and pod start. */
  readonly medianFactor: number
  /** Indicators that both sides have, one of them with too few values. */
  readonly leftOut: ReadonlyArray<string>
  /** How many only one side has: the clients inside real programs are not measured, and those of a simulation all are. */
  readonly oneSided: number
}

const FEWEST = 20
/** Standard normal quantile of a 95 % interval. */
const Z = 1.96
/** What a clock's grain and a histogram's buckets cannot tell apart: 50 µs. */
const GRAIN_US = 50

/** A quantile of a histogram and, by order statistics, its interval. */
const quantile = (latency: Latency, at: number) => {
  const spread = Z * Math.sqrt((at * (1 - at)) / latency.count)
  const valueAt = (share: number): number =>
    Math.max(GRAIN_US, latency.percentile(100 * Math.min(1, Math.max(0, share))) ?? 0)
  return { value: valueAt(at), low: valueAt(at - spread), high: valueAt(at + spread) }
}

type Histograms = ReadonlyMap<string, Latency>

const merged = (parts: Iterable<readonly [string, RecordedHistogram]>): Histograms => {
  const all = new Map<string, Latency>()
  for (const [name, histogram] of parts) {
    if (histogram.count === 0) continue
    const known = all.get(name)
    if (known === undefined) all.set(name, Latency.merge([histogram]))
    else known.add(Latency.fromRecorded(histogram))
  }
  return all
}

const callName = ({ by, resource, scope, verb }: RecordedCalls): string => {
  const reach = scope === "object" ? "" : ` (${scope})`
  return `${verb} ${resource}${reach}${by === undefined ? "" : " by the control plane"}`
}

const stages: Readonly<Record<PodStage, string>> = {
  scheduled: "created → scheduled",
  seen: "scheduled → seen by its node",
  running: "seen → running",
  watched: "running → watched",
  whole: "the whole way"
}

/** Stages that are the hollow nodes' own pace, or that a real cluster's only observer cannot tell apart, say nothing. */
const comparedStages: ReadonlyArray<PodStage> = ["scheduled", "running", "whole"]

const latencies = (clusters: ReadonlyArray<RecordedCluster>) => ({
  "API latency": merged(clusters.flatMap(({ calls }) => calls.map((one) => [callName(one), one.latency] as const))),
  "pod start": merged(
    clusters.flatMap(({ podStarts }) => comparedStages.map((stage) => [stages[stage], podStarts[stage]] as const))
  ),
  "watch lag": merged(
    clusters.flatMap(({ informers }) => informers.map(({ lag, resource }) => [resource, lag] as const))
  )
})

interface LeftOut {
  readonly few: Array<string>
  oneSided: number
}

const leave = (leftOut: LeftOut, label: string, simulated: number, real: number): void => {
  if (simulated === 0 || real === 0) leftOut.oneSided++
  else leftOut.few.push(`${label} (${simulated} simulated, ${real} real)`)
}

const latencyRows = (group: FidelityRow["group"], simulated: Histograms, real: Histograms, leftOut: LeftOut) =>
  [...new Set([...simulated.keys(), ...real.keys()])].toSorted().flatMap((name): ReadonlyArray<FidelityRow> => {
    const [left, right] = [simulated.get(name), real.get(name)]
    if (left === undefined || right === undefined || left.count < FEWEST || right.count < FEWEST) {
      leave(leftOut, `${group}: ${name}`, left?.count ?? 0, right?.count ?? 0)
      return []
    }
    return ([0.5, 0.99] as const).map((at) => {
      const [a, b] = [quantile(left, at), quantile(right, at)]
      return {
        group,
        label: `${name} p${at * 100}`,
        unit: "us",
        simulated: a.value,
        real: b.value,
        ratio: a.value / b.value,
        low: a.low / b.high,
        high: a.high / b.low,
        isMedian: at === 0.5
      }
    })
  })

/** A plain number of each run, compared by the medians over runs. */
const numberRow = (
  group: FidelityRow["group"],
  label: string,
  unit: FidelityRow["unit"],
  simulated: ReadonlyArray<number>,
  real: ReadonlyArray<number>
): FidelityRow => {
  const [a, b] = [median(simulated), median(real)]
  const isSpread = simulated.length > 1 && real.length > 1
  return {
    group,
    label,
    unit,
    simulated: a,
    real: b,
    ratio: a / b,
    low: isSpread ? Math.min(...simulated) / Math.max(...real) : Number.NaN,
    high: isSpread ? Math.max(...simulated) / Math.min(...real) : Number.NaN,
    isMedian: false
  }
}

const objectsAtEnd = ({ state }: RecordedCluster): ReadonlyMap<string, number> =>
  new Map(Object.entries(state.objects).map(([resource, column]) => [resource, column.at(-1) ?? 0]))

const objectRows = (
  simulated: ReadonlyArray<RecordedCluster>,
  real: ReadonlyArray<RecordedCluster>,
  leftOut: LeftOut
): ReadonlyArray<FidelityRow> => {
  const [left, right] = [simulated.map(objectsAtEnd), real.map(objectsAtEnd)]
  const names = [...new Set([...left, ...right].flatMap((counts) => [...counts.keys()]))].toSorted()
  return names.flatMap((name) => {
    const [a, b] = [left, right].map((side) => side.map((counts) => counts.get(name) ?? 0))
    if (median(a) > 0 && median(b) > 0) return [numberRow("objects", name, "count", a, b)]
    leave(leftOut, `objects: ${name}`, median(a), median(b))
    return []
  })
}

const rateOf =
  (means: (calls: RecordedCalls) => boolean) =>
  ({ calls, virtualMs }: RecordedCluster): number =>
    (calls.filter(means).reduce((sum, { answered }) => sum + answered, 0) * 1000) / virtualMs

const rates: ReadonlyArray<readonly [label: string, means: (calls: RecordedCalls) => boolean]> = [
  ["writes of nodes and users", ({ by, verb }) => by === undefined && verb !== "get" && verb !== "list"],
  ["their reads", ({ by, verb }) => by === undefined && (verb === "get" || verb === "list")]
]

const storeRate = ({ storeWrites, virtualMs }: RecordedCluster): ReadonlyArray<number> =>
  storeWrites === undefined ? [] : [(storeWrites * 1000) / virtualMs]

/** The store's own pace: revisions that everybody's writes made, those of controllers and schedulers too. */
const storeRows = (simulated: ReadonlyArray<RecordedCluster>, real: ReadonlyArray<RecordedCluster>) => {
  const [a, b] = [simulated.flatMap(storeRate), real.flatMap(storeRate)]
  return median(a) > 0 && median(b) > 0 ? [numberRow("rate", "writes at the store", "perSecond", a, b)] : []
}

const byteRows = (simulated: ReadonlyArray<RecordedCluster>, real: ReadonlyArray<RecordedCluster>) => {
  const names = new Set([...simulated, ...real].flatMap(({ objectBytes = {} }) => Object.keys(objectBytes)))
  return [...names].toSorted().flatMap((name) => {
    const [a, b] = [simulated, real].map((side) => side.flatMap(({ objectBytes = {} }) => objectBytes[name] ?? []))
    return median(a) > 0 && median(b) > 0 ? [numberRow("bytes", name, "bytes", a, b)] : []
  })
}

const factorOf = (rows: ReadonlyArray<FidelityRow>): number =>
  rows.reduce((most, { ratio }) => Math.max(most, ratio, 1 / ratio), 1)

const clustersOf = (records: ReadonlyArray<RunRecord>): ReadonlyArray<RecordedCluster> =>
  records.flatMap(({ cluster }) => cluster ?? [])

/** Sets simulated and real runs of one scenario side by side. */
export const fidelityOf = (simulated: ReadonlyArray<RunRecord>, real: ReadonlyArray<RunRecord>): Fidelity => {
  const leftOut: LeftOut = { few: [], oneSided: 0 }
  const [left, right] = [clustersOf(simulated), clustersOf(real)]
  const [a, b] = [latencies(left), latencies(right)]
  const rows = [
    ...(["API latency", "pod start", "watch lag"] as const).flatMap((group) =>
      latencyRows(group, a[group], b[group], leftOut)
    ),
    ...rates.flatMap(([label, means]) => {
      const [before, after] = [left.map(rateOf(means)), right.map(rateOf(means))]
      return median(before) > 0 && median(after) > 0 ? [numberRow("rate", label, "perSecond", before, after)] : []
    }),
    ...storeRows(left, right),
    ...objectRows(left, right, leftOut),
    ...byteRows(left, right)
  ]
  const medians = rows.filter(({ group, isMedian }) => isMedian && group !== "watch lag")
  return {
    scenario: simulated[0]?.scenario.name ?? "",
    rows,
    factor: factorOf(rows),
    medianFactor: factorOf(medians),
    leftOut: leftOut.few,
    oneSided: leftOut.oneSided
  }
}
