// The command lines `wharf sim explore` and `wharf sim replay`.
// Owns their flags, files and words; refuses the worlds themselves. A finding is one JSON file that holds the whole case: what replays it
// needs nothing else. Exit codes, as all commands have them: 0 nothing found, 6 a guarantee is broken, 1 the file cannot be read.
import { readFileSync, writeFileSync } from "node:fs"
import { Console, Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { builtInDefinitions, defaultResourcesContext, type Definitions, makeDefinitions } from "#apiserver"
import { writeEventLog } from "../time/EventLogAdapter.ts"
import type { Kernel } from "../time/Kernel.ts"
import { type ClusterCase, type ClusterParts, drawClusterCase, runClusterCase } from "./ClusterWorld.ts"
import { type Finding, replayCommand, shrinkCase, type SteppedCase } from "./Explore.ts"
import { drawNodesCase, type NodesCase, runNodesCase } from "./NodesWorld.ts"
import { drawStoreCase, runStoreCase, type RunResult, type StoreCase } from "./StoreWorld.ts"

/** A case that cannot be replayed; the message says why. */
export class CaseUnreadable extends Schema.TaggedError<CaseUnreadable>()("CaseUnreadable", {
  message: Schema.String
}) {}

const EXIT_BROKEN = 6
const EXIT_UNREADABLE = 1

const endWith = (code: number) =>
  Effect.sync(() => {
    process.exitCode = code
  })

const parseSeeds = (text: string): readonly [number, number] | undefined => {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text)
  if (match === null) return undefined
  const [from, to] = match[2] === undefined ? [0, Number(match[1]) - 1] : [Number(match[1]), Number(match[2])]
  return to >= from ? [from, to] : undefined
}

const describeFinding = <Case extends SteppedCase<unknown>>(finding: Finding<Case>, file: string): string => {
  const { drawn, eventLogHash, runs, smallest, violation } = finding
  return [
    `seed ${drawn.seed} breaks a guarantee: ${violation.guarantee}`,
    `  ${violation.message} (at ${Math.round(violation.atMs)} ms)`,
    `  shrunk from ${drawn.plan.length + drawn.steps.length} steps to ${smallest.plan.length + smallest.steps.length} in ${runs} runs`,
    `  event log ${eventLogHash}`,
    `replay it: ${replayCommand(file)}`
  ].join("\n")
}

const explore = Effect.fn("sim.explore")(function* <Case extends SteppedCase<unknown>>(
  [from, to]: readonly [number, number],
  out: string | undefined,
  draw: (seed: number) => Case,
  run: (candidate: Case) => RunResult
) {
  for (let seed = from; seed <= to; seed++) {
    const drawn = draw(seed)
    if (run(drawn).violations.length === 0) {
      // Interruptions are heard between runs.
      yield* Effect.yieldNow
      continue
    }
    const finding = shrinkCase<unknown, Case>(drawn, run)
    if (finding === undefined) continue
    const file = out ?? `violation-${seed}.json`
    yield* Effect.sync(() => writeFileSync(file, `${JSON.stringify(finding.smallest, undefined, 2)}\n`))
    yield* Console.log(describeFinding(finding, file))
    return yield* endWith(EXIT_BROKEN)
  }
  yield* Console.log(`${to - from + 1} runs, every guarantee kept`)
})

/** Runs a case of a kind that another room makes, given its file's data. */
export type CaseRunner = (data: unknown, hooks: { readonly onKernel: (kernel: Kernel) => void }) => RunResult

interface CaseFile {
  readonly kind: string
  readonly data: unknown
}

const readCase = (file: string, kinds: ReadonlyArray<string>): Effect.Effect<CaseFile, CaseUnreadable> =>
  Effect.try({
    try: () => {
      const data: { readonly kind?: unknown; readonly plan?: unknown; readonly steps?: unknown } = JSON.parse(
        readFileSync(file, "utf8")
      )
      const { kind } = data
      const isCase =
        typeof kind === "string" && kinds.includes(kind) && Array.isArray(data.plan) && Array.isArray(data.steps)
      if (!isCase) throw new Error("it holds no case: kind, plan and steps must be there")
      return { kind, data }
    },
    catch: (error) =>
      new CaseUnreadable({ message: `${file}: ${error instanceof Error ? error.message : String(error)}` })
  })

const tell = Effect.fn("sim.tell")(function* ({ counts, eventLogHash, events, violations, virtualMs }: RunResult) {
  for (const { atMs, guarantee, message } of violations)
    yield* Console.log(`${Math.round(atMs)} ms  ${guarantee}: ${message}`)
  const numbers = Object.entries(counts).map(([name, count]) => `${name} ${count}`)
  yield* Console.log(`${events} events in ${Math.round(virtualMs)} ms of virtual time; ${numbers.join(", ")}`)
  yield* Console.log(`event log ${eventLogHash}`)
  if (violations.length > 0) yield* endWith(EXIT_BROKEN)
})

/** Writes down the log of the kernel that is seen, if a file is named. */
const logging = (path: string | undefined) => {
  let close = (): void => undefined
  const onKernel = (kernel: Kernel): void => {
    if (path !== undefined) close = writeEventLog(kernel, path)
  }
  return { onKernel, close: () => close() }
}

const builtIns = (): Definitions => makeDefinitions(builtInDefinitions(defaultResourcesContext))

const reported = <R>(program: Effect.Effect<void, CaseUnreadable, R>) =>
  program.pipe(
    Effect.catch(({ message }) => Effect.andThen(Console.error(`error: ${message}`), endWith(EXIT_UNREADABLE)))
  )

/** Runs the case of a file again, its log written down where a file is named for it. */
const replayed = (
  file: string,
  log: string | undefined,
  cluster: ClusterParts,
  others: Readonly<Record<string, CaseRunner>>
) =>
  Effect.gen(function* () {
    const { data, kind } = yield* readCase(file, ["store", "nodes", "cluster", ...Object.keys(others)])
    const written = yield* Effect.acquireRelease(
      Effect.sync(() => logging(log)),
      ({ close }) => Effect.sync(close)
    )
    const run = others[kind]
    if (run !== undefined) return yield* tell(run(data, written))
    // SAFETY: our own format, checked as far as a user may have mixed up files.
    if (kind === "store") return yield* tell(runStoreCase(data as StoreCase, written))
    if (kind === "nodes") return yield* tell(runNodesCase(data as NodesCase, written))
    return yield* tell(runClusterCase(data as ClusterCase, { ...cluster, ...written }))
  }).pipe(Effect.scoped)

/**
 * The commands; the cluster is by default one of the built-in resources, without controllers. `others` run cases of kinds that rooms
 * to the right of this one make.
 */
export const simCommand = (
  cluster: ClusterParts = { definitions: builtIns },
  others: Readonly<Record<string, CaseRunner>> = {}
) => {
  const seeds = Flag.String("seeds").pipe(
    Flag.withDescription("How many seeds, or a range like 100-199"),
    Flag.withDefault("100")
  )
  const world = Flag.Literals("world", ["store", "nodes", "cluster"]).pipe(
    Flag.withDescription("What is simulated: the store alone, nodes on a shared engine, or a small cluster"),
    Flag.withDefault("store")
  )
  const out = Flag.String("out").pipe(
    Flag.withDescription("File for the case that is found; default: violation-SEED.json"),
    Flag.optional
  )
  const exploring = Command.make("explore", { seeds, world, out }, (given) =>
    reported(
      Effect.gen(function* () {
        const range = parseSeeds(given.seeds)
        if (range === undefined) {
          return yield* new CaseUnreadable({
            message: `--seeds must be a number or a range like 100-199, not ${given.seeds}`
          })
        }
        const file = Option.getOrUndefined(given.out)
        if (given.world === "cluster")
          return yield* explore(
            range,
            file,
            (seed) => drawClusterCase(seed),
            (one) => runClusterCase(one, cluster)
          )
        if (given.world === "nodes")
          return yield* explore(
            range,
            file,
            (seed) => drawNodesCase(seed),
            (one) => runNodesCase(one)
          )
        return yield* explore(
          range,
          file,
          (seed) => drawStoreCase(seed),
          (one) => runStoreCase(one)
        )
      })
    )
  ).pipe(
    Command.withDescription("Look for a seed that breaks a guarantee, and shrink what is found"),
    Command.withExamples([{ command: "wharf sim explore --seeds 1000", description: "a thousand worlds of the store" }])
  )
  const log = Flag.String("log").pipe(
    Flag.withDescription("File for the whole event log, one event a line; two of them are compared with diff"),
    Flag.optional
  )
  const replay = Command.make("replay", { file: Argument.String("file"), log }, ({ file, log }) =>
    reported(replayed(file, Option.getOrUndefined(log), cluster, others))
  ).pipe(
    Command.withDescription("Run a case from its file and show what it breaks"),
    Command.withExamples([{ command: "wharf sim replay violation-42.json", description: "what seed 42 broke" }])
  )
  return Command.make("sim").pipe(
    Command.withDescription("Simulated worlds: explore seeds, replay findings"),
    Command.withExamples([{ command: "wharf sim explore --seeds 1000", description: "look for a broken guarantee" }]),
    Command.withSubcommands([exploring, replay])
  )
}
