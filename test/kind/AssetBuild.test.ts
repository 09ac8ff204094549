// Building: which names mean what, the state of a missing or failing compiler, and what stays when something is there.
// A shell script plays the compiler, so that nothing is downloaded; the real one is used by `wharf assets build`.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem } from "effect"
import { readFileSync } from "node:fs"
import { buildAssets, expandNames } from "../../kind/AssetBuild.ts"
import { programNames, programOf } from "../../kind/Catalog.ts"

// Answers like Go: a version, and for anything else a file at the place that -o names, or a failure if told so.
const fakeGo = (version: string, failure = false): string => `#!/bin/sh
if [ "$1" = env ]; then echo ${version}; exit; fi
echo "$PWD $GOFLAGS $CGO_ENABLED $*" >> "$(dirname "$0")/calls"
${failure ? "echo 'undefined: answer' >&2; exit 1" : ""}
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho etcdctl version: 3.7.3\\n' > "$2"; chmod +x "$2"
`

const withCompiler = <A, E>(
  script: string | undefined,
  body: (root: string, fs: FileSystem.FileSystem) => Effect.Effect<A, E, NodeServices.NodeServices>
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const root = yield* fs.makeTempDirectoryScoped({ prefix: "wharf-build-" })
    if (script !== undefined) yield* fs.writeFileString(`${root}/go`, script, { mode: 0o755 })
    const path = process.env["PATH"]
    const replaced = script === undefined ? "/nonexistent" : `${root}:/usr/bin:/bin`
    yield* Effect.acquireRelease(
      Effect.sync(() => (process.env["PATH"] = replaced)),
      () => Effect.sync(() => (process.env["PATH"] = path))
    )
    return yield* body(root, fs).pipe(
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({ XDG_CACHE_HOME: root }))
    )
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

describe("expandNames", () => {
  it.effect("knows programs and groups, each once and in catalog order", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* expandNames(["kwok", "etcd", "kwok"]), ["etcd", "kwok"])
      assert.deepStrictEqual(yield* expandNames(["suites"]), ["etcd-common.test", "apiserver-storage.test"])
      assert.lengthOf(yield* expandNames([]), 10)
    })
  )

  it.effect("refuses what is not built, and says what to do instead", () =>
    Effect.gen(function* () {
      const installed = yield* Effect.flip(expandNames(["curl"]))
      assert.strictEqual(installed.message, "curl is not built from Go modules: apt-get install curl")
      const unknown = yield* Effect.flip(expandNames(["nonsense"]))
      assert.match(
        unknown.message,
        /^nonsense is not built from Go modules: known are kubernetes, suites, tikv, e2e, scheduler-perf, default, etcd/
      )
    })
  )
})

describe("buildAssets", () => {
  it.effect("builds beside and renames into place, once", () =>
    withCompiler(fakeGo("go1.26.8"), (root, fs) =>
      Effect.gen(function* () {
        yield* buildAssets(["etcdctl"])
        const directory = `${root}/wharf/judges`
        assert.deepStrictEqual((yield* fs.readDirectory(directory)).toSorted(), ["etcdctl", "etcdctl.built"])
        assert.match(yield* fs.readFileString(`${directory}/etcdctl.built`), /^3\.7\.3 [0-9a-f]{64}\n$/)
        const calls = yield* fs.readFileString(`${root}/calls`)
        assert.match(
          calls,
          /^\S*\/kind\/modules\/etcd -mod=readonly 0 build -trimpath .* go\.etcd\.io\/etcd\/etcdctl\/v3\n$/
        )
        yield* buildAssets(["etcdctl"])
        assert.strictEqual(yield* fs.readFileString(`${root}/calls`), calls)
      })
    )
  )

  it.effect("keeps a program of the pinned version that somebody else built, and replaces another version", () =>
    withCompiler(fakeGo("go1.26.8"), (root, fs) =>
      Effect.gen(function* () {
        const file = `${root}/wharf/judges/etcdctl`
        yield* fs.makeDirectory(`${root}/wharf/judges`, { recursive: true })
        yield* fs.writeFileString(file, "#!/bin/sh\necho etcdctl version: 3.7.3 theirs\n", { mode: 0o755 })
        yield* buildAssets(["etcdctl"])
        assert.include(yield* fs.readFileString(file), "theirs")
        yield* fs.writeFileString(file, "#!/bin/sh\necho etcdctl version: 3.6.0 theirs\n")
        yield* buildAssets(["etcdctl"])
        assert.notInclude(yield* fs.readFileString(file), "theirs")
      })
    )
  )

  it.effect("reports the compiler's last words and leaves nothing half built", () =>
    withCompiler(fakeGo("go1.26.8", true), (root, fs) =>
      Effect.gen(function* () {
        const failed = yield* Effect.flip(buildAssets(["etcdctl"]))
        assert.strictEqual(failed.message, "building etcdctl ended with exit code 1\nundefined: answer")
        assert.deepStrictEqual(yield* fs.readDirectory(`${root}/wharf/judges`), [])
      })
    )
  )

  it.effect("says which Go it needs when there is none or an old one", () =>
    Effect.gen(function* () {
      const old = yield* withCompiler(fakeGo("go1.21.5"), () => Effect.flip(buildAssets(["etcdctl"])))
      assert.match(old.message, /^go 1\.21\.5 is too old: building needs Go 1\.26 or newer/)
      const none = yield* withCompiler(undefined, () => Effect.flip(buildAssets(["etcdctl"])))
      assert.match(none.message, /^no go on PATH: building needs Go 1\.26 or newer/)
    })
  )

  it.live("takes over the lock of a builder that died, and waits for one that lives", () =>
    withCompiler(fakeGo("go1.26.8"), (root, fs) =>
      Effect.gen(function* () {
        const lock = `${root}/wharf/judges/.building`
        yield* fs.makeDirectory(`${root}/wharf/judges`, { recursive: true })
        yield* fs.writeFileString(lock, `${process.ppid}\n`)
        const waiting = yield* Effect.timeoutOption(buildAssets(["etcdctl"]), "500 millis")
        assert.strictEqual(waiting._tag, "None")
        assert.strictEqual(yield* fs.readFileString(lock), `${process.ppid}\n`)
        yield* fs.writeFileString(lock, "999999999\n")
        yield* buildAssets(["etcdctl"])
        assert.isTrue(yield* fs.exists(`${root}/wharf/judges/etcdctl`))
        assert.isFalse(yield* fs.exists(lock))
      })
    )
  )
})

describe("the pins of the catalog", () => {
  // The package path starts with the path of the module that provides it; the longest such require is the one.
  const requires = (module: string): ReadonlyArray<readonly [string, string]> =>
    Array.from(
      readFileSync(new URL(`../../kind/modules/${module}/go.mod`, import.meta.url), "utf8").matchAll(
        /^(?:require )?\s*([a-z]\S+) v(\d\S*)/gm
      ),
      ([, path = "", version = ""]) => [path, version.replace("+incompatible", "")] as const
    )

  for (const name of programNames.filter((program) => programOf(program).build !== undefined)) {
    it(`${name} is the version that go.mod requires`, () => {
      const recipe = programOf(name).build!
      const own = recipe.module === "tikv" ? "github.com/pingcap/tidb" : "k8s.io/apiserver"
      const wanted = recipe.package === "." ? own : recipe.package
      const pin = requires(recipe.module).find(([path]) => wanted === path || wanted.startsWith(`${path}/`))
      const staged = recipe.version.replace(/^1\./, "0.")
      assert.include([recipe.version, staged], pin?.[1])
    })
  }
})
