// A whole run against fronts, in processes as people start them: nothing in between, and every other front that is on this machine.
import { RunRecord } from "#reports"
import { Schema } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const program = join(import.meta.dirname, "..", "RunnerProcess.ts")
let folder = ""
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "wharf-front-"))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Processes of runs that went into the folder, their runner aside. */
const leftovers = (): ReadonlyArray<string> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ")
        return line.includes(folder) && !line.includes("RunnerProcess") ? [line] : []
      } catch {
        return []
      }
    })

const until = async (holds: () => boolean): Promise<boolean> => {
  for (let waited = 0; waited < 600; waited++) {
    if (holds()) return true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return false
}

const wharf = (...args: ReadonlyArray<string>): Promise<{ code: number | null; out: string; err: string }> => {
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`, NO_COLOR: "1" }
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ["ignore", "pipe", "pipe"] })
  let [out, err] = ["", ""]
  child.stdout.on("data", (part: Buffer) => (out += part.toString()))
  child.stderr.on("data", (part: Buffer) => (err += part.toString()))
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })))
}

const shape = (perSecond: number) => `{ qpsLoad: { qps: ${perSecond} } }`

const scenario = `apiVersion: wharf/v1
kind: Scenario
name: small-front
description: A small run of everything that a front is put through.
ceiling: false
backends: [direct, gateway, nginx]
front:
  limits: [{ name: few, user: few, qps: 20, burst: 20 }]
  objects: [{ name: objects, namespaces: 3, count: 30 }]
  fixed: { listItems: 10 }
  phases:
    - name: everything
      kind: measure
      drain: 20s
      idle: 300ms
      watch:
        - { name: all, watchers: 6, connections: 2 }
        - { name: some, watchers: 4, connections: 2, scope: namespace, identity: { by: token } }
      load:
        - name: certificate
          clients: 3
          identity: { users: 2 }
          shape: ${shape(60)}
          duration: 1s
          mix: [{ op: get, weight: 3 }, { op: list }, { op: create, weight: 2 }, { op: update }, { op: patch }, { op: watch, hold: 100ms }]
        - { name: token, clients: 2, identity: { by: token, users: 2 }, shape: ${shape(40)}, duration: 1s, mix: [{ op: get }] }
        - { name: fresh, identity: { by: token, fresh: true }, shape: ${shape(20)}, duration: 1s, mix: [{ op: get }] }
    - name: limited
      kind: measure
      load:
        - { name: few, identity: { user: few }, refusals: counted, shape: { steppedLoad: { burstSize: 60, stepDelay: 1s } }, actions: 60, mix: [{ op: get }] }
    - name: trouble
      kind: coolDown
      events: [{ kind: swap, every: 200ms }, { kind: restart, at: 400ms }]
      load:
        - { name: clients, clients: 2, shape: ${shape(50)}, duration: 2s, mix: [{ op: get }] }
slo:
  - { of: everything, metric: errors, atMost: 0 }
  - { metric: watch.delivered, atLeast: 100 }
  - { of: everything, metric: front.added.p50, atMost: 10000 }
`

const recordsIn = (out: string): ReadonlyArray<RunRecord> =>
  readdirSync(out)
    .filter((name) => name.endsWith(".json"))
    .toSorted()
    .map((name) => Schema.decodeUnknownSync(RunRecord)(JSON.parse(readFileSync(join(out, name), "utf8"))))

const assertSound = ({ backend, front, operations, slos, violations, watch }: RunRecord): void => {
  const about = backend.name
  const judged = operations.filter(({ phase }) => phase !== "trouble")
  for (const { completed, errors, lost, name, planned } of judged) {
    assert.deepStrictEqual([name, errors, lost, completed], [name, {}, 0, planned], about)
  }
  for (const { delivered, duplicated, expected, name, outOfOrder } of watch) {
    assert.isAbove(expected, 0, `${about} ${name}`)
    assert.deepStrictEqual([delivered, duplicated, outOfOrder], [expected, 0, 0], `${about} ${name}`)
  }
  assert.deepStrictEqual(violations, [], about)
  assert.deepStrictEqual(
    slos.filter(({ verdict }) => verdict !== "pass"),
    [],
    about
  )
  const [everything, limited, trouble] = front?.phases ?? []
  assert.deepStrictEqual([everything.requests, everything.idleWatches], [120, 10], about)
  // What a client asks reaches the upstream once, unless it was refused.
  assert.strictEqual(everything.upstreamRequests, everything.requests, about)
  assert.strictEqual(limited.upstreamRequests, limited.requests - limited.refused, about)
  assert.isAbove(everything.upstreamConnections ?? 0, 0, about)
  assert.strictEqual(limited.requests, 60, about)
  assert.strictEqual(limited.refused > 0, about !== "direct", about)
  assert.strictEqual(trouble.swaps > 0, about !== "direct", about)
  if (about === "direct") return
  assert.isAbove(everything.memoryIdleBytes ?? 0, 0, about)
  assert.isNotNull(everything.cpuSeconds, about)
  const after = operations.find(({ phase }) => phase === "trouble")
  assert.isAbove(after?.completed ?? 0, 0, about)
}

describe("a run against fronts", () => {
  it("puts each through the same, and tells what each adds", { timeout: 240_000 }, async () => {
    const file = join(folder, "small-front.yaml")
    const out = join(folder, "out")
    writeFileSync(file, scenario)
    const { code, err } = await wharf("run", file, "--out", out)
    const records = recordsIn(out)
    assert.isNotEmpty(records, err)
    for (const record of records) assertSound(record)
    assert.strictEqual(records[0].backend.name, "direct")
    assert.include([0, 5], code, err)
    const page = readFileSync(join(out, "index.html"), "utf8")
    assert.include(page, "upstream / request")
    if (records.length > 1) assert.include(page, "Added latency of each front")
    assert.deepStrictEqual(
      readdirSync(out).filter((name) => name.startsWith("data-")),
      []
    )
  })

  it("leaves nothing behind when its runner is killed", { timeout: 150_000 }, async () => {
    const file = join(folder, "small-front.yaml")
    const out = join(folder, "killed")
    writeFileSync(file, scenario)
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` }
    const args = [program, "run", file, "--backend", "gateway", "--out", out]
    const child = spawn(process.execPath, args, { env, stdio: "ignore" })
    assert.isTrue(await until(() => leftovers().some((line) => line.includes("serve gateway"))))
    child.kill("SIGKILL")
    assert.isTrue(await until(() => leftovers().length === 0), leftovers().join("\n"))
    assert.isTrue(await until(() => readdirSync(out).every((name) => !name.startsWith("data-"))))
  })

  it("names a front that it does not know, and one that cannot stand there", async () => {
    const file = join(folder, "small-front.yaml")
    writeFileSync(file, scenario)
    const unknown = await wharf("run", file, "--backend", "ngnix")
    assert.include(unknown.err, 'did you mean "nginx"?')
    assert.strictEqual(unknown.code, 1)
    const tenancy = await wharf("run", file, "--backend", "tenancy")
    assert.include(tenancy.err, "tenancy needs tenants")
  })
})
