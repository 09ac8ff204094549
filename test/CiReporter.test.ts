// The closing line and what CI does not let pass: skipped tests, missing judges, checks that failed before. Runs Vitest
// on planted files, because only a whole run shows the last line and the exit code.
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it, onTestFinished } from "vitest"
import { closingLine } from "./CiReporter.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

interface Run {
  readonly code: number
  readonly lines: ReadonlyArray<string>
}

const runPlanted = (test: string, environment: Record<string, string>): Promise<Run> => {
  const folder = mkdtempSync(join(tmpdir(), "wharf-reporter-"))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  writeFileSync(join(folder, "Planted.test.ts"), `import { it } from "vitest"\n${test}\n`)
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
  const reporters = ["--reporter=default", `--reporter=${join(root, "test", "CiReporter.ts")}`]
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [vitest, "run", "--root", folder, ...reporters],
      { env: { ...process.env, FAILED_CHECKS: "", ...environment } },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), lines: `${stderr}${stdout}`.trimEnd().split("\n") })
    )
  })
}

describe("closingLine", () => {
  it("counts, and speaks of skipped tests only when there are any", () => {
    assert.strictEqual(closingLine({ passed: 3, failed: 0, skipped: [] }), "3 passed, 0 failed")
    assert.strictEqual(closingLine({ passed: 0, failed: 2, skipped: ["a", "b"] }), "0 passed, 2 failed, 2 skipped")
  })
})

describe("a run in CI", () => {
  it("ends with the closing line and succeeds when all passed", async () => {
    const { code, lines } = await runPlanted('it("a", () => {})\nit("b", () => {})', { CI: "true" })
    assert.strictEqual(lines.at(-1), "2 passed, 0 failed")
    assert.strictEqual(code, 0)
  })

  it("fails for a failed test, a skipped one, a file that does not load and an earlier check", async () => {
    const failed = await runPlanted('it("a", () => { throw new Error("no") })', { CI: "true" })
    assert.deepStrictEqual([failed.lines.at(-1), failed.code], ["0 passed, 1 failed", 1])
    const skipped = await runPlanted('it("a", () => {})\nit.skip("b", () => {})', { CI: "true" })
    assert.deepStrictEqual([skipped.lines.at(-1), skipped.code], ["1 passed, 0 failed, 1 skipped", 1])
    assert.include(skipped.lines, "skipped, which CI does not allow: Planted.test.ts > b")
    const broken = await runPlanted('import "./Absent.ts"', { CI: "true" })
    assert.deepStrictEqual([broken.lines.at(-1), broken.code], ["0 passed, 1 failed", 1])
    const checked = await runPlanted('it("a", () => {})', { CI: "true", FAILED_CHECKS: " lint" })
    assert.deepStrictEqual([checked.lines.at(-1), checked.code], ["1 passed, 1 failed", 1])
  })
})

describe("a missing judge", () => {
  const needy = `
    import { describeWith, itWith, judge } from ${JSON.stringify(join(root, "test", "Judges.ts"))}
    it("asks", async () => void (await judge("etcd", { atLeast: "99.0" })))
    itWith("h2load")("needs one", () => {})
    describeWith("h2load")("needs one too", () => it("runs", () => {}))
  `
  // Nothing is installed on this machine, not even in the cache.
  const bare = { KUBEBUILDER_ASSETS: "", PATH: "/nonexistent", XDG_CACHE_HOME: "/nonexistent" }

  it("fails in CI", async () => {
    const { code, lines } = await runPlanted(needy, { ...bare, CI: "true" })
    assert.deepStrictEqual([lines.at(-1), code], ["0 passed, 3 failed", 1])
    assert.include(lines.join("\n"), "get it with: apt-get install nghttp2-client")
  })

  it("is skipped elsewhere, with one line that says how to get it", async () => {
    const { lines } = await runPlanted(needy, { ...bare, CI: "" })
    assert.strictEqual(lines.at(-1), "0 passed, 0 failed, 3 skipped")
    const said = lines.filter((line) => line.startsWith("skipped: "))
    assert.include(said[0], "etcd 99.0 or newer was not found")
    assert.include(said[0], "get it with: wharf assets build etcd")
    assert.lengthOf(said, 3)
  })
})
