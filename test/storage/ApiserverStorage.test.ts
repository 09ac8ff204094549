// The functions that Kubernetes exports for testing its storage, on our store: its etcd3 layer, and the watch cache above
// it. A real etcd passes all of them.
import { tmpdir } from "node:os"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { describeWith } from "../Judges.ts"
import { outputOf, runGoSuite } from "./GoSuite.ts"

/** TestStore and TestCache, each with one subtest for each exported function that applies. */
const PASSED_BY_ETCD = 118
const SUITE_MS = 900_000
const store = fileURLToPath(new URL("../../bin/etcd", import.meta.url))

describeWith("apiserver-storage.test")("kube-apiserver's storage functions", (programs) => {
  it(
    "pass as on a real etcd",
    async () => {
      const verdicts = await runGoSuite({
        binary: programs["apiserver-storage.test"],
        args: ["-test.v", "-test.timeout", "15m"],
        folder: tmpdir(),
        environment: { STORE_BINARY: store },
        withinMs: SUITE_MS
      })
      const failed = verdicts.failed.filter((name) => name.split("/").length === 2)
      expect(failed.map((name) => `${name}: ${outputOf(verdicts, name)}`)).toEqual([])
      const passed = verdicts.passed.filter((name) => name.split("/").length === 2)
      expect(passed.length).toBeGreaterThanOrEqual(PASSED_BY_ETCD)
    },
    SUITE_MS + 60_000
  )
})
