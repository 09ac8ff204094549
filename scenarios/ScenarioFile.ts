// From a YAML file to a decoded scenario: parsing, overrides, parameters, decoding, rules across fields; every problem
// is reported at its line and column. Owns that order and the canonical hash. Runs nothing.
import { Effect, FileSystem, Result, Schema } from "effect"
import { createHash } from "node:crypto"
import { type Document, LineCounter, parseDocument } from "yaml"
import { type Diagnostic, renderPath, ScenarioInvalid, ScenarioUnreadable } from "./Diagnostic.ts"
import { applyOverrides, type Override, parseOverride, substituteParameters } from "./Overrides.ts"
import { type Problem, problemsOf } from "./Problems.ts"
import { Scenario } from "./Scenario.ts"
import { scenarioProblems } from "./ScenarioRules.ts"
import { placeOf } from "./SourceMap.ts"

/** A scenario ready to be planned: decoded and checked, with the text it came from and what the command line changed. */
export interface LoadedScenario {
  readonly file: string
  readonly text: string
  /** SHA-256, in hex, of the file's data as canonical JSON (keys sorted), before overrides. */
  readonly hash: string
  readonly overrides: Readonly<Record<string, string>>
  readonly scenario: Scenario
}

const fileBytesMax = 1024 * 1024

/** An anchor may be used inside itself in YAML; data like that has no end, so it is refused before anything walks it. */
const cyclic = (value: unknown, above: ReadonlySet<unknown> = new Set()): boolean => {
  if (typeof value !== "object" || value === null) return false
  if (above.has(value)) return true
  const inside = new Set([...above, value])
  return Object.values(value).some((inner) => cyclic(inner, inside))
}

/** The document's plain data; aliases without end, to nothing, or too many of them are one diagnostic. */
const dataOf = (document: Document): Result.Result<unknown, Diagnostic> => {
  const refuse = (rule: string): Diagnostic => ({ line: 1, column: 1, path: "YAML", rule })
  return Result.try({
    try: (): unknown => document.toJS(),
    catch: (cause) => refuse(cause instanceof Error ? cause.message : "its aliases cannot be resolved")
  }).pipe(
    Result.filterOrFail(
      (data) => !cyclic(data),
      () => refuse("an anchor contains itself")
    )
  )
}

const canonical = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1))
  return Object.fromEntries(entries.map(([key, inner]) => [key, canonical(inner)]))
}

const syntaxDiagnostics = (document: Document): ReadonlyArray<Diagnostic> =>
  document.errors.map(({ linePos, message }) => ({
    line: linePos?.[0].line ?? 1,
    column: linePos?.[0].col ?? 1,
    path: "YAML",
    rule: message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? "is not valid YAML"
  }))

const splitOverrides = (sets: ReadonlyArray<string>) => {
  const overrides: Array<Override> = []
  const problems: Array<Diagnostic> = []
  for (const parsed of sets.map(parseOverride)) {
    if ("rule" in parsed) problems.push(parsed)
    else overrides.push(parsed)
  }
  return { overrides, problems }
}

const inFileOrder = (left: Diagnostic, right: Diagnostic) => left.line - right.line || left.column - right.column

/** Decodes the text of a scenario file; `sets` are the command line's `path=value` overrides, applied in order. */
export const parseScenario = (
  file: string,
  text: string,
  sets: ReadonlyArray<string> = []
): Result.Result<LoadedScenario, ScenarioInvalid> => {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: true, logLevel: "error" })
  const fail = (diagnostics: ReadonlyArray<Diagnostic>) =>
    Result.fail(new ScenarioInvalid({ file, diagnostics: [...diagnostics].sort(inFileOrder) }))
  if (document.errors.length > 0) return fail(syntaxDiagnostics(document))
  const written = dataOf(document)
  if (Result.isFailure(written)) return fail([written.failure])
  const hash = createHash("sha256")
    .update(JSON.stringify(canonical(written.success)))
    .digest("hex")

  const { overrides, problems: badSets } = splitOverrides(sets)
  const refused = [...badSets, ...applyOverrides(document, overrides)]
  const unresolved = substituteParameters(document).map(({ hint, node, rule }): Diagnostic => {
    const { col, line } = lines.linePos(node.range?.[0] ?? 0)
    return { line, column: col, path: String(node.value), rule, hint }
  })
  if (refused.length + unresolved.length > 0) return fail([...refused, ...unresolved])

  const resolved = dataOf(document)
  if (Result.isFailure(resolved)) return fail([resolved.failure])
  const data = resolved.success
  const locate = (problem: Problem): Diagnostic => {
    const place = placeOf(document, lines, problem.path, problem.onKey)
    const hint = problem.hint === undefined ? {} : { hint: problem.hint }
    return { line: place.line, column: place.column, path: renderPath(problem.path), rule: problem.rule, ...hint }
  }
  const decoded = Schema.decodeUnknownResult(Scenario)(data, { errors: "all", onExcessProperty: "error" })
  if (Result.isFailure(decoded)) return fail(problemsOf(decoded.failure.issue, data).map(locate))
  const problems = scenarioProblems(decoded.success)
  if (problems.length > 0) return fail(problems.map(locate))
  return Result.succeed({
    file,
    text,
    hash,
    overrides: Object.fromEntries(overrides.map(({ path, value }) => [path.join("."), value])),
    scenario: decoded.success
  })
}

/** Reads and decodes a scenario file; a directory, a missing or an oversized file is ScenarioUnreadable. */
export const loadScenario = Effect.fn("scenarios.loadScenario")(function* (
  file: string,
  sets: ReadonlyArray<string> = []
) {
  const files = yield* FileSystem.FileSystem
  const unreadable = (reason: string) => new ScenarioUnreadable({ file, reason })
  const info = yield* files
    .stat(file)
    .pipe(Effect.mapError(() => unreadable("there is no such file; `wharf scenario list` shows the ones that ship")))
  if (info.type !== "File") return yield* unreadable("is not a file")
  if (Number(info.size) > fileBytesMax) return yield* unreadable("is larger than 1 MiB, the limit of a scenario file")
  const text = yield* files.readFileString(file).pipe(Effect.mapError(() => unreadable("cannot be read")))
  return yield* Effect.fromResult(parseScenario(file, text, sets))
})
