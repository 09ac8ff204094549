// The one table of rooms: where each stands, which doors it may open, and whether the simulator runs it. The linter's
// overrides and those of the Effect diagnostics are generated from it (`npm run rooms` writes both, test/tidy.test.ts
// checks that they are in step), so the direction of imports is written down once. It judges no source file itself; oxlint and the tidy tests do.
import { readFileSync, writeFileSync } from "node:fs"

/** A room: its folder, the rooms whose doors it may open, and whether its code can run in the simulator. */
export interface Room {
  readonly name: string
  readonly folder: string
  readonly mayImport: ReadonlyArray<string>
  readonly simulated: boolean
  /** Its own folders that are called like another room: entered from beside them, never from the room's top. */
  readonly namesakes?: ReadonlyArray<string>
}

const foundation = ["kube", "net", "storage"]
const systems = [...foundation, "apiserver", "scheduling"]
const world = [...systems, "gateway", "tenancy", "federation", "tracing"]

const core = (name: string, mayImport: ReadonlyArray<string>): Room => ({
  name,
  folder: `core/${name}`,
  mayImport,
  simulated: name !== "net"
})

/** Every room of the house, built or still to come, from left to right. */
export const rooms: ReadonlyArray<Room> = [
  core("kube", ["net"]),
  core("net", []),
  core("storage", ["kube", "net"]),
  core("apiserver", foundation),
  core("scheduling", foundation),
  core("gateway", systems),
  core("tenancy", systems),
  { ...core("federation", systems), namesakes: ["scheduling"] },
  core("tracing", systems),
  { name: "sim", folder: "sim", mayImport: world, simulated: true },
  { name: "scenarios", folder: "scenarios", mayImport: [...world, "sim", "kind", "reports"], simulated: false },
  { name: "reports", folder: "reports", mayImport: [], simulated: false },
  { name: "kind", folder: "kind", mayImport: ["kube", "net"], simulated: false }
]

/** Files of simulated rooms that stand between them and the real clock, disk and sockets. */
export const adapterPatterns: ReadonlyArray<string> = ["*Adapter.ts", "Serve*.ts", "LmdbEngine*.ts", "*Command.ts"]

const alternatives = (names: ReadonlyArray<string>): string => `(${names.join("|")})`

const importRules = (room: Room) => {
  const forbidden = rooms.map(({ name }) => name).filter((name) => name !== room.name && !room.mayImport.includes(name))
  const doors = forbidden.length === 0 ? [] : [`^#${alternatives(forbidden)}\\b`]
  const anywhere = ["core", "test", "wharf", ...rooms.map(({ name }) => name)]
  const allowed = room.mayImport.length === 0 ? "no other room" : room.mayImport.map((name) => `#${name}`).join(", ")
  const rulesFor = (files: string, paths: string) => ({
    files: [files],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            { regex: [...doors, "^#[a-z]+/"].join("|"), message: `${room.name} may open ${allowed}` },
            { regex: paths, message: "enter another room by its #door" }
          ]
        }
      ]
    }
  })
  const strict = `^(\\.\\./)+${alternatives(anywhere)}\\b`
  const { folder, namesakes = [] } = room
  if (namesakes.length === 0) return [rulesFor(`${folder}/**/*.ts`, strict)]
  const others = alternatives(anywhere.filter((name) => !namesakes.includes(name)))
  const inside = `^(\\.\\./)+${others}\\b|^(\\.\\./){2,}${alternatives(namesakes)}\\b`
  return [rulesFor(`${folder}/**/*.ts`, inside), rulesFor(`${folder}/*.ts`, strict)]
}

const realWorldGlobals = [
  "Date",
  "Promise",
  "performance",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "fetch"
]

const simulatedRules = {
  files: rooms.filter(({ simulated }) => simulated).map(({ folder }) => `${folder}/**/*.ts`),
  rules: {
    "no-restricted-globals": [
      "error",
      ...realWorldGlobals.map((name) => ({ name, message: "simulated code takes time and tasks from services" }))
    ],
    "no-restricted-properties": [
      "error",
      { object: "Math", property: "random", message: "simulated code takes randomness from a service" }
    ]
  }
}

const adapterRules = {
  files: adapterPatterns.map((pattern) => `**/${pattern}`),
  rules: { "no-restricted-globals": "off", "no-restricted-properties": "off" }
}

const sourceRules = {
  files: ["core/**/*.ts", "sim/**/*.ts", "scenarios/**/*.ts", "reports/**/*.ts", "kind/**/*.ts", "wharf.ts"],
  rules: { "max-lines-per-function": ["error", { max: 70, skipBlankLines: true, skipComments: true }] }
}

const testRules = {
  files: ["test/**/*.ts"],
  rules: {
    "max-lines": "off",
    "max-lines-per-function": "off",
    "no-console": "off",
    "typescript/no-non-null-assertion": "off"
  }
}

/** The linter's overrides that follow from the table. */
export const overrides = [sourceRules, ...rooms.flatMap(importRules), simulatedRules, adapterRules, testRules]

const outsideEffect = [
  "globalDate",
  "globalRandom",
  "globalTimers",
  "globalFetch",
  "cryptoRandomUUID",
  "newPromise",
  "processEnv"
]
const insideEffect = ["globalDate", "globalRandom", "globalTimers", "globalFetch", "cryptoRandomUUID", "processEnv"]

const severities = (rules: ReadonlyArray<string>, severity: "error" | "off") => ({
  diagnosticSeverity: Object.fromEntries(rules.map((rule) => [rule, severity]))
})

/** The overrides of the Effect diagnostics that follow from the table; tests and adapters face the real world. */
export const effectOverrides = [
  {
    include: simulatedRules.files,
    exclude: adapterRules.files,
    options: severities(outsideEffect, "error")
  },
  {
    include: ["test/**/*.ts", "core/net/**/*.ts", ...adapterRules.files],
    options: severities([...insideEffect.map((rule) => `${rule}InEffect`), "globalConsoleInEffect"], "off")
  }
]

interface LinterConfiguration {
  readonly overrides?: unknown
}

interface CompilerConfiguration {
  readonly compilerOptions: { readonly plugins: ReadonlyArray<{ readonly overrides?: unknown }> }
}

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), "utf8"))

const write = (name: string, content: unknown): void =>
  writeFileSync(new URL(`../${name}`, import.meta.url), `${JSON.stringify(content, undefined, 2)}\n`)

/** The linter's configuration as it stands in the tree. */
// SAFETY: our own file; what is read from it is compared, not trusted.
export const readLinter = (): LinterConfiguration => read(".oxlintrc.json") as LinterConfiguration

/** The compiler's configuration as it stands in the tree, with that of the Effect diagnostics in its plugin. */
// SAFETY: as above.
export const readCompiler = (): CompilerConfiguration => read("tsconfig.json") as CompilerConfiguration

if (import.meta.main) {
  const compiler = readCompiler()
  const plugins = compiler.compilerOptions.plugins.map((plugin) => ({ ...plugin, overrides: effectOverrides }))
  write(".oxlintrc.json", { ...readLinter(), overrides })
  write("tsconfig.json", { ...compiler, compilerOptions: { ...compiler.compilerOptions, plugins } })
}
