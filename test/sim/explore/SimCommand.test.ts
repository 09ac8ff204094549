// The two commands as users type them: exploring finds nothing in the store as it is, and a case's file is all that a replay needs.
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, it } from "vitest"
import { drawStoreCase, firstDifference, runStoreCase } from "#sim"

const folder = mkdtempSync(join(tmpdir(), "sim-"))
afterAll(() => rmSync(folder, { recursive: true }))
const wharf = new URL("../../../wharf.ts", import.meta.url).pathname
const run = (...args: ReadonlyArray<string>): string =>
  execFileSync(process.execPath, [wharf, "sim", ...args]).toString()

it("explores a range of seeds", () => {
  assert.strictEqual(run("explore", "--seeds", "5-9").trim(), "5 runs, every guarantee kept")
})

it("replays a case from its file, in another process, to the same event log", () => {
  const file = join(folder, "case.json")
  const drawn = drawStoreCase(11)
  writeFileSync(file, JSON.stringify(drawn))
  assert.include(run("replay", file), `event log ${runStoreCase(drawn).eventLogHash}`)
})

it("writes the event log down, so that two runs can be compared line by line", () => {
  const [one, two, other] = ["one", "two", "other"].map((name) => join(folder, name))
  for (const [seed, log] of [
    [11, one],
    [11, two],
    [12, other]
  ] as const) {
    const file = join(folder, `${seed}.json`)
    writeFileSync(file, JSON.stringify(drawStoreCase(seed)))
    run("replay", file, "--log", log)
  }
  assert.isUndefined(firstDifference(one, two))
  assert.isAtLeast(firstDifference(one, other)?.line ?? 0, 1)
})

it("says what is wrong with a file or a flag", () => {
  const file = join(folder, "other.json")
  writeFileSync(file, "{}")
  for (const [args, message] of [
    [["replay", file], /it holds no case/],
    [["explore", "--seeds", "many"], /--seeds must be a number or a range/]
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, [wharf, "sim", ...args])
    assert.strictEqual(status, 1)
    assert.match(stderr.toString(), message)
  }
})
