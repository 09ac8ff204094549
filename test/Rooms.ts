// The one table of rooms: where each stands, which doors it may open, and whether the simulator runs it. The linter's
// overrides are generated from it (`npm run rooms` writes them, test/tidy.test.ts checks that they are in step), so the
// direction of imports is written down once. It judges no source file itself; oxlint and the tidy tests do.
import { readFileSync, writeFileSync } from "node:fs"

/** A room: its folder, the rooms whose doors it may open, and whether its code can run in the simulator. */
export interface Room {
  readonly name: string
  readonly folder: string
  readonly mayImport: ReadonlyArray<string>
  readonly simulated: boolean
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
  core("kube", []),
  core("net", []),
  core("storage", ["kube", "net"]),
  core("apiserver", foundation),
  core("scheduling", foundation),
  core("gateway", systems),
  core("tenancy", systems),
  core("federation", systems),
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
  return {
    files: [`${room.folder}/**/*.ts`],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            { regex: [...doors, "^#[a-z]+/"].join("|"), message: `${room.name} may open ${allowed}` },
            { regex: `^(\\.\\./)+${alternatives(anywhere)}\\b`, message: "enter another room by its #door" }
          ]
        }
      ]
    }
  }
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

const simulatedFiles = rooms.filter(({ simulated }) => simulated).map(({ folder }) => folder)

const simulatedRules = {
  files: simulatedFiles.map((folder) => `${folder}/**/*.ts`),
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
  files: simulatedFiles.flatMap((folder) => adapterPatterns.map((pattern) => `${folder}/**/${pattern}`)),
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
export const overrides = [sourceRules, ...rooms.map(importRules), simulatedRules, adapterRules, testRules]

const configuration = new URL("../.oxlintrc.json", import.meta.url)

/** The linter's configuration as it stands in the tree. */
export const readConfiguration = (): Record<string, unknown> & { readonly overrides?: unknown } =>
  // SAFETY: a JSON object; what is read from it is compared, not trusted.
  JSON.parse(readFileSync(configuration, "utf8")) as Record<string, unknown>

if (import.meta.main) {
  writeFileSync(configuration, `${JSON.stringify({ ...readConfiguration(), overrides }, undefined, 2)}\n`)
}
