import { assert, describe, it } from "@effect/vitest"
import { assessValidity, compare, compareSamples, defaultCompareOptions, type RunRecord } from "../../reports/index.ts"
import { seededRandom } from "../../reports/SeededRandom.ts"
import { syntheticRecord, syntheticRuns } from "./SyntheticRecord.ts"

const group = (name: string, records: ReadonlyArray<RunRecord>) => ({
  name,
  records: records.filter((record) => record.backend.name === name)
})

const short = { seconds: 3 } as const

describe("calibration of the verdicts, on noise with a variation of 4 %", () => {
  const drawer = (seed: number) => {
    const random = seededRandom(seed)
    return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  }
  const side = (runs: number, centre: number, draw: () => number) =>
    Array.from({ length: runs }, () => ({ value: centre * (1 + 0.04 * draw()), within: [] }))
  const trial = (options: { runs: number; factor: number; metrics: number }, draw: () => number) =>
    compareSamples(
      Array.from({ length: options.metrics }, (_, index) => ({
        metric: { id: `m${index}`, label: `m${index}`, unit: "ops/s" as const, better: "higher" as const },
        baseline: side(options.runs, 1000, draw),
        candidate: side(options.runs, 1000 * options.factor, draw),
        complete: true
      })),
      { ...defaultCompareOptions, resamples: 20 },
      []
    )
  const rounds = 2000

  for (const metrics of [1, 8]) {
    it(`raises at most 5 % false alarms over ${metrics} metrics at 10 runs a side`, () => {
      const draw = drawer(2026)
      let alarms = 0
      for (let round = 0; round < rounds; round++) {
        const verdicts = trial({ runs: 10, factor: 1, metrics }, draw)
        if (verdicts.some(({ verdict }) => verdict === "faster" || verdict === "slower")) alarms++
      }
      assert.isTrue(alarms / rounds <= 0.05, `${alarms} alarms in ${rounds} comparisons of equals (seed 2026)`)
    })
  }

  it("finds a planted slowdown of 5 % in at least 90 % at 20 runs a side", () => {
    const draw = drawer(2027)
    let found = 0
    for (let round = 0; round < rounds; round++) {
      if (trial({ runs: 20, factor: 0.95, metrics: 1 }, draw)[0]?.verdict === "slower") found++
    }
    assert.isTrue(found / rounds >= 0.9, `${found} of ${rounds} found (seed 2027)`)
  })
})

describe("compare", () => {
  const backends = [
    { backend: "etcd", ...short },
    { backend: "lmdb", speed: 3, ...short }
  ]
  const records = syntheticRuns(backends, 10)
  const [etcd, lmdb] = [group("etcd", records), group("lmdb", records)]
  const find = (comparison: ReturnType<typeof compare>, id: string) =>
    comparison.metrics.find((metric) => metric.id === id)!

  it("says faster, by how much and how sure", () => {
    const result = compare(etcd, lmdb)
    const throughput = find(result, "create.throughput")
    assert.strictEqual(throughput.verdict, "faster")
    assert.isTrue(throughput.low! > 2.8 && throughput.high! < 3.2, `${throughput.low} to ${throughput.high}`)
    assert.isTrue(throughput.p! < 0.05)
    assert.strictEqual(throughput.delta, 1)
    assert.strictEqual(find(result, "get.p99").verdict, "faster")
    assert.strictEqual(result.headline, "all.throughput")
    assert.isTrue(find(result, result.headline).ratio! > 2.8)
    assert.strictEqual(result.verdict, "faster")
  })

  it("says slower the other way round, and same of a side with itself", () => {
    assert.strictEqual(compare(lmdb, etcd).verdict, "slower")
    const steady = etcd.records.slice(0, 1).map((record) => ({
      ...record,
      series: { ...record.series, operations: [] }
    }))
    const copies = { name: "etcd", records: Array.from({ length: 10 }, () => steady).flat() }
    assert.strictEqual(compare(copies, copies).verdict, "same")
  })

  it("does not conclude from too few runs, however clear they look", () => {
    const few = compare(
      { name: "etcd", records: etcd.records.slice(0, 5) },
      { name: "lmdb", records: lmdb.records.slice(0, 5) }
    )
    assert.isTrue(few.metrics.every(({ verdict }) => verdict === "inconclusive"))
    assert.include(find(few, "create.throughput").reason, "insufficient: 5 of 10 runs")
    assert.isTrue(find(few, "create.throughput").ratio! > 2.8)
  })

  it("sums an open loop up by its p99, because its throughput is only what was planned", () => {
    const opened = (name: string) =>
      records
        .filter(({ backend }) => backend.name === name)
        .map((record) => ({
          ...record,
          phases: record.phases.map((phase) => ({ ...phase, loop: "open" as const, targetPerS: 100 }))
        }))
    const result = compare({ name: "etcd", records: opened("etcd") }, { name: "lmdb", records: opened("lmdb") })
    assert.strictEqual(result.headline, "all.p99")
    assert.strictEqual(find(result, "all.p99").verdict, "faster")
    assert.isUndefined(find(result, "all.throughput"))
  })

  it("gives no interval to single runs", () => {
    const [a, b] = [
      { ...etcd, records: etcd.records.slice(0, 1) },
      { ...lmdb, records: lmdb.records.slice(0, 1) }
    ]
    const { high, low, ratio, verdict } = find(compare(a, b), "create.throughput")
    assert.deepStrictEqual([low, high, verdict], [null, null, "inconclusive"])
    assert.isTrue(ratio! > 2.5)
  })

  it("calls absent data missing, never same", () => {
    const blind = etcd.records.map((record) => ({ ...record, watch: [], components: [] }))
    const result = compare(etcd, { name: "blind", records: blind })
    for (const id of ["watch.delivery", "watch lag.p99", "server.cpu", "server.memory"]) {
      assert.strictEqual(find(result, id).verdict, "missing", id)
    }
    assert.strictEqual(compare({ name: "none", records: [] }, etcd).verdict, "missing")
    const patchy = [...blind.slice(0, 1), ...etcd.records.slice(1)]
    assert.strictEqual(find(compare(etcd, { name: "patchy", records: patchy }), "watch.delivery").verdict, "missing")
  })

  it("does not use invalid runs", () => {
    const broken = lmdb.records.map((record, index) =>
      index > 0
        ? record
        : {
            ...record,
            operations: record.operations.map((operation) => ({
              ...operation,
              lost: 7,
              planned: operation.planned + 7
            }))
          }
    )
    const result = compare(etcd, { name: "lmdb", records: broken })
    assert.strictEqual(result.verdict, "invalid")
    assert.include(result.refusals.join(), "1 of 10 runs of lmdb are invalid (lost-samples)")
  })

  it("refuses other machines and scenarios, or badges a machine that was allowed", () => {
    const elsewhere = lmdb.records.map((record) => ({ ...record, machine: { ...record.machine, cores: 64 } }))
    const refused = compare(etcd, { name: "lmdb", records: elsewhere })
    assert.strictEqual(refused.verdict, "invalid")
    assert.deepStrictEqual(refused.refusals, ["the sides ran on different machines"])
    const allowed = compare(etcd, { name: "lmdb", records: elsewhere }, { allowCrossMachine: true })
    assert.strictEqual(allowed.verdict, "faster")
    assert.include(
      allowed.differences.map(({ field, severity }) => `${field} ${severity}`),
      "cores badge"
    )
    const other = lmdb.records.map((record) => ({ ...record, scenario: { ...record.scenario, hash: "other" } }))
    assert.strictEqual(compare(etcd, { name: "lmdb", records: other }, { allowCrossMachine: true }).verdict, "invalid")
  })

  it("badges sides that were not interleaved", () => {
    const later = lmdb.records.map((record) => ({ ...record, startedAt: "2027-01-01T00:00:00Z" }))
    const fields = compare(etcd, { name: "lmdb", records: later }).differences.map(({ field }) => field)
    assert.include(fields, "order")
    assert.notInclude(
      compare(etcd, lmdb).differences.map(({ field }) => field),
      "order"
    )
  })

  it("compares deterministic counters exactly", () => {
    const changed = lmdb.records.map((record) => ({
      ...record,
      counters: { "create.planned": 4001, "bytes.value": record.counters["bytes.value"] ?? 0 }
    }))
    const { counters } = compare(etcd, { name: "lmdb", records: changed })
    assert.deepStrictEqual(
      counters.map(({ name, verdict }) => [name, verdict]),
      [
        ["bytes.value", "equal"],
        ["create.planned", "different"],
        ["events.expected", "missing"]
      ]
    )
  })

  it("gives the same comparison each time", () => {
    assert.deepStrictEqual(compare(etcd, lmdb), compare(etcd, lmdb))
  })
})

describe("validity", () => {
  it("has an alarm for each way a measurement goes wrong", () => {
    const good = syntheticRecord(short)
    const codes = (record: RunRecord) => assessValidity(record).reasons.map(({ code }) => code)
    const operation = good.operations[0]
    const withOperation = (change: Partial<typeof operation>) => ({
      ...good,
      operations: [{ ...operation, ...change }, ...good.operations.slice(1)]
    })
    assert.deepStrictEqual(codes(good), [])
    assert.deepStrictEqual(codes(withOperation({ lost: 1, planned: operation.planned + 1 })), ["lost-samples"])
    assert.deepStrictEqual(codes({ ...good, generator: { ...good.generator, cpuPercent: 97 } }), [
      "generator-saturated"
    ])
    const errors = Math.ceil(operation.sent / 20)
    assert.deepStrictEqual(
      codes(withOperation({ errors: { UNAVAILABLE: errors }, planned: operation.planned + errors })),
      ["error-rate"]
    )
    assert.deepStrictEqual(codes(withOperation({ planned: operation.planned + 3 })), ["accounting"])
    const open = good.phases.map((phase) => ({ ...phase, loop: "open" as const, targetPerS: 1e6 }))
    assert.deepStrictEqual([...new Set(codes({ ...good, phases: open }))], ["rate-below-plan"])
    assert.deepStrictEqual(codes({ ...good, series: { ...good.series, atS: [3, 2] } }), ["clock"])
    assert.deepStrictEqual(codes({ ...good, operations: [] }), ["no-samples"])
    const kept = { valid: false, reasons: [{ code: "interrupted" as const, text: "stopped by the user" }] }
    assert.deepStrictEqual(codes({ ...good, validity: kept }), ["interrupted"])
  })
})
