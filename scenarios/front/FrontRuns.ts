// All runs of a scenario's front, interleaved over its backends: ceiling, progress, one record per run, and at the end the targets
// that set a front against the direct runs beside it. Owns that sequence; refuses the output folder and the page, which are Runner.ts's.
import type { RunRecord } from "#reports"
import { Effect, Result } from "effect"
import { BackendMissing } from "../backends/Backend.ts"
import { measureFrontCeiling } from "../Ceiling.ts"
import type { CeilingResult } from "../generator/Protocol.ts"
import { describeMachine, describeVersions, loadNow } from "../Machine.ts"
import { finishedLine, type Progress, type RunLabel } from "../Progress.ts"
import { orderLetters, type PlannedRun, runOrder } from "../RunOrder.ts"
import type { LoadedScenario } from "../ScenarioFile.ts"
import type { FrontBackend } from "./backends/FrontBackend.ts"
import { findFront } from "./backends/FrontBackends.ts"
import type { Front } from "./Front.ts"
import { recordFront } from "./FrontRecording.ts"
import { runFront } from "./FrontRun.ts"
import { againstDirect } from "./FrontSloCheck.ts"
import { type FrontCertificates, makeFrontCertificates } from "./upstream/FrontCertificates.ts"

/** What the runs of a front need. */
export interface FrontRunsOptions {
  readonly loaded: LoadedScenario
  readonly front: Front
  readonly backends: ReadonlyArray<string>
  readonly typedBackends: boolean
  readonly repeats: number
  /** Runs that went before. */
  readonly before: number
  readonly command: string
  readonly directory: string
  readonly progress: Progress
}

/** Finds the fronts. One that only the file names may be missing, as long as another is there, and that is said. */
const chooseFronts = ({ backends, front, progress, typedBackends }: FrontRunsOptions) =>
  Effect.gen(function* () {
    const results = yield* Effect.forEach(backends, (name) => Effect.result(findFront(name, front)))
    const missing = results.filter(Result.isFailure)
    const found = results.filter(Result.isSuccess).map(({ success }) => success)
    const [reason] = missing
    if (reason !== undefined && (typedBackends || found.length === 0)) return yield* reason.failure
    for (const { failure } of missing) progress.line(`left out: ${failure.message}`)
    if (found.length === 0) return yield* new BackendMissing({ backend: "", reason: "no front is named" })
    return found
  })

const ceilingOf = ({ front, loaded: { scenario }, progress }: FrontRunsOptions, certificates: FrontCertificates) =>
  Effect.gen(function* () {
    if (!scenario.ceiling) return undefined
    progress.step("measuring the load generator's own ceiling …")
    const ceiling = yield* measureFrontCeiling(front, certificates)
    const rate = ceiling.perSecond.toLocaleString("en")
    progress.line(
      `ceiling of the load generator against the fixed upstream alone: ${rate} GET/s over TLS at ${ceiling.cpuPercent} % CPU`
    )
    return ceiling
  })

interface Setting {
  readonly options: FrontRunsOptions
  readonly certificates: FrontCertificates
  readonly ceiling: CeilingResult | undefined
  readonly of: number
  readonly order: string
}

const oneRun = (setting: Setting, planned: PlannedRun<FrontBackend>) =>
  Effect.gen(function* () {
    const { ceiling, certificates, of, options, order } = setting
    const { command, directory, front, loaded, progress, repeats } = options
    const { backend, repeat } = planned
    const position = options.before + planned.position
    const label: RunLabel = { position, of, backend: backend.name }
    progress.step(`[${position + 1}/${of}] ${backend.name} ${backend.version}  starting …`)
    const loadBefore = loadNow()
    const watcher = {
      phase: progress.phase.bind(progress, label),
      second: progress.second.bind(progress, label)
    }
    const { seed } = loaded.scenario
    const outcome = yield* Effect.scoped(runFront({ front, seed, backend, certificates, workDir: directory, watcher }))
    const record = recordFront(outcome, {
      loaded,
      front,
      backend,
      command,
      repeat: { index: repeat, of: repeats, position, order },
      machine: describeMachine(loadBefore, loadNow()),
      versions: describeVersions(),
      ceiling
    })
    progress.line(finishedLine(label, record))
    return record
  })

/** Runs everything; `keep` takes each record as its run ends, and again those whose targets only all runs together decide. */
export const frontRuns = <E, R>(options: FrontRunsOptions, keep: (record: RunRecord) => Effect.Effect<void, E, R>) =>
  Effect.gen(function* () {
    const backends = yield* chooseFronts(options)
    const certificates = yield* makeFrontCertificates(options.front)
    const ceiling = yield* ceilingOf(options, certificates)
    const runs = runOrder(backends, options.repeats)
    const order = orderLetters(backends, options.repeats)
    const setting: Setting = { options, certificates, ceiling, of: options.before + runs.length, order }
    const records = yield* Effect.forEach(runs, (planned) => Effect.tap(oneRun(setting, planned), keep))
    const judged = againstDirect(options.loaded.scenario, options.front, records)
    yield* Effect.forEach(
      judged.filter((record, index) => record !== records[index]),
      keep
    )
    return judged
  })
