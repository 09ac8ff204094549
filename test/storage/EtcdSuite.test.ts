// etcd's own test suite with our binary in etcd's place. A real etcd 3.7 passes 204 of 204.
// The suite gives each test ten seconds to start up to three members and do its work; what fails while the machine is
// busy with something else is asked again, alone, twice at most, and has to pass then.
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { etcdSuiteFolder } from "#kind"
import { describeWith } from "../Judges.ts"
import { outputOf, runGoSuite, type GoVerdicts } from "./GoSuite.ts"

const PASSED_BY_ETCD = 204
/** The suite gives each test ten seconds for everything, three servers' start included; on a busy machine that is little. */
const TRIED_AGAIN = 2
/** Tests that may fail one by one; when more have no verdict, the suite itself ended before them. */
const FEW = 5
const SUITE_MS = 900_000
const store = fileURLToPath(new URL("../../bin/etcd", import.meta.url))

describeWith(
  "etcd-common.test",
  "etcdctl",
  "etcdutl"
)("etcd's own suite", (programs) => {
  const run = async (args: ReadonlyArray<string>): Promise<GoVerdicts> => {
    const binaries = mkdtempSync(join(tmpdir(), "wharf-etcd-suite-"))
    try {
      symlinkSync(store, join(binaries, "etcd"))
      symlinkSync(programs.etcdctl, join(binaries, "etcdctl"))
      symlinkSync(programs.etcdutl, join(binaries, "etcdutl"))
      return await runGoSuite({
        binary: programs["etcd-common.test"],
        args: ["-bin-dir", binaries, ...args],
        folder: await Effect.runPromise(etcdSuiteFolder.pipe(Effect.provide(NodeServices.layer))),
        withinMs: SUITE_MS
      })
    } finally {
      rmSync(binaries, { recursive: true, force: true })
    }
  }
  const runTests = (tests: ReadonlyArray<string>): Promise<GoVerdicts> =>
    run(["-test.v", "-test.run", `^(${tests.join("|")})$/^NoTLS`, "-test.timeout", "15m"])

  it(
    "passes as a real etcd does",
    async () => {
      const { output } = await run(["-test.list", "^Test"])
      let left: ReadonlyArray<string> = output.split("\n").filter((line) => line.startsWith("Test"))
      const passed = new Set<string>()
      const said = new Map<string, string>()
      const attempt = async (tests: ReadonlyArray<string>): Promise<void> => {
        const verdicts = await runTests(tests)
        for (const name of verdicts.passed) passed.add(name)
        for (const test of tests) said.set(test, outputOf(verdicts, test))
        // One that was skipped has said so, and is not asked again.
        left = left.filter((test) => !passed.has(test) && !verdicts.skipped.includes(test))
      }
      await attempt(left)
      // A test may end the whole suite: those behind it are asked anew together, before any is asked alone.
      if (left.length > FEW) await attempt(left)
      for (let again = 0; again < TRIED_AGAIN; again++) for (const test of left) await attempt([test])
      expect(left.map((test) => ({ test, said: said.get(test) }))).toEqual([])
      expect(passed.size).toBeGreaterThanOrEqual(PASSED_BY_ETCD)
    },
    2 * SUITE_MS
  )
})
