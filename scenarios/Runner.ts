// Runs a scenario as the command line asks: finds its backends, measures the ceiling, walks all runs in ABBA order,
// writes one JSON record per run as it ends, and one page over all of them. Owns that sequence and the output folder.
import { groupByBackend, makeReport, renderHtml, renderJUnit, type Report, type RunRecord } from "#reports"
import { DateTime, Effect, FileSystem, Path, Result, Schema } from "effect"
import { type Backend, BackendMissing } from "./backends/Backend.ts"
import { findBackend } from "./backends/Registry.ts"
import { clusterRuns } from "./cluster/ClusterRuns.ts"
import { federationRuns } from "./federation/FederationRuns.ts"
import { frontRuns } from "./front/FrontRuns.ts"
import { measureCeiling } from "./Ceiling.ts"
import type { CeilingResult } from "./generator/Protocol.ts"
import { describeMachine, describeVersions, loadNow } from "./Machine.ts"
import { finishedLine, type Progress, type RunLabel } from "./Progress.ts"
import { recordedStore, recordRun } from "./Recording.ts"
import { runOnce } from "./Run.ts"
import { orderLetters, type PlannedRun, runOrder } from "./RunOrder.ts"
import type { LoadedScenario } from "./ScenarioFile.ts"
import { kindTarget } from "./targets/KindTarget.ts"
import { type KubeconfigChoice, kubeconfigTarget } from "./targets/KubeconfigTarget.ts"
import { processTarget } from "./targets/ProcessTarget.ts"
import { type RealTarget, TargetRefused } from "./targets/RealTarget.ts"
import { tracingRuns } from "./traces/TracingRuns.ts"

/** What the command line says beyond the scenario file. */
export interface RunnerOptions {
  readonly loaded: LoadedScenario
  /** Backends as typed, or as the file names them. A file's missing ones are replaced, a typed one's absence is an error. */
  readonly backends: ReadonlyArray<string>
  readonly typedBackends: boolean
  readonly repeats: number
  /** Sizes of the cost curve of simulated clusters; empty for none. */
  readonly curve: ReadonlyArray<number>
  /** The cluster of a kubeconfig, for that target. */
  readonly existing: KubeconfigChoice | undefined
  readonly out: string | undefined
  readonly junit: string | undefined
  readonly command: string
  readonly progress: Progress
}

/** What a scenario's runs came to. */
export interface RunnerResult {
  readonly directory: string
  readonly page: string
  readonly records: ReadonlyArray<RunRecord>
  readonly report: Report
}

/** The output folder cannot be used. */
export class OutputUnusable extends Schema.TaggedError<OutputUnusable>()("OutputUnusable", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `cannot write to ${this.path}: ${this.reason}`
  }
}

const unusable = (path: string) => (cause: { readonly message: string }) =>
  new OutputUnusable({ path, reason: cause.message })

/** Finds the first of "one|other" that is here; that another than the first was taken is said. */
const firstOf = (text: string, progress: Progress) =>
  Effect.gen(function* () {
    const [first = "", ...others] = text.split("|")
    const missing: Array<BackendMissing> = []
    for (const name of [first, ...others]) {
      const found = yield* Effect.result(findBackend(name))
      if (Result.isSuccess(found)) {
        const [why] = missing
        if (why !== undefined) progress.line(`${why.message}\nrunning on ${name} in its place`)
        return found.success
      }
      missing.push(found.failure)
    }
    return yield* missing[0] ?? new BackendMissing({ backend: text, reason: "has no name" })
  })

/** Finds the backends. One that only the file names may be missing, as long as another is there, and that is said. */
const chooseBackends = ({ backends, progress, typedBackends }: RunnerOptions) =>
  Effect.gen(function* () {
    const results = yield* Effect.forEach(backends, (name) => Effect.result(firstOf(name, progress)))
    const [found, missing] = [results.filter(Result.isSuccess), results.filter(Result.isFailure)]
    const [reason] = missing
    if (reason !== undefined && (typedBackends || found.length === 0)) return yield* reason.failure
    for (const { failure } of missing) progress.line(`left out: ${failure.message}`)
    return found.map(({ success }) => success)
  })

/** Where this run's files go: a folder that was made for it and is left empty, as when it was interrupted, goes with the scope. */
const outputDirectory = (options: RunnerOptions) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const now = DateTime.formatIso(yield* DateTime.now)
    const stamp = now
      .replaceAll(/[-:]|\.\d+/g, "")
      .replace("T", "-")
      .replace("Z", "")
    const directory = paths.resolve(options.out ?? paths.join("runs", `${options.loaded.scenario.name}-${stamp}`))
    const isOwn = !(yield* files.exists(directory).pipe(Effect.mapError(unusable(directory))))
    yield* files.makeDirectory(directory, { recursive: true }).pipe(Effect.mapError(unusable(directory)))
    const removeEmpty = Effect.gen(function* () {
      if ((yield* files.readDirectory(directory)).length === 0) yield* files.remove(directory, { recursive: true })
    })
    if (isOwn) yield* Effect.addFinalizer(() => Effect.ignore(removeEmpty))
    return directory
  })

const ceilingOf = ({ loaded: { scenario }, progress }: RunnerOptions) =>
  Effect.gen(function* () {
    if (!scenario.ceiling) return undefined
    progress.step("measuring the load generator's own ceiling …")
    const ceiling = yield* measureCeiling(scenario)
    const rate = ceiling.perSecond.toLocaleString("en")
    progress.line(
      `ceiling of the load generator against an empty handler: ${rate} requests/s at ${ceiling.cpuPercent} % CPU`
    )
    return ceiling
  })

const oneRun = (
  options: RunnerOptions,
  planned: PlannedRun<Backend>,
  directory: string,
  setting: {
    readonly of: number
    readonly order: string
    readonly ceiling: CeilingResult | undefined
    /** Runs that went before. */
    readonly before: number
  }
) =>
  Effect.gen(function* () {
    const { loaded, progress, repeats } = options
    const { backend, repeat } = planned
    const position = setting.before + planned.position
    const label: RunLabel = { position, of: setting.of, backend: backend.name }
    progress.step(`[${position + 1}/${setting.of}] ${backend.name} ${backend.version}  starting …`)
    const loadBefore = loadNow()
    const watcher = {
      phase: progress.phase.bind(progress, label),
      second: progress.second.bind(progress, label)
    }
    const run = { scenario: loaded.scenario, backend, workDir: directory, watcher }
    const outcome = yield* Effect.scoped(runOnce(run))
    const record = recordRun(outcome, {
      loaded,
      backend: recordedStore(backend, loaded.scenario),
      command: options.command,
      repeat: { index: repeat, of: repeats, position, order: setting.order },
      machine: describeMachine(loadBefore, loadNow()),
      versions: describeVersions(),
      ceiling: setting.ceiling
    })
    yield* writeRecord(directory, record)
    progress.line(finishedLine(label, record))
    return record
  })

const writeRecord = (directory: string, record: RunRecord) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const name = `${String(record.repeat.position + 1).padStart(3, "0")}-${record.backend.name.replaceAll(/[^\w.-]/g, "-")}`
    const file = paths.join(directory, `${name}.json`)
    yield* files.writeFileString(file, `${JSON.stringify(record)}\n`).pipe(Effect.mapError(unusable(file)))
  })

/** The runs of the scenario's cluster, where it has one. */
const allClusterRuns = (options: RunnerOptions, directory: string, of: number, targets: ReadonlyArray<RealTarget>) =>
  Effect.gen(function* () {
    const { command, curve, loaded, progress, repeats } = options
    const { cluster } = loaded.scenario
    if (cluster === undefined) return []
    const records = yield* clusterRuns({
      loaded,
      cluster,
      repeats,
      of,
      command,
      directory,
      curve,
      progress,
      targets
    }).pipe(Effect.catchTag("PlatformError", (cause) => Effect.fail(unusable(directory)(cause))))
    yield* Effect.forEach(records, (record) => writeRecord(directory, record))
    return records
  })

/** The runs of the load on stores, interleaved. */
const allStoreRuns = (options: RunnerOptions, backends: ReadonlyArray<Backend>, directory: string, before: number) =>
  Effect.gen(function* () {
    if (backends.length === 0) return []
    const { repeats } = options
    const ceiling = yield* ceilingOf(options)
    const order = runOrder(backends, repeats)
    const setting = { of: before + order.length, order: orderLetters(backends, repeats), ceiling, before }
    return yield* Effect.forEach(order, (planned) => oneRun(options, planned, directory, setting))
  })

/** The runs of the load on a front, interleaved. */
const allFrontRuns = (options: RunnerOptions, directory: string, before: number) =>
  Effect.gen(function* () {
    const { front } = options.loaded.scenario
    if (front === undefined) return []
    return yield* frontRuns({ ...options, front, before, directory }, (record) => writeRecord(directory, record))
  })

/** The runs of a federation. */
const allFederationRuns = (options: RunnerOptions, directory: string, before: number) =>
  Effect.gen(function* () {
    const { federation } = options.loaded.scenario
    if (federation === undefined) return []
    const records = yield* federationRuns({ ...options, federation, before })
    yield* Effect.forEach(records, (record) => writeRecord(directory, record))
    return records
  })

/** The runs of the load on a tracing server. */
const allTracingRuns = (options: RunnerOptions, directory: string, before: number) =>
  Effect.gen(function* () {
    const { tracing } = options.loaded.scenario
    if (tracing === undefined) return []
    return yield* tracingRuns({ ...options, tracing, before, directory }, (record) => writeRecord(directory, record))
  })

/** Targets that stand on no store of this machine. */
const otherTargets = ({ existing, loaded }: RunnerOptions) => {
  if (loaded.scenario.target !== "kubeconfig") return Effect.succeed([])
  return existing === undefined
    ? new TargetRefused({ reason: "--target kubeconfig needs --kubeconfig FILE, the cluster to run on" })
    : Effect.succeed([kubeconfigTarget(existing)])
}

/** Runs everything and writes the records, the page and, when asked for, the JUnit file. */
export const runScenario = Effect.fn("scenarios.runScenario")(function* (options: RunnerOptions) {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const { cluster, phases, target } = options.loaded.scenario
  const isOnStores = cluster !== undefined && (target === "process" || target === "kind")
  const chosen = phases.length === 0 && !isOnStores ? [] : yield* chooseBackends(options)
  const backends = phases.length === 0 ? [] : chosen
  const targets = isOnStores
    ? chosen.map(target === "kind" ? kindTarget : processTarget)
    : cluster === undefined
      ? []
      : yield* otherTargets(options)
  const directory = yield* outputDirectory(options)
  const before = cluster === undefined ? 0 : options.repeats * Math.max(1, targets.length)
  const records = [
    ...(yield* allClusterRuns(options, directory, before + backends.length * options.repeats, targets)),
    ...(yield* allStoreRuns(options, backends, directory, before)),
    ...(yield* allFederationRuns(options, directory, before)),
    ...(yield* allFrontRuns(options, directory, before)),
    ...(yield* allTracingRuns(options, directory, before))
  ]
  // Backends of one run are unlike systems: a slower one is shown, and `wharf compare` is where it fails.
  const report = makeReport(groupByBackend(records), { failOnRegression: false })
  const page = paths.join(directory, "index.html")
  yield* files.writeFileString(page, renderHtml(report)).pipe(Effect.mapError(unusable(page)))
  if (options.junit !== undefined) {
    const { junit } = options
    yield* files.writeFileString(junit, renderJUnit(report)).pipe(Effect.mapError(unusable(junit)))
  }
  const result: RunnerResult = { directory, page, records, report }
  options.progress.clear()
  return result
}, Effect.scoped)
