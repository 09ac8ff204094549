// The page's first screen: is it valid, did it pass, is it faster or slower than the baseline, by how much, how sure.
// Also the interval plots that repeat the same reading for every metric.
// Owns that screen's markup; the sentences are Judge.ts's.
import type { Comparison } from "./Compare.ts"
import { formatRatio } from "./Format.ts"
import { escapeHtml, tableHtml, toneMark } from "./HtmlText.ts"
import { type Answer, headlineMetric } from "./Judge.ts"
import type { Report } from "./Report.ts"
import { comparisonTable, verdictTones } from "./Tables.ts"
import type { MetricComparison } from "./Verdict.ts"

/** The answers as cards; a comparison's card carries the interval of its headline. */
export const overviewHtml = (report: Report): string => {
  const { answers } = report.judgement
  const first = answers.length - report.comparisons.length
  const questions = answers.slice(0, first).map((answer) => cardHtml(answer, ""))
  const comparisons = report.comparisons.map((comparison, index) => {
    const headline = headlineMetric(comparison)
    const answer = answers[first + index]
    return answer === undefined
      ? ""
      : cardHtml(answer, headline === undefined ? "" : headlinePlot(comparison, headline))
  })
  if (comparisons.length === 1 && questions.length < 3)
    return `<ul class="cards beside">${[...questions, ...comparisons].join("\n")}</ul>`
  const below = comparisons.length === 0 ? "" : `<ul class="cards">${comparisons.join("\n")}</ul>`
  return `<ul class="cards">${questions.join("\n")}</ul>${below}`
}

const cardHtml = ({ answer, details, question, tone }: Answer, plot: string): string => {
  const told = details.map((detail) => `<li>${escapeHtml(detail)}</li>`).join("")
  const list = told === "" ? "" : `<ul>${told}</ul>`
  return `<li class="card t-${tone}"><h3>${escapeHtml(question)}</h3><p class="answer">${toneMark(tone)} ${escapeHtml(answer)}</p>${plot}${list}</li>`
}

interface Axis {
  readonly low: number
  readonly high: number
  readonly width: number
}

const position = (ratio: number, { high, low, width }: Axis): number => {
  const share = (Math.log(ratio) - Math.log(low)) / (Math.log(high) - Math.log(low))
  return +(Math.max(0, Math.min(1, share)) * width).toFixed(1)
}

// Ratios of metrics where less is better are turned over: to the right is always better.
const oriented = (metric: MetricComparison, ratio: number): number => (metric.better === "higher" ? ratio : 1 / ratio)

// The axis is symmetric around 1×, so that the eye compares distances from the line of no difference.
const axisOf = (metrics: ReadonlyArray<MetricComparison>, width: number): Axis => {
  const reach = metrics.flatMap(({ high, low }) => [high ?? 1, low ?? 1].filter((ratio) => ratio > 0))
  const far = Math.max(1.1, ...reach.map((ratio) => Math.max(ratio, 1 / ratio))) * 1.05
  return { low: 1 / far, high: far, width }
}

const intervalSvg = (metric: MetricComparison, axis: Axis, margin: number): string => {
  const { high, low, ratio, verdict } = metric
  if (ratio === null || low === null || high === null || low <= 0) return ""
  const ends = [position(oriented(metric, low), axis), position(oriented(metric, high), axis)]
  const [from, to] = [Math.min(...ends), Math.max(...ends)]
  const middle = position(oriented(metric, ratio), axis)
  const [bandFrom, bandTo] = [position(1 - margin, axis), position(1 + margin, axis)]
  const one = position(1, axis)
  return `<svg class="interval t-${verdictTones[verdict]}" viewBox="-4 0 ${axis.width + 8} 18" width="${axis.width + 8}" height="18" aria-hidden="true"><rect class="band" x="${bandFrom}" y="0" width="${(bandTo - bandFrom).toFixed(1)}" height="18"/><line class="one" x1="${one}" y1="0" x2="${one}" y2="18"/><line class="range" x1="${from}" y1="9" x2="${to}" y2="9"/><circle cx="${middle}" cy="9" r="4"/></svg>`
}

const headlinePlot = (comparison: Comparison, metric: MetricComparison): string => {
  const svg = intervalSvg(metric, axisOf([metric], 480), comparison.options.margin)
  if (svg === "") return ""
  const ends = `<span>slower</span><span>same as ${escapeHtml(comparison.baseline)}</span><span>faster</span>`
  return `<div class="headline">${svg}<p class="ends">${ends}</p></div>`
}

/** A comparison's table, each row with its interval drawn on one common axis. */
export const comparisonHtml = (comparison: Comparison): string => {
  const axis = axisOf(comparison.metrics, 180)
  const cells = comparison.metrics.map((metric) => intervalSvg(metric, axis, comparison.options.margin))
  const { alpha, margin, minimumRuns } = comparison.options
  const note = `Ratio is ${comparison.candidate} over ${comparison.baseline}, medians over runs. Intervals resample whole runs, then seconds (95 %). A verdict needs ${minimumRuns} runs on each side, Mann–Whitney p below ${alpha} after Holm’s correction over all metrics, and a difference beyond ±${margin * 100} %. Plots show how many times better (right) or worse (left) the candidate is, from ${formatRatio(axis.low)} to ${formatRatio(axis.high)} on a logarithmic axis; the line is 1×, the band the margin.`
  const badges = comparison.differences.map(
    ({ baseline, candidate, field, severity, text }) =>
      `<li class="t-${severity === "refuses" ? "bad" : "warn"}">${toneMark(severity === "refuses" ? "bad" : "warn")} ${escapeHtml(`${text} (${field}: ${baseline} against ${candidate})`)}</li>`
  )
  return `${badges.length === 0 ? "" : `<ul class="badges">${badges.join("")}</ul>`}${tableHtml(comparisonTable(comparison), { title: "worse ← 1× → better", after: 4, cells })}<p class="note">${escapeHtml(note)}</p>`
}
