// A whole run of a small federation: every kind of step in a process of its own, its record, its targets and what a reader sees of it.
import { RunRecord } from "#reports"
import { Schema } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { assessValidity } from "../../../reports/index.ts"

const scenario = `apiVersion: wharf/v1
kind: Scenario
name: small
description: A small federation through every kind of step.
federation:
  members: { count: 4, nodes: 10, pods: 5, podStart: 50ms }
  placement: { clusters: 2, replicas: 4, tolerated: 1s }
  health: { probe: 200ms, lostAfter: 400ms, backAfter: 200ms }
  rest: 400ms
  steps:
    - { name: fill, kind: create, objects: 12, judged: false }
    - { name: paced, kind: create, objects: 8, perSecond: 20 }
    - { name: outage, kind: outage, members: 1 }
    - { name: waves, kind: rollout }
    - { name: again, kind: restart }
slo:
  - { of: paced, metric: federation.p99, atMost: 60s }
  - { metric: federation.hostWrites, atMost: 6 }
  - { metric: federation.twice, atMost: 0 }
  - { metric: federation.elsewhere, atMost: 60s }
  - { metric: federation.memory, atMost: 1B }
`

let folder = ""
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "wharf-federation-"))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (args: ReadonlyArray<string>): Promise<{ readonly code: number | null; readonly out: string }> =>
  new Promise((resolve) => {
    const program = join(import.meta.dirname, "..", "RunnerProcess.ts")
    const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, NO_COLOR: "1" } })
    let out = ""
    child.stdout.on("data", (part: Buffer) => (out += part.toString()))
    child.stderr.on("data", (part: Buffer) => (out += part.toString()))
    child.on("close", (code) => resolve({ code, out }))
  })

describe("a run of a federation", () => {
  it(
    "records every step, judges its targets and shows what was placed, moved and rolled out",
    { timeout: 240_000 },
    async () => {
      const file = join(folder, "small.yaml")
      writeFileSync(file, scenario)
      const { code, out } = await run(["run", file, "--out", join(folder, "out")])
      const name = readdirSync(join(folder, "out")).find((one) => one.endsWith(".json")) ?? ""
      assert.notStrictEqual(name, "", out)
      const record = Schema.decodeUnknownSync(RunRecord)(JSON.parse(readFileSync(join(folder, "out", name), "utf8")))
      assert.deepStrictEqual(assessValidity(record), { valid: true, reasons: [] })
      assert.isEmpty(record.violations)
      const { federation } = record
      assert.isDefined(federation)
      assert.include(federation, { members: 4, nodes: 40, replicas: 4 })
      const [fill, paced, outage, waves, again] = federation.steps
      assert.include(fill, { kind: "create", objects: 12, placements: 24 })
      assert.include(paced, { kind: "create", objects: 8, placements: 40 })
      assert.include(outage, { kind: "outage", membersLost: 1, tooMany: 0, placements: 40 })
      assert.isAtLeast(outage.replicasMoved ?? 0, outage.objects, "each lost one replica at least")
      assert.include(waves, { kind: "rollout", objects: 20 })
      assert.include(again, { kind: "restart", objects: 20 })
      for (const { completed, planned, phase } of record.operations) assert.strictEqual(completed, planned, phase)
      const verdicts = new Map(record.slos.map(({ name: target, verdict }) => [target, verdict]))
      assert.strictEqual(verdicts.get("paced federation.p99"), "pass")
      assert.strictEqual(verdicts.get("outage federation.twice"), "pass")
      assert.strictEqual(verdicts.get("federation federation.memory"), "fail", "no federation lives in one byte")
      assert.strictEqual(code, 3, out)
      for (const words of ["What each step did", "host writes / object", "outage"]) assert.include(out, words)
      assert.include(readFileSync(join(folder, "out", "index.html"), "utf8"), "Federation")
    }
  )
})
