// The folder of etcd's suite, and that the suite runs from it: one quick test of it against the real etcd.
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, it, onTestFinished } from "vitest"
import { etcdSuiteFolder } from "#kind"
import { describeWith } from "../Judges.ts"

describeWith(
  "etcd",
  "etcdctl",
  "etcdutl",
  "etcd-common.test"
)("etcd's own suite", (paths) => {
  it("finds its fixtures and passes on the real etcd", async () => {
    const cwd = await Effect.runPromise(etcdSuiteFolder.pipe(Effect.provide(NodeServices.layer)))
    assert.isTrue(existsSync(`${cwd}/../fixtures`), cwd)
    // The suite wants its three programs in one folder, under these names.
    const programs = mkdtempSync(join(tmpdir(), "wharf-suite-"))
    onTestFinished(() => rmSync(programs, { recursive: true }))
    for (const name of ["etcd", "etcdctl", "etcdutl"] as const) symlinkSync(paths[name], join(programs, name))
    const wanted = ["-bin-dir", programs, "-test.v", "-test.run", "^TestMemberList/^NoTLS", "-test.timeout", "1m"]
    const { stdout } = await promisify(execFile)(paths["etcd-common.test"], wanted, { cwd, maxBuffer: 1 << 26 })
    assert.match(stdout, /--- PASS: TestMemberList\/NoTLS/)
  })
})
