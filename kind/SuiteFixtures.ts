// Where etcd's own test suite finds its fixtures: its sources, which Go unpacks into its module cache. The suite's
// binary is an asset like any other; this only says in which folder to start it, and starts nothing itself.
import { Effect, Schema, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { moduleDirectory } from "./AssetBuild.ts"

const etcdTests = "go.etcd.io/etcd/tests/v3"

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

/**
 * The folder in which `etcd-common.test` is to be started (it reads `../fixtures`); downloads the pinned sources if they
 * are not there. Fails with `FixturesMissing` when Go is absent or refuses.
 */
export const etcdSuiteFolder = Effect.gen(function* () {
  const go = yield* ChildProcess.make("go", ["mod", "download", "-json", etcdTests], {
    cwd: moduleDirectory("etcd"),
    stdin: "ignore",
    env: { GOFLAGS: "-mod=readonly", GOWORK: "off" },
    extendEnv: true
  })
  const answer = yield* go.stdout.pipe(Stream.decodeText(), Stream.mkString)
  const { Dir } = yield* Schema.decodeEffect(Download)(answer)
  return `${Dir}/common`
}).pipe(
  Effect.scoped,
  Effect.mapError((error) => new FixturesMissing({ module: etcdTests, answer: error.message }))
)
