// Runs against a Kubernetes API front in reports: what a front adds, what it uses, and which comparisons are made.
import { assert, describe, it } from "vitest"
import { addedTable, frontTable } from "../../reports/FrontTables.ts"
import {
  assessValidity,
  groupByBackend,
  makeReport,
  memoryPerWatch,
  perCpuSecond,
  type RecordedFront,
  renderHtml,
  renderMarkdown,
  renderTerminal,
  type RunRecord,
  upstreamPerRequest
} from "../../reports/index.ts"
import { syntheticRecord } from "./SyntheticRecord.ts"

const frontOf = (record: RunRecord, isDirect: boolean): RecordedFront => {
  const measured = record.phases.find(({ kind }) => kind === "measure")
  return {
    upstream: "fixed",
    upstreamVersion: "0.1.0",
    upstreams: 1,
    instances: 1,
    connections: { atS: [0, 1, 2], open: [4, 4, null] },
    phases: [
      {
        phase: measured?.name ?? "",
        clientConnections: 100,
        requests: 10_000,
        refused: 1000,
        upstreamRequests: 9000,
        reviews: isDirect ? 0 : 90,
        upstreamConnections: isDirect ? 100 : 4,
        cpuSeconds: isDirect ? null : 2,
        upstreamCpuSeconds: 1,
        idleWatches: 500,
        memoryBeforeBytes: isDirect ? null : 50_000_000,
        memoryIdleBytes: isDirect ? null : 52_000_000,
        swaps: 0
      }
    ]
  }
}

const record = (backend: string, speed: number, index: number, position: number): RunRecord => {
  const made = syntheticRecord({ backend, speed, index, of: 3, position, seed: 3 })
  const isDirect = backend === "direct"
  const components = made.components.filter(({ role }) => role !== "server" || !isDirect)
  return { ...made, components, front: frontOf(made, isDirect) }
}

const records = [0, 1, 2].flatMap((index) => [
  record("direct", 1, index, index * 3),
  record("gateway", 0.8, index, index * 3 + 1),
  record("nginx", 0.5, index, index * 3 + 2)
])
const report = makeReport(groupByBackend(records))

describe("the numbers of a front", () => {
  it("are requests for processor time, for one of a client, and memory for a watch", () => {
    const [direct, gateway] = records
    assert.strictEqual(perCpuSecond(gateway), 5000)
    assert.strictEqual(upstreamPerRequest(gateway), 1.01)
    assert.strictEqual(memoryPerWatch(gateway), 4000)
    assert.deepStrictEqual([perCpuSecond(direct), memoryPerWatch(direct)], [null, null])
    assert.strictEqual(upstreamPerRequest(direct), 1)
  })
})

describe("validity", () => {
  it("takes failures for a finding where configurations were swapped, and nowhere else", () => {
    const [, gateway] = records
    const failing = (swaps: number): RunRecord => ({
      ...gateway,
      front: { ...frontOf(gateway, false), phases: frontOf(gateway, false).phases.map((one) => ({ ...one, swaps })) },
      operations: gateway.operations.map((one) => ({
        ...one,
        planned: one.planned + one.sent,
        sent: one.sent * 2,
        errors: { "HTTP 502": one.sent }
      }))
    })
    const codes = (swaps: number) => assessValidity(failing(swaps)).reasons.map(({ code }) => code)
    assert.include(codes(0), "error-rate")
    assert.notInclude(codes(9), "error-rate")
  })
})

describe("a report of fronts", () => {
  it("sets each against direct runs, and ours against nginx", () => {
    assert.deepStrictEqual(
      report.comparisons.map(({ baseline, candidate }) => [baseline, candidate]),
      [
        ["direct", "gateway"],
        ["direct", "nginx"],
        ["nginx", "gateway"]
      ]
    )
    assert.strictEqual(report.baseline, "direct")
  })

  it("does not miss in direct runs what they cannot have, and compares it between fronts", () => {
    const [againstDirect, , besideNginx] = report.comparisons
    const ids = (metrics: typeof againstDirect.metrics) => metrics.map(({ id }) => id)
    assert.notInclude(ids(againstDirect.metrics), "front.perCpuSecond")
    assert.notInclude(ids(againstDirect.metrics), "server.memory")
    assert.deepStrictEqual(
      againstDirect.metrics.filter(({ verdict }) => verdict === "missing"),
      []
    )
    assert.includeMembers(ids(besideNginx.metrics), ["front.perCpuSecond", "front.connections", "server.memory"])
  })

  it("says what each adds, operation by operation, with intervals over runs", () => {
    const table = addedTable(report)
    assert.isDefined(table)
    const rows = table.rows.map((row) => row.map(({ text }) => text))
    const [direct, gateway, nginx] = rows
    assert.deepStrictEqual(
      [direct, gateway, nginx].map(([, front]) => front),
      ["direct", "gateway", "nginx"]
    )
    assert.strictEqual(direct[3], "–")
    for (const row of [gateway, nginx]) {
      assert.match(row[3], /^\+/)
      assert.match(row[4], / to /)
    }
    const single = makeReport(groupByBackend(records.filter(({ repeat }) => repeat.index === 0)))
    assert.isBelow(addedTable(single)?.columns.length ?? 99, table.columns.length)
  })

  it("leaves out columns in which nobody has anything to say", () => {
    const titles = frontTable(report)?.columns.map(({ title }) => title) ?? []
    assert.includeMembers(titles, ["requests / CPU s", "upstream conn.", "reviews / request", "refused"])
    assert.notInclude(titles, "configs")
    assert.isUndefined(frontTable(makeReport(groupByBackend([syntheticRecord()]))))
  })

  it("stands in every rendering", () => {
    const page = renderHtml(report)
    assert.include(page, 'id="front"')
    assert.include(page, "front-connections")
    for (const text of [page, renderMarkdown(report), renderTerminal(report)])
      assert.include(text.replaceAll(/\s+/g, " "), "Added latency of each front against direct runs")
  })
})
