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
const SUITE_MS = 900_000
const store = fileURLToPath(new URL("../../bin/etcd", import.meta.url))

describeWith(
  "etcd-common.test",
  "etcdctl",
  "etcdutl"
)("etcd's own suite", (programs) => {
  const run = async (tests: string): Promise<GoVerdicts> => {
    const binaries = mkdtempSync(join(tmpdir(), "wharf-etcd-suite-"))
    try {
      symlinkSync(store, join(binaries, "etcd"))
      symlinkSync(programs.etcdctl, join(binaries, "etcdctl"))
      symlinkSync(programs.etcdutl, join(binaries, "etcdutl"))
      return await runGoSuite({
        binary: programs["etcd-common.test"],
        args: ["-bin-dir", binaries, "-test.v", "-test.run", tests, "-test.timeout", "15m"],
        folder: await Effect.runPromise(etcdSuiteFolder.pipe(Effect.provide(NodeServices.layer))),
        withinMs: SUITE_MS
      })
    } finally {
      rmSync(binaries, { recursive: true, force: true })
    }
  }

  it(
    "passes as a real etcd does",
    async () => {
      const first = await run("^Test/^NoTLS")
      const passedLater: Array<string> = []
      let failed = first.failed.filter((name) => !name.includes("/")).map((test) => ({ test, said: "" }))
      for (let attempt = 0; attempt < TRIED_AGAIN && failed.length > 0; attempt++) {
        const left: Array<{ readonly test: string; readonly said: string }> = []
        for (const { test } of failed) {
          const verdicts = await run(`^${test}$/^NoTLS`)
          passedLater.push(...verdicts.passed)
          if (verdicts.failed.length > 0) left.push({ test, said: outputOf(verdicts, test) })
        }
        failed = left
      }
      expect(failed).toEqual([])
      expect(new Set([...first.passed, ...passedLater]).size).toBeGreaterThanOrEqual(PASSED_BY_ETCD)
    },
    2 * SUITE_MS
  )
})
