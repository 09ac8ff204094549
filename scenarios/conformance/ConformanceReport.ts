// The result of a conformance run, for programs, for a page and for a terminal: how many pass, and why each other one does not.
// Owns the document's shape, the verdict and its exit code; refuses to run anything.
import { ExitCode, type Outcome } from "#reports"
import type { GinkgoOutcome, SpecOutcome } from "./GinkgoReport.ts"

export interface ConformanceReport {
  readonly kubernetes: string
  /** The command that gives this again. */
  readonly command: string
  readonly server: string
  readonly startedAt: string
  readonly seconds: number
  /** Passes that are asked for. */
  readonly atLeast: number
  readonly counts: { readonly asked: number; readonly passed: number; readonly failed: number; readonly notRun: number }
  readonly outcome: Outcome
  readonly suiteFailures: ReadonlyArray<string>
  readonly specs: ReadonlyArray<SpecOutcome>
}

export type RunFacts = Pick<
  ConformanceReport,
  "kubernetes" | "command" | "server" | "startedAt" | "seconds" | "atLeast"
>

/** The verdict on what ginkgo reported: a suite that ran out of time is that, whatever passed. */
export const conformanceReport = (facts: RunFacts, { specs, suiteFailures }: GinkgoOutcome): ConformanceReport => {
  const count = (state: SpecOutcome["state"]): number => specs.filter((one) => one.state === state).length
  const counts = { asked: specs.length, passed: count("passed"), failed: count("failed"), notRun: count("not run") }
  const enough = counts.passed >= facts.atLeast
  const overdue = suiteFailures.some((reason) => /timeout/i.test(reason))
  return {
    ...facts,
    counts,
    outcome: enough ? "pass" : overdue ? "timeout" : "correctness",
    suiteFailures,
    specs
  }
}

/** The exit code that a report ends with. */
export const conformanceExitCode = ({ outcome }: ConformanceReport): number => ExitCode[outcome]

const shortOf = (name: string): string =>
  name.replaceAll(/ \[(?:Conformance|Privileged:ClusterAdmin|NodeConformance|Slow)\]/g, "")

const summary = ({ atLeast, counts, kubernetes, seconds }: ConformanceReport): string =>
  `${counts.passed} of ${counts.asked} specs of Kubernetes ${kubernetes} pass (${counts.failed} fail, ${counts.notRun} did not run; ` +
  `asked for: ${atLeast}), in ${Math.round(seconds)} s`

/** For a terminal: the others by name and cause, then the count. */
export const renderConformance = (report: ConformanceReport): string =>
  [
    ...report.specs
      .filter(({ state }) => state !== "passed")
      .flatMap(({ cause, name, state }) => [`${state}: ${shortOf(name)}`, `    ${cause}`]),
    ...report.suiteFailures.map((reason) => `suite: ${reason}`),
    summary(report),
    `exit code ${conformanceExitCode(report)} (${report.outcome})`
  ].join("\n")

const cell = (text: string): string => text.replaceAll("|", String.raw`\|`).replaceAll("\n", " ")

const groupOf = (name: string): string => /^\[([^\]]+)\]/.exec(name)?.[1] ?? "other"

/** What a page says besides the results. */
export interface ConformanceLook {
  /** Lines before the counts. */
  readonly lead: ReadonlyArray<string>
  /** Why a spec does not pass, by its name. */
  readonly why?: (name: string) => string
}

const ownLook = (report: ConformanceReport): ConformanceLook => ({
  lead: [
    "# Kubernetes' own conformance tests",
    "",
    `${summary(report)}.`,
    "",
    `Server: ${report.server}. Started ${report.startedAt}. Again:`,
    "",
    "```sh",
    report.command,
    "```"
  ]
})

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => [
  `| ${head.join(" | ")} |`,
  `|${"---|".repeat(head.length)}`,
  ...rows.map((cells) => `| ${cells.map(cell).join(" | ")} |`),
  ""
]

/** A page: counts by group, each spec that does not pass with its cause, and all that pass. */
export const conformanceMarkdown = (report: ConformanceReport, look: ConformanceLook = ownLook(report)): string => {
  const groups = [...new Set(report.specs.map(({ name }) => groupOf(name)))].toSorted()
  const others = report.specs.filter(({ state }) => state !== "passed")
  const passed = report.specs.filter(({ state }) => state === "passed")
  const { lead, why } = look
  const counted = groups.map((group) => {
    const own = report.specs.filter(({ name }) => groupOf(name) === group)
    return [group, String(own.length), String(own.filter(({ state }) => state === "passed").length)]
  })
  const failing = others.map(({ cause, name, state }) => [
    shortOf(name),
    state,
    cause,
    ...(why === undefined ? [] : [why(name)])
  ])
  return [
    ...lead,
    "",
    ...table(["Group", "Asked", "Pass"], counted),
    ...(others.length === 0
      ? ["Every spec passes.", ""]
      : [
          "## Those that do not pass",
          "",
          ...table(["Spec", "State", "Cause", ...(why === undefined ? [] : ["Why"])], failing)
        ]),
    ...(report.suiteFailures.length === 0 ? [] : [`The suite as a whole: ${report.suiteFailures.join("; ")}.`, ""]),
    "## Those that pass",
    "",
    ...table(
      ["Spec", "Seconds"],
      passed.map(({ name, seconds }) => [shortOf(name), seconds.toFixed(1)])
    )
  ].join("\n")
}
