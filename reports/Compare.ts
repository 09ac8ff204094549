// Compares two sets of runs: every metric through the rules of Verdict.ts, deterministic counters exactly, and whether
// the two sides may be compared at all (valid runs, same scenario, same machine).
// Owns the pairing of the sides. Reading records, rendering and exit codes live elsewhere.
import type { RunSample } from "./Bootstrap.ts"
import { type Difference, differences } from "./Environment.ts"
import { headlineId, type Metric, metricsOf } from "./Metrics.ts"
import type { RunRecord } from "./RunRecord.ts"
import { assessValidity } from "./Validity.ts"
import {
  type CompareOptions,
  compareSamples,
  defaultCompareOptions,
  type MetricComparison,
  type MetricSamples,
  overallVerdict,
  type Verdict
} from "./Verdict.ts"

/** Runs that belong together: one backend of one invocation, or one folder. */
export interface RunGroup {
  readonly name: string
  readonly records: ReadonlyArray<RunRecord>
}

/** A count that has no noise: equal, different, or not there on one side. */
export interface CounterComparison {
  readonly name: string
  readonly baseline: string
  readonly candidate: string
  readonly verdict: "equal" | "different" | "missing"
}

/** Everything that can be said about two sets of runs. */
export interface Comparison {
  readonly baseline: string
  readonly candidate: string
  readonly options: CompareOptions
  readonly metrics: ReadonlyArray<MetricComparison>
  readonly counters: ReadonlyArray<CounterComparison>
  readonly differences: ReadonlyArray<Difference>
  readonly refusals: ReadonlyArray<string>
  /** The metric that sums it up, by its id; it may be missing. */
  readonly headline: string
  readonly verdict: Verdict
}

/** Compares `candidate` with `baseline`. Pure and repeatable: the bootstrap is seeded by each metric's name. */
export const compare = (baseline: RunGroup, candidate: RunGroup, options: Partial<CompareOptions> = {}): Comparison => {
  const rules = { ...defaultCompareOptions, ...options }
  const found = differences(baseline.records, candidate.records, rules.allowCrossMachine)
  const refusals = [
    ...new Set(found.filter((difference) => difference.severity === "refuses").map(({ text }) => text)),
    ...[baseline, candidate].flatMap(invalidRuns)
  ]
  const metrics = compareSamples(samplesOf(baseline, candidate), rules, refusals)
  const [first] = [...baseline.records, ...candidate.records]
  return {
    baseline: baseline.name,
    candidate: candidate.name,
    options: rules,
    metrics,
    counters: compareCounters(baseline.records, candidate.records),
    differences: found,
    refusals,
    headline: first === undefined ? "" : headlineId(first),
    verdict: overallVerdict(metrics)
  }
}

const invalidRuns = (group: RunGroup): ReadonlyArray<string> => {
  const invalid = group.records.filter((record) => !assessValidity(record).valid)
  if (invalid.length === 0) return []
  const codes = new Set(invalid.flatMap((record) => assessValidity(record).reasons.map(({ code }) => code)))
  return [`${invalid.length} of ${group.records.length} runs of ${group.name} are invalid (${[...codes].join(", ")})`]
}

const samplesOf = (baseline: RunGroup, candidate: RunGroup): ReadonlyArray<MetricSamples> => {
  const [left, right] = [baseline.records.map(metricsOf), candidate.records.map(metricsOf)]
  const known = new Map<string, Metric>()
  for (const metric of [...left.flat(), ...right.flat()]) if (!known.has(metric.id)) known.set(metric.id, metric)
  const has = (runs: typeof left, id: string) => runs.some((metrics) => metrics.some((metric) => metric.id === id))
  const both = [...known.values()].filter(({ byNature, id }) => byNature !== true || (has(left, id) && has(right, id)))
  return both.map((metric) => {
    const samples = { baseline: runSamples(left, metric.id), candidate: runSamples(right, metric.id) }
    const complete = samples.baseline.length === left.length && samples.candidate.length === right.length
    return { metric, ...samples, complete: complete && left.length > 0 && right.length > 0 }
  })
}

const runSamples = (runs: ReadonlyArray<ReadonlyArray<Metric>>, id: string): ReadonlyArray<RunSample> =>
  runs.flatMap((metrics) => sampleOf(metrics, id))

const sampleOf = (metrics: ReadonlyArray<Metric>, id: string): ReadonlyArray<RunSample> => {
  const metric = metrics.find((metric) => metric.id === id)
  return metric === undefined || metric.value === null ? [] : [{ value: metric.value, within: metric.within }]
}

// Counts that every run of a side agrees on stand as one number; a side that disagrees with itself shows its range.
const compareCounters = (
  baseline: ReadonlyArray<RunRecord>,
  candidate: ReadonlyArray<RunRecord>
): ReadonlyArray<CounterComparison> => {
  const names = new Set([...baseline, ...candidate].flatMap((record) => Object.keys(record.counters)))
  return [...names].sort().map((name) => {
    const [left, right] = [countsOf(baseline, name), countsOf(candidate, name)]
    const verdict = left === "" || right === "" ? "missing" : left === right ? "equal" : "different"
    return { name, baseline: left, candidate: right, verdict }
  })
}

const countsOf = (records: ReadonlyArray<RunRecord>, name: string): string => {
  const counts = records.map((record) => record.counters[name])
  if (counts.some((count) => count === undefined)) return ""
  return [...new Set(counts)].sort((x = 0, y = 0) => x - y).join(" / ")
}
