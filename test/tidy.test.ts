// The house rules on the tree as it is, and on trees with one planted violation each: a rule that cannot fail says nothing.
import { Ajv2020 } from "ajv/dist/2020.js"
import { assert, describe, it } from "vitest"
import { parse } from "yaml"
import { completeLock, type Lock, missingFrom, readLock } from "./Lock.ts"
import { oxlintOf, plant } from "./PlantedTree.ts"
import { effectOverrides, overrides, readCompiler, readLinter, rooms } from "./Rooms.ts"
import { readTree, treeRules, type Tree } from "./Tidy.ts"

const tree = readTree()

const header = "// A file that owns what it says.\n// It refuses the rest.\n"
const sound: Record<string, string> = {
  "package.json": JSON.stringify({
    imports: { "#net": "./core/net/index.ts", "#storage": "./core/storage/index.ts" },
    scripts: { test: "vitest" },
    dependencies: { effect: "4.1.0" },
    devDependencies: { vitest: "5.1.1" }
  }),
  "README.md": "npm test\n",
  "wharf.ts": `${header}import { get } from "#storage"\nimport { listen } from "#net"\nget(listen)\n`,
  "core/net/index.ts": `${header}export * from "./Listen.ts"\n`,
  "core/net/Listen.ts": `${header}import { Effect } from "effect"\nexport const listen = Effect.succeed(new URL("./main.ts", import.meta.url))\n`,
  "core/net/main.ts": `${header}fetch(new URL("page/Page.js", import.meta.url))\n`,
  "core/storage/index.ts": `${header}export { get } from "./Get.ts"\n`,
  "core/storage/Get.ts": `${header}export const get = (key: unknown): unknown => key\n`,
  "test/net/Listen.test.ts": "assert(true)\n"
}

const planted = (changes: Record<string, string>): Tree => new Map(Object.entries({ ...sound, ...changes }))

const withManifest = (part: Record<string, unknown>): Record<string, string> => ({
  "package.json": JSON.stringify({ ...JSON.parse(sound["package.json"]), ...part })
})

// Each rule with changes to the sound tree that it must refuse.
const violations: Record<keyof typeof treeRules, ReadonlyArray<Record<string, string>>> = {
  doorsStand: [
    { "sim/World.ts": header },
    withManifest({ imports: { "#net": "./core/net/Listen.ts", "#storage": "./core/storage/index.ts" } }),
    withManifest({
      imports: { "#net": "./core/net/index.ts", "#storage": "./core/storage/index.ts", "#cellar": "./x.ts" }
    })
  ],
  everythingIsReached: [
    { "core/net/Forgotten.ts": header },
    { "core/net/Listen.ts": `${header}// import "./Forgotten.ts"\n`, "core/net/Forgotten.ts": header }
  ],
  namesSpeak: [
    { "core/net/listen.ts": header },
    { "core/net/Utils.ts": header },
    { "core/net/FrameHelpers.ts": header },
    { "core/net/common/Frame.ts": header },
    { "core/Net/Frame.ts": header }
  ],
  filesAreShort: [
    { "core/net/Listen.ts": "\n".repeat(501) },
    Object.fromEntries(["A", "B", "C", "D", "E", "F"].map((name) => [`core/net/${name}.ts`, "\n".repeat(161)]))
  ],
  headersStand: [
    { "core/net/Listen.ts": "export const listen = 1\n" },
    { "core/net/Listen.ts": "// One line.\nexport const listen = 1\n" },
    { "core/net/Listen.ts": "// A chatty line.\n".repeat(7) }
  ],
  simulatedCodeStaysInside: [
    { "core/storage/Get.ts": `${header}export const get = globalThis.Date.now\n` },
    { "core/storage/Get.ts": `${header}import { setTimeout } from "node:timers/promises"\n` },
    { "core/storage/Get.ts": `${header}process.hrtime.bigint()\n` }
  ],
  runtimeNeedsNoDeveloper: [
    { "core/net/Listen.ts": `${header}import { vi } from "vitest"\n` },
    { "core/net/Listen.ts": `${header}export const load = () => import("@scope/absent/deep")\n` }
  ],
  versionsArePinned: [
    withManifest({ dependencies: { effect: "^4.1.0" } }),
    withManifest({ devDependencies: { a: "latest" } })
  ],
  nothingIsLocal: [
    { "README.md": `see ${["", "home", "somebody", "notes"].join("/")}\n` },
    { "core/net/Listen.ts": `${header}// ${["https:", "", "registry.example.org"].join("/")}\n` }
  ],
  commandsExist: [{ "README.md": "npm run fly\n" }, { "docs/page.md": "`npm start`\n" }],
  testsAreHonest: [
    { "test/net/Listen.test.ts": "it('runs', () => {})\n" },
    { "test/net/Listen.test.ts": "  it.skip('x', () => assert(true))\n" },
    { "test/net/Listen.test.ts": "describe.only('x', () => assert(true))\n" },
    { "test/attic/Listen.test.ts": "assert(true)\n" },
    { "core/net/Listen.test.ts": "assert(true)\n" }
  ],
  nothingIsUnfinished: [{ "core/net/Listen.ts": `${header}// ${["TO", "DO"].join("")}: later\n` }]
}

describe("the tree", () => {
  for (const [name, rule] of Object.entries(treeRules)) {
    it(name, () => assert.deepStrictEqual(rule(tree), []))
  }

  it("linterIsInStepWithTheRooms", () => {
    assert.deepStrictEqual(readLinter().overrides, overrides, "run npm run rooms")
    assert.deepStrictEqual(readCompiler().compilerOptions.plugins[0]?.overrides, effectOverrides, "run npm run rooms")
  })
})

describe("the lock file", () => {
  it("has every platform's builds, or npm ci refuses it", () => {
    assert.deepStrictEqual(missingFrom(readLock()), [], "run npm run lock")
  })

  it("brings Node without an install script, which npm would ask about", () => {
    const nodes = Object.entries(readLock().packages).filter(([path]) =>
      /^node_modules\/node-(bin-)?(linux|darwin)-/.test(path)
    )
    assert.isAtLeast(nodes.length, 4)
    for (const [path, entry] of nodes) {
      assert.notStrictEqual(entry.hasInstallScript, true, path)
      assert.isTrue(entry.optional, path)
      assert.isDefined(entry.os, path)
      assert.isDefined(entry.cpu, path)
    }
  })

  it("misses what is not there, looks upwards, and is completed from names", () => {
    const lock = {
      packages: {
        "": {},
        "node_modules/a": {
          dev: true,
          optionalDependencies: { "a-linux-arm-musleabihf": "1.2.3", "a-win32-x64": "1.2.3" }
        },
        "node_modules/a-win32-x64": { version: "1.2.3" },
        "node_modules/b/node_modules/c": { optionalDependencies: { "a-win32-x64": "1.2.3" } }
      }
    }
    assert.deepStrictEqual(missingFrom(lock), [
      { name: "a-linux-arm-musleabihf", version: "1.2.3", by: "node_modules/a" }
    ])
    const whole: Lock = completeLock<Lock>(lock)
    assert.deepStrictEqual(whole.packages["node_modules/a-linux-arm-musleabihf"], {
      version: "1.2.3",
      cpu: ["arm"],
      dev: true,
      optional: true,
      libc: ["musl"],
      os: ["linux"]
    })
    assert.throws(() => completeLock<Lock>({ packages: { a: { optionalDependencies: { "a-linux-x64": "^1.0.0" } } } }))
  })
})

describe("each rule", () => {
  it("has nothing against a sound tree", () => {
    for (const [name, rule] of Object.entries(treeRules)) assert.deepStrictEqual(rule(planted({})), [], name)
  })

  for (const [name, changes] of Object.entries(violations)) {
    it(`${name} refuses what is planted`, () => {
      assert.isNotEmpty(changes)
      for (const change of changes) assert.isNotEmpty(treeRules[name](planted(change)), JSON.stringify(change))
    })
  }

  it("has a planted violation", () => {
    assert.sameMembers(Object.keys(violations), Object.keys(treeRules))
  })
})

describe("the linter", () => {
  // One line of code for each wrong way through the house, and the rule that must catch it.
  const wrongWays: ReadonlyArray<readonly [string, string, string]> = [
    ...rooms.flatMap(({ folder, mayImport, name }) =>
      rooms
        .filter((other) => other.name !== name && !mayImport.includes(other.name))
        .map(
          (other) =>
            [`${folder}/Plant${other.name}.ts`, `export * from "#${other.name}"`, "no-restricted-imports"] as const
        )
    ),
    ["core/storage/Deep.ts", 'export * from "#net/Frame"', "no-restricted-imports"],
    ["core/storage/Path.ts", 'export * from "../net/Frame.ts"', "no-restricted-imports"],
    ["core/storage/Clock.ts", "export const now = () => Date.now()", "no-restricted-globals"],
    ["core/storage/Timer.ts", "export const wait = (then: () => void) => setTimeout(then, 1)", "no-restricted-globals"],
    ["core/storage/Later.ts", "export const later = () => new Promise(() => {})", "no-restricted-globals"],
    ["sim/Dice.ts", "export const throwDice = () => Math.random()", "no-restricted-properties"],
    ["core/net/Say.ts", 'export const say = () => console.log("hello")', "no-console"],
    ["kind/Any.ts", "export const any = (x: any) => x", "no-explicit-any"],
    ["reports/Long.ts", "// a line\n".repeat(501), "max-lines"]
  ]
  const rightWays: ReadonlyArray<readonly [string, string]> = [
    ...rooms.flatMap(({ folder, mayImport }) =>
      mayImport.map((other) => [`${folder}/Right${other}.ts`, `export * from "#${other}"`] as const)
    ),
    ["core/storage/ClockAdapter.ts", "export const now = () => Date.now()"],
    ["core/storage/LmdbEngineFiles.ts", "export const later = () => new Promise(() => {})"],
    ["core/net/Timer.ts", "export const wait = (then: () => void) => setTimeout(then, 1)"]
  ]

  it("refuses every wrong way through the house and no right one", async () => {
    const files = [...wrongWays.map(([path, code]) => [path, code] as const), ...rightWays]
    const complaints = await oxlintOf(await plant(Object.fromEntries(files)))
    for (const [path, , rule] of wrongWays) {
      assert.isTrue(
        complaints.some((complaint) => complaint.path === path && complaint.rule.includes(rule)),
        `${path} is not refused by ${rule}`
      )
    }
    const wrongly = complaints.filter(({ path }) => rightWays.some(([right]) => right === path))
    assert.deepStrictEqual(wrongly, [])
  })
})

describe("scenario files", () => {
  const schemaPath = "scenarios/scenario.schema.json"
  const files = Array.from(tree).filter(([path]) => /^scenarios\/.*\.yaml$/.test(path))

  it("are all what the published schema asks for", () => {
    const schema = tree.get(schemaPath)
    if (schema === undefined) return assert.isEmpty(files, "scenarios without a schema")
    const validate = new Ajv2020({ allErrors: true, strict: false }).compile(JSON.parse(schema) as object)
    for (const [path, text] of files) {
      assert.isTrue(validate(parse(text)), `${path}: ${JSON.stringify(validate.errors)}`)
    }
    assert.isFalse(validate({ nothing: "of a scenario" }))
  })
})
