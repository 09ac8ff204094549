// What ginkgo's JSON report says of the specs that were asked for: passed, failed with a cause, or never run.
// Owns that reading; refuses to render it. A spec that the report does not name has not run, which is no pass.
import { Result, Schema } from "effect"

const Failure = Schema.Struct({ Message: Schema.optionalKey(Schema.String) })
const SpecReport = Schema.Struct({
  ContainerHierarchyTexts: Schema.NullOr(Schema.Array(Schema.String)),
  LeafNodeType: Schema.String,
  LeafNodeText: Schema.String,
  State: Schema.String,
  RunTime: Schema.Finite,
  Failure: Schema.optionalKey(Failure)
})
const Suites = Schema.Array(
  Schema.Struct({
    SpecReports: Schema.NullOr(Schema.Array(SpecReport)),
    SpecialSuiteFailureReasons: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String)))
  })
)

/** How one spec ended. */
export interface SpecOutcome {
  readonly name: string
  readonly state: "passed" | "failed" | "not run"
  readonly seconds: number
  /** The first line of the failure's message; empty for a pass. */
  readonly cause: string
}

/** What became of all specs, and what ended the suite as a whole, such as a time-out. */
export interface GinkgoOutcome {
  readonly specs: ReadonlyArray<SpecOutcome>
  readonly suiteFailures: ReadonlyArray<string>
}

/** A report that is none. */
export class GinkgoReportInvalid extends Schema.TaggedError<GinkgoReportInvalid>()("GinkgoReportInvalid", {
  message: Schema.String
}) {}

const NANOSECONDS = 1e9
const CAUSE_LENGTH_MAX = 300

/** A first line that says too little alone, as gomega's "Expected". */
const TOO_SHORT = 12
const LINES_MAX = 4

/** The first line that says something. */
const firstLine = (message: string): string => {
  const lines = message
    .split("\n")
    .map((text) => text.trim())
    .filter((text) => text !== "")
  const [first = "no message"] = lines
  const text = first.length < TOO_SHORT ? lines.slice(0, LINES_MAX).join(" ") : first
  return text.length > CAUSE_LENGTH_MAX ? `${text.slice(0, CAUSE_LENGTH_MAX)}…` : text
}

type Report = typeof SpecReport.Type

const outcomeOf = (name: string, report: Report | undefined): SpecOutcome => {
  if (report === undefined) return { name, state: "not run", seconds: 0, cause: "the report does not name it" }
  const seconds = report.RunTime / NANOSECONDS
  if (report.State === "passed") return { name, state: "passed", seconds, cause: "" }
  const message = report.Failure?.Message ?? ""
  const ran = report.State !== "skipped" && report.State !== "pending"
  return {
    name,
    state: ran ? "failed" : "not run",
    seconds,
    cause: message === "" ? report.State : firstLine(message)
  }
}

const nameOf = ({ ContainerHierarchyTexts, LeafNodeText }: Report): string =>
  [...(ContainerHierarchyTexts ?? []), LeafNodeText].join(" ")

/** Reads a report's text; the outcomes are in the order of the names. */
export const readGinkgoReport = (text: string, names: ReadonlyArray<string>): GinkgoOutcome | GinkgoReportInvalid => {
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch (error) {
    return new GinkgoReportInvalid({ message: `no JSON: ${error instanceof Error ? error.message : String(error)}` })
  }
  const decoded = Schema.decodeUnknownResult(Suites)(data)
  if (Result.isFailure(decoded)) return new GinkgoReportInvalid({ message: String(decoded.failure) })
  const suites = decoded.success
  const specs = suites.flatMap(({ SpecReports }) => SpecReports ?? [])
  const byName = new Map(specs.filter((one) => one.LeafNodeType === "It").map((one) => [nameOf(one), one]))
  // What runs around all specs and fails takes them all down.
  const around = specs
    .filter((one) => one.LeafNodeType !== "It" && one.State !== "passed")
    .map((one) => `${one.LeafNodeType}: ${firstLine(one.Failure?.Message ?? one.State)}`)
  return {
    specs: names.map((name) => outcomeOf(name, byName.get(name))),
    suiteFailures: [...new Set([...suites.flatMap((suite) => suite.SpecialSuiteFailureReasons ?? []), ...around])]
  }
}
