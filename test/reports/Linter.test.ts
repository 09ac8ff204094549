import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import {
  type Finding,
  groupByBackend,
  Latency,
  lint,
  lintGroups,
  type LintRow,
  PublishedTable
} from "../../reports/index.ts"
import { averageCeiling } from "../../reports/LintRules.ts"
import { syntheticRecord, syntheticRuns } from "./SyntheticRecord.ts"

const published = (name: string) =>
  Schema.decodeUnknownSync(PublishedTable)(
    JSON.parse(readFileSync(new URL(`../../reports/published/tables/${name}.json`, import.meta.url), "utf8"))
  )

const told = (findings: ReadonlyArray<Finding>, severity: Finding["severity"]) =>
  findings.filter((finding) => finding.severity === severity).map(({ rows, rule }) => `${rule}: ${rows.join(" + ")}`)

describe("the published tables", () => {
  it("KubeBrain: flags every impossible row and no sane one", () => {
    const findings = lint(published("kubebrain").rows)
    assert.deepStrictEqual(told(findings, "impossible"), [
      "average-above-p99: KubeBrain / insert+read / event / run 1",
      "duplicated-triple: etcd 3.4 / insert / insert / run 0 + etcd 3.4 / delete / delete / run 0",
      "littles-law: KubeBrain / insert+read / insert / run 2 + KubeBrain / insert+read / read / run 2",
      "events-differ-from-writes: etcd 3.4 / insert / event / run 2 + etcd 3.4 / insert / insert / run 2"
    ])
    assert.deepStrictEqual(told(findings, "suspicious"), [
      "duplicated-figure: KubeBrain / insert / insert / run 0 + KubeBrain / insert / insert / run 2",
      "duplicated-figure: KubeBrain / insert / insert / run 0 + KubeBrain / insert / event / run 2",
      "duplicated-figure: etcd 3.4 / insert / insert / run 0 + etcd 3.4 / insert / event / run 2",
      "duplicated-figure: etcd 3.4 / insert / event / run 2 + etcd 3.4 / delete / delete / run 0",
      "duplicated-figure: etcd 3.4 / insert / event / run 0 + etcd 3.4 / delete / event / run 0"
    ])
  })

  it("KubeGateway: flags the minima of nanoseconds in all fifteen rows, and nothing else", () => {
    const { rows } = published("kubegateway")
    const findings = lint(rows)
    assert.strictEqual(rows.length, 15)
    assert.deepStrictEqual(
      findings.map(({ rule, severity }) => `${severity} ${rule}`),
      rows.map(() => "impossible below-physical-floor")
    )
    assert.include(findings[0]?.text ?? "", "74 ns")
    const cured = rows.map((row) => ({ ...row, latencyUs: { ...row.latencyUs, min: 310 } }))
    assert.deepStrictEqual(lint(cured), [])
  })

  it("etcd's performance page: flags nothing", () => {
    assert.deepStrictEqual(lint(published("etcd-performance").rows), [])
  })
})

describe("the rules", () => {
  const row: LintRow = {
    system: "store",
    workload: "put",
    run: "0",
    operation: "put",
    kind: "write",
    transport: "loopback",
    durable: true,
    clients: 10,
    opsPerS: 10_000,
    latencyUs: { min: 300, mean: 990, p50: 900, p90: 1400, p99: 2500, p999: 4000, max: 9000 },
    planned: 100,
    completed: 97,
    failed: 2,
    lost: 0,
    timed: 97
  }
  const sane: LintRow = { ...row, planned: 99 }
  const rules = (changed: Partial<LintRow>, ...others: ReadonlyArray<LintRow>) =>
    lint([{ ...sane, ...changed }, ...others]).map(({ rule, severity }) => `${severity} ${rule}`)
  const latency = (changed: Partial<LintRow["latencyUs"]>) => ({ latencyUs: { ...sane.latencyUs, ...changed } })

  it("accept a sane row", () => {
    assert.deepStrictEqual(lint([sane]), [])
  })

  it("flag an average above p99, unless the maximum explains it", () => {
    const { max: _, ...withoutMax } = sane.latencyUs
    const slow = { clients: 40 }
    assert.deepStrictEqual(rules({ ...slow, latencyUs: { ...withoutMax, mean: 3000 } }), [
      "impossible average-above-p99"
    ])
    assert.deepStrictEqual(rules({ ...slow, ...latency({ mean: 3000, max: 9e6 }) }), ["suspicious average-above-p99"])
    assert.deepStrictEqual(rules({ ...slow, ...latency({ mean: 2400 }) }), ["impossible average-above-bound"])
    assert.deepStrictEqual(rules({ clients: 3, ...latency({ mean: 250 }) }), ["impossible average-below-min"])
  })

  it("flag minima below the floor of their kind", () => {
    assert.deepStrictEqual(rules(latency({ min: 12 })), ["impossible below-physical-floor"])
    assert.deepStrictEqual(rules({ ...latency({ min: 12 }), durable: false }), [])
    assert.deepStrictEqual(rules({ ...latency({ min: 4 }), kind: "read" }), ["impossible below-physical-floor"])
    assert.deepStrictEqual(rules({ ...latency({ min: 0 }), transport: "simulated" }), [])
  })

  it("flag percentiles out of order", () => {
    assert.deepStrictEqual(rules(latency({ p90: 2600 })), ["impossible percentile-order"])
    assert.deepStrictEqual(rules(latency({ p999: 9500 })), ["impossible percentile-order"])
  })

  it("flag a run that was printed twice", () => {
    const twice = rules({}, { ...sane, run: "1" }, { ...sane, run: "2", opsPerS: 9000 })
    assert.deepStrictEqual(twice, [])
    const digits = { opsPerS: 9871.3 }
    assert.deepStrictEqual(rules(digits, { ...sane, ...digits, run: "1" }), ["impossible duplicated-triple"])
  })

  it("hold throughput, latency and clients against Little's law", () => {
    assert.deepStrictEqual(rules({ clients: 9 }), ["impossible littles-law"])
    assert.deepStrictEqual(rules({ clients: 100 }), ["suspicious idle-clients"])
    assert.deepStrictEqual(rules({}, { ...sane, operation: "get", kind: "read", opsPerS: 900 }), [
      "impossible littles-law"
    ])
  })

  it("hold events against writes", () => {
    const event: LintRow = { ...sane, operation: "event", kind: "event", latencyUs: {}, opsPerS: 10_400 }
    assert.deepStrictEqual(rules({}, event), ["impossible events-differ-from-writes"])
    assert.deepStrictEqual(rules({}, { ...event, opsPerS: 9000 }), ["suspicious events-differ-from-writes"])
    assert.deepStrictEqual(rules({}, { ...event, opsPerS: 10_100 }), [])
  })

  it("flag lost samples and counts that do not add up", () => {
    assert.deepStrictEqual(rules({ lost: 1, planned: 100 }), ["impossible lost-samples"])
    assert.deepStrictEqual(rules({ planned: 100 }), ["impossible counts-do-not-add-up"])
    assert.deepStrictEqual(rules({ timed: 96 }), ["impossible counts-do-not-add-up"])
  })
})

describe("run records", () => {
  it("pass when they are what the generator really measured", () => {
    const runs = syntheticRuns([{ backend: "etcd" }, { backend: "lmdb", speed: 3 }], 3)
    assert.deepStrictEqual(lintGroups(groupByBackend(runs)), [])
  })

  it("are flagged when one is handed in twice under another name", () => {
    const record = syntheticRecord()
    const rules = lintGroups(groupByBackend([record, { ...record, id: "copy" }])).map(({ rule }) => rule)
    assert.deepStrictEqual([...new Set(rules)], ["duplicated-triple"])
  })

  it("never show an average above what their own percentiles allow", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 5, max: 10_000_000 }), { minLength: 1, maxLength: 300 }), (values) => {
        const histogram = new Latency()
        for (const value of values) histogram.record(value)
        const { max, mean, p50, p90, p99, p999, p9999 } = histogram.toRecorded()
        const ceiling = averageCeiling({ p50: p50!, p90: p90!, p99: p99!, p999: p999!, p9999: p9999!, max: max! })
        assert.isTrue(mean! <= ceiling! * 1.001, `${mean} above ${ceiling}`)
      }),
      { seed: 21 }
    )
  })
})
