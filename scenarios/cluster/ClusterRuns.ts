// All runs of a scenario's cluster, one after the other: progress, one record per run, the case of a violation beside it, and whether
// runs of one seed were the same run. Owns that sequence; refuses the output folder and the page, which are Runner.ts's.
import type { CostPoint, RunRecord } from "#reports"
import { replayCommand } from "#sim"
import { Clock, Effect, FileSystem, Path } from "effect"
import { describeMachine, describeVersions, loadNow } from "../Machine.ts"
import { finishedClusterLine } from "./ClusterProgress.ts"
import type { Progress, RunLabel } from "../Progress.ts"
import { orderLetters, type PlannedRun, runOrder } from "../RunOrder.ts"
import type { LoadedScenario } from "../ScenarioFile.ts"
import type { RealTarget } from "../targets/RealTarget.ts"
import type { WorldResult } from "../world/Protocol.ts"
import type { Cluster } from "./Cluster.ts"
import { measureCurve, recordCluster, runCluster, simBackend } from "./ClusterRun.ts"
import { runReal } from "./RealRun.ts"

/** What the runs of a cluster need. */
export interface ClusterRunsOptions {
  readonly loaded: LoadedScenario
  readonly cluster: Cluster
  readonly repeats: number
  /** Runs of all kinds that the command line asks for. */
  readonly of: number
  readonly command: string
  readonly directory: string
  /** Sizes of the cost curve; empty for none. */
  readonly curve: ReadonlyArray<number>
  /** Where the cluster really lives; empty where it is simulated. */
  readonly targets: ReadonlyArray<RealTarget>
  readonly progress: Progress
}

/** Real time that making a violation smaller may take. */
const SHRINK_MS = 120_000

const curveOf = ({ cluster, curve, loaded, progress }: ClusterRunsOptions) =>
  curve.length === 0
    ? Effect.succeed(undefined)
    : measureCurve(loaded.scenario.seed, cluster, curve, (nodes) =>
        progress.step(`measuring what ${nodes.toLocaleString("en")} nodes cost …`)
      )

/** Writes the smallest case of a violation down; the command that replays it. */
const keepFinding = (options: ClusterRunsOptions, result: WorldResult, position: number) =>
  Effect.gen(function* () {
    const { finding } = result
    if (finding === undefined) return undefined
    const files = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const file = paths.join(options.directory, `${String(position + 1).padStart(3, "0")}-violation.json`)
    yield* files.writeFileString(file, `${JSON.stringify(finding.case, undefined, 2)}\n`)
    const replay = replayCommand(paths.relative(".", file))
    const { fromSteps, guarantee, message, runs, toSteps } = finding
    const how =
      runs === 0
        ? `one run takes longer than shrinking may: kept whole, ${toSteps} steps`
        : `shrunk from ${fromSteps} steps to ${toSteps} in ${runs} runs`
    options.progress.line(`a guarantee is broken: ${guarantee}: ${message}\n${how}\nreplay it: ${replay}`)
    return replay
  })

const oneSimulatedRun = (options: ClusterRunsOptions, repeat: number, curve: ReadonlyArray<CostPoint> | undefined) =>
  Effect.gen(function* () {
    const { cluster, command, loaded, of, progress, repeats } = options
    const label: RunLabel = { position: repeat, of, backend: simBackend }
    const loadBefore = loadNow()
    const startedAt = yield* Clock.currentTimeMillis
    progress.step(`[${repeat + 1}/${of}] ${simBackend}  making the cluster …`)
    const result = yield* runCluster(loaded, cluster, SHRINK_MS, (now) => progress.cluster(label, now))
    const endedAt = yield* Clock.currentTimeMillis
    const replay = yield* keepFinding(options, result, repeat)
    const record = recordCluster(result, cluster, {
      loaded,
      command,
      repeat: { index: repeat, of: repeats, position: repeat, order: "A".repeat(Math.min(repeats, 26)) },
      machine: describeMachine(loadBefore, loadNow()),
      versions: describeVersions(),
      startedAt,
      endedAt,
      replay,
      curve: repeat === 0 ? curve : undefined
    })
    progress.line(finishedClusterLine(label, result.cluster))
    return record
  })

/** Runs of one seed that were not the same run: the promise of the simulator itself is broken. */
const sameRun = (records: ReadonlyArray<RunRecord>): ReadonlyArray<RunRecord> => {
  const [first] = records
  return records.map((record) => {
    const [expected, found] = [first?.cluster?.eventLogHash, record.cluster?.eventLogHash]
    if (expected === found) return record
    const text = `run ${record.repeat.index + 1} has the event log ${found}, the first run ${expected}`
    return { ...record, violations: [...record.violations, { rule: "one seed gives one run", text }] }
  })
}

const oneRealRun = (options: ClusterRunsOptions, planned: PlannedRun<RealTarget>) =>
  Effect.gen(function* () {
    const { cluster, command, directory, loaded, of, progress, repeats, targets } = options
    const { backend: target, position, repeat } = planned
    const label: RunLabel = { position, of, backend: target.name }
    const loadBefore = loadNow()
    const startedAt = yield* Clock.currentTimeMillis
    progress.step(`[${position + 1}/${of}] ${target.name} ${target.version}  opening the cluster …`)
    const { real, result } = yield* runReal(loaded, cluster, target, directory, (now) => progress.cluster(label, now))
    const record = recordCluster(result, cluster, {
      loaded,
      command,
      repeat: { index: repeat, of: repeats, position, order: orderLetters(targets, repeats) },
      machine: describeMachine(loadBefore, loadNow()),
      versions: describeVersions(),
      startedAt,
      endedAt: yield* Clock.currentTimeMillis,
      replay: undefined,
      curve: undefined,
      real
    })
    progress.line(finishedClusterLine(label, result.cluster))
    return record
  })

/** Runs the cluster so many times; every record stands in the order of the runs. */
export const clusterRuns = Effect.fn("scenarios.clusterRuns")(function* (options: ClusterRunsOptions) {
  const { repeats, targets } = options
  if (targets.length > 0)
    return yield* Effect.forEach(runOrder(targets, repeats), (planned) => oneRealRun(options, planned))
  const curve = yield* curveOf(options)
  const records = yield* Effect.forEach(Array.from({ length: options.repeats }).keys().toArray(), (repeat) =>
    oneSimulatedRun(options, repeat, curve)
  )
  return sameRun(records)
})
