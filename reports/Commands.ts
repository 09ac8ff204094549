// The report commands: `wharf compare`, `wharf lint`, `wharf report`.
// Owns flags, what is printed and the exit code; everything else is computed by the room's other files.
import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { RunGroup } from "./Compare.ts"
import { ExitCode } from "./ExitCode.ts"
import { fidelityOf } from "./Fidelity.ts"
import { fidelityMarkdown } from "./FidelityText.ts"
import { formatPlural } from "./Format.ts"
import { renderHtml } from "./Html.ts"
import { renderJUnit } from "./JUnit.ts"
import { lint } from "./Linter.ts"
import { rowsOfRecord } from "./LintRow.ts"
import type { Finding } from "./LintRules.ts"
import { renderMarkdown } from "./Markdown.ts"
import { readGroups, readLintable, writeText } from "./RecordFiles.ts"
import { makeReport, type Report, type ReportOptions } from "./Report.ts"
import { BaselineUnknown, NothingFound, type ReportInputError } from "./ReportErrors.ts"
import { renderTerminal, terminalOptions } from "./Terminal.ts"
import { defaultCompareOptions } from "./Verdict.ts"

const records = Argument.String("path").pipe(
  Argument.withDescription("A run record (JSON) or a folder of run records"),
  Argument.atLeast(1)
)

const baseline = Flag.String("baseline").pipe(
  Flag.withDescription(
    "The backend that the others are compared with; by default the first path, or etcd, or the first to run"
  ),
  Flag.optional
)

const rules = {
  minRuns: Flag.Int("min-runs").pipe(
    Flag.withDescription("Runs on each side that a verdict needs"),
    Flag.withDefault(defaultCompareOptions.minimumRuns)
  ),
  margin: Flag.Finite("margin").pipe(
    Flag.withDescription("Differences up to this fraction do not count"),
    Flag.withDefault(defaultCompareOptions.margin)
  ),
  allowCrossMachine: Flag.Boolean("allow-cross-machine").pipe(
    Flag.withDescription("Compare runs of different machines, with a badge instead of a refusal"),
    Flag.withDefault(false)
  )
}

const isKnown = (groups: ReadonlyArray<RunGroup>, name: string) => groups.some((group) => group.name === name)

const reportOf = Effect.fnUntraced(function* (
  groups: ReadonlyArray<RunGroup>,
  baseline: Option.Option<string>,
  options: ReportOptions
) {
  if (Option.isNone(baseline)) return makeReport(groups, options)
  if (!isKnown(groups, baseline.value)) {
    const known = groups.map(({ name }) => name)
    return yield* new BaselineUnknown({ baseline: baseline.value, known })
  }
  return makeReport(groups, { ...options, baseline: baseline.value })
})

// What `--json` prints: everything that was computed, without the records themselves.
const summaryJson = (report: Report): string =>
  JSON.stringify(
    {
      title: report.title,
      baseline: report.baseline,
      outcome: report.judgement.outcome,
      exitCode: report.judgement.exitCode,
      answers: report.judgement.answers,
      comparisons: report.comparisons,
      findings: report.findings
    },
    null,
    2
  )

const endWith = (exitCode: number) =>
  Effect.sync(() => {
    process.exitCode = exitCode
  })

// A bad input ends in one line and exit code 1, never in a stack trace.
const told = <A, R>(effect: Effect.Effect<A, ReportInputError, R>) =>
  Effect.catch(effect, (error) => Effect.andThen(Console.error(error.message), endWith(ExitCode.usage)))

/** Sets the simulated records of all paths beside the real ones. */
const compareFidelity = Effect.fnUntraced(function* (
  paths: ReadonlyArray<string>,
  out: Option.Option<string>,
  json: boolean
) {
  const records = (yield* readGroups(paths))
    .flatMap((group) => group.records)
    .filter(({ cluster }) => cluster !== undefined)
  const [simulated, real] = [
    records.filter(({ target }) => target === "sim"),
    records.filter(({ target }) => target !== "sim")
  ]
  const path = paths.join(", ")
  if (simulated.length === 0) return yield* new NothingFound({ path, wanted: "record of a simulated cluster" })
  if (real.length === 0) return yield* new NothingFound({ path, wanted: "record of a cluster on real programs" })
  const names = new Set(records.map(({ scenario }) => scenario.name))
  if (names.size > 1)
    return yield* new NothingFound({ path, wanted: `single scenario, but ${[...names].join(" and ")}` })
  const fidelity = fidelityOf(simulated, real)
  const page = fidelityMarkdown(fidelity, simulated, real)
  if (Option.isSome(out)) yield* writeText(out.value, page)
  yield* Console.log(json ? JSON.stringify(fidelity, null, 2) : page)
  yield* endWith(ExitCode.pass)
})

/** `wharf compare A B`: paths are baseline and candidates, or one folder that holds several backends. */
export const compareCommand = Command.make(
  "compare",
  {
    paths: records,
    baseline,
    ...rules,
    out: Flag.String("out").pipe(Flag.withDescription("Write the page here"), Flag.optional),
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON and nothing else"), Flag.withDefault(false)),
    markdown: Flag.Boolean("markdown").pipe(
      Flag.withDescription("Print Markdown for a pull request"),
      Flag.withDefault(false)
    ),
    fidelity: Flag.Boolean("fidelity").pipe(
      Flag.withDescription(
        "Instead say how far simulated runs of a scenario are from real ones; --out writes Markdown"
      ),
      Flag.withDefault(false)
    ),
    junit: Flag.String("junit").pipe(Flag.withDescription("Also write a JUnit file"), Flag.optional)
  },
  Effect.fn("wharf.compare")(function* (input) {
    if (input.fidelity) return yield* compareFidelity(input.paths, input.out, input.json)
    const groups = yield* readGroups(input.paths)
    if (groups.length < 2) {
      return yield* new NothingFound({
        path: input.paths.join(", "),
        wanted: "second backend or folder to compare with"
      })
    }
    const first = groups[0]?.name ?? ""
    const implied = input.paths.length > 1 ? Option.some(first) : Option.none()
    const report = yield* reportOf(
      groups,
      Option.orElse(input.baseline, () => implied),
      {
        compare: { minimumRuns: input.minRuns, margin: input.margin, allowCrossMachine: input.allowCrossMachine }
      }
    )
    if (Option.isSome(input.out)) yield* writeText(input.out.value, renderHtml(report))
    if (Option.isSome(input.junit)) yield* writeText(input.junit.value, renderJUnit(report))
    if (input.json) yield* Console.log(summaryJson(report))
    else if (input.markdown) yield* Console.log(renderMarkdown(report))
    else yield* Console.log(renderTerminal(report, terminalOptions(process.stdout, process.env)))
    if (Option.isSome(input.out) && !input.json) yield* Console.error(`report: ${input.out.value}`)
    yield* endWith(report.judgement.exitCode)
  }, told)
).pipe(
  Command.withDescription("Say which of two sets of runs is faster, by how much, and how sure that is"),
  Command.withExamples([
    { command: "wharf compare runs/quickstart-1", description: "The backends of one folder with each other" },
    {
      command: "wharf compare runs/before runs/after --out compare.html --junit compare.xml",
      description: "Before and after a change; ends with 4 when it got slower"
    },
    { command: "wharf compare runs/before runs/after --markdown", description: "The same for a pull request" },
    {
      command: "wharf compare --fidelity runs/sim runs/process --out fidelity.md",
      description: "How true the simulation of one scenario is"
    }
  ])
)

const findingLines = (findings: ReadonlyArray<Finding>): ReadonlyArray<string> =>
  findings.map(({ rows, rule, severity, text }) => `${severity}  ${rule}\n  ${rows.join("\n  ")}\n  ${text}`)

/** `wharf lint FILE…`: ends with 5 when a figure is impossible. */
export const lintCommand = Command.make(
  "lint",
  {
    paths: Argument.String("file").pipe(
      Argument.withDescription("A run record, a folder of run records, or a published table (JSON)"),
      Argument.atLeast(1)
    ),
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON and nothing else"), Flag.withDefault(false))
  },
  Effect.fn("wharf.lint")(function* ({ json, paths }) {
    const read = yield* Effect.forEach(paths, readLintable)
    const rows = read.flatMap(({ records, rows }, index) => [
      ...rows,
      ...records.flatMap((record) =>
        rowsOfRecord(record, paths.length > 1 ? `${record.backend.name} (${paths[index]})` : record.backend.name)
      )
    ])
    const findings = lint(rows)
    const impossible = findings.filter(({ severity }) => severity === "impossible").length
    if (json) yield* Console.log(JSON.stringify({ rows: rows.length, findings }, null, 2))
    else {
      for (const line of findingLines(findings)) yield* Console.log(`${line}\n`)
      const suspicious = findings.length - impossible
      yield* Console.log(`${formatPlural(rows.length, "row")}: ${impossible} impossible, ${suspicious} suspicious`)
    }
    yield* endWith(impossible > 0 ? ExitCode.invalid : ExitCode.pass)
  }, told)
).pipe(
  Command.withDescription("Flag figures that no honest measurement can show, in our records or in published tables"),
  Command.withExamples([
    { command: "wharf lint runs/quickstart-1", description: "The records of one folder" },
    { command: "wharf lint reports/published/tables/kubebrain.json", description: "A table that somebody published" }
  ])
)

/** `wharf report FILE… --out page.html`: draws the page again from the records. */
export const reportCommand = Command.make(
  "report",
  {
    paths: records,
    baseline,
    ...rules,
    out: Flag.String("out").pipe(Flag.withDescription("Where to write the page"), Flag.withDefault("report.html"))
  },
  Effect.fn("wharf.report")(function* (input) {
    const groups = yield* readGroups(input.paths)
    const report = yield* reportOf(groups, input.baseline, {
      compare: { minimumRuns: input.minRuns, margin: input.margin, allowCrossMachine: input.allowCrossMachine }
    })
    yield* writeText(input.out, renderHtml(report))
    yield* Console.log(`report: ${input.out}`)
    yield* endWith(report.judgement.exitCode)
  }, told)
).pipe(
  Command.withDescription("Draw the page of one or more run records again"),
  Command.withExamples([
    { command: "wharf report runs/quickstart-1 --out page.html", description: "One page from a folder of records" }
  ])
)
