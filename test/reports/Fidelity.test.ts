// The fidelity comparison: equal runs are equal within every interval, a simulation that is twice as slow is found to be, and what says
// nothing is left out by name.
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { fidelityMarkdown } from "../../reports/FidelityText.ts"
import { fidelityOf } from "../../reports/Fidelity.ts"
import { Latency, type RecordedCluster, type RunRecord } from "#reports"

const histogram = (values: ReadonlyArray<number>) => {
  const latency = new Latency()
  for (const value of values) latency.record(value)
  return latency.toRecorded()
}
const none = histogram([])

/** As much of a record as is read here. */
const record = (target: RunRecord["target"], values: ReadonlyArray<number>, pods: number): RunRecord => {
  const cluster = {
    virtualMs: 10_000,
    model: ["Network: as tested."],
    calls: [
      {
        verb: "create",
        resource: "pods",
        scope: "object",
        answered: values.length,
        errors: {},
        latency: histogram(values),
        slowest: []
      }
    ],
    podStarts: { scheduled: none, seen: none, running: none, watched: none, whole: none, slowest: [] },
    informers: [{ resource: "pods", watches: 1, lag: histogram(values.slice(0, 5)), slowest: [] }],
    state: { objects: { pods: [0, pods], nodes: [target === "sim" ? 3 : 0] } }
  } as unknown as RecordedCluster
  const backend = { name: target, version: "1", settings: {}, durable: true }
  const machine = { cores: 2, cpuModel: "any", loadBefore: [0, 0, 0] }
  return { target, cluster, backend, machine, startedAt: "now", scenario: { name: "one" } } as unknown as RunRecord
}

const latencies = fc.array(fc.integer({ min: 100, max: 1_000_000 }), { minLength: 40, maxLength: 400 })

describe("fidelity", () => {
  it("finds equal runs equal, and every ratio within its interval", () => {
    fc.assert(
      fc.property(latencies, fc.integer({ min: 1, max: 1000 }), (values, pods) => {
        const { factor, rows } = fidelityOf([record("sim", values, pods)], [record("process", values, pods)])
        assert.strictEqual(factor, 1)
        for (const { high, low, ratio } of rows) {
          assert.strictEqual(ratio, 1)
          if (!Number.isNaN(low)) assert.isTrue(low <= 1 && 1 <= high)
        }
      })
    )
  })

  it("finds a simulation that is twice as slow to be so", () => {
    fc.assert(
      fc.property(latencies, (values) => {
        const slow = values.map((value) => value * 2)
        const { medianFactor, rows } = fidelityOf([record("sim", slow, 1)], [record("process", values, 1)])
        assert.closeTo(medianFactor, 2, 0.01)
        for (const { group, high, low, ratio } of rows)
          if (group === "API latency") assert.isTrue(low <= ratio && ratio <= high)
      })
    )
  })

  it("leaves out what says nothing, and says so", () => {
    const values = Array.from({ length: 40 }, (_, at) => 1000 + at)
    const [sim, real] = [[record("sim", values, 4)], [record("process", values, 5)]]
    const fidelity = fidelityOf(sim, real)
    assert.deepStrictEqual(fidelity.leftOut, ["watch lag: pods (5 simulated, 5 real)"])
    assert.strictEqual(fidelity.oneSided, 1)
    const page = fidelityMarkdown(fidelity, sim, real)
    assert.include(page, "Medians of API latency and pod start lie within a factor of 1.00")
    assert.include(page, "| pods | 4 | 5 | 0.800× | one run a side |")
    assert.include(page, "1 indicators stand on one side only")
  })
})
