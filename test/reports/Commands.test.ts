import { NodeServices } from "@effect/platform-node"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as fc from "fast-check"
import { compareCommand, lintCommand, reportCommand } from "../../reports/index.ts"
import { jsonErrorPosition } from "../../reports/JsonPosition.ts"
import { syntheticRuns } from "./SyntheticRecord.ts"

const wharf = Command.make("wharf").pipe(Command.withSubcommands([compareCommand, lintCommand, reportCommand]))

let folder = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wharf-reports-"))
})

afterEach(() => {
  rmSync(folder, { recursive: true })
  process.exitCode = undefined
})

/** Runs a command line; what it printed, and the exit code it left. */
const run = (...argv: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const [out, err]: [Array<string>, Array<string>] = [[], []]
    const log = { ...console, log: (text: string) => out.push(text), error: (text: string) => err.push(text) }
    yield* Command.runWith(wharf, { version: "0.0.0" })(argv).pipe(
      Effect.provideService(Console.Console, log as unknown as Console.Console),
      Effect.provide(NodeServices.layer)
    )
    const code = process.exitCode
    process.exitCode = undefined
    return { out: out.join("\n"), err: err.join("\n"), code }
  })

const save = (name: string, backends: Parameters<typeof syntheticRuns>[0], runs: number) => {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true })
  for (const record of syntheticRuns(backends, runs))
    writeFileSync(join(path, `${record.id}.json`), JSON.stringify(record))
  writeFileSync(join(path, "notes.json"), `{"schema":"something else"}`)
  return path
}

const short = { seconds: 3 }

describe("wharf compare", () => {
  it.effect("compares the backends of one folder and writes every form", () =>
    Effect.gen(function* () {
      const runs = save(
        "runs",
        [
          { backend: "etcd", ...short },
          { backend: "lmdb", speed: 3, ...short }
        ],
        10
      )
      const [page, junit] = [join(folder, "deep/page.html"), join(folder, "junit.xml")]
      const { code, err, out } = yield* run("compare", runs, "--out", page, "--junit", junit)
      assert.include(out, "lmdb against etcd  Faster")
      assert.strictEqual(code, 0)
      assert.strictEqual(err, `report: ${page}`)
      assert.match(readFileSync(page, "utf8"), /^<!doctype html>/)
      assert.match(readFileSync(junit, "utf8"), /^<\?xml/)
      const json = JSON.parse((yield* run("compare", runs, "--json")).out)
      assert.strictEqual(json.comparisons[0].verdict, "faster")
      assert.match((yield* run("compare", runs, "--markdown")).out, /^### quickstart/)
    })
  )

  it.effect("compares two folders of the same backend and ends with 4 when it got slower", () =>
    Effect.gen(function* () {
      const before = save("before", [{ backend: "lmdb", speed: 3, ...short }], 10)
      const after = save("after", [{ backend: "lmdb", ...short }], 10)
      const { code, out } = yield* run("compare", before, after)
      assert.strictEqual(code, 4)
      assert.include(out, `lmdb (${after}) against lmdb (${before})`)
    })
  )

  it.effect("knows its baseline and asks for two sides", () =>
    Effect.gen(function* () {
      const runs = save(
        "runs",
        [
          { backend: "a", ...short },
          { backend: "b", seed: 3, ...short }
        ],
        2
      )
      assert.include((yield* run("compare", runs, "--baseline", "b")).out, "a against b")
      const unknown = yield* run("compare", runs, "--baseline", "c")
      assert.deepStrictEqual([unknown.code, unknown.err], [1, "--baseline c: not among a, b"])
      const alone = yield* run("compare", save("alone", [{ backend: "a", ...short }], 1))
      assert.strictEqual(alone.code, 1)
      assert.include(alone.err, "holds no second backend")
    })
  )
})

describe("wharf lint", () => {
  it.effect("passes records and fails on impossible published figures", () =>
    Effect.gen(function* () {
      const clean = yield* run("lint", save("runs", [{ backend: "lmdb", ...short }], 2))
      assert.deepStrictEqual([clean.code, clean.out], [0, "10 rows: 0 impossible, 0 suspicious"])
      const tables = new URL("../../reports/published/tables/", import.meta.url).pathname
      const flagged = yield* run("lint", join(tables, "kubebrain.json"), join(tables, "kubegateway.json"))
      assert.strictEqual(flagged.code, 5)
      assert.include(flagged.out, "57 rows: 19 impossible, 5 suspicious")
      const json = JSON.parse((yield* run("lint", "--json", join(tables, "etcd-performance.json"))).out)
      assert.deepStrictEqual(json, { rows: 7, findings: [] })
    })
  )
})

describe("wharf report", () => {
  it.effect("draws a page again from one record", () =>
    Effect.gen(function* () {
      const runs = save("runs", [{ backend: "lmdb", ...short }], 1)
      const page = join(folder, "again.html")
      const { code, out } = yield* run("report", join(runs, "quickstart-lmdb-0.json"), "--out", page)
      assert.deepStrictEqual([code, out], [0, `report: ${page}`])
      assert.include(readFileSync(page, "utf8"), "quickstart on lmdb")
    })
  )
})

describe("bad files", () => {
  it.effect("end in one line that names the file and the place, and in exit code 1", () =>
    Effect.gen(function* () {
      const write = (name: string, text: string) => {
        writeFileSync(join(folder, name), text)
        return join(folder, name)
      }
      const [record] = syntheticRuns([{ backend: "lmdb", ...short }], 1)
      const broken = write("broken.json", `{\n  "schema": secret\n}`)
      const other = write("other.json", `{"schema":"x"}`)
      const wrong = write(
        "wrong.json",
        JSON.stringify({ ...record, operations: [{ ...record?.operations[0], lost: "secret" }] })
      )
      const cases: ReadonlyArray<readonly [string, string]> = [
        [join(folder, "absent.json"), `${join(folder, "absent.json")}: no such file or folder`],
        [broken, `${broken}:2:13: not JSON from here on`],
        [other, `${other}: field "schema" does not name "kubewharf/run-record"`],
        [wrong, `${wrong}: field operations[0].lost: Expected number`],
        [folder, ""]
      ]
      for (const [path, message] of cases) {
        const { code, err, out } = yield* run("report", path)
        assert.strictEqual(code, 1, path)
        assert.strictEqual(out, "")
        if (message !== "") assert.strictEqual(err, message)
        assert.notInclude(err, "secret")
        assert.strictEqual(err.split("\n").length, 1)
      }
      mkdirSync(join(folder, "empty"))
      assert.include((yield* run("report", join(folder, "empty"))).err, "holds no run records")
    })
  )

  it("places the first character that does not belong", () => {
    for (const [text, line, column] of [
      ["", 1, 1],
      ["x", 1, 1],
      [`{"a": tru}`, 1, 10],
      [`{"a":1,}`, 1, 8],
      ["[1,\n 2 3]", 2, 4],
      [`{"a": "x`, 1, 9],
      ["[1, -]", 1, 6],
      [`{"a":1}\n}`, 2, 1]
    ] as const) {
      assert.deepStrictEqual(jsonErrorPosition(text), { line, column }, text)
    }
  })

  it("finds a character planted into any JSON", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.nat(), (json, at) => {
        const position = at % (json.length + 1)
        const text = `${json.slice(0, position)}\u0001${json.slice(position)}`
        const found = jsonErrorPosition(text)
        assert.deepStrictEqual(found, { line: 1, column: position + 1 }, JSON.stringify(text))
      }),
      { seed: 31 }
    )
  })
})

describe("--help", () => {
  it.effect("shows an example of every command", () =>
    Effect.gen(function* () {
      for (const command of ["compare", "lint", "report"]) {
        const { err, out } = yield* run(command, "--help")
        assert.include(out + err, `wharf ${command} `)
        assert.match(out + err, /EXAMPLES/i)
      }
    })
  )
})
