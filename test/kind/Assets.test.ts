// Finding programs: the order of places, what is passed over and why, the words of a miss, the shape of the JSON.
// Fake programs are shell scripts in temporary folders, named by a configuration of the test's own.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, Path, Schema } from "effect"
import { assetVersion, AssetReport, cacheDirectory, catalog, findAsset, programNames, surveyAssets } from "#kind"
import { renderAssets } from "../../kind/AssetsCommand.ts"
import { itWith } from "../Judges.ts"

interface Machine {
  readonly root: string
  /** Adds a program that prints `answer` to `place`, a folder under the root. */
  readonly add: (place: string, name: string, answer: string, mode?: number) => Effect.Effect<string>
  readonly remove: (place: string, name: string) => Effect.Effect<void>
}

/** A machine with nothing on it but what the test adds: folders `kubebuilder`, `bin` (PATH) and the cache. */
const onMachine = <A, E>(
  body: (machine: Machine) => Effect.Effect<A, E, NodeServices.NodeServices>,
  environment?: (root: string) => Record<string, string>
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const root = yield* fs.realPath(yield* fs.makeTempDirectoryScoped({ prefix: "wharf-assets-" }))
    const add = (place: string, name: string, answer: string, mode = 0o755) =>
      Effect.gen(function* () {
        const file = path.join(root, place, name)
        yield* fs.makeDirectory(path.dirname(file), { recursive: true })
        yield* fs.writeFileString(file, `#!/bin/sh\ncat <<'EOF'\n${answer}\nEOF\n`)
        yield* fs.chmod(file, mode)
        return file
      }).pipe(Effect.orDie)
    const remove = (place: string, name: string) => fs.remove(path.join(root, place, name)).pipe(Effect.orDie)
    const variables = environment?.(root) ?? {
      KUBEBUILDER_ASSETS: `${root}/kubebuilder`,
      PATH: `:${root}/bin:${root}/nowhere`,
      XDG_CACHE_HOME: `${root}/cache`
    }
    return yield* body({ root, add, remove }).pipe(
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(variables))
    )
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

const cache = "cache/wharf/judges"

describe("findAsset", () => {
  it.effect("looks in KUBEBUILDER_ASSETS, then on PATH, then in the cache", () =>
    onMachine(({ add, remove }) =>
      Effect.gen(function* () {
        const third = yield* add(cache, "etcd", "etcd Version: 3.7.3")
        const second = yield* add("bin", "etcd", "etcd Version: 3.8.0")
        const first = yield* add("kubebuilder", "etcd", "etcd Version: 3.7.0")
        assert.deepStrictEqual(yield* findAsset("etcd"), { name: "etcd", path: first, source: "KUBEBUILDER_ASSETS" })
        yield* remove("kubebuilder", "etcd")
        assert.deepStrictEqual(yield* findAsset("etcd"), { name: "etcd", path: second, source: "PATH" })
        yield* remove("bin", "etcd")
        assert.deepStrictEqual(yield* findAsset("etcd"), { name: "etcd", path: third, source: "cache" })
      })
    )
  )

  it.effect("passes over what is too old, silent or not executable", () =>
    onMachine(({ add }) =>
      Effect.gen(function* () {
        yield* add("kubebuilder", "etcd", "no idea")
        const old = yield* add("bin", "etcd", "etcd Version: 3.4.23")
        const good = yield* add(cache, "etcd", "etcd Version: 3.7.3")
        assert.strictEqual((yield* findAsset("etcd")).path, good)
        assert.strictEqual((yield* findAsset("etcd", { atLeast: "3.4" })).path, old)
        yield* add("bin", "h2load", "h2load nghttp2/1.52.0", 0o644)
        assert.strictEqual((yield* Effect.flip(findAsset("h2load")))._tag, "AssetMissing")
      })
    )
  )

  it.effect("never takes our own etcd for the real one", () =>
    onMachine(({ add, root }) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const ours = yield* add("lib/kubewharf/bin", "etcd", "etcd Version: 3.7.3")
        yield* fs.writeFileString(`${root}/lib/kubewharf/package.json`, '{ "name": "kubewharf" }')
        yield* fs.makeDirectory(`${root}/bin`)
        yield* fs.symlink(ours, `${root}/bin/etcd`)
        const missing = yield* Effect.flip(findAsset("etcd"))
        assert.deepStrictEqual(missing.passedOver, [{ path: `${root}/bin/etcd`, reason: "our own" }])
      }).pipe(Effect.catchTag("PlatformError", Effect.die))
    )
  )

  it.effect("knows a program by its other names", () =>
    onMachine(({ add }) =>
      Effect.gen(function* () {
        const chrome = yield* add("bin", "google-chrome", "Google Chrome 150.0.1.2")
        assert.strictEqual((yield* findAsset("chromium")).path, chrome)
      })
    )
  )

  it.effect("says what is missing, what was passed over and how to get it", () =>
    onMachine(({ add, root }) =>
      Effect.gen(function* () {
        yield* add("bin", "etcd", "etcd Version: 3.4.23")
        assert.strictEqual(
          (yield* Effect.flip(findAsset("etcd"))).message,
          "etcd 3.7 or newer was not found in KUBEBUILDER_ASSETS, on PATH or in the cache; " +
            `passed over: ${root}/bin/etcd (3.4.23, too old); get it with: wharf assets build etcd`
        )
        assert.strictEqual(
          (yield* Effect.flip(findAsset("h2load"))).message,
          "h2load was not found in KUBEBUILDER_ASSETS, on PATH or in the cache; get it with: apt-get install nghttp2-client"
        )
      })
    )
  )

  it.effect("copes with a machine that sets no variable at all", () =>
    onMachine(
      () =>
        Effect.gen(function* () {
          assert.match(yield* cacheDirectory, /\/\.cache\/wharf\/judges$/)
        }),
      () => ({})
    )
  )

  itWith("etcd")("finds the real etcd of this machine, in a version that serves", async ({ etcd }) => {
    const version = await assetVersion({ name: "etcd", path: etcd, source: "cache" }).pipe(
      Effect.provide(NodeServices.layer),
      Effect.runPromise
    )
    assert.match(version ?? "", /^3\.\d+\.\d+/)
  })
})

describe("surveyAssets", () => {
  it.effect("has one report for each program, which the published shape accepts", () =>
    onMachine(({ add, root }) =>
      Effect.gen(function* () {
        const etcd = yield* add(cache, "etcd", "etcd Version: 3.7.3")
        const old = yield* add("bin", "etcd", "etcd Version: 3.4.23")
        yield* add(cache, "etcd-common.test", "not asked")
        const fs = yield* FileSystem.FileSystem
        yield* fs.writeFileString(`${root}/${cache}/etcd-common.test.built`, "3.7.3 0123abcd\n")
        const reports = yield* surveyAssets
        assert.strictEqual(reports.find(({ name }) => name === "etcd-common.test")?.version, "3.7.3")
        assert.deepStrictEqual(
          reports.map((report) => report.name),
          [...programNames]
        )
        const document: unknown = JSON.parse(JSON.stringify(reports))
        yield* Schema.decodeUnknownEffect(Schema.Array(AssetReport))(document, { onExcessProperty: "error" })
        assert.deepStrictEqual(reports[0], {
          name: "etcd",
          purpose: catalog.etcd.purpose,
          found: true,
          path: etcd,
          source: "cache",
          version: "3.7.3",
          atLeast: "3.7",
          passedOver: [{ path: old, reason: "3.4.23, too old" }],
          get: "wharf assets build etcd"
        })
        const table = renderAssets(reports)
        assert.include(table, `3.7.3          ${etcd} (cache)`)
        assert.include(table, `passed over ${old}: 3.4.23, too old`)
        assert.match(table, /h2load +missing .*get it with: apt-get install nghttp2-client/)
      }).pipe(Effect.orDie)
    )
  )
})
