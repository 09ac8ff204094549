// What a report says of simulated clusters: SLOs, the slow by name, comparisons among themselves only, and the same record again.
import { assert, describe, it } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import { Effect, Schema } from "effect"
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import { groupByBackend, makeReport, renderHtml, RunRecord } from "../../reports/index.ts"
import { clustersOf, judgedCalls } from "../../reports/ClusterSummary.ts"
import { callsTable, podStartTable, slowPodsTable } from "../../reports/ClusterTables.ts"
import { formatClock, formatRate } from "../../reports/Format.ts"
import { litCells } from "../../reports/HtmlScrubber.ts"
import { renderMarkdown } from "../../reports/Markdown.ts"
import { schedulerTable, waitsTable } from "../../reports/SchedulerTables.ts"
import type { Table } from "../../reports/Tables.ts"
import { renderTerminal } from "../../reports/Terminal.ts"
import { syntheticCluster } from "./SyntheticCluster.ts"
import { syntheticRecord } from "./SyntheticRecord.ts"

const published = new URL("../../reports/run-record.schema.json", import.meta.url)

describe("a cluster's run record", () => {
  it("fits the published schema", () => {
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(published, "utf8")))
    const record = JSON.parse(JSON.stringify(syntheticCluster()))
    assert.isTrue(validate(record), JSON.stringify(validate.errors))
    assert.isFalse(validate({ ...record, cluster: { ...record.cluster, nodes: -1 } }))
  })

  it.effect("decodes to the same record", () =>
    Effect.gen(function* () {
      const record = syntheticCluster()
      const decoded = yield* Schema.decodeUnknownEffect(RunRecord)(JSON.parse(JSON.stringify(record)))
      assert.deepStrictEqual(decoded, record)
    })
  )
})

describe("a report on a cluster", () => {
  const answer = (records: ReadonlyArray<RunRecord>, question: string) =>
    makeReport(groupByBackend(records)).judgement.answers.find((each) => each.question.startsWith(question))

  it("judges calls against Kubernetes' SLOs: 1 s about one object, 30 s for lists, nothing said of others", () => {
    const [summary] = clustersOf(groupByBackend([syntheticCluster()]))
    const limits = judgedCalls(summary.cluster).map(({ calls, limitUs }) => `${calls.verb} ${calls.scope} ${limitUs}`)
    assert.sameMembers(limits, [
      "create object 1000000",
      "update object 1000000",
      "get object 1000000",
      "list namespace 30000000",
      "list cluster 30000000"
    ])
    assert.include(answer([syntheticCluster()], "Kubernetes’ SLOs"), { answer: "Kept", tone: "good" })
    const slow = answer([syntheticCluster({ slowness: 1000 })], "Kubernetes’ SLOs")
    assert.include(slow, { answer: "4 missed", tone: "warn" })
    const table = callsTable(clustersOf(groupByBackend([syntheticCluster({ slowness: 1000 })]))[0])
    const missed = table.rows.filter((row) => row.some(({ text, tone }) => text === "missed" && tone === "bad"))
    assert.lengthOf(missed, 3)
  })

  it("says what the scheduler did, at what pace, and how long each priority waited", () => {
    const [summary] = clustersOf(groupByBackend([syntheticCluster()]))
    const texts = (table: Table | undefined) => table?.rows.map((row) => row.map(({ text }) => text)) ?? []
    const counts = new Map(texts(schedulerTable(summary)).map(([what, number]) => [what, number]))
    assert.strictEqual(counts.get("pods that had to give way"), "120")
    assert.strictEqual(counts.get("without a node at the end"), "7")
    assert.strictEqual(counts.get("bound per second of real time"), formatRate((2999 * 1000) / 6000))
    const waits = texts(waitsTable(summary))
    assert.deepStrictEqual(
      waits.map(([priority]) => priority),
      ["high", "none", "all"]
    )
    assert.strictEqual(Number(waits[2][1].replaceAll(",", "")), 2 * Number(waits[0][1].replaceAll(",", "")))
    const { scheduling: _, ...rest } = summary.cluster
    assert.isUndefined(schedulerTable({ ...summary, cluster: rest }))
  })

  it("names the slow pods, with the time of each stage", () => {
    const [summary] = clustersOf(groupByBackend([syntheticCluster()]))
    const [first, , third] = slowPodsTable(summary).rows.map((row) => row.map(({ text }) => text))
    assert.deepStrictEqual(first, [
      "team-1/web-1",
      "node-1",
      "00:01",
      "900 ms",
      "100 ms",
      "3.00 s",
      "1.00 ms",
      "4.00 s"
    ])
    assert.deepStrictEqual(third.slice(3, 6), ["900 ms", "–", "3.10 s"])
    assert.lengthOf(podStartTable(summary)?.rows ?? [], 5)
  })

  it("is wrong when a guarantee was broken, and says how to see it again", () => {
    const violations = [
      { rule: "replicas sum", text: "Deployment team-1/web says 5 (at 7 s)" },
      { rule: "replay it", text: "wharf sim replay runs/x/001-violation.json" }
    ]
    const report = makeReport(groupByBackend([syntheticCluster({ violations })]))
    assert.strictEqual(report.judgement.exitCode, 6)
    assert.include(renderTerminal(report), "wharf sim replay runs/x/001-violation.json")
  })

  it("says that runs of one seed were the same, and when they were not", () => {
    const runs = (hash?: string) => [
      syntheticCluster({ of: 2 }),
      syntheticCluster({ index: 1, of: 2, ...(hash === undefined ? {} : { eventLogHash: hash }) })
    ]
    assert.match(answer(runs(), "Simulated")?.details[1] ?? "", /the same in 2 runs/)
    assert.strictEqual(answer(runs("0123"), "Simulated")?.tone, "bad")
  })

  it("compares stores with stores and clusters with clusters, never one with the other", () => {
    const stores = ["lmdb", "etcd"].map((backend) => syntheticRecord({ backend }))
    const mixed = makeReport(groupByBackend([syntheticCluster(), ...stores]), { failOnRegression: false })
    assert.deepStrictEqual(
      mixed.comparisons.map(({ baseline, candidate }) => [baseline, candidate]),
      [["etcd", "lmdb"]]
    )
    const side = (name: string, cost: number) => ({
      name,
      records: Array.from({ length: 10 }, (_, index) =>
        syntheticCluster({ index, of: 10, cost: cost * (1 + index / 500) })
      )
    })
    const [comparison] = makeReport([side("before", 1), side("after", 1.5)]).comparisons
    const cost = comparison.metrics.find(({ id }) => id === "cluster.cost")
    assert.include(cost, { verdict: "slower" })
    assert.strictEqual(comparison.headline, "cluster.cost")
    assert.include(
      comparison.metrics.find(({ id }) => id === "pod.start.p99"),
      { verdict: "same" }
    )
  })

  it("is the same in every rendering, and says that latencies are virtual", () => {
    const report = makeReport(groupByBackend([syntheticCluster()]))
    for (const text of [renderTerminal(report, { width: 200, color: false }), renderMarkdown(report)]) {
      assert.match(text, /update leases\.coordination\.k8s\.io/)
      assert.match(text, /created → scheduled/)
      assert.match(text, /virtual time/)
    }
    const page = renderHtml(report)
    assert.match(page, /Latency in a simulated cluster is virtual time, on the modelled network and disk/)
    assert.strictEqual(page, renderHtml(report))
  })
})

describe("small sums", () => {
  it("never shows all nodes ready when one is not, nor none when one is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.float({ min: 0, max: 1, noNaN: true }), (nodes, share) => {
        const ready = Math.round(nodes * share)
        const cells = Math.min(100, nodes)
        const lit = litCells(ready, nodes)
        assert.strictEqual(lit === cells, ready >= nodes)
        assert.strictEqual(lit === 0, ready === 0 || (cells === 1 && ready < nodes))
        assert.isTrue(lit >= 0 && lit <= cells)
      })
    )
  })

  it("writes virtual time as a clock", () => {
    assert.deepStrictEqual([0, 61_000, 3_600_000, 86_399_499].map(formatClock), [
      "00:00",
      "01:01",
      "1:00:00",
      "23:59:59"
    ])
  })
})
