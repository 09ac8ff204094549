// The planner against its invariants, against every plan there is in small cases, and on the original's counter-examples.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { after, type Case, caseOf, movement, place, plain, planOf, sum } from "./Cases.ts"
import { bestMerit, distance, leastDistance, meritOf } from "./ReferencePlanner.ts"

const large = caseOf({ places: 12, amount: 60 })
const small = caseOf({ places: 4, amount: 4 })

/** FEDERATION_RUNS=20000 is the long form. */
const RUNS = Number(process.env["FEDERATION_RUNS"] ?? 400)

const check = (cases: fc.Arbitrary<Case>, holds: (given: Case) => void, numRuns = RUNS): void =>
  fc.assert(fc.property(cases, holds), { numRuns })

const softCap = ({ hard, soft }: Case["places"][number]): number => Math.min(hard, soft)

/** What may be placed in all, within hard caps. */
const reachable = ({ avoidDisruption, places, strategy }: Case): number =>
  sum(
    places.map(({ current, hard, min, soft, weight }) => {
      if (strategy === "fill" || weight > 0) return hard
      const least = Math.min(min, hard, soft)
      return avoidDisruption ? Math.max(least, Math.min(current, hard)) : least
    })
  )

const withoutSoftCaps = (given: Case): Case => ({
  ...given,
  places: given.places.map((place) => ({ ...place, soft: Infinity }))
})

describe("a plan", () => {
  it("keeps every hard cap, plans no more than is wanted, and reports what is left", () =>
    check(large, (given) => {
      const { planned, replicas, unassigned } = planOf(given)
      given.places.forEach((place, at) => {
        assert.isAtLeast(planned[at], 0)
        assert.isAtMost(planned[at], softCap(place))
        assert.isAtMost(replicas[at], place.hard)
        assert.isTrue(Number.isInteger(replicas[at]))
      })
      assert.isAtMost(sum(planned), given.total)
      assert.isAtLeast(unassigned, 0)
      if (!given.keepUnschedulable) assert.isAtMost(sum(replicas), given.total)
      if (sum(replicas) < given.total) assert.strictEqual(unassigned, given.total - sum(replicas))
    }))

  it("places all that can be placed", () =>
    check(large, (given) => {
      const { replicas } = planOf(given)
      assert.isAtLeast(sum(replicas), Math.min(given.total, reachable(given)))
    }))

  it("meets minimums where they fit", () =>
    check(large, (given) => {
      const floors = given.places.map((place) => Math.min(place.min, softCap(place)))
      if (sum(floors) > given.total) return
      const { planned } = planOf(given)
      floors.forEach((floor, at) => assert.isAtLeast(planned[at], floor))
    }))

  it("is as good as the best of all plans when little is to move", () =>
    check(
      small,
      (drawn) => {
        const given = { ...drawn, avoidDisruption: true }
        assert.deepStrictEqual(meritOf(given, planOf(given).planned), bestMerit(given))
      },
      RUNS / 2
    ))

  it("is as close to the weights as any when everything may move", () =>
    check(
      small,
      (drawn) => {
        const given: Case = { ...drawn, avoidDisruption: false, strategy: "spread" }
        if (sum(given.places.map((place) => Math.min(place.min, softCap(place)))) > given.total) return
        assert.approximately(distance(given, planOf(given).planned), leastDistance(given), 1e-6)
      },
      RUNS / 2
    ))

  it("gives each its exact quota, rounded down or up, when nothing bounds it", () =>
    check(large, (drawn) => {
      const places = drawn.places.map((one) => place(one.name, { weight: one.weight }))
      const given: Case = { ...drawn, places, strategy: "spread" }
      const weights = sum(places.map(({ weight }) => weight))
      if (weights === 0) return
      const { replicas } = planOf(given)
      places.forEach(({ weight }, at) => assert.isBelow(Math.abs(replicas[at] - (given.total * weight) / weights), 1))
    }))

  it("does not depend on the order of clusters", () =>
    check(
      fc.tuple(large, fc.nat()).map(([given, turn]) => ({ ...given, key: `${given.key}${turn}` })),
      (drawn) => {
        const given: Case = { ...drawn, strategy: "spread" }
        const turned = { ...given, places: given.places.toReversed() }
        assert.deepStrictEqual(planOf(turned).replicas.toReversed(), planOf(given).replicas)
      }
    ))

  it("does not change when all weights are scaled", () =>
    check(large, (given) => {
      for (const scale of [2, 7, 1000]) {
        const places = given.places.map((place) => ({ ...place, weight: place.weight * scale }))
        assert.deepStrictEqual(planOf({ ...given, places }), planOf(given))
      }
    }))

  it("stays when planned again", () =>
    check(large, (given) => {
      const first = planOf(given)
      const second = planOf(after(given, first.replicas))
      assert.deepStrictEqual(second.replicas, first.replicas)
    }))

  it("never lowers a cluster for one replica more, nor raises one for one less", () =>
    check(large, (drawn) => {
      const given = withoutSoftCaps({ ...drawn, avoidDisruption: true })
      const { replicas } = planOf(given)
      const more = planOf({ ...after(given, replicas), total: given.total + 1 }).replicas
      replicas.forEach((amount, at) => assert.isAtLeast(more[at], amount))
      if (given.total === 0) return
      const less = planOf({ ...after(given, replicas), total: given.total - 1 }).replicas
      replicas.forEach((amount, at) => assert.isAtMost(less[at], amount))
    }))

  it("moves no more than the total changes while bounds stay", () =>
    check(
      fc.tuple(large, fc.nat({ max: 120 })).map(([given, total]) => ({ ...given, key: String(total) })),
      (drawn) => {
        const given = withoutSoftCaps({ ...drawn, avoidDisruption: true })
        const { replicas } = planOf(given)
        const next = { ...after(given, replicas), total: Number(drawn.key) }
        const moved = movement(next, planOf(next).replicas)
        assert.strictEqual(moved, Math.abs(sum(planOf(next).replicas) - sum(replicas)))
      }
    ))

  it("rounds in every cluster's favour as often, over many objects", () => {
    const places = ["a", "b", "c", "d", "e"].map((name) => place(name))
    const got = new Array<number>(places.length).fill(0)
    for (let key = 0; key < 5000; key++) {
      const { replicas } = planOf({ ...plain, places, total: 2, key: `ns/${key}` })
      replicas.forEach((amount, at) => (got[at] += amount))
    }
    // 2,000 expected of each, with a standard deviation of 35.
    for (const amount of got) assert.approximately(amount, 2000, 200)
  })

  it("shares huge totals by huge weights", () => {
    const places = [place("a", { weight: 2 ** 31 }), place("b", { weight: 1 }), place("c", { weight: 2 ** 31 })]
    const { replicas } = planOf({ ...plain, places, total: 2_000_000_001 })
    assert.strictEqual(sum(replicas), 2_000_000_001)
    assert.isAtMost(Math.abs(replicas[0] - replicas[2]), 2)
  })
})

describe("the original's counter-examples", () => {
  it("maximums hold though the sum is right already", () => {
    const places = [place("a", { hard: 3, current: 8 }), place("b", { min: 2, current: 2 })]
    assert.deepStrictEqual(planOf({ ...plain, places, total: 10 }).replicas, [3, 7])
  })

  it("what finds no room pushes nobody over the total: weights 3:2, total 7, room 3 and 1", () => {
    const places = [place("a", { weight: 3, soft: 3 }), place("b", { weight: 2, soft: 1 })]
    const { planned, replicas } = planOf({ ...plain, places, total: 7 })
    assert.deepStrictEqual(planned, [3, 1])
    assert.strictEqual(sum(replicas), 7)
  })

  it("what waits stays within the maximum and the manual limit", () => {
    const places = [place("a", { hard: 4, soft: 2, current: 9 }), place("b", { current: 1 })]
    const { replicas } = planOf({ ...plain, places, total: 10, keepUnschedulable: true })
    assert.isAtMost(replicas[0], 4)
    assert.strictEqual(replicas[1], 8)
  })

  const fill: Omit<Case, "places" | "total"> = { ...plain, strategy: "fill" }

  it("filling scales down to the maximum: max 1, current 2, total 6", () => {
    const { replicas, unassigned } = planOf({ ...fill, places: [place("a", { hard: 1, current: 2 })], total: 6 })
    assert.deepStrictEqual([replicas, unassigned], [[1], 5])
  })

  it("filling keeps the manual limit when it scales up: limit 4, current 2, total 6", () => {
    const { replicas, unassigned } = planOf({ ...fill, places: [place("a", { hard: 4, current: 2 })], total: 6 })
    assert.deepStrictEqual([replicas, unassigned], [[4], 2])
  })

  it("filling clamps what was scheduled: total 1, current 3, limit 1", () => {
    const { replicas } = planOf({ ...fill, places: [place("a", { hard: 1, soft: 3, current: 3 })], total: 1 })
    assert.deepStrictEqual(replicas, [1])
  })

  it("a scale is followed while pods still wait", () => {
    const places = [place("a", { soft: 2, current: 3 }), place("b")]
    assert.strictEqual(sum(planOf({ ...fill, places, total: 9 }).replicas), 9)
    assert.strictEqual(sum(planOf({ ...fill, places, total: 1 }).replicas), 1)
  })

  it("clusters are filled in order and emptied from the last", () => {
    const places = [place("a", { hard: 3 }), place("b", { hard: 3 }), place("c")]
    const grown = planOf({ ...fill, places, total: 8 })
    assert.deepStrictEqual(grown.replicas, [3, 3, 2])
    assert.deepStrictEqual(
      planOf({ ...after({ ...fill, places, total: 8 }, grown.replicas), total: 4 }).replicas,
      [3, 1, 0]
    )
  })
})
