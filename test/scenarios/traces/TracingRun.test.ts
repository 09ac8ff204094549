// A whole run against a tracing server, in processes as people start them: small, with everything that a phase can do, and what its record
// and its renderings say of it.
import { measuredTracingPhases, RunRecord } from "#reports"
import { Schema } from "effect"
import { execFile } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, assert, beforeAll, it } from "vitest"

const program = join(import.meta.dirname, "..", "RunnerProcess.ts")
let folder = ""
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "wharf-tracing-run-"))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const wharf = (...args: ReadonlyArray<string>): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`, NO_COLOR: "1" }
    execFile(process.execPath, [program, ...args], { env, maxBuffer: 2 ** 26 }, (failure, out, err) =>
      resolve({ code: Number(failure?.code ?? 0), out, err })
    )
  })

const closed = (actions: number) => `shape: { parallelismLimitedLoad: { parallelismLimit: 2 } }, actions: ${actions}`

const scenario = `apiVersion: wharf/v1
kind: Scenario
name: small-tracing
description: A small run of everything that a tracing server is put through.
tracing:
  stream: { source: lean, batch: 50 }
  spans: 3000
  longTrace: 700
  phases:
    - name: flood
      kind: measure
      load: [{ name: audit, ${closed(12)}, mix: [{ op: audit }] }]
    - name: half
      kind: measure
      load: [{ name: audit, pace: { of: flood, part: 0.5 }, actions: 4, mix: [{ op: audit }] }]
    - name: reads
      kind: measure
      order: sequential
      load:
        - name: searches
          ${closed(40).replaceAll(", actions", "\n          actions")}
          mix:
            - { op: search, name: object, query: object }
            - { op: search, name: audit-id, query: auditId }
            - { op: search, name: failures, query: failures }
            - { op: search, name: nobody, query: nobody }
            - { op: search, name: unindexed, query: unindexed }
            - { op: search, name: slow, query: slow }
            - { op: search, name: mode, query: mode }
        - { name: long, ${closed(2)}, mix: [{ op: trace }] }
slo:
  - { metric: errors, atMost: 0 }
  - { of: flood, metric: ingest.events, atLeast: 1 }
  - { of: flood, metric: ingest.growth, atMost: 1000 }
  - { metric: trace.chunk, atMost: 4MiB }
  - { metric: trace.spans, atLeast: 701 }
`

const recordsOf = (directory: string): ReadonlyArray<RunRecord> =>
  readdirSync(directory)
    .filter((name) => /^\d+-.*\.json$/.test(name))
    .map((name) => Schema.decodeUnknownSync(RunRecord)(JSON.parse(readFileSync(join(directory, name), "utf8"))))

it("fills, floods, paces, searches and reads", async () => {
  const file = join(folder, "small.yaml")
  writeFileSync(file, scenario)
  const out = join(folder, "out")
  const run = await wharf("run", file, "--out", out)
  const [record, ...more] = recordsOf(out)
  assert.isEmpty(more)
  assert.deepStrictEqual(record.violations, [], run.err)
  assert.deepStrictEqual(
    record.operations.flatMap(({ errors }) => Object.keys(errors)),
    []
  )
  const [flood, half, reads] = measuredTracingPhases(record)
  assert.strictEqual(record.tracing?.spansBefore, 3700)
  assert.isAbove(flood.cpuSeconds ?? 0, 0)
  assert.deepStrictEqual([flood.events, half.events], [600, 200])
  assert.isAtLeast(flood.facts ?? 0, 1200)
  assert.isAtLeast(reads.spans ?? 0, 701)
  assert.isAbove(reads.messageBytesMax, 0)
  const verdicts = Object.fromEntries(record.slos.map(({ name, verdict }) => [name, verdict]))
  assert.strictEqual(verdicts["reads trace.chunk"], "pass")
  assert.strictEqual(verdicts["reads trace.spans"], "pass")
  assert.strictEqual(verdicts["flood ingest.growth"], "missing", "a run this short says nothing of memory")
  assert.include(run.out, "What the tracing server was sent")
  assert.include(readFileSync(join(out, "index.html"), "utf8"), "What the tracing server was sent")
})
