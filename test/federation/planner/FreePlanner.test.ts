// The shortcut of the planner against the planner: where nothing bounds a cluster, both come to the same.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { FreePlanner } from "../../../core/federation/planner/FreePlanner.ts"
import { Quotas } from "../../../core/federation/planner/Quotas.ts"
import { ReplicaPlanner } from "../../../core/federation/planner/ReplicaPlanner.ts"
import { type Case, place, requestOf } from "./Cases.ts"

const whole = new ReplicaPlanner()
const free = new FreePlanner()

const RUNS = Number(process.env["FEDERATION_RUNS"] ?? 1000)

interface Drawn {
  readonly places: ReadonlyArray<{ readonly weight: number; readonly current: number; readonly room: number }>
  readonly total: number
  readonly more: number
  readonly avoidDisruption: boolean
  readonly key: string
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  places: fc.array(
    fc.record({
      weight: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 1_000_000 })),
      current: fc.oneof(fc.constant(0), fc.nat({ max: 20 })),
      room: fc.nat({ max: 40 })
    }),
    { minLength: 1, maxLength: 40 }
  ),
  total: fc.integer({ min: 1, max: 120 }),
  more: fc.integer({ min: -20, max: 20 }),
  avoidDisruption: fc.boolean(),
  key: fc.string({ maxLength: 4 })
})

const wholePlan = (given: Case): ReadonlyArray<number> => {
  const { overflow, planned } = whole.plan(requestOf(given))
  return Array.from(planned, (amount, at) => amount + overflow[at])
}

/** The shortcut's plan by place; undefined where it must not be taken. */
const freePlan = (given: Case, quotas: Quotas): ReadonlyArray<number> | undefined => {
  const { current, ties, ...request } = requestOf(given)
  const held = given.places.reduce((sum, one) => sum + one.current, 0)
  const plan = free.plan({ ...request, quotas, current, held, tieOf: (at) => ties[at] })
  if (plan === undefined) return undefined
  const found = given.places.map(() => 0)
  for (let at = 0; at < plan.count; at++) found[plan.places[at]] = plan.amounts[at]
  return found
}

const caseOf = ({ avoidDisruption, key, places, total }: Drawn): Case => ({
  places: places.map(({ current, weight }, at) => place(`c${at}`, { weight, current })),
  total,
  strategy: "spread",
  avoidDisruption,
  keepUnschedulable: false,
  key
})

const weightsOf = ({ places }: Case): Float64Array => Float64Array.from(places, ({ weight }) => weight)

describe("a plan that nothing bounds", () => {
  it("is the planner's own, from nowhere, from anywhere, and from where it led", () =>
    fc.assert(
      fc.property(drawn, (one) => {
        const given = caseOf(one)
        const quotas = new Quotas(weightsOf(given))
        let places = given.places.map((found) => ({ ...found, current: 0 }))
        const totals = [one.total, one.total, Math.max(1, one.total + one.more), one.total]
        for (const [at, total] of totals.entries()) {
          const now: Case = { ...given, total, places: at === 1 ? given.places : places }
          const found = freePlan(now, quotas)
          const wanted = wholePlan(now)
          if (found === undefined) assert.isTrue(weightsOf(now).every((weight) => weight === 0))
          else assert.deepStrictEqual(found, wanted)
          places = places.map((two, where) => ({ ...two, current: wanted[where] }))
        }
      }),
      { numRuns: RUNS }
    ))

  it("is the planner's own where clusters have room for so many, or is not made", () => {
    let made = 0
    fc.assert(
      fc.property(drawn, (one) => {
        const fresh = caseOf(one).places.map((found, at) => ({
          ...found,
          current: 0,
          weight: Math.max(1, one.places[at].room),
          soft: one.places[at].room
        }))
        const given = { ...caseOf(one), places: fresh }
        const caps = Float64Array.from(one.places, ({ room }) => room)
        const found = freePlan(given, new Quotas(weightsOf(given), caps))
        if (found === undefined) return
        made++
        assert.deepStrictEqual(found, wholePlan(given))
      }),
      { numRuns: RUNS }
    )
    assert.isAbove(made, 0)
  })

  it("remembers totals without mixing them up", () => {
    const quotas = new Quotas(Float64Array.from([3, 3, 3, 1]))
    const first = [1, 5, 9].map((total) => quotas.of(total))
    assert.deepStrictEqual(
      [1, 5, 9].map((total) => quotas.of(total)),
      first
    )
    for (let total = 1; total < 60_000; total++) quotas.of(total)
    assert.deepStrictEqual(
      [1, 5, 9].map((total) => quotas.of(total)),
      first
    )
    assert.isUndefined(new Quotas(new Float64Array(3)).of(4))
    assert.isUndefined(new Quotas(Float64Array.from([2 ** 40, 2 ** 40])).of(2 ** 20))
  })
})
