// scheduler_perf's performance-config.yaml as upstream ships it: test cases, their workloads, thresholds and labels.
// Owns the file's shape, and where in it a mistake stands; refuses to run anything. Paths in it are relative to the file.
import { Effect, FileSystem, Path, Result, Schema } from "effect"
import { LineCounter, parseDocument } from "yaml"
import { type Diagnostic, renderPath, ScenarioInvalid, ScenarioUnreadable } from "../Diagnostic.ts"
import { type Problem, problemsOf } from "../Problems.ts"
import { placeOf } from "../SourceMap.ts"
import { PerfOperation } from "./PerfOperation.ts"

const Gates = Schema.Record(Schema.String, Schema.Boolean)
/** Pods per second; a map gives one for each topic. */
const Threshold = Schema.Union([Schema.Finite, Schema.Record(Schema.String, Schema.Finite)])
const ThresholdSelector = Schema.Struct({
  name: Schema.String,
  labels: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  dataBucket: Schema.optionalKey(Schema.String),
  expectLower: Schema.optionalKey(Schema.Boolean)
})

/** One size of a test case. */
export const PerfWorkload = Schema.Struct({
  name: Schema.String,
  params: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
  labels: Schema.optionalKey(Schema.Array(Schema.String)),
  featureGates: Schema.optionalKey(Gates),
  threshold: Schema.optionalKey(Threshold),
  thresholdMetricSelector: Schema.optionalKey(ThresholdSelector)
})
export type PerfWorkload = typeof PerfWorkload.Type

/** What is done, for all its sizes. */
export const PerfCase = Schema.Struct({
  name: Schema.String,
  featureGates: Schema.optionalKey(Gates),
  labels: Schema.optionalKey(Schema.Array(Schema.String)),
  metricsCollectorConfig: Schema.optionalKey(Schema.Unknown),
  defaultThresholdMetricSelector: Schema.optionalKey(ThresholdSelector),
  schedulerConfigPath: Schema.optionalKey(Schema.String),
  defaultPodTemplatePath: Schema.optionalKey(Schema.String),
  workloadTemplate: Schema.NonEmptyArray(PerfOperation),
  workloads: Schema.NonEmptyArray(PerfWorkload)
})
export type PerfCase = typeof PerfCase.Type

/** A file's cases, and the folder that its paths start from. */
export interface PerfConfig {
  readonly file: string
  readonly directory: string
  readonly cases: ReadonlyArray<PerfCase>
}

const PerfCases = Schema.NonEmptyArray(PerfCase)

/** Decodes the text of a configuration; every problem is told with its line and column. */
export const parsePerfConfig = (
  file: string,
  text: string
): Result.Result<ReadonlyArray<PerfCase>, ScenarioInvalid> => {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: true, logLevel: "error" })
  const fail = (diagnostics: ReadonlyArray<Diagnostic>) => Result.fail(new ScenarioInvalid({ file, diagnostics }))
  if (document.errors.length > 0) {
    return fail(
      document.errors.map(({ linePos, message }) => ({
        line: linePos?.[0].line ?? 1,
        column: linePos?.[0].col ?? 1,
        path: "YAML",
        rule: message.split("\n")[0] ?? "is not valid YAML"
      }))
    )
  }
  const data: unknown = document.toJS()
  const decoded = Schema.decodeUnknownResult(PerfCases)(data, { errors: "all", onExcessProperty: "error" })
  if (Result.isSuccess(decoded)) return Result.succeed(decoded.success)
  const located = ({ onKey, path, rule }: Problem): Diagnostic => {
    const { column, line } = placeOf(document, lines, path, onKey)
    return { line, column, path: renderPath(path), rule }
  }
  return fail(problemsOf(decoded.failure.issue, data).map(located))
}

/** Reads a configuration file. */
export const loadPerfConfig = Effect.fn("schedulerperf.loadPerfConfig")(function* (file: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const text = yield* files
    .readFileString(file)
    .pipe(Effect.mapError(() => new ScenarioUnreadable({ file, reason: "cannot be read" })))
  const cases = yield* Effect.fromResult(parsePerfConfig(file, text))
  const config: PerfConfig = { file, directory: path.dirname(path.resolve(file)), cases }
  return config
})

/** A pattern like scheduler_perf's own names: CASE, CASE/WORKLOAD; `*` stands for anything. */
export const selectWorkloads = (
  config: PerfConfig,
  pattern: string | undefined
): ReadonlyArray<{ readonly perfCase: PerfCase; readonly workload: PerfWorkload }> => {
  // Names of workloads may have slashes of their own.
  const [caseText = "*", ...rest] = (pattern ?? "*").split("/")
  const workloadText = rest.length === 0 ? "*" : rest.join("/")
  const like = (text: string) =>
    new RegExp(`^${text.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("*", ".*")}$`)
  const isCase = like(caseText)
  const isWorkload = like(workloadText)
  return config.cases
    .filter(({ name }) => isCase.test(name))
    .flatMap((perfCase) =>
      perfCase.workloads.filter(({ name }) => isWorkload.test(name)).map((workload) => ({ perfCase, workload }))
    )
}
