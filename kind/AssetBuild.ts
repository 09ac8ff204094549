// Builds the Go-built programs of the catalog into our cache, from the pinned modules in modules/. A program that is
// there in the pinned version stays; a new one is built beside it and renamed into place, so nobody ever runs half a
// file. It downloads nothing itself: that is Go's work, from whatever module proxy the user's Go is set up with.
import { Clock, Console, Effect, FileSystem, Path, Schema, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"
import { cacheDirectory } from "./Assets.ts"
import { askVersion, isAtLeast } from "./AssetVersion.ts"
import { withBuildLock } from "./BuildLock.ts"
import { buildGroups, howToGet, programNames, programOf, type ProgramName, type Recipe } from "./Catalog.ts"

const goAtLeast = "1.26"
const tailLinesMax = 40

/** Go is not on PATH, or too old for the pinned modules. */
export class GoMissing extends Schema.TaggedError<GoMissing>()("GoMissing", {
  found: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    const state = this.found === undefined ? "no go on PATH" : `go ${this.found} is too old`
    return `${state}: building needs Go ${goAtLeast} or newer, from https://go.dev/dl or your system's packages`
  }
}

/** A name that is neither a program of the catalog nor a group, or a program that is not built but installed. */
export class NotBuildable extends Schema.TaggedError<NotBuildable>()("NotBuildable", {
  name: Schema.String,
  advice: Schema.String
}) {
  override get message(): string {
    return `${this.name} is not built from Go modules: ${this.advice}`
  }
}

/** The compiler refused; the message ends with the last lines it printed. */
export class BuildFailed extends Schema.TaggedError<BuildFailed>()("BuildFailed", {
  name: Schema.String,
  exitCode: Schema.Int,
  tail: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return [`building ${this.name} ended with exit code ${this.exitCode}`, ...this.tail].join("\n")
  }
}

const isProgramName = (name: string): name is ProgramName => programNames.some((known) => known === name)

/** The programs that names and groups stand for, in catalog order, each once; no name at all means the default group. */
export const expandNames = Effect.fnUntraced(function* (names: ReadonlyArray<string>) {
  const wanted = new Set<ProgramName>()
  for (const name of names.length === 0 ? ["default"] : names) {
    const members = buildGroups[name] ?? (isProgramName(name) ? [name] : [])
    if (members.length === 0) {
      const known = [...Object.keys(buildGroups), ...programNames.filter((other) => programOf(other).build)].join(", ")
      return yield* new NotBuildable({ name, advice: `known are ${known}` })
    }
    for (const member of members) {
      if (programOf(member).build === undefined) return yield* new NotBuildable({ name, advice: howToGet(member) })
      wanted.add(member)
    }
  }
  return programNames.filter((name) => wanted.has(name))
})

/** The folder of one of our pinned Go modules, in the source tree or in the installed package. */
export const moduleDirectory = (module: Recipe["module"]): string =>
  fileURLToPath(new URL(`./modules/${module}`, import.meta.url))

// What decides the built file: the pins, our own Go sources if the recipe compiles them, and the flags.
const fingerprint = Effect.fnUntraced(function* (recipe: Recipe) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = moduleDirectory(recipe.module)
  const hash = createHash("sha256").update(JSON.stringify(recipe))
  const files = yield* fs.readDirectory(directory)
  for (const file of files.toSorted()) {
    if (file !== "go.mod" && file !== "main.go" && !file.endsWith("_test.go")) continue
    hash.update(file).update(yield* fs.readFile(path.join(directory, file)))
  }
  return `${recipe.version} ${hash.digest("hex")}`
})

const checkGo = Effect.gen(function* () {
  const answer = yield* askVersion("go", ["env", "GOVERSION"])
  if (answer === undefined) return yield* new GoMissing({})
  if (!isAtLeast(answer, goAtLeast)) return yield* new GoMissing({ found: answer })
})

const goArguments = (recipe: Recipe, output: string): ReadonlyArray<string> => [
  ...(recipe.testTags === undefined
    ? ["build", ...(recipe.tags === undefined ? [] : [`-tags=${recipe.tags}`])]
    : ["test", "-c", `-tags=${recipe.testTags}`]),
  "-trimpath",
  "-buildvcs=false",
  `-ldflags=-s -w ${recipe.linkerFlags ?? ""}`,
  "-o",
  output,
  recipe.package
]

const compile = Effect.fnUntraced(function* (name: ProgramName, recipe: Recipe, output: string) {
  const go = yield* ChildProcess.make("go", goArguments(recipe, output), {
    cwd: moduleDirectory(recipe.module),
    stdin: "ignore",
    env: { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" },
    extendEnv: true
  })
  const tail: Array<string> = []
  yield* go.all.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((line) =>
      Effect.sync(() => {
        tail.push(line)
        if (tail.length > tailLinesMax) tail.shift()
      })
    )
  )
  const exitCode = yield* go.exitCode
  if (exitCode !== 0) return yield* new BuildFailed({ name, exitCode, tail })
}, Effect.scoped)

// A cold build of kube-apiserver takes minutes; without a sign of life it looks hung.
const signOfLife = (name: ProgramName) =>
  Console.error(`still building ${name}`).pipe(Effect.delay("30 seconds"), Effect.forever)

const isCurrent = Effect.fnUntraced(function* (file: string, stamp: string, name: ProgramName) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(file))) return false
  const recorded = yield* fs.readFileString(`${file}.built`).pipe(Effect.orElseSucceed(() => ""))
  if (recorded !== "") return recorded.trim() === stamp
  // Built by somebody else: a program of the pinned version is as good, a test binary cannot tell.
  const { build, versionArguments } = programOf(name)
  return versionArguments !== undefined && (yield* askVersion(file, versionArguments)) === build?.version
})

const buildOne = Effect.fnUntraced(function* (name: ProgramName, directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const recipe = programOf(name).build
  if (recipe === undefined) return yield* new NotBuildable({ name, advice: howToGet(name) })
  const file = path.join(directory, name)
  const stamp = yield* fingerprint(recipe)
  if (yield* isCurrent(file, stamp, name)) return yield* Console.log(`${name} ${recipe.version} is there: ${file}`)
  yield* checkGo
  yield* Console.error(`building ${name} ${recipe.version}`)
  const started = yield* Clock.currentTimeMillis
  const temporary = path.join(directory, `.${name}.new`)
  yield* compile(name, recipe, temporary).pipe(
    Effect.raceFirst(signOfLife(name)),
    Effect.tapError(() => fs.remove(temporary, { force: true }).pipe(Effect.ignore))
  )
  // The old stamp must not outlive the file that it speaks of.
  yield* fs.remove(`${file}.built`, { force: true })
  yield* fs.rename(temporary, file)
  yield* fs.writeFileString(`${file}.built`, `${stamp}\n`)
  const seconds = Math.round(((yield* Clock.currentTimeMillis) - started) / 1000)
  yield* Console.log(`${name} ${recipe.version} built in ${seconds} s: ${file}`)
})

/**
 * Builds programs and groups by name into the cache, one after another (Go itself uses every core), and prints a line
 * for each. Fails with `NotBuildable`, `GoMissing`, `BuildFailed`, `BuildLocked` or the file system's own error.
 */
export const buildAssets = Effect.fn("buildAssets")(function* (names: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const programs = yield* expandNames(names)
  const directory = yield* cacheDirectory
  yield* fs.makeDirectory(directory, { recursive: true })
  const all = Effect.forEach(programs, (name) => buildOne(name, directory), { discard: true })
  yield* withBuildLock(directory, all)
})
