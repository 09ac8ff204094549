// `wharf calibrate`: lives a calm scenario, and a crowd with few watchers and with many, on a real control plane; takes the constants of a
// simulation from what was measured, simulates the calm one with them, mends them by what was off, and writes them to a file with how near
// the simulations came. Owns flags and that sequence; runs are Runner.ts's, the arithmetic Constants.ts's and Work.ts's.
import { type Fidelity, fidelityOf, readRecord, type RecordedCluster, type RunRecord } from "#reports"
import { Console, Effect, FileSystem, Option, Path } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { join } from "node:path"
import { explain } from "../Explain.ts"
import { packageRoot } from "../PackageRoot.ts"
import { Progress } from "../Progress.ts"
import { runScenario } from "../Runner.ts"
import { loadScenario } from "../ScenarioFile.ts"
import { type Calibration, CalibrationUnusable, type Constants } from "./Calibration.ts"
import { constantsOf, corrected } from "./Constants.ts"
import { type CrowdRuns, workOf } from "./Work.ts"

/** Simulations that mend the constants; the best of them is kept. */
const ROUNDS = 8
/** Of its pods, where a crowd is lived to see what watchers cost; otherwise as many as the file says. */
const MANY_WATCHERS = 43
const flags = {
  file: Argument.String("file").pipe(
    Argument.withDescription("The scenario to measure with; default: scenarios/calibrate.yaml"),
    Argument.withDefault(join(packageRoot, "scenarios", "calibrate.yaml"))
  ),
  target: Flag.Literals("target", ["process", "kind"]).pipe(
    Flag.withDescription("Where it is lived: on real programs of this machine, or on a control plane in containers"),
    Flag.withDefault("process" as const)
  ),
  backend: Flag.String("backend").pipe(
    Flag.withDescription("The store: lmdb, memory, etcd, etcd=VERSION or etcd=PATH"),
    Flag.withDefault("lmdb")
  ),
  set: Flag.String("set").pipe(
    Flag.withDescription("Change a field of the file: path=value; may be repeated"),
    Flag.atLeast(0)
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("The seed, instead of the file's"), Flag.optional),
  record: Flag.String("record").pipe(
    Flag.withDescription(
      "The record of a real run of this file, instead of living it anew; may be repeated: all of them count"
    ),
    Flag.atLeast(0)
  ),
  crowd: Flag.String("crowd").pipe(
    Flag.withDescription(
      "A scenario in which pods come in a crowd, which shows how much work calls are, with a param informers: watchers of them; none measures none; default: scenarios/calibrate-crowd.yaml"
    ),
    Flag.withDefault(join(packageRoot, "scenarios", "calibrate-crowd.yaml"))
  ),
  crowdRecord: Flag.String("crowd-record").pipe(
    Flag.withDescription("The record of a real run of the crowd, instead of living it anew"),
    Flag.optional
  ),
  watchedRecord: Flag.String("watched-record").pipe(
    Flag.withDescription(`The same with params.informers=${MANY_WATCHERS}`),
    Flag.optional
  ),
  out: Flag.String("out").pipe(
    Flag.withDescription("The file of constants to write"),
    Flag.withDefault("calibration.json")
  ),
  records: Flag.String("records").pipe(
    Flag.withDescription("Folder that keeps the records of the real run and of the simulations; default: none is kept"),
    Flag.optional
  )
}

type Given = Command.Command.Config.Infer<typeof flags>

interface Places {
  /** Folder of records. */
  readonly records: string
  readonly command: string
}

/** One of the real runs: its file, and the settings that are meant for it. */
interface Part {
  readonly name: "calm" | "crowd" | "watched"
  readonly file: string
  readonly sets: ReadonlyArray<string>
  readonly records: ReadonlyArray<string>
}

const lived = (given: Given, places: Places, part: Part, folder: string, sets: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const loaded = yield* loadScenario(part.file, [...part.sets, ...sets])
    const isReal = loaded.scenario.target !== "sim"
    const { records } = yield* runScenario({
      loaded,
      backends: isReal ? [given.backend] : [],
      typedBackends: isReal,
      repeats: 1,
      curve: [],
      existing: undefined,
      out: join(places.records, `${part.name}-${folder}`),
      junit: undefined,
      command: places.command,
      progress: new Progress(process.stderr, false)
    })
    const record = records.find(({ cluster }) => cluster !== undefined)
    return record?.cluster === undefined
      ? yield* new CalibrationUnusable({ file: part.file, reason: "the scenario has no cluster to measure" })
      : { record, cluster: record.cluster }
  })

/** A real run that was lived before, of the same file. */
const recordedRun = (part: Part, file: string) =>
  Effect.gen(function* () {
    const { hash } = yield* loadScenario(part.file, part.sets)
    const record = yield* readRecord(file)
    const { cluster, scenario, target } = record
    if (cluster === undefined || target === "sim")
      return yield* new CalibrationUnusable({ file, reason: "is not the record of a cluster on real programs" })
    if (scenario.hash !== hash)
      return yield* new CalibrationUnusable({ file, reason: `is a record of another scenario, ${scenario.name}` })
    return { record, cluster }
  })

/** Real runs of a part: those that were recorded, or one that is lived now. */
const measured = (given: Given, places: Places, part: Part) =>
  part.records.length === 0
    ? Effect.map(lived(given, places, part, "real", [`target=${given.target}`]), (run) => [run])
    : Effect.forEach(part.records, (file) => recordedRun(part, file))

const written = (real: RunRecord, command: string, constants: Constants, quality: Calibration["quality"]): string => {
  const { backend, machine, scenario, seed, startedAt, target } = real
  const calibration: Calibration = {
    schema: "kubewharf/calibration",
    schemaVersion: 1,
    measuredAt: startedAt,
    command,
    from: {
      scenario: scenario.name,
      scenarioHash: scenario.hash,
      seed,
      target: target === "kind" ? "kind" : "process",
      store: `${backend.name} ${backend.version}`,
      server: backend.settings["kube-apiserver"] ?? "unknown"
    },
    machine,
    constants,
    quality
  }
  return `${JSON.stringify(calibration, undefined, 1)}\n`
}

const UNKNOWN = { medianFactor: 0, factor: 0 }

/** Simulates the scenario of real runs with some constants. */
const simulations = Effect.fnUntraced(function* (
  given: Given,
  places: Places,
  part: Part,
  real: ReadonlyArray<RunRecord>
) {
  const files = yield* FileSystem.FileSystem
  const file = join(places.records, "candidate.json")
  yield* files.makeDirectory(places.records, { recursive: true })
  let round = 0
  return (constants: Constants) =>
    Effect.gen(function* () {
      round++
      yield* files.writeFileString(file, written(real[0], places.command, constants, UNKNOWN))
      const simulated = yield* lived(given, places, part, `simulated-${round}`, [
        "target=sim",
        `cluster.calibration=${file}`
      ])
      const fidelity = fidelityOf([simulated.record], real)
      const { factor, medianFactor } = fidelity
      const { workShare } = constants
      yield* Console.error(
        `${part.name}, round ${round}: medians within ${medianFactor.toFixed(2)}×, all within ${factor.toFixed(1)}×${workShare === undefined ? "" : `, ${workShare} ms of work for each ms`}`
      )
      return { cluster: simulated.cluster, fidelity }
    })
})

type Simulate<E, R> = (
  constants: Constants
) => Effect.Effect<{ readonly cluster: RecordedCluster; readonly fidelity: Fidelity }, E, R>

interface Fit {
  readonly constants: Constants
  readonly quality: Calibration["quality"]
}

/** Real runs of one scenario that its simulations are to meet. */
interface Aim<E, R> {
  readonly real: ReadonlyArray<RecordedCluster>
  readonly simulate: Simulate<E, R>
}

/** How far medians of API latency and pod start are off, all of them together. */
const missOf = ({ rows }: Fidelity): number =>
  rows
    .filter(({ group, isMedian }) => isMedian && group !== "watch lag")
    .reduce((sum, { ratio }) => sum + Math.log(ratio) ** 2, 0)

/** Simulates with constants, mends them and simulates again; answers the best of all rounds. */
const fitted = <E, R>(
  first: Constants,
  aims: ReadonlyArray<Aim<E, R>>,
  working: (constants: Constants) => Constants
): Effect.Effect<Fit, E, R> =>
  Effect.gen(function* () {
    let [constants, best]: [Constants, Fit & { readonly miss: number }] = [
      working(first),
      { constants: first, quality: { medianFactor: Infinity, factor: Infinity }, miss: Infinity }
    ]
    for (let round = 1; round <= ROUNDS; round++) {
      const met = yield* Effect.forEach(aims, ({ real, simulate }) =>
        Effect.map(simulate(constants), ({ cluster, fidelity }) => ({ real, simulated: cluster, fidelity }))
      )
      const worst = (of: keyof Fit["quality"]): number => Math.max(...met.map(({ fidelity }) => fidelity[of]))
      const quality = { medianFactor: worst("medianFactor"), factor: worst("factor") }
      const miss = met.reduce((sum, { fidelity }) => sum + missOf(fidelity), 0)
      if (miss < best.miss) best = { constants, quality, miss }
      constants = working(corrected(constants, met))
    }
    return best
  })

/** Gives constants the work that a crowd shows, whose simulation counts the calls of its control plane; it does so whenever they change. */
const workingOf = <E, R>(
  first: Constants,
  runs: CrowdRuns,
  simulateCrowd: Simulate<E, R>
): Effect.Effect<(constants: Constants) => Constants, E, R> =>
  Effect.map(simulateCrowd(first), ({ cluster }) => (constants: Constants) => {
    const work = workOf(runs, cluster, constants)
    return work === undefined ? constants : { ...constants, ...work, atOnce: runs.few.machine.cores }
  })

const NO_CROWD = "none"

interface Parts {
  readonly calm: Part
  readonly crowd?: { readonly few: Part; readonly many: Part }
}

const partsOf = ({ crowd, crowdRecord, file, record, seed, set, watchedRecord }: Given): Parts => {
  const seeds = Option.match(seed, { onNone: () => [], onSome: (value) => [`seed=${value}`] })
  const calm: Part = { name: "calm", file, sets: [...set, ...seeds], records: record }
  if (crowd === NO_CROWD) return { calm }
  const watched = [...seeds, `params.informers=${MANY_WATCHERS}`]
  return {
    calm,
    crowd: {
      few: { name: "crowd", file: crowd, sets: seeds, records: Option.toArray(crowdRecord) },
      many: { name: "watched", file: crowd, sets: watched, records: Option.toArray(watchedRecord) }
    }
  }
}

const said = (out: string, { constants, quality }: Fit): string => {
  const { calls, commit, eventMs = 0, events, network, scheduler, workShare = 0 } = constants
  const { factor, medianFactor } = quality
  return [
    `${out}: ${Object.keys(calls).length} kinds of calls, ${workShare} ms of work for each ms, ${Object.keys(events).length} kinds of watches, ${eventMs} ms of work an event`,
    `the way ${network.medianMs} ms, a commit ${commit.medianMs} ms, the scheduler ${scheduler.turnMs} ms and ${scheduler.attemptMs} ms an attempt`,
    `medians of API latency and pod start are met within ${medianFactor.toFixed(2)}×, every indicator within ${factor.toFixed(1)}×`,
    `use it: wharf run FILE --calibration ${out}`
  ].join("\n")
}

const calibrate = Effect.fn("wharf.calibrate")(
  function* (given: Given) {
    const files = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const own = yield* Option.match(given.records, {
      onNone: () => files.makeTempDirectoryScoped({ prefix: "wharf-calibrate-" }),
      onSome: (folder) => Effect.succeed(paths.resolve(folder))
    })
    const { calm, crowd } = partsOf(given)
    const words = calm.sets.flatMap((set) => ["--set", set])
    const command = ["wharf", "calibrate", paths.relative(".", given.file), "--target", given.target, ...words]
    const places = { records: own, command: [...command, "--backend", given.backend].join(" ") }
    const real = yield* measured(given, places, calm)
    const records = real.map(({ record }) => record)
    const simulate = yield* simulations(given, places, calm, records)
    const clusters = real.map(({ cluster }) => cluster)
    const first = constantsOf(clusters)
    const calmAim = { real: clusters, simulate }
    const fit = crowd
      ? yield* Effect.gen(function* () {
          const [few] = yield* measured(given, places, crowd.few)
          const [many] = yield* measured(given, places, crowd.many)
          const simulateCrowd = yield* simulations(given, places, crowd.few, [few.record])
          const working = yield* workingOf(first, { few: few.record, many: many.record }, simulateCrowd)
          return yield* fitted(first, [calmAim, { real: [few.cluster], simulate: simulateCrowd }], working)
        })
      : yield* fitted(first, [calmAim], (constants) => constants)
    yield* files.writeFileString(given.out, written(records[0], places.command, fit.constants, fit.quality))
    yield* Console.log(said(given.out, fit))
  },
  Effect.scoped,
  Effect.catch(explain)
)

/** `wharf calibrate`. */
export const calibrateCommand = Command.make("calibrate", flags, calibrate).pipe(
  Command.withDescription("Measure the constants that simulated clusters use on a real control plane"),
  Command.withExamples([
    { command: "wharf calibrate --target process", description: "Some minutes; then: wharf run … --calibration FILE" },
    {
      command: "wharf calibrate scenarios/relist-storm.yaml --backend etcd --out storm.json",
      description: "By another scenario's load, over etcd"
    }
  ])
)
