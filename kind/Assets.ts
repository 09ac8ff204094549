// Finds the real programs of the catalog on this machine and says what was found. Looks in KUBEBUILDER_ASSETS, then
// on PATH, then in our cache; passes over programs that are too old and this project's own `etcd`. It starts nothing
// but the question for a version, and builds nothing (AssetBuild.ts).
import { Config, Effect, FileSystem, Option, Path, Schema } from "effect"
import { homedir } from "node:os"
import { askVersion, isAtLeast } from "./AssetVersion.ts"
import { howToGet, programNames, programOf, type ProgramName } from "./Catalog.ts"

const Source = Schema.Literals(["KUBEBUILDER_ASSETS", "PATH", "cache"])

/** A program on this machine: its absolute path and which of the three places it was found in. */
export interface Asset {
  readonly name: ProgramName
  readonly path: string
  readonly source: typeof Source.Type
}

const PassedOver = Schema.Struct({ path: Schema.String, reason: Schema.String })

/** What is known of one program: where it is if it was found, and how to get it if not. */
export const AssetReport = Schema.Struct({
  name: Schema.String,
  purpose: Schema.String,
  found: Schema.Boolean,
  path: Schema.optionalKey(Schema.String),
  source: Schema.optionalKey(Source),
  version: Schema.optionalKey(Schema.String),
  atLeast: Schema.optionalKey(Schema.String),
  passedOver: Schema.Array(PassedOver),
  get: Schema.String
})

/** What `wharf assets --json` prints: the folder that `wharf assets build` fills, and one report for each program. */
export const AssetsDocument = Schema.Struct({ cache: Schema.String, assets: Schema.Array(AssetReport) })

/** A program that was not found, or only in versions that do not serve; the message says how to get it. */
export class AssetMissing extends Schema.TaggedError<AssetMissing>()("AssetMissing", {
  name: Schema.String,
  atLeast: Schema.optionalKey(Schema.String),
  passedOver: Schema.Array(PassedOver),
  get: Schema.String
}) {
  override get message(): string {
    const wanted = this.atLeast === undefined ? this.name : `${this.name} ${this.atLeast} or newer`
    const over = this.passedOver.map(({ path, reason }) => `${path} (${reason})`).join(", ")
    const passed = over === "" ? "" : `; passed over: ${over}`
    return `${wanted} was not found in KUBEBUILDER_ASSETS, on PATH or in the cache${passed}; get it with: ${this.get}`
  }
}

const variable = (name: string) =>
  Config.String(name).pipe(
    Config.option,
    Effect.orElseSucceed(() => Option.none<string>()),
    Effect.map(Option.filter((value) => value !== ""))
  )

/** The folder that holds what we build: `${XDG_CACHE_HOME:-~/.cache}/wharf/judges`. It may not exist yet. */
export const cacheDirectory = Effect.gen(function* () {
  const path = yield* Path.Path
  const cache = yield* variable("XDG_CACHE_HOME")
  return path.join(
    Option.getOrElse(cache, () => path.join(homedir(), ".cache")),
    "wharf",
    "judges"
  )
})

const searchPlaces = Effect.gen(function* () {
  const kubebuilder = yield* variable("KUBEBUILDER_ASSETS")
  const path = yield* variable("PATH")
  const onPath = Option.match(path, { onNone: () => [], onSome: (text) => text.split(":").filter((dir) => dir !== "") })
  const places: Array<{ readonly source: Asset["source"]; readonly directory: string }> = []
  if (Option.isSome(kubebuilder)) places.push({ source: "KUBEBUILDER_ASSETS", directory: kubebuilder.value })
  for (const directory of onPath) places.push({ source: "PATH", directory })
  places.push({ source: "cache", directory: yield* cacheDirectory })
  return places
})

// The real path of an executable file; undefined for anything else.
const programAt = Effect.fnUntraced(
  function* (file: string) {
    const fs = yield* FileSystem.FileSystem
    const info = yield* fs.stat(file)
    return info.type === "File" && (info.mode & 0o111) !== 0 ? yield* fs.realPath(file) : undefined
  },
  Effect.orElseSucceed(() => undefined)
)

// Once this package is installed, PATH may lead to its own `etcd`: that one must never judge itself.
const isOurs = Effect.fnUntraced(
  function* (file: string) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const real = yield* fs.realPath(file)
    const manifest = yield* fs.readFileString(path.join(path.dirname(real), "..", "package.json"))
    return /"name"\s*:\s*"kubewharf"/.test(manifest)
  },
  Effect.orElseSucceed(() => false)
)

const candidates = Effect.fnUntraced(function* (name: ProgramName) {
  const path = yield* Path.Path
  // By real path, since /bin and /usr/bin are often the same folder.
  const found = new Map<string, Asset>()
  for (const { directory, source } of yield* searchPlaces) {
    for (const file of [name, ...(programOf(name).aliases ?? [])]) {
      const candidate = path.resolve(directory, file)
      const real = yield* programAt(candidate)
      if (real !== undefined && !found.has(real)) found.set(real, { name, path: candidate, source })
    }
  }
  return Array.from(found.values())
})

// Test binaries tell no version; the build leaves it in a file beside them.
const recordedVersion = (file: string) =>
  FileSystem.FileSystem.use((fs) => fs.readFileString(`${file}.built`)).pipe(
    Effect.map((text) => text.split(" ")[0]),
    Effect.orElseSucceed(() => undefined)
  )

/** The version that a found program tells of itself, or that our build recorded; undefined when neither is known. */
export const assetVersion = Effect.fnUntraced(function* (asset: Asset) {
  const { versionArguments } = programOf(asset.name)
  return yield* versionArguments === undefined ? recordedVersion(asset.path) : askVersion(asset.path, versionArguments)
})

const choose = Effect.fnUntraced(function* (name: ProgramName, atLeast: string | undefined) {
  const passedOver: Array<typeof PassedOver.Type> = []
  for (const asset of yield* candidates(name)) {
    if (yield* isOurs(asset.path)) {
      passedOver.push({ path: asset.path, reason: "our own" })
      continue
    }
    if (atLeast === undefined) return { asset, passedOver }
    const version = yield* assetVersion(asset)
    if (version !== undefined && isAtLeast(version, atLeast)) return { asset, version, passedOver }
    passedOver.push({ path: asset.path, reason: version === undefined ? "tells no version" : `${version}, too old` })
  }
  return { passedOver }
})

/**
 * Finds a program: the first in the search order whose version is at least `atLeast` (default: what the catalog asks
 * for). Fails with `AssetMissing`, whose message names what was passed over and how to get the program.
 */
export const findAsset = Effect.fn("findAsset")(function* (name: ProgramName, options?: { readonly atLeast?: string }) {
  const atLeast = options?.atLeast ?? programOf(name).atLeast
  const { asset, passedOver } = yield* choose(name, atLeast)
  if (asset !== undefined) return asset
  const wanted = atLeast === undefined ? {} : { atLeast }
  return yield* new AssetMissing({ name, ...wanted, passedOver, get: howToGet(name) })
})

const report = Effect.fnUntraced(function* (name: ProgramName) {
  const { atLeast, purpose } = programOf(name)
  const chosen = yield* choose(name, atLeast)
  const version = chosen.version ?? (chosen.asset === undefined ? undefined : yield* assetVersion(chosen.asset))
  const { asset, passedOver } = chosen
  return {
    name,
    purpose,
    found: asset !== undefined,
    ...(asset === undefined ? {} : { path: asset.path, source: asset.source }),
    ...(version === undefined ? {} : { version }),
    ...(atLeast === undefined ? {} : { atLeast }),
    passedOver,
    get: howToGet(name)
  } satisfies typeof AssetReport.Type
})

/** Looks for every program of the catalog, four at a time. */
export const surveyAssets = Effect.forEach(programNames, report, { concurrency: 4 })
