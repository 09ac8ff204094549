// Judges a set of runs: broken promises first, because they are true however badly the timing went; then whether the
// measurement may be used at all; then targets; then differences from the baseline.
// Owns the order, the one outcome that becomes the exit code, and the sentences of a report's first screen.
import { clusterAnswers } from "./ClusterAnswers.ts"
import { clustersOf, isClusterGroup } from "./ClusterSummary.ts"
import type { Comparison, RunGroup } from "./Compare.ts"
import { ExitCode, type Outcome } from "./ExitCode.ts"
import { formatMetric, formatP, formatPlural, formatRatio } from "./Format.ts"
import type { Finding } from "./LintRules.ts"
import type { GroupSummary, SloSummary } from "./Summary.ts"
import { assessValidity } from "./Validity.ts"
import type { MetricComparison, Verdict } from "./Verdict.ts"

/** How an answer should feel; every rendering adds a mark or words, so that colour is never alone. */
export type Tone = "good" | "bad" | "warn" | "plain"

/** One question of the first screen with its answer in a few words and the sentences behind it. */
export interface Answer {
  readonly question: string
  readonly answer: string
  readonly tone: Tone
  readonly details: ReadonlyArray<string>
}

/** The outcome, its exit code, and the answers in the order of their weight. */
export interface Judgement {
  readonly outcome: Outcome
  readonly exitCode: number
  readonly answers: ReadonlyArray<Answer>
}

/** What is judged. With comparisons, only targets of the candidates count; a baseline may miss its own. */
export interface JudgeInput {
  readonly groups: ReadonlyArray<RunGroup>
  readonly summaries: ReadonlyArray<GroupSummary>
  readonly comparisons: ReadonlyArray<Comparison>
  readonly findings: ReadonlyArray<Finding>
}

/** `failOnRegression: false` shows a slower candidate without failing, as when unlike systems are put side by side. */
export const judge = (input: JudgeInput, options: { readonly failOnRegression?: boolean } = {}): Judgement => {
  const correctness = correctnessOf(input.groups)
  const validity = validityOf(input)
  const targets = targetsOf(input)
  const differences = input.comparisons.map(differenceOf)
  const slower = input.comparisons.some(({ metrics }) => metrics.some(({ verdict }) => verdict === "slower"))
  const outcome: Outcome =
    correctness !== undefined
      ? "correctness"
      : validity.tone === "bad"
        ? "invalid"
        : targets.tone === "bad"
          ? "slo"
          : slower && options.failOnRegression !== false
            ? "regression"
            : "pass"
  return {
    outcome,
    exitCode: ExitCode[outcome],
    answers: [
      ...(correctness === undefined ? [] : [correctness]),
      validity,
      targets,
      ...clustersOf(input.groups).flatMap(clusterAnswers),
      ...differences
    ]
  }
}

const correctnessOf = (groups: ReadonlyArray<RunGroup>): Answer | undefined => {
  const details = groups.flatMap(({ name, records }) =>
    records.flatMap(({ violations }) => violations.map(({ rule, text }) => `${name}: ${rule}: ${text}`))
  )
  if (details.length === 0) return undefined
  return { question: "Correct?", answer: `No: ${formatPlural(details.length, "broken promise")}`, tone: "bad", details }
}

// Rules of the linter that repeat what a run's own validity says.
const judgedByValidity = new Set(["lost-samples", "counts-do-not-add-up"])

const detailsMax = 6

const firstOf = (details: ReadonlyArray<string>): ReadonlyArray<string> =>
  details.length <= detailsMax
    ? details
    : [...details.slice(0, detailsMax), `and ${details.length - detailsMax} more, see the sections below`]

const validityOf = ({ comparisons, findings, groups }: JudgeInput): Answer => {
  const runs = groups.flatMap(({ name, records }) => records.map((record) => ({ name, record })))
  const broken = runs.flatMap(({ name, record }) =>
    assessValidity(record).reasons.map(({ text }) => `${name}, run ${record.repeat.index + 1}: ${text}`)
  )
  const unusable = runs.filter(({ record }) => !assessValidity(record).valid).length
  const impossible = findings.filter(({ severity }) => severity === "impossible")
  const refused = comparisons.flatMap(({ refusals }) => refusals)
  const others = impossible.filter(({ rule }) => !judgedByValidity.has(rule))
  const details = firstOf([
    ...new Set([...broken, ...others.map(({ subject, text }) => `${subject}: ${text}`), ...refused])
  ])
  if (runs.length === 0) return { question: "Valid?", answer: "No runs", tone: "bad", details }
  if (unusable > 0) {
    return {
      question: "Valid?",
      answer: `No: ${unusable} of ${formatPlural(runs.length, "run")} invalid`,
      tone: "bad",
      details
    }
  }
  if (impossible.length > 0) {
    return {
      question: "Valid?",
      answer: `No: ${formatPlural(impossible.length, "impossible figure")}`,
      tone: "bad",
      details
    }
  }
  if (refused.length > 0) return { question: "Valid?", answer: "Not comparable", tone: "bad", details }
  const suspicious = new Set(findings.map(({ rule, subject }) => `${rule} ${subject}`)).size
  const note =
    suspicious === 0 ? [] : [`${formatPlural(suspicious, "figure")} should be looked at, see the linter's findings`]
  const kept = groups.every(isClusterGroup)
    ? "nothing impossible, and every cluster lived to its end"
    : "nothing lost, nothing impossible, and the load generator kept pace"
  return {
    question: "Valid?",
    answer: `Yes, ${formatPlural(runs.length, "run")}`,
    tone: suspicious === 0 ? "good" : "warn",
    details: [...note, kept]
  }
}

const targetsOf = ({ comparisons, summaries }: JudgeInput): Answer => {
  const baselines = new Set(comparisons.map(({ baseline }) => baseline))
  const judged = summaries.filter(({ name }) => !baselines.has(name))
  const all = judged.flatMap(({ name, slos }) => slos.map((slo) => ({ name, slo })))
  const missed = all.filter(({ slo }) => slo.verdict !== "pass")
  if (all.length === 0) return { question: "Passed?", answer: "No targets set", tone: "plain", details: [] }
  if (missed.length === 0) {
    return {
      question: "Passed?",
      answer: `Yes, ${all.length} of ${formatPlural(all.length, "target")}`,
      tone: "good",
      details: []
    }
  }
  const details = missed.map(({ name, slo }) => `${name}: ${sloSentence(slo)}`)
  return {
    question: "Passed?",
    answer: `No: ${missed.length} of ${formatPlural(all.length, "target")} missed`,
    tone: "bad",
    details
  }
}

const sloSentence = ({ failedRuns, observed, runs, slo, verdict }: SloSummary): string =>
  verdict === "missing"
    ? `nothing was measured for ${slo.name} (${slo.expression})`
    : `${slo.name} (${slo.expression}) was ${observed === null ? "unknown" : +observed.toPrecision(3)} ${slo.unit}, missed in ${failedRuns} of ${formatPlural(runs, "run")}`

const verdictWords: Readonly<Record<Verdict, { readonly words: string; readonly tone: Tone }>> = {
  faster: { words: "Faster", tone: "good" },
  slower: { words: "Slower", tone: "bad" },
  same: { words: "Same", tone: "good" },
  inconclusive: { words: "Inconclusive", tone: "warn" },
  missing: { words: "Data missing", tone: "warn" },
  invalid: { words: "Not comparable", tone: "bad" }
}

/** The metric that a comparison's headline quotes. */
export const headlineMetric = (comparison: Comparison): MetricComparison | undefined =>
  comparison.metrics.find(({ id }) => id === comparison.headline)

const factorOf = (headline: MetricComparison | undefined): string => {
  if (headline === undefined || headline.ratio === null) return ""
  if (headline.id === "cluster.cost") return `: ${formatRatio(headline.ratio)} the real time`
  return headline.unit === "ops/s"
    ? `: ${formatRatio(headline.ratio)} the throughput`
    : `: ${formatRatio(headline.ratio)} the p99 latency`
}

const differenceOf = (comparison: Comparison): Answer => {
  const { baseline, candidate, metrics, verdict } = comparison
  const count = (wanted: Verdict) => metrics.filter((metric) => metric.verdict === wanted).length
  const isMixed = count("slower") > 0 && count("faster") > 0
  const isTooShort = metrics.some(({ reason }) => reason.startsWith("insufficient"))
  const { tone, words } = verdictWords[verdict]
  const tally = (Object.keys(verdictWords) as ReadonlyArray<Verdict>)
    .filter((each) => count(each) > 0)
    .map((each) => `${count(each)} ${each}`)
  const headline = headlineMetric(comparison)
  const factor = factorOf(headline)
  const p99 = metrics.find(({ id }) => id === comparison.headline.replace(/throughput$/, "p99"))
  return {
    question: `${candidate} against ${baseline}`,
    answer: `${isMixed ? "Mixed" : isTooShort ? "Too few runs" : words}${factor}`,
    tone: isMixed ? "warn" : tone,
    details: [
      ...[...new Set([headline, p99])].flatMap((metric) => (metric === undefined ? [] : metricSentence(metric))),
      `of ${formatPlural(metrics.length, "metric")}: ${tally.join(", ")}`,
      ...new Set(comparison.differences.filter(({ severity }) => severity === "badge").map(({ text }) => text)),
      ...(verdict === "inconclusive" && headline !== undefined ? [headline.reason] : [])
    ]
  }
}

const metricSentence = (metric: MetricComparison): ReadonlyArray<string> => {
  if (metric.ratio === null) return []
  const values = `${formatMetric(metric.candidate.median, metric.unit)} against ${formatMetric(metric.baseline.median, metric.unit)}`
  const ratio = formatRatio(metric.ratio)
  if (metric.low === null) return [`${metric.label}: ${values} (${ratio}, no interval from one run)`]
  const interval = `95 % interval ${formatRatio(metric.low)} to ${formatRatio(metric.high)}`
  const p = metric.p !== null && metric.p < 0.001 ? formatP(metric.p) : `= ${formatP(metric.p)}`
  return [`${metric.label}: ${values} (${ratio}, ${interval}, p ${p})`]
}
