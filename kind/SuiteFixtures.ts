// Where suites of Go programs find their fixtures: the sources of a pinned module, which Go unpacks into its module cache. A suite's
// binary is an asset like any other; this only says in which folder to start it, and starts nothing itself.
import { Effect, Schema, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { moduleDirectory } from "./AssetBuild.ts"
import type { Recipe } from "./Catalog.ts"

/** Go could not provide the sources of a pinned module; the message is what it said. */
export class FixturesMissing extends Schema.TaggedError<FixturesMissing>()("FixturesMissing", {
  module: Schema.String,
  answer: Schema.String
}) {
  override get message(): string {
    return `go did not provide the sources of ${this.module}: ${this.answer}`
  }
}

const Download = Schema.fromJsonString(Schema.Struct({ Dir: Schema.NonEmptyString }))

/** The sources of a module that one of ours pins; downloads them if they are not there. */
const sourcesOf = Effect.fnUntraced(
  function* (pins: Recipe["module"], module: string) {
    const go = yield* ChildProcess.make("go", ["mod", "download", "-json", module], {
      cwd: moduleDirectory(pins),
      stdin: "ignore",
      env: { GOFLAGS: "-mod=readonly", GOWORK: "off" },
      extendEnv: true
    })
    const answer = yield* go.stdout.pipe(Stream.decodeText(), Stream.mkString)
    const { Dir } = yield* Schema.decodeEffect(Download)(answer)
    return Dir
  },
  Effect.scoped,
  (effect, _pins, module) => Effect.mapError(effect, (error) => new FixturesMissing({ module, answer: error.message }))
)

/** The folder in which `etcd-common.test` is to be started (it reads `../fixtures`); fails when Go is absent or refuses. */
export const etcdSuiteFolder = sourcesOf("etcd", "go.etcd.io/etcd/tests/v3").pipe(
  Effect.map((directory) => `${directory}/common`)
)

/** The folder whose folders hold scheduler_perf's configurations; fails when Go is absent or refuses. */
export const schedulerPerfFolder = sourcesOf("kubernetes", "k8s.io/kubernetes").pipe(
  Effect.map((directory) => `${directory}/test/integration/scheduler_perf`)
)
