// upstream's own scheduler_perf on this machine, for one workload: what our figures stand beside.
// Owns the call of its test binary and the reading of what it writes; refuses to build it (`wharf assets build scheduler-perf`).
import { Config, Effect, FileSystem, Path, Result, Schema } from "effect"
import { ChildProcess } from "effect/process"
import { findAsset, type ProgramName, programNames } from "#kind"
import type { DataItem } from "./DataItems.ts"

const Written = Schema.fromJsonString(
  Schema.Struct({
    // Null of a run that measured nothing.
    dataItems: Schema.NullOr(
      Schema.Array(
        Schema.Struct({
          data: Schema.Record(Schema.String, Schema.Finite),
          unit: Schema.String,
          labels: Schema.Record(Schema.String, Schema.String)
        })
      )
    )
  })
)

/** The binary that holds a folder's workloads; undefined for a folder that none is built for. */
const binaryOf = (folder: string): ProgramName | undefined =>
  programNames.find((name) => name === `scheduler-perf-${folder}.test`)

/** The folder that modules are kept in, of a folder of Kubernetes' sources. */
const moduleCache = (directory: string): string => directory.split("/k8s.io/kubernetes@")[0] ?? directory

/**
 * Runs `CASE/WORKLOAD` of the configuration in `directory`; undefined where upstream's binary or etcd is not there, or wrote nothing.
 * It ends with a failure of its own below the thresholds of Kubernetes' machines, which says nothing here.
 */
export const runUpstream = Effect.fn("schedulerperf.runUpstream")(function* (directory: string, workload: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const binary = binaryOf(path.basename(directory))
  if (binary === undefined) return undefined
  const found = yield* Effect.result(Effect.all([findAsset(binary), findAsset("etcd")]))
  if (Result.isFailure(found)) return undefined
  const [{ path: program }, { path: etcd }] = found.success
  const searched = yield* Config.String("PATH").pipe(Config.withDefault(""))
  const results = yield* files.makeTempDirectoryScoped({ prefix: "wharf-scheduler-perf-" })
  const run = yield* ChildProcess.make(
    program,
    [
      "-test.run=^$",
      `-test.bench=BenchmarkPerfScheduling/${workload}$`,
      "-test.benchtime=1ns",
      "-test.timeout=30m",
      "-perf-scheduling-label-filter=",
      "-data-items-dir",
      results
    ],
    {
      cwd: directory,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
      extendEnv: true,
      // The binary knows its sources by module; its API server asks where they lie.
      env: { TEST_SRCDIR: moduleCache(directory), TEST_WORKSPACE: ".", PATH: `${path.dirname(etcd)}:${searched}` }
    }
  )
  yield* run.exitCode
  const items: Array<DataItem> = []
  for (const name of yield* files.readDirectory(results)) {
    if (!name.endsWith(".json")) continue
    const text = yield* files.readFileString(path.join(results, name))
    items.push(...((yield* Schema.decodeEffect(Written)(text)).dataItems ?? []))
  }
  return items.length === 0 ? undefined : items
}, Effect.scoped)
