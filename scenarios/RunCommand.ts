// `wharf run`: the command line of a scenario run. Owns flags, their meaning and what is printed at the end.
// Refuses to run anything itself (Runner.ts) and to word its errors (they word themselves; Explain.ts prints them).
import { renderTerminal, terminalOptions } from "#reports"
import { Config, Console, Effect, FileSystem, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { dirname, resolve } from "node:path"
import { backendKinds } from "./backends/Registry.ts"
import { calibrationOf, CalibrationUnusable, NO_CALIBRATION } from "./calibration/Calibration.ts"
import { explain } from "./Explain.ts"
import { frontKinds } from "./front/backends/FrontBackends.ts"
import { Progress } from "./Progress.ts"
import { Count } from "./Quantity.ts"
import { type RunnerOptions, type RunnerResult, runScenario } from "./Runner.ts"
import { targets } from "./Scenario.ts"
import { type LoadedScenario, loadScenario } from "./ScenarioFile.ts"
import { openRunServer } from "./ui/RunServer.ts"

const flags = {
  file: Argument.String("file").pipe(Argument.withDescription("The scenario file (YAML)")),
  set: Flag.String("set").pipe(
    Flag.withDescription("Change a field of the file: path=value, for example params.seconds=30s; may be repeated"),
    Flag.atLeast(0)
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("The seed, instead of the file's"), Flag.optional),
  backend: Flag.String("backend").pipe(
    Flag.withDescription(
      `Backends, separated by commas, instead of the file's: ${[...backendKinds, ...frontKinds].map(({ name, note }) => `${name} (${note})`).join("; ")}`
    ),
    Flag.optional
  ),
  repeat: Flag.Int("repeat").pipe(
    Flag.withSchema(Count(1000)),
    Flag.withDescription("Runs per backend, interleaved ABBA"),
    Flag.optional
  ),
  target: Flag.Literals("target", targets).pipe(
    Flag.withDescription(
      "Where the cluster lives, instead of the file's: sim, in virtual time; process, on real programs of this machine, in real time; kind, on a control plane in containers; kubeconfig, on an existing cluster, in namespaces of the run's own"
    ),
    Flag.optional
  ),
  kubeconfig: Flag.String("kubeconfig").pipe(
    Flag.withDescription("The cluster of --target kubeconfig; default: KUBECONFIG"),
    Flag.withFallbackConfig(Config.String("KUBECONFIG")),
    Flag.optional
  ),
  context: Flag.String("context").pipe(Flag.withDescription("Its context; default: the current one"), Flag.optional),
  yes: Flag.Boolean("yes").pipe(
    Flag.withDescription("Run also on a cluster that looks like production"),
    Flag.withDefault(false)
  ),
  calibration: Flag.String("calibration").pipe(
    Flag.withDescription(
      "File of measured constants for simulated clusters (wharf calibrate), or none; default: the one that ships"
    ),
    Flag.optional
  ),
  curve: Flag.String("curve").pipe(
    Flag.withDescription("Also measure what clusters of these sizes cost: numbers of nodes, separated by commas"),
    Flag.optional
  ),
  out: Flag.String("out").pipe(
    Flag.withDescription("Folder of the records and the page; by default runs/<scenario>-<time>"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print the run records as JSON and nothing else"),
    Flag.withDefault(false)
  ),
  ui: Flag.Boolean("ui").pipe(
    Flag.withDescription(
      "Serve the running report on 127.0.0.1, and the finished one until Ctrl-C; the address is printed"
    ),
    Flag.withDefault(false)
  ),
  junit: Flag.String("junit").pipe(Flag.withDescription("Also write a JUnit file"), Flag.optional)
}

/** One override per flag that has its own place in the file. */
const overridesOf = (
  set: ReadonlyArray<string>,
  fields: Readonly<Record<string, Option.Option<number | string>>>
): ReadonlyArray<string> => [
  ...set,
  ...Object.entries(fields).flatMap(([field, value]) => (Option.isSome(value) ? [`${field}=${value.value}`] : []))
]

/** Splits "lmdb,etcd=http://…" at commas. */
const backendsOf = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "")

/** What cannot be asked of this scenario; says why. */
class Misplaced extends Schema.TaggedError<Misplaced>()("Misplaced", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

const NODES_MAX = 100_000

/** Sizes of "100,1000,5000"; undefined when one is not a number of nodes. */
const sizesOf = (text: string): ReadonlyArray<number> | undefined => {
  const sizes = backendsOf(text).map(Number)
  return sizes.length > 0 && sizes.every((size) => Number.isInteger(size) && size > 0 && size <= NODES_MAX)
    ? sizes
    : undefined
}

const curveOf = (curve: Option.Option<string>, hasCluster: boolean) => {
  if (Option.isNone(curve)) return Effect.succeed([])
  const sizes = sizesOf(curve.value)
  if (sizes === undefined) {
    return new Misplaced({
      reason: `--curve ${curve.value}: must be numbers of nodes from 1 to 100,000, such as 100,1000`
    })
  }
  if (!hasCluster) return new Misplaced({ reason: "--curve measures clusters, and this scenario has none" })
  return Effect.succeed(sizes)
}

/** What a simulated cluster would stumble over is said before anything starts. */
const checkCalibration = ({ file, scenario: { cluster, target = "sim" } }: LoadedScenario, typed: boolean) =>
  cluster === undefined || target !== "sim"
    ? typed
      ? new Misplaced({ reason: "--calibration gives simulated clusters their constants, and this run has none" })
      : Effect.void
    : Effect.try({
        try: () => void calibrationOf(cluster.calibration, resolve(dirname(file))),
        catch: (cause) =>
          cause instanceof CalibrationUnusable ? cause : new Misplaced({ reason: `--calibration: ${String(cause)}` })
      })

const quoted = (word: string): string => (/^[\w./:=@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

const commandLine = (
  file: string,
  sets: ReadonlyArray<string>,
  backends: ReadonlyArray<string>,
  repeats: number,
  curve: ReadonlyArray<number>
): string =>
  [
    "wharf",
    "run",
    file,
    ...sets.flatMap((set) => ["--set", set]),
    ...(backends.length === 0 ? [] : ["--backend", backends.join(",")]),
    "--repeat",
    `${repeats}`,
    ...(curve.length === 0 ? [] : ["--curve", curve.join(",")])
  ]
    .map(quoted)
    .join(" ")

type Input = Command.Command.Config.Infer<typeof flags>

/** What the command line and the file ask for together. */
const planOf = Effect.fnUntraced(function* ({
  backend,
  calibration,
  context,
  curve,
  file,
  json,
  junit,
  kubeconfig,
  out,
  repeat,
  seed,
  set,
  target,
  yes
}: Input) {
  const named = Option.map(calibration, (name) => (name === NO_CALIBRATION ? name : resolve(name)))
  const sets = overridesOf(set, { seed, target, "cluster.calibration": named })
  const loaded = yield* loadScenario(file, sets)
  const { scenario } = loaded
  yield* checkCalibration(loaded, Option.isSome(calibration))
  // A real control plane stands on a store, which the backends name as for a load on stores.
  const isReal = scenario.cluster !== undefined && (scenario.target === "process" || scenario.target === "kind")
  const hasLoad = scenario.phases.length > 0 || scenario.front !== undefined || isReal
  if (Option.isSome(backend) && !hasLoad) {
    return yield* new Misplaced({
      reason:
        "--backend names what is put under load, and this scenario loads nothing; with --target process or kind it names the store"
    })
  }
  const sizes = yield* curveOf(curve, scenario.cluster !== undefined)
  const stores = Option.match(backend, { onNone: () => scenario.backends, onSome: backendsOf })
  const backends = hasLoad ? stores : []
  const repeats = Option.getOrElse(repeat, () => scenario.repeats)
  const planned: RunnerOptions = {
    loaded,
    backends,
    typedBackends: Option.isSome(backend),
    repeats,
    curve: sizes,
    existing: Option.getOrUndefined(
      Option.map(kubeconfig, (path) => ({ kubeconfig: path, context: Option.getOrUndefined(context), yes }))
    ),
    out: Option.getOrUndefined(out),
    junit: Option.getOrUndefined(junit),
    command: commandLine(file, sets, backends, repeats, sizes),
    progress: new Progress(process.stderr, json)
  }
  return planned
})

/** Prints what the runs came to, and sets the exit code. */
const ended = Effect.fnUntraced(function* ({ json }: Input, { page, records, report }: RunnerResult) {
  if (json) yield* Console.log(JSON.stringify(records))
  else {
    yield* Console.log(renderTerminal(report, terminalOptions(process.stdout, process.env)))
    yield* Console.log(`report: ${page}`)
  }
  process.exitCode = report.judgement.exitCode
})

/** `wharf run`. */
export const runCommand = Command.make(
  "run",
  flags,
  Effect.fn("wharf.run")(
    function* (input) {
      const planned = yield* planOf(input)
      if (!input.ui) return yield* ended(input, yield* runScenario(planned))
      const server = yield* openRunServer(planned.loaded.scenario.name)
      planned.progress.listener = server.tell
      yield* Console.error(`live report: ${server.url}`)
      const result = yield* runScenario(planned)
      const files = yield* FileSystem.FileSystem
      server.finish(yield* files.readFileString(result.page).pipe(Effect.orDie))
      yield* ended(input, result)
      yield* Console.error(`still served at ${server.url}, until Ctrl-C`)
      return yield* Effect.never
    },
    Effect.scoped,
    Effect.catch(explain)
  )
).pipe(
  Command.withDescription("Run a scenario against one or more backends and write a report"),
  Command.withExamples([
    { command: "wharf run scenarios/quickstart.yaml", description: "Try everything out in less than a minute" },
    {
      command: "wharf run scenarios/kube-30x10.yaml --backend lmdb,etcd --repeat 5",
      description: "Compare our store with a real etcd, interleaved"
    },
    {
      command: "wharf run scenarios/cluster-100.yaml --ui",
      description: "Live through a simulated cluster, and watch it in a browser"
    },
    {
      command: "wharf run scenarios/lease-10k.yaml --set params.nodes=1000 --seed 7 --json",
      description: "Change the file from the command line, and print records for a program"
    }
  ])
)
