// Whole runs against a real etcd, in processes as people start them.
import { RunRecord } from "#reports"
import { Schema } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { describeWith } from "../Judges.ts"

const program = join(import.meta.dirname, "RunnerProcess.ts")
let folder = ""
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "wharf-run-"))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly out: string
  readonly err: string
}

const start = (
  args: ReadonlyArray<string>,
  path = process.env["PATH"] ?? ""
): { child: ChildProcess; ended: Promise<Ended> } => {
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${path}`, NO_COLOR: "1" }
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ["ignore", "pipe", "pipe"] })
  let out = ""
  let err = ""
  child.stdout.on("data", (part: Buffer) => (out += part.toString()))
  child.stderr.on("data", (part: Buffer) => (err += part.toString()))
  const ended = new Promise<Ended>((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal, out, err }))
  )
  return { child, ended }
}

const wharf = (...args: ReadonlyArray<string>): Promise<Ended> => start(args).ended

const scenario = `apiVersion: wharf/v1
kind: Scenario
name: small
description: A small run of every kind of operation.
ceiling: false
params: { seconds: 1s }
backends: [etcd]
keySpaces:
  - { name: objects, prefix: /registry/small/, keyBytes: 60 }
  - { name: others, prefix: /registry/others/, keyBytes: 60, suffix: sequential }
phases:
  - name: fill
    kind: prepare
    load:
      - { name: fill, connections: 2, shape: { parallelismLimitedLoad: { parallelismLimit: 20 } }, actions: 500, mix: [{ op: create, keys: objects }] }
  - name: closed
    kind: measure
    watch: [{ name: informer, keys: objects, watchers: 3, perStream: 2 }, { name: one, keys: objects, watchers: 5, scope: key }]
    load:
      - name: kube
        connections: 3
        shape: { parallelismLimitedLoad: { parallelismLimit: 12 } }
        duration: \${seconds}
        mix: [{ op: create, keys: objects }, { op: update, keys: objects, weight: 2 }, { op: get, keys: objects }, { op: delete, keys: objects }]
  - name: open
    kind: measure
    watch: [{ name: returning, keys: objects, watchers: 2, revisionsBack: 200 }]
    load:
      - { name: poisson, shape: { poissonLoad: { expectedActionsPerSecond: 100 } }, duration: 1s, mix: [{ op: update, keys: objects }] }
      - { name: puts, shape: { qpsLoad: { qps: 50 } }, duration: 1s, mix: [{ op: put, keys: others }] }
      - { name: compaction, shape: { steppedLoad: { burstSize: 1, stepDelay: 300ms } }, duration: 1s, mix: [{ op: compact, retain: 500 }] }
  - { name: again, kind: restart }
  - name: rest
    kind: measure
    order: sequential
    load:
      - { name: list, shape: { parallelismLimitedLoad: { parallelismLimit: 2 } }, actions: 4, mix: [{ op: list, keys: objects, limit: 100 }] }
      - { name: stale, shape: { parallelismLimitedLoad: { parallelismLimit: 2 } }, actions: 4, mix: [{ op: staleList, keys: objects, revisionsBack: 50 }] }
      - { name: count, shape: { parallelismLimitedLoad: { parallelismLimit: 2 } }, actions: 4, mix: [{ op: count, keys: objects }] }
      - { name: stream, shape: { parallelismLimitedLoad: { parallelismLimit: 2 } }, actions: 4, mix: [{ op: rangeStream, keys: objects }] }
      - { name: snapshot, shape: { parallelismLimitedLoad: { parallelismLimit: 1 } }, actions: 1, mix: [{ op: snapshot }] }
      - { name: grant, shape: { parallelismLimitedLoad: { parallelismLimit: 5 } }, actions: 20, mix: [{ op: leaseGrant }] }
      - { name: alive, shape: { parallelismLimitedLoad: { parallelismLimit: 5 } }, actions: 40, mix: [{ op: leaseKeepAlive }] }
      - { name: attach, shape: { parallelismLimitedLoad: { parallelismLimit: 5 } }, actions: 40, mix: [{ op: leaseAttach, keys: others }] }
      - { name: range-delete, shape: { parallelismLimitedLoad: { parallelismLimit: 1 } }, actions: 1, mix: [{ op: deleteRange, keys: others, limit: 3 }] }
slo:
  - { metric: errors, atMost: 0 }
  - { metric: watch.delivered, atLeast: 100 }
  - { metric: startTime, atMost: 60s }
`

const scenarioFile = (): string => {
  const file = join(folder, "small.yaml")
  writeFileSync(file, scenario)
  return file
}

/** Processes whose command line mentions the folder: servers and reapers of runs that went there. */
const leftovers = (mark: string): ReadonlyArray<string> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ")
        return line.includes(mark) && !line.includes("RunnerProcess") ? [line] : []
      } catch {
        return []
      }
    })

const until = async (holds: () => boolean): Promise<boolean> => {
  for (let waited = 0; waited < 300; waited++) {
    if (holds()) return true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return false
}

const onlyRecord = (out: string): RunRecord => {
  const name = readdirSync(out).find((file) => file.endsWith(".json"))
  assert.isDefined(name)
  return Schema.decodeUnknownSync(RunRecord)(JSON.parse(readFileSync(join(out, name), "utf8")))
}

/** What must hold of any record of the small scenario, whatever the machine does meanwhile. */
const assertSound = (record: RunRecord): void => {
  const wrong = record.operations.filter(({ errors }) => Object.keys(errors).length > 0)
  assert.deepStrictEqual(
    wrong.map(({ errors, name }) => [name, errors]),
    []
  )
  assert.deepStrictEqual(record.violations, [])
  for (const { completed, latency, lost, name, planned, service } of record.operations) {
    assert.strictEqual(completed, planned, name)
    assert.strictEqual(lost, 0, name)
    assert.strictEqual(latency.count, completed, name)
    assert.strictEqual(service.count, completed, name)
  }
  for (const { delivered, duplicated, expected, name, outOfOrder } of record.watch) {
    assert.isAbove(expected, 0, name)
    assert.deepStrictEqual([delivered, duplicated, outOfOrder], [expected, 0, 0], name)
  }
  assert.deepStrictEqual(
    record.slos.filter(
      ({ name, verdict }) => verdict !== "pass" && (record.backend.durable || name !== "server startTime")
    ),
    []
  )
  assert.includeMembers(
    record.components.map(({ role }) => role),
    ["server", "load-generator"]
  )
}

describe("the command line", () => {
  it("shows an example in every help", async () => {
    for (const command of [
      ["run"],
      ["scenario"],
      ["scenario", "validate"],
      ["scenario", "list"],
      ["scenario", "schema"]
    ]) {
      const { code, out } = await wharf(...command, "--help")
      assert.strictEqual(code, 0)
      assert.match(out, /EXAMPLES?\n\s+#? ?[\s\S]*wharf /)
    }
  })

  it("ends with exit code 1 and one message for a bad file, a bad backend or a missing file", async () => {
    const bad = join(folder, "bad.yaml")
    writeFileSync(bad, scenario.replace("kind: measure", "kind: measrue"))
    for (const [args, message] of [
      [["run", bad], /bad\.yaml:17:11 {2}phases\[1\]\.kind: must be one of[\s\S]*did you mean "measure"/],
      [["scenario", "validate", bad], /1 problem in/],
      [["run", join(folder, "none.yaml")], /there is no such file/],
      [["run", scenarioFile(), "--backend", "etdc"], /did you mean etcd\?/],
      [["run", scenarioFile(), "--backend", "etcd=0.0.1"], /no etcd 0\.0\.1 .* wharf assets build/],
      [["run", scenarioFile(), "--backend", "etcd=http://127.0.0.1:1"], /nothing answers at/]
    ] as const) {
      const { code, err } = await wharf(...args)
      assert.strictEqual(code, 1, args.join(" "))
      assert.match(err, message)
      assert.notMatch(err, /\n\s+at /, "a stack trace is no message")
    }
  })
})

describeWith("etcd")("a run", ({ etcd }) => {
  it("goes through every operation without an error, and leaves a record, a page and nothing else", async () => {
    const out = join(folder, "all")
    const junit = join(folder, "all.xml")
    const {
      code,
      err,
      out: text
    } = await wharf("run", scenarioFile(), "--backend", `etcd=${etcd}`, "--out", out, "--junit", junit)
    const record = onlyRecord(out)
    assertSound(record)
    assert.match(text, /report: .*index\.html\n$/)
    assert.match(readFileSync(junit, "utf8"), /<testsuite/)
    assert.deepStrictEqual(readdirSync(out).toSorted(), [`001-${record.backend.name}.json`, "index.html"])
    assert.notMatch(err, /\r/, "no live line outside a terminal")
    assert.include([0, 5], code, "passes, or is found too short on a busy machine")
    assert.isTrue(await until(() => leftovers(out).length === 0))
  }, 120_000)

  it("interleaves repeats and prints records as JSON", async () => {
    const out = join(folder, "twice")
    const set = ["--set", "phases.closed.load.kube.duration=300ms", "--seed", "9"]
    const { out: text } = await wharf(
      "run",
      scenarioFile(),
      "--backend",
      `etcd=${etcd}`,
      "--repeat",
      "2",
      ...set,
      "--out",
      out,
      "--json"
    )
    const records = Schema.decodeUnknownSync(Schema.Array(RunRecord))(JSON.parse(text))
    assert.deepStrictEqual(
      records.map(({ repeat, seed }) => [repeat.index, repeat.of, repeat.position, seed]),
      [
        [0, 2, 0, 9],
        [1, 2, 1, 9]
      ]
    )
    assert.deepStrictEqual(records[0].counters, records[1].counters, "one seed plans the same twice")
    assert.deepStrictEqual(records[0].scenario.overrides, { "phases.closed.load.kube.duration": "300ms", seed: "9" })
  }, 120_000)

  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    it(`leaves no process and no data behind when it gets ${signal}`, async () => {
      const out = join(folder, signal)
      const { child, ended } = start([
        "run",
        scenarioFile(),
        "--backend",
        `etcd=${etcd}`,
        "--set",
        "seconds=60s",
        "--out",
        out
      ])
      const dataOf = () => (existsSync(out) ? readdirSync(out).filter((name) => name.startsWith("data-")) : [])
      assert.isTrue(await until(() => leftovers(out).length > 0), "the server never started")
      child.kill(signal)
      await ended
      assert.isTrue(await until(() => leftovers(out).length === 0), "a process is left")
      assert.isTrue(await until(() => dataOf().length === 0), "data is left")
      // Killed, it could not take its folder with it.
      if (signal !== "SIGKILL") assert.isFalse(existsSync(out), "an empty folder is left")
    }, 120_000)
  }
})

/** A scenario whose server is killed under its load: nothing told may be lost, doubled or out of order. */
const faulty = `apiVersion: wharf/v1
kind: Scenario
name: faulty
description: A server that is killed under load.
ceiling: false
keySpaces: [{ name: objects, prefix: /registry/faulty/, keyBytes: 60, preset: 50 }]
phases:
  - name: killed
    kind: measure
    fault: { kind: kill, after: 300ms, for: 300ms }
    watch: [{ name: told, watchers: 3, connections: 2, perStream: 2 }]
    drain: 30s
    load:
      - { name: load, connections: 2, shape: { poissonLoad: { expectedActionsPerSecond: 200 } }, duration: 2s, mix: [{ op: put }, { op: get }] }
slo:
  - { of: load, metric: gap, atMost: 1m }
  - { of: told, metric: watch.gap, atMost: 1m }
  - { of: told, metric: watch.delivered, atLeast: 100 }
`

describe("our own store", () => {
  it("is found again by clients and watches when it was killed under load, and has lost nothing", async () => {
    const [file, out] = [join(folder, "faulty.yaml"), join(folder, "faulty")]
    writeFileSync(file, faulty)
    const { err } = await wharf("run", file, "--backend", "lmdb", "--out", out)
    assert.isTrue(existsSync(join(out, "index.html")), err)
    const { annotations, operations, slos, validity, violations, watch } = onlyRecord(out)
    // What failed while the server was away is what the run is about, and spoils nothing.
    assert.notInclude(
      validity.reasons.map(({ code }) => code),
      "error-rate"
    )
    assert.deepStrictEqual(violations, [])
    for (const { delivered, duplicated, expected, outOfOrder } of watch) {
      assert.isAbove(expected, 0)
      assert.deepStrictEqual([delivered, duplicated, outOfOrder], [expected, 0, 0])
    }
    for (const { completed, errors, name } of operations) {
      assert.isAbove(completed, 0, name)
      assert.deepStrictEqual(
        Object.keys(errors).filter((error) => error !== "Unavailable"),
        [],
        name
      )
    }
    assert.deepStrictEqual([...new Set(slos.map(({ verdict }) => verdict))], ["pass"])
    // The server was away for at least as long as it was told to be.
    for (const { name, observed } of slos) if (name.endsWith(" gap")) assert.isAtLeast(observed ?? 0, 300, name)
    assert.match(annotations.map(({ text }) => text).join("\n"), /killed: kill, started again after 300 ms/)
    assert.isTrue(await until(() => leftovers(out).length === 0))
  }, 120_000)

  for (const backend of ["memory", "lmdb"]) {
    it(`goes through every operation on ${backend} without an error`, async () => {
      const out = join(folder, backend)
      const { err } = await wharf("run", scenarioFile(), "--backend", backend, "--out", out)
      assert.isTrue(existsSync(join(out, "index.html")), err)
      const record = onlyRecord(out)
      assertSound(record)
      assert.strictEqual(record.backend.durable, backend === "lmdb")
      assert.isTrue(await until(() => leftovers(out).length === 0))
    }, 120_000)
  }
})
