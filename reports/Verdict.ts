// The rules by which a metric's two samples of runs become one of six verdicts.
// A difference counts only when it is significant after Holm's correction over all metrics and larger than the margin;
// "no data" is `missing` and never `same`; too few runs are `inconclusive`, however large the difference looks.
// Owns the rules and their defaults, not where the samples come from.
import { ratioOfMedians, type RunSample } from "./Bootstrap.ts"
import { mannWhitney } from "./MannWhitney.ts"
import type { Metric } from "./Metrics.ts"
import { seedOf } from "./SeededRandom.ts"
import { cliffsDelta, coefficientOfVariation, holm, median } from "./Statistics.ts"

/** What a comparison can end in. For memory and CPU, `faster` means less and `slower` more. */
export type Verdict = "faster" | "slower" | "same" | "inconclusive" | "missing" | "invalid"

/** The rules that can be tuned; `margin` and `alpha` are fractions, `minimumRuns` counts runs per side. */
export interface CompareOptions {
  readonly minimumRuns: number
  readonly margin: number
  readonly alpha: number
  readonly resamples: number
  readonly allowCrossMachine: boolean
}

/** Calibrated: at most 5 % false alarms at 10 runs a side, 5 % slowdowns found in 90 % at 20 (noise of 4 %). */
export const defaultCompareOptions: CompareOptions = {
  minimumRuns: 10,
  margin: 0.02,
  alpha: 0.05,
  resamples: 2000,
  allowCrossMachine: false
}

/** One side's runs reduced to their middle and scatter; null without data. */
export interface Side {
  readonly runs: number
  readonly median: number | null
  readonly variation: number | null
}

/** One metric on both sides. `ratio` is candidate over baseline; `p` is corrected over all metrics. */
export interface MetricComparison {
  readonly id: string
  readonly label: string
  readonly unit: Metric["unit"]
  readonly better: Metric["better"]
  readonly baseline: Side
  readonly candidate: Side
  readonly ratio: number | null
  readonly low: number | null
  readonly high: number | null
  readonly p: number | null
  readonly delta: number | null
  readonly verdict: Verdict
  readonly reason: string
}

/** The runs of both sides for one metric; `complete` is false when a run of either side holds no sample of it. */
export interface MetricSamples {
  readonly metric: Pick<Metric, "id" | "label" | "unit" | "better">
  readonly baseline: ReadonlyArray<RunSample>
  readonly candidate: ReadonlyArray<RunSample>
  readonly complete: boolean
}

/** Judges a family of metrics together. With `refusals` every verdict is `invalid`; the numbers are still shown. */
export const compareSamples = (
  family: ReadonlyArray<MetricSamples>,
  rules: CompareOptions,
  refusals: ReadonlyArray<string>
): ReadonlyArray<MetricComparison> => {
  const tested = family.filter((samples) => samples.complete)
  const raw = tested.map(({ baseline, candidate }) => mannWhitney(valuesOf(baseline), valuesOf(candidate)).p)
  const corrected = new Map(holm(raw).map((p, index) => [tested[index], p]))
  return family.map((samples) => judged(samples, corrected.get(samples) ?? null, rules, refusals))
}

const valuesOf = (runs: ReadonlyArray<RunSample>) => runs.map((run) => run.value)

const sideOf = (runs: ReadonlyArray<RunSample>): Side => {
  const values = valuesOf(runs)
  const variation = coefficientOfVariation(values)
  return {
    runs: runs.length,
    median: runs.length === 0 ? null : median(values),
    variation: Number.isFinite(variation) ? variation : null
  }
}

const judged = (
  samples: MetricSamples,
  p: number | null,
  rules: CompareOptions,
  refusals: ReadonlyArray<string>
): MetricComparison => {
  const { baseline, candidate, metric } = samples
  const interval = ratioOfMedians(baseline, candidate, {
    seed: seedOf(metric.id),
    resamples: rules.resamples,
    confidence: 1 - rules.alpha
  })
  const measured = {
    id: metric.id,
    label: metric.label,
    unit: metric.unit,
    better: metric.better,
    baseline: sideOf(baseline),
    candidate: sideOf(candidate),
    ratio: finite(interval.ratio),
    low: finite(interval.low),
    high: finite(interval.high),
    p,
    delta: finite(cliffsDelta(valuesOf(baseline), valuesOf(candidate)))
  }
  return { ...measured, ...verdictOf(measured, samples.complete, rules, refusals) }
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)

type Measured = Omit<MetricComparison, "verdict" | "reason">

const verdictOf = (
  measured: Measured,
  complete: boolean,
  rules: CompareOptions,
  refusals: ReadonlyArray<string>
): Pick<MetricComparison, "verdict" | "reason"> => {
  const { baseline, better, candidate, high, low, p, ratio } = measured
  const refusal = refusals[0]
  if (refusal !== undefined) return { verdict: "invalid", reason: refusal }
  if (!complete) return { verdict: "missing", reason: missingReason(baseline, candidate) }
  const runs = Math.min(baseline.runs, candidate.runs)
  if (runs < rules.minimumRuns) {
    return { verdict: "inconclusive", reason: `insufficient: ${runs} of ${rules.minimumRuns} runs` }
  }
  if (baseline.median === 0 && candidate.median === 0) return { verdict: "same", reason: "zero on both sides" }
  if (p === null || ratio === null || low === null || high === null) {
    return { verdict: "inconclusive", reason: "no ratio can be formed with zero" }
  }
  if (p < rules.alpha && Math.abs(ratio - 1) > rules.margin) {
    return { verdict: ratio > 1 === (better === "higher") ? "faster" : "slower", reason: "significant" }
  }
  if (low >= 1 - rules.margin && high <= 1 + rules.margin) {
    return { verdict: "same", reason: `within ±${rules.margin * 100} %` }
  }
  return { verdict: "inconclusive", reason: p < rules.alpha ? "smaller than the margin" : "not significant" }
}

const missingReason = (baseline: Side, candidate: Side): string =>
  baseline.runs === 0 || candidate.runs === 0
    ? `no data in the ${baseline.runs === 0 ? "baseline" : "candidate"}`
    : "no data in some of the runs"

/** The verdict over a whole family: the worst that can be said, and `same` only when everything is. */
export const overallVerdict = (metrics: ReadonlyArray<MetricComparison>): Verdict => {
  const verdicts = new Set(metrics.map((metric) => metric.verdict))
  for (const verdict of ["invalid", "slower", "missing", "faster", "inconclusive"] as const) {
    if (verdicts.has(verdict)) return verdict
  }
  return metrics.length === 0 ? "missing" : "same"
}
