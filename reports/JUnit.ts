// A report as JUnit XML, for the test views of CI systems: one suite per question, one case per run, target or metric.
// Owns the mapping: what misses its mark is a failure, what cannot be judged is an error, what was not asked is skipped.
import type { Report } from "./Report.ts"
import { formatMetric, formatRatio } from "./Format.ts"
import { assessValidity } from "./Validity.ts"
import type { MetricComparison } from "./Verdict.ts"

interface Case {
  readonly className: string
  readonly name: string
  readonly seconds: number
  readonly problem?: { readonly element: "failure" | "error" | "skipped"; readonly message: string }
}

/** The document, with XML declaration. Characters that XML 1.0 cannot hold are replaced by U+FFFD. */
export const renderJUnit = (report: Report): string => {
  const suites: ReadonlyArray<readonly [string, ReadonlyArray<Case>]> = [
    ["validity", validityCases(report)],
    ["targets", targetCases(report)],
    [
      "comparison",
      report.comparisons.flatMap(({ candidate, metrics }) => metrics.map((metric) => metricCase(candidate, metric)))
    ]
  ]
  const all = suites.flatMap(([, cases]) => cases)
  return [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<testsuites name="${escaped(report.title)}" ${totals(all)}>`,
    ...suites.flatMap(([name, cases]) => (cases.length === 0 ? [] : suiteLines(name, cases))),
    `</testsuites>`,
    ``
  ].join("\n")
}

const validityCases = (report: Report): ReadonlyArray<Case> => [
  ...report.groups.flatMap(({ name, records }) =>
    records.map((record): Case => {
      const { reasons, valid } = assessValidity(record)
      const told = [
        ...record.violations.map(({ rule, text }) => `${rule}: ${text}`),
        ...(valid ? [] : reasons.map(({ text }) => text))
      ]
      const base = { className: name, name: `run ${record.repeat.index + 1}`, seconds: record.durationMs / 1000 }
      const element = record.violations.length > 0 ? "failure" : "error"
      return told.length === 0 ? base : { ...base, problem: { element, message: told.join("; ") } }
    })
  ),
  ...report.findings.map(({ rows, rule, severity, text }): Case => ({
    className: "linter",
    name: `${rule}: ${rows.join("; ")}`,
    seconds: 0,
    problem: { element: severity === "impossible" ? "error" : "skipped", message: text }
  }))
]

const targetCases = (report: Report): ReadonlyArray<Case> =>
  report.summaries.flatMap(({ name, slos }) =>
    slos.map(({ failedRuns, observed, runs, slo, verdict }): Case => {
      const base = { className: name, name: slo.name, seconds: 0 }
      if (verdict === "pass") return base
      const message =
        verdict === "missing"
          ? `${slo.expression}: nothing was measured`
          : `${slo.expression}: observed ${observed ?? "nothing"} ${slo.unit}, missed in ${failedRuns} of ${runs} runs`
      return { ...base, problem: { element: "failure", message } }
    })
  )

const metricCase = (candidate: string, metric: MetricComparison): Case => {
  const base = { className: candidate, name: metric.label, seconds: 0 }
  const values = `${formatMetric(metric.candidate.median, metric.unit)} against ${formatMetric(metric.baseline.median, metric.unit)}`
  const message = `${metric.verdict}: ${values}, ratio ${formatRatio(metric.ratio)}: ${metric.reason}`
  switch (metric.verdict) {
    case "faster":
    case "same":
      return base
    case "slower":
      return { ...base, problem: { element: "failure", message } }
    case "inconclusive":
      return { ...base, problem: { element: "skipped", message } }
    case "missing":
    case "invalid":
      return { ...base, problem: { element: "error", message } }
  }
}

const totals = (cases: ReadonlyArray<Case>): string => {
  const count = (element: string) => cases.filter(({ problem }) => problem?.element === element).length
  const seconds = cases.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(3)
  return `tests="${cases.length}" failures="${count("failure")}" errors="${count("error")}" skipped="${count("skipped")}" time="${seconds}"`
}

const suiteLines = (name: string, cases: ReadonlyArray<Case>): ReadonlyArray<string> => [
  `  <testsuite name="${escaped(name)}" ${totals(cases)}>`,
  ...cases.map(({ className, name, problem, seconds }) => {
    const open = `    <testcase classname="${escaped(className)}" name="${escaped(name)}" time="${seconds.toFixed(3)}"`
    return problem === undefined
      ? `${open}/>`
      : `${open}><${problem.element} message="${escaped(problem.message)}"/></testcase>`
  }),
  `  </testsuite>`
]

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\n": "&#10;",
  "\t": "&#9;"
}

// The characters of XML 1.0, section 2.2; lone surrogates fall outside as well.
const escaped = (text: string): string =>
  text
    .toWellFormed()
    // oxlint-disable-next-line no-control-regex -- these are exactly the characters that XML forbids
    .replace(/[\u0000-\u0008\u000b-\u001f\ufffe\uffff]/g, "\ufffd")
    .replace(/[&<>"\n\t]/g, (character) => entities[character] ?? character)
