// `wharf calibrate`: lives a scenario on a real control plane, takes the constants of a simulation from what was measured, simulates the
// same file with them, mends them by what was off, and writes them to a file with how near the best of these simulations came.
// Owns flags and that sequence; runs are Runner.ts's, the arithmetic Constants.ts's.
import { fidelityOf, readRecord, type RunRecord } from "#reports"
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

/** Simulations that mend the constants at most; the best of them is kept. */
const ROUNDS = 8

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
    Flag.withDescription("The record of a real run of this file, instead of living it anew"),
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
  readonly sets: ReadonlyArray<string>
}

const lived = (given: Given, places: Places, folder: string, sets: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const loaded = yield* loadScenario(given.file, [...places.sets, ...sets])
    const isReal = loaded.scenario.target !== "sim"
    const { records } = yield* runScenario({
      loaded,
      backends: isReal ? [given.backend] : [],
      typedBackends: isReal,
      repeats: 1,
      curve: [],
      existing: undefined,
      out: join(places.records, folder),
      junit: undefined,
      command: places.command,
      progress: new Progress(process.stderr, false)
    })
    const record = records.find(({ cluster }) => cluster !== undefined)
    return record?.cluster === undefined
      ? yield* new CalibrationUnusable({ file: given.file, reason: "the scenario has no cluster to measure" })
      : { record, cluster: record.cluster }
  })

/** A real run that was lived before, of the same file. */
const recordedRun = (given: Given, places: Places, file: string) =>
  Effect.gen(function* () {
    const { hash } = yield* loadScenario(given.file, places.sets)
    const record = yield* readRecord(file)
    const { cluster, scenario, target } = record
    if (cluster === undefined || target === "sim")
      return yield* new CalibrationUnusable({ file, reason: "is not the record of a cluster on real programs" })
    if (scenario.hash !== hash)
      return yield* new CalibrationUnusable({ file, reason: `is a record of another scenario, ${scenario.name}` })
    return { record, cluster }
  })

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

/** Simulates with constants, mends them and simulates again; answers the best of all rounds. */
const fitted = (given: Given, places: Places, real: RunRecord, first: Constants) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const file = join(places.records, "candidate.json")
    yield* files.makeDirectory(places.records, { recursive: true })
    let [constants, best] = [first, { constants: first, quality: { medianFactor: Infinity, factor: Infinity } }]
    for (let round = 1; round <= ROUNDS; round++) {
      yield* files.writeFileString(file, written(real, places.command, constants, UNKNOWN))
      const { record } = yield* lived(given, places, `simulated-${round}`, [
        "target=sim",
        `cluster.calibration=${file}`
      ])
      const fidelity = fidelityOf([record], [real])
      const { factor, medianFactor } = fidelity
      yield* Console.error(
        `round ${round}: medians within ${medianFactor.toFixed(2)}×, all within ${factor.toFixed(1)}×`
      )
      if (medianFactor < best.quality.medianFactor) best = { constants, quality: { medianFactor, factor } }
      constants = corrected(constants, fidelity)
    }
    return best
  })

const calibrate = Effect.fn("wharf.calibrate")(
  function* (given: Given) {
    const files = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const own = yield* Option.match(given.records, {
      onNone: () => files.makeTempDirectoryScoped({ prefix: "wharf-calibrate-" }),
      onSome: (folder) => Effect.succeed(paths.resolve(folder))
    })
    const seed = Option.match(given.seed, { onNone: () => [], onSome: (value) => [`seed=${value}`] })
    const sets = [...given.set, ...seed]
    const words = sets.flatMap((set) => ["--set", set])
    const command = ["wharf", "calibrate", paths.relative(".", given.file), "--target", given.target, ...words]
    const places = { records: own, command: [...command, "--backend", given.backend].join(" "), sets }
    const { cluster, record } = yield* Option.match(given.record, {
      onNone: () => lived(given, places, "real", [`target=${given.target}`]),
      onSome: (file) => recordedRun(given, places, file)
    })
    const { constants, quality } = yield* fitted(given, places, record, constantsOf(cluster))
    yield* files.writeFileString(given.out, written(record, places.command, constants, quality))
    const { calls, commit, events, network, scheduler } = constants
    yield* Console.log(
      [
        `${given.out}: ${Object.keys(calls).length} kinds of calls, ${Object.keys(events).length} of watches`,
        `the way ${network.medianMs} ms, a commit ${commit.medianMs} ms, the scheduler ${scheduler.turnMs} ms and ${scheduler.attemptMs} ms an attempt`,
        `medians of API latency and pod start of that run are met within ${quality.medianFactor.toFixed(2)}×, every indicator within ${quality.factor.toFixed(1)}×`,
        `use it: wharf run FILE --calibration ${given.out}`
      ].join("\n")
    )
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
