// One run of a scenario's simulated cluster as the runner sees it: a process of its own, progress as it comes, and the record at the end.
// Owns the record of every cluster's run; the process is WorldProcess.ts's.
import {
  assessValidity,
  type Component,
  type CostPoint,
  type Machine,
  type RecordedRepeat,
  type RunRecord,
  runRecordSchema,
  runRecordVersion,
  type Versions
} from "#reports"
import { Effect } from "effect"
import { dirname, resolve } from "node:path"
import type { LoadedScenario } from "../ScenarioFile.ts"
import type { WorldProgress, WorldResult } from "../world/Protocol.ts"
import { machineCount } from "./Capacity.ts"
import type { Cluster } from "./Cluster.ts"
import { checkClusterSlos } from "./ClusterSloCheck.ts"
import { askWorld, openWorld, WorldFailed } from "./WorldProcess.ts"

/** The name under which a simulated cluster stands beside backends. */
export const simBackend = "sim"

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
      const child = yield* openWorld(machineCount(cluster))
      const answer = yield* askWorld(
        child,
        { type: "run", seed: scenario.seed, cluster, folder, shrinkMs },
        { progress: onProgress }
      )
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
        const child = yield* openWorld(nodes)
        const answer = yield* askWorld(child, { type: "cost", seed, nodes, cluster }, { progress: () => undefined })
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
  /** What is real of a cluster that is not simulated. */
  readonly real?: RealRecording
}

/** A real control plane, as its record names it. */
export interface RealRecording {
  readonly target: "process" | "kind" | "kubeconfig"
  readonly backend: RunRecord["backend"]
  readonly components: ReadonlyArray<Component>
}

const settingsOf = ({ controllers, network, pods }: Cluster): Readonly<Record<string, string>> => ({
  network: network === "none" ? "none" : network.median === undefined ? "as calibrated" : `${network.median} ms`,
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
    id: `${scenario.name}-${repeat.position}-${context.real?.backend.name ?? simBackend}-${repeat.index}`,
    command,
    scenario: { name: scenario.name, hash: loaded.hash, text: loaded.text, overrides: loaded.overrides },
    seed: scenario.seed,
    startedAt: new Date(startedAt).toISOString(),
    durationMs: endedAt - startedAt,
    target: context.real?.target ?? "sim",
    backend: context.real?.backend ?? {
      name: simBackend,
      version: versions.wharf,
      settings: settingsOf(cluster),
      durable: false
    },
    repeat,
    phases: [],
    machine,
    versions,
    generator: { ceilingPerS: null, ceilingCpuPercent: null, cpuPercent: null },
    operations: [],
    watch: [],
    counters: { ...result.counters, events: recorded.events },
    series: { atS: [], operations: [] },
    components: [...(context.real?.components ?? [])],
    annotations: [],
    cluster: recorded,
    slos: checkClusterSlos(scenario, recorded),
    validity: { valid: true, reasons: [] },
    violations: result.violations.length === 0 ? [] : [...result.violations, ...told]
  }
  return { ...record, validity: assessValidity(record) }
}
