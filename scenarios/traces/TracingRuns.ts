// All runs of a scenario's tracing part, one after the other: progress, and one record per run.
// Owns that sequence; refuses the output folder and the page, which are Runner.ts's.
import type { RunRecord } from "#reports"
import { Effect } from "effect"
import { describeMachine, describeVersions, loadNow } from "../Machine.ts"
import { finishedLine, type Progress, type RunLabel } from "../Progress.ts"
import type { LoadedScenario } from "../ScenarioFile.ts"
import type { Tracing } from "./Tracing.ts"
import { recordTracing } from "./TracingRecording.ts"
import { runTracing } from "./TracingRun.ts"

/** What the runs of a tracing server need. */
export interface TracingRunsOptions {
  readonly loaded: LoadedScenario
  readonly tracing: Tracing
  readonly repeats: number
  /** Runs that went before. */
  readonly before: number
  readonly command: string
  readonly directory: string
  readonly progress: Progress
}

const oneRun = (
  { before, command, directory, loaded, progress, repeats, tracing }: TracingRunsOptions,
  index: number
) =>
  Effect.gen(function* () {
    const of = before + repeats
    const label: RunLabel = { position: before + index, of, backend: "tracing" }
    progress.step(
      `[${label.position + 1}/${of}] tracing  ${tracing.spans === undefined ? "starting" : "filling the store"} …`
    )
    const loadBefore = loadNow()
    const watcher = { phase: progress.phase.bind(progress, label), second: progress.second.bind(progress, label) }
    const { seed } = loaded.scenario
    const outcome = yield* Effect.scoped(runTracing({ tracing, seed, workDir: directory, watcher }))
    const record = recordTracing(outcome, {
      loaded,
      tracing,
      command,
      repeat: { index, of: repeats, position: label.position, order: "A".repeat(repeats) },
      machine: describeMachine(loadBefore, loadNow()),
      versions: describeVersions()
    })
    progress.line(finishedLine(label, record))
    return record
  })

/** Runs everything; `keep` takes each record as its run ends. */
export const tracingRuns = <E, R>(
  options: TracingRunsOptions,
  keep: (record: RunRecord) => Effect.Effect<void, E, R>
) =>
  Effect.forEach(
    Array.from({ length: options.repeats }, (_, index) => index),
    (index) => Effect.tap(oneRun(options, index), keep)
  )
