// One workload of scheduler_perf from an empty cluster to its figures: API server and store, scheduler, operations.
// Owns the cluster that a workload gets and what it is rid of afterwards; refuses to know which scheduler it is handed.
// As upstream, it switches the admission plugins off that would need controllers which no workload runs.
import { Effect, FileSystem, Scope } from "effect"
import { defaultServerOptions, inProcessClient, LOOPBACK, serveApiServer } from "#apiserver"
import { type Client, InformerFactory, machineClockwork } from "#kube"
import { RandomStream } from "#sim"
import { bareClient } from "./BareClient.ts"
import type { PerfConfig, PerfCase, PerfWorkload } from "./PerfConfig.ts"
import { PerfExecutor, type PerfProbe } from "./PerfExecutor.ts"
import { PerfWorkloadInvalid, unsupported } from "./PerfParams.ts"
import { templateReader } from "./PerfTemplates.ts"
import { PodProgress, waitUntil } from "./PodProgress.ts"

/** Starts a scheduler on a client until the scope closes; answers what it measures of itself. */
export type StartScheduler<E, R> = (
  client: Client,
  configuration: string | undefined
) => Effect.Effect<ReadonlyArray<PerfProbe>, E, R | Scope.Scope>

export interface PerfRunOptions {
  readonly config: PerfConfig
  readonly perfCase: PerfCase
  readonly workload: PerfWorkload
  readonly seed: number
  /** The API server's store: in memory, or on disk with a flush for each group of commits; "none": no API server either. */
  readonly store: "memory" | "lmdb" | "none"
  readonly timeoutMs: number
}

const withoutControllers = ["ServiceAccount", "TaintNodesByCondition", "Priority"]

const openServer = Effect.fnUntraced(function* (store: PerfRunOptions["store"]) {
  if (store === "none") return bareClient(machineClockwork)
  const files = yield* FileSystem.FileSystem
  const dataDir =
    store === "memory" ? undefined : yield* files.makeTempDirectoryScoped({ prefix: "wharf-scheduler-perf-" })
  const { api } = yield* serveApiServer({
    ...defaultServerOptions,
    port: 0,
    insecure: true,
    dataDir,
    disableAdmissionPlugins: withoutControllers
  })
  return inProcessClient(api, LOOPBACK)
})

/** Runs a workload; its figures in scheduler_perf's form. */
export const runPerfWorkload = Effect.fn("schedulerperf.runPerfWorkload")(function* <E, R>(
  options: PerfRunOptions,
  startScheduler: StartScheduler<E, R>
) {
  const { config, perfCase, seed, store, timeoutMs, workload } = options
  const why = unsupported(perfCase.workloadTemplate)
  if (why !== undefined) {
    return yield* new PerfWorkloadInvalid({ message: `workload ${perfCase.name}/${workload.name}: ${why}` })
  }
  const files = yield* FileSystem.FileSystem
  const templates = yield* templateReader(config.directory)
  const { schedulerConfigPath } = perfCase
  const configuration =
    schedulerConfigPath === undefined
      ? undefined
      : yield* files.readFileString(`${config.directory}/${schedulerConfigPath}`)
  const client = yield* openServer(store)
  const informers = new InformerFactory({ client, clockwork: machineClockwork })
  const progress = new PodProgress(informers)
  yield* Effect.acquireRelease(
    Effect.sync(() => informers.start()),
    () => Effect.sync(() => informers.stop())
  )
  yield* waitUntil(() => informers.hasSynced)
  const probes = yield* startScheduler(client, configuration)
  const stream = new RandomStream(seed)
  const rig = { client, progress, templates, random: () => stream.float(), probes, timeoutMs }
  return yield* new PerfExecutor(rig, perfCase, workload).run()
}, Effect.scoped)
