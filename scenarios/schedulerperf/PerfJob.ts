// One workload on our scheduler: end to end through API server, store and watch, or the scheduler alone.
// Owns the joining of scheduler, probe and run, and the process that a workload among several gets; refuses to print.
import { Effect, Schema, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { join } from "node:path"
import { machineClockwork } from "#kube"
import { ConfigurationInvalid, defaultConfiguration, parseSchedulerConfiguration, Scheduler } from "#scheduling"
import { packageRoot } from "../PackageRoot.ts"
import type { DataItem } from "./DataItems.ts"
import { runPerfWorkload, type PerfRunOptions, type StartScheduler } from "./PerfRun.ts"
import { schedulerProbe } from "./SchedulerProbe.ts"

/** A workload's process ended without figures; `message` is the last that it said. */
export class PerfJobFailed extends Schema.TaggedError<PerfJobFailed>()("PerfJobFailed", { message: Schema.String }) {}

const startScheduler: StartScheduler<PerfJobFailed, never> = (client, text) =>
  Effect.gen(function* () {
    const configuration = text === undefined ? defaultConfiguration : parseSchedulerConfiguration(text)
    if (configuration instanceof ConfigurationInvalid) {
      return yield* new PerfJobFailed({ message: `scheduler configuration: ${configuration.message}` })
    }
    const scheduler = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const made: Scheduler = new Scheduler({
          client,
          clockwork: machineClockwork,
          profiles: configuration.profiles,
          initialBackoffMs: configuration.initialBackoffMs,
          maxBackoffMs: configuration.maxBackoffMs,
          onBound: (_pod, _node, waitedMs) => onBound(waitedMs)
        })
        return made
      }),
      (running) => Effect.sync(() => running.stop())
    )
    const { onBound, probe } = schedulerProbe(() => scheduler.stats)
    scheduler.start()
    return [probe]
  })

/** Runs it here. */
export const runOurs = (options: PerfRunOptions) => runPerfWorkload(options, startScheduler)

const Answer = Schema.fromJsonString(
  Schema.Struct({
    dataItems: Schema.Array(
      Schema.Struct({
        data: Schema.Record(Schema.String, Schema.Finite),
        unit: Schema.String,
        labels: Schema.Record(Schema.String, Schema.String)
      })
    )
  })
)

/** Runs it in a process of its own, by the arguments that ask this very command for one workload as JSON. */
export const runInProcess = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const child = yield* ChildProcess.make(join(packageRoot, "bin", "wharf"), ["bench", "scheduler", ...args, "--json"], {
    stdin: "ignore",
    extendEnv: true
  })
  const [output, errors] = yield* Effect.all(
    [child.stdout, child.stderr].map((stream) => stream.pipe(Stream.decodeText(), Stream.mkString)),
    { concurrency: 2 }
  )
  const code = yield* child.exitCode
  if (code !== 0)
    return yield* new PerfJobFailed({ message: (errors ?? "").trim().split("\n").at(-1) ?? `exit code ${code}` })
  const items: ReadonlyArray<DataItem> = (yield* Schema.decodeEffect(Answer)(output ?? "")).dataItems
  return items
}, Effect.scoped)
