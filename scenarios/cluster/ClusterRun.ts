// One run of a scenario's cluster as the runner sees it: a process of its own that dies with its scope, progress as it comes, and the
// record at the end. Owns the process, its memory bound and the record; what happens in it is world/'s.
import {
  assessValidity,
  type CostPoint,
  type Machine,
  type RecordedRepeat,
  type RunRecord,
  runRecordSchema,
  runRecordVersion,
  type Versions
} from "#reports"
import { Effect, Schema } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { dirname, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import type { LoadedScenario } from "../ScenarioFile.ts"
import type { WorldCommand, WorldProgress, WorldReport, WorldResult } from "../world/Protocol.ts"
import type { Cluster } from "./Cluster.ts"
import { checkClusterSlos } from "./ClusterSloCheck.ts"

/** The world's process ended, or could not do what it was told. */
export class WorldFailed extends Schema.TaggedError<WorldFailed>()("WorldFailed", { reason: Schema.String }) {
  override get message(): string {
    return `the simulated cluster failed: ${this.reason}`
  }
}

/** The name under which a simulated cluster stands beside backends. */
export const simBackend = "sim"

/** MiB of JavaScript heap that a world may take: what 50,000 nodes need, and not what a machine has. */
const HEAP_MIB = 12_288
/** MiB of one half of the nursery: most of what a world makes is gone within seconds of its own time, and copied less often so. */
const NURSERY_MIB = 64

const openWorld = Effect.acquireRelease(
  Effect.sync(() =>
    fork(fileURLToPath(new URL("../world/main.ts", import.meta.url)), {
      detached: true,
      execArgv: [...process.execArgv, `--max-old-space-size=${HEAP_MIB}`, `--max-semi-space-size=${NURSERY_MIB}`],
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
  ),
  (child) => Effect.sync(() => void child.kill("SIGKILL"))
)

type Answer = Exclude<WorldReport, WorldProgress | { readonly type: "failed" }>

const ask = (
  child: ChildProcess,
  command: WorldCommand,
  onProgress: (progress: WorldProgress) => void
): Effect.Effect<Answer, WorldFailed> =>
  Effect.callback((done) => {
    const failed = (reason: string) => {
      quiet()
      done(new WorldFailed({ reason }))
    }
    const onMessage = (report: WorldReport) => {
      if (report.type === "progress") return onProgress(report)
      if (report.type === "failed") return failed(report.reason)
      quiet()
      done(Effect.succeed(report))
    }
    const onExit = (code: number | null, signal: string | null) =>
      failed(
        `its process ended with ${signal ?? `code ${code}`}${signal === "SIGABRT" || code === 134 ? " (out of memory?)" : ""}`
      )
    const quiet = () => {
      child.off("message", onMessage)
      child.off("exit", onExit)
    }
    child.on("message", onMessage)
    child.on("exit", onExit)
    child.send(command, (cause) => {
      if (cause !== null) failed(cause.message)
    })
    return Effect.sync(quiet)
  })

/** Lives through the scenario's cluster once. */
export const runCluster = (
  { file, scenario }: LoadedScenario,
  cluster: Cluster,
  shrinkMs: number,
  onProgress: (progress: WorldProgress) => void
): Effect.Effect<WorldResult, WorldFailed> =>
  Effect.scoped(
    Effect.gen(function* () {
      const folder = resolve(dirname(file))
      const child = yield* openWorld
      const answer = yield* ask(child, { type: "run", seed: scenario.seed, cluster, folder, shrinkMs }, onProgress)
      return answer.type === "result" ? answer : yield* new WorldFailed({ reason: `it answered ${answer.type}` })
    })
  )

/** What clusters of these sizes cost, each measured in a process of its own. */
export const measureCurve = (
  seed: number,
  cluster: Cluster,
  sizes: ReadonlyArray<number>,
  onSize: (nodes: number) => void
): Effect.Effect<ReadonlyArray<CostPoint>, WorldFailed> =>
  Effect.forEach(sizes, (nodes) =>
    Effect.scoped(
      Effect.gen(function* () {
        onSize(nodes)
        const child = yield* openWorld
        const answer = yield* ask(child, { type: "cost", seed, nodes, cluster }, () => undefined)
        return answer.type === "cost" ? answer.point : yield* new WorldFailed({ reason: `it answered ${answer.type}` })
      })
    )
  )

/** What a record says besides the run itself. */
export interface ClusterRecording {
  readonly loaded: LoadedScenario
  readonly command: string
  readonly repeat: RecordedRepeat
  readonly machine: Machine
  readonly versions: Versions
  readonly startedAt: number
  readonly endedAt: number
  /** The command that shows the violation again, where there is one. */
  readonly replay: string | undefined
  readonly curve: ReadonlyArray<CostPoint> | undefined
}

const settingsOf = ({ controllers, network, pods }: Cluster): Readonly<Record<string, string>> => ({
  network: network === "none" ? "none" : `${network.median} ms`,
  pods,
  controllers: typeof controllers === "string" ? controllers : controllers.join(",")
})

/** The run record of one run. */
export const recordCluster = (result: WorldResult, cluster: Cluster, context: ClusterRecording): RunRecord => {
  const { command, curve, endedAt, loaded, machine, repeat, replay, startedAt, versions } = context
  const { scenario } = loaded
  const recorded = {
    ...result.cluster,
    ...(replay === undefined ? {} : { replay }),
    ...(curve === undefined ? {} : { curve })
  }
  const told = replay === undefined ? [] : [{ rule: "replay it", text: replay }]
  const record: RunRecord = {
    schema: runRecordSchema,
    schemaVersion: runRecordVersion,
    id: `${scenario.name}-${repeat.position}-${simBackend}-${repeat.index}`,
    command,
    scenario: { name: scenario.name, hash: loaded.hash, text: loaded.text, overrides: loaded.overrides },
    seed: scenario.seed,
    startedAt: new Date(startedAt).toISOString(),
    durationMs: endedAt - startedAt,
    target: "sim",
    backend: { name: simBackend, version: versions.wharf, settings: settingsOf(cluster), durable: false },
    repeat,
    phases: [],
    machine,
    versions,
    generator: { ceilingPerS: null, ceilingCpuPercent: null, cpuPercent: null },
    operations: [],
    watch: [],
    counters: { ...result.counters, events: recorded.events },
    series: { atS: [], operations: [] },
    components: [],
    annotations: [],
    cluster: recorded,
    slos: checkClusterSlos(scenario, recorded),
    validity: { valid: true, reasons: [] },
    violations: result.violations.length === 0 ? [] : [...result.violations, ...told]
  }
  return { ...record, validity: assessValidity(record) }
}
