// `wharf run` of a simulated cluster, as a person types it: records, exit codes, one seed, a violation and the command that replays it.
import { Ajv2020 } from "ajv/dist/2020.js"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import type { RunRecord } from "../../reports/index.ts"
import { packageRoot } from "../../scenarios/PackageRoot.ts"

const folder = mkdtempSync(join(tmpdir(), "wharf-cluster-"))
afterAll(() => rmSync(folder, { recursive: true }))

const scenario = (extra: string): string => `apiVersion: wharf/v1
kind: Scenario
name: tiny
description: A tiny cluster
cluster:
  duration: 40s
  nodeGroups: [{ name: node, count: 5 }]
  registerOver: 1s
  controllers: none
  settle: 5s
  workloads: [{ name: web, kind: Pod, replicas: 10, perSecond: 5 }]
${extra}slo:
  - { metric: pod.start.p99, atMost: 5s }
`

const write = (name: string, text: string): string => {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

const wharf = (...words: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [join(packageRoot, "wharf.ts"), ...words], {
    cwd: folder,
    encoding: "utf8",
    timeout: 120_000,
    maxBuffer: 64 * 2 ** 20
  })

const validate = new Ajv2020({ strict: false }).compile(
  JSON.parse(readFileSync(join(packageRoot, "reports", "run-record.schema.json"), "utf8"))
)

describe("wharf run of a cluster", () => {
  it("repeats one run, records it, and draws the cost of sizes beside it", () => {
    const file = write("tiny.yaml", scenario(""))
    const out = join(folder, "out")
    const { status, stderr, stdout } = wharf(
      "run",
      file,
      "--seed",
      "7",
      "--repeat",
      "2",
      "--curve",
      "3,6",
      "--json",
      "--out",
      out
    )
    assert.strictEqual(status, 0, stderr)
    const records: ReadonlyArray<RunRecord> = JSON.parse(stdout)
    assert.lengthOf(records, 2)
    for (const record of records) assert.isTrue(validate(record), JSON.stringify(validate.errors))
    const [first, second] = records
    assert.strictEqual(first.cluster?.eventLogHash, second.cluster?.eventLogHash)
    assert.deepInclude(first, { seed: 7, target: "sim", violations: [] })
    assert.deepStrictEqual(first.counters, second.counters)
    assert.deepStrictEqual(
      first.cluster?.curve?.map(({ nodes, pods }) => [nodes, pods]),
      [
        [3, 90],
        [6, 180]
      ]
    )
    assert.sameMembers(readdirSync(out), ["001-sim.json", "002-sim.json", "index.html"])
    assert.match(stderr, /event log [0-9a-f]{32}/)
  })

  it("shrinks a broken guarantee and prints the one command that shows it again", () => {
    const text = `  checkers: [history]
  faults:
    - { kind: disk-lies, at: 3s, for: 10s }
    - { kind: apiserver-crash, at: 4s, for: 1s }
    - { kind: slow-watcher, at: 20s, for: 1s, client: kubelets, by: 10ms }
`
    const { status, stderr, stdout } = wharf(
      "run",
      write("broken.yaml", scenario(text)),
      "--out",
      join(folder, "broken")
    )
    assert.strictEqual(status, 6, stderr)
    const [, replay = ""] = /replay it: wharf (sim replay \S+)/.exec(stderr) ?? []
    assert.match(replay, /001-violation\.json$/)
    assert.include(stdout, replay)
    const shrunk = /shrunk from (\d+) steps to (\d+) in/.exec(stderr)
    assert.isBelow(Number(shrunk?.[2]), Number(shrunk?.[1]))
    const again = wharf(...replay.split(" "))
    assert.strictEqual(again.status, 6, again.stderr)
    assert.match(again.stdout, /revisions never go back|no lost acknowledged write/)
  })

  it("refuses what it cannot do, in one line each", () => {
    const file = write("other.yaml", scenario(""))
    for (const [words, message] of [
      [["--target", "kind"], /kind was not found on PATH; get it with: /],
      [["--target", "kubeconfig", "--kubeconfig", "nowhere"], /nowhere/],
      [["--backend", "etcd"], /--backend names what is put under load, and this scenario loads nothing/],
      [["--curve", "0"], /must be numbers of nodes/],
      [["--set", "cluster.churn=[{kind: openb, path: nowhere.csv}]"], /nowhere\.csv: there is no such file/]
    ] as const) {
      const { status, stderr } = wharf("run", file, ...words, "--out", join(folder, "never"))
      assert.strictEqual(status, 1, stderr)
      assert.match(stderr, message)
      assert.notMatch(stderr, /^ +at /m)
    }
  })
})
