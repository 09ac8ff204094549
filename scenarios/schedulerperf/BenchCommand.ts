// `wharf bench scheduler`: scheduler_perf's workloads on our scheduler, beside their floors and beside upstream's own run.
// Owns flags, which workloads they name and what is printed; refuses to run a workload itself (PerfJob.ts).
import { Console, Effect, FileSystem, Option, Path } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { schedulerPerfFolder } from "#kind"
import { dataItemsOf } from "./DataItems.ts"
import { loadPerfConfig, type PerfCase, type PerfConfig, type PerfWorkload, selectWorkloads } from "./PerfConfig.ts"
import { perfFloors } from "./PerfFloors.ts"
import { runInProcess, runOurs } from "./PerfJob.ts"
import { type PerfRow, renderPerfTable } from "./PerfTable.ts"
import { runUpstream } from "./UpstreamRun.ts"

const flags = {
  config: Flag.String("config").pipe(
    Flag.withDescription("A performance-config.yaml of scheduler_perf; templates are found from its folder"),
    Flag.optional
  ),
  workload: Flag.String("workload").pipe(
    Flag.withDescription("CASE or CASE/WORKLOAD; * stands for anything. Default: all of the file"),
    Flag.optional
  ),
  floors: Flag.Boolean("floors").pipe(
    Flag.withDescription(
      "Every workload that Kubernetes has a floor for, from the pinned sources in Go's module cache"
    ),
    Flag.withDefault(false)
  ),
  upstream: Flag.Boolean("upstream").pipe(
    Flag.withDescription("Run upstream's own benchmark beside each: wharf assets build scheduler-perf"),
    Flag.withDefault(false)
  ),
  core: Flag.Boolean("core").pipe(
    Flag.withDescription("The scheduler alone, without API server and store"),
    Flag.withDefault(false)
  ),
  store: Flag.Literals("store", ["memory", "lmdb"]).pipe(
    Flag.withDescription("The API server's store: in memory, or on disk with a flush for each group of commits"),
    Flag.withDefault("lmdb" as const)
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("Of names and ties"), Flag.withDefault(1)),
  timeout: Flag.Int("timeout").pipe(
    Flag.withDescription("Seconds that pods may take to be placed before a workload is given up"),
    Flag.withDefault(600)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print scheduler_perf's dataItems instead of a table"),
    Flag.withDefault(false)
  ),
  out: Flag.String("out").pipe(Flag.withDescription("Also write the dataItems to this file"), Flag.optional)
}

interface Given {
  readonly core: boolean
  readonly store: "memory" | "lmdb"
  readonly seed: number
  readonly timeout: number
}

interface Chosen {
  readonly config: PerfConfig
  readonly perfCase: PerfCase
  readonly workload: PerfWorkload
  readonly floor?: number
}

const nameOf = ({ perfCase, workload }: Chosen): string => `${perfCase.name}/${workload.name}`

const misused = (userMessage: string) => new CliError.UserError({ cause: new Error(userMessage), userMessage })

const floorOf = ({ threshold }: PerfWorkload, standard: number | undefined): number | undefined =>
  Math.max(typeof threshold === "number" ? threshold : 0, standard ?? 0) || undefined

const withFloor = (chosen: Omit<Chosen, "floor">, standard?: number): Chosen => {
  const floor = floorOf(chosen.workload, standard)
  return floor === undefined ? chosen : { ...chosen, floor }
}

/** The workloads of one file that a pattern names. */
const ofFile = Effect.fnUntraced(function* (file: string, pattern: string | undefined) {
  const config = yield* loadPerfConfig(file)
  const found = selectWorkloads(config, pattern).map((one) => withFloor({ config, ...one }))
  if (found.length === 0) return yield* misused(`--workload ${pattern ?? "*"}: no workload of ${file} has this name`)
  return found
})

/** Upstream's own workloads with floors. */
const ofFloors = Effect.gen(function* () {
  const path = yield* Path.Path
  const folder = yield* schedulerPerfFolder
  return yield* Effect.forEach(
    perfFloors,
    Effect.fnUntraced(function* ({ floor, folder: name, workload }) {
      const config = yield* loadPerfConfig(path.join(folder, name, "performance-config.yaml"))
      return selectWorkloads(config, workload).map((one) => withFloor({ config, ...one }, floor))
    })
  ).pipe(Effect.map((rows) => rows.flat()))
})

const argumentsOf = (chosen: Chosen, { core, seed, store, timeout }: Given): ReadonlyArray<string> => {
  const workload = ["--config", chosen.config.file, "--workload", nameOf(chosen)]
  const run = ["--store", store, "--seed", String(seed), "--timeout", String(timeout)]
  return [...workload, ...run, ...(core ? ["--core"] : [])]
}

const rowOf = Effect.fnUntraced(function* (chosen: Chosen, given: Given, beside: boolean, alone: boolean) {
  const { config, perfCase, workload } = chosen
  const { core, seed, store, timeout } = given
  const options = { config, perfCase, workload, seed, store: core ? "none" : store, timeoutMs: timeout * 1000 } as const
  const failure = (error: { readonly message: string }) => Effect.succeed({ failure: error.message })
  const outcome = alone
    ? yield* runOurs(options).pipe(Effect.catch(failure))
    : yield* runInProcess(argumentsOf(chosen, given)).pipe(Effect.catch(failure))
  const theirs = beside ? yield* runUpstream(config.directory, nameOf(chosen)) : undefined
  const row: PerfRow = {
    workload: nameOf(chosen),
    ...("failure" in outcome ? { items: [], failure: outcome.failure } : { items: outcome }),
    ...(chosen.floor === undefined ? {} : { floor: chosen.floor }),
    ...(theirs === undefined ? {} : { upstream: theirs })
  }
  return row
})

const run = Effect.fn("bench.scheduler")(function* (given: Command.Command.Config.Infer<typeof flags>) {
  const file = Option.getOrUndefined(given.config)
  if (file === undefined && !given.floors)
    return yield* misused("--config: name a performance-config.yaml, or say --floors")
  const pattern = Option.getOrUndefined(given.workload)
  const chosen = file === undefined ? yield* ofFloors : yield* ofFile(file, pattern)
  const alone = chosen.length === 1
  const rows: Array<PerfRow> = []
  for (const one of chosen) {
    if (!alone) yield* Console.error(`${rows.length + 1}/${chosen.length} ${nameOf(one)}`)
    const row = yield* rowOf(one, given, given.upstream, alone)
    if (alone && row.failure !== undefined) return yield* misused(row.failure)
    rows.push(row)
  }
  const document = JSON.stringify(dataItemsOf(rows.flatMap(({ items }) => items)), undefined, 2)
  if (Option.isSome(given.out)) {
    const files = yield* FileSystem.FileSystem
    yield* files.writeFileString(given.out.value, `${document}\n`)
  }
  yield* Console.log(given.json ? document : renderPerfTable(rows))
})

/** `wharf bench scheduler`. */
export const benchSchedulerCommand = Command.make("scheduler", flags, run).pipe(
  Command.withDescription("Run scheduler_perf's workloads on our scheduler"),
  Command.withExamples([
    {
      command:
        "wharf bench scheduler --config misc/performance-config.yaml --workload SchedulingBasic/5000Nodes_10000Pods",
      description: "One workload, end to end"
    },
    {
      command: "wharf bench scheduler --floors --upstream",
      description: "Every floor of Kubernetes, beside upstream's run"
    }
  ])
)
