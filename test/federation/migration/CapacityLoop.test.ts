// The loop of planning and of learning what room there is: it comes to rest, and does not go back and forth.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type CapacityMemory, capacityNow, capacityWakeMs, rememberCapacity } from "#federation"
import { after, type Case, place, plain, planOf, sum } from "../planner/Cases.ts"

/** Plans and learns until nothing changes; answers the rounds and the plan. */
const settle = (start: Case, room: ReadonlyArray<number>, rounds: number) => {
  let given = start
  let memory: CapacityMemory = new Map()
  for (let round = 1; round <= rounds; round++) {
    const learned = capacityNow(memory, round)
    const places = given.places.map((one) => ({ ...one, soft: learned.get(one.name) ?? Infinity }))
    const { planned, replicas } = planOf({ ...given, places })
    const waiting = new Map(
      replicas.flatMap((amount, at) => (amount > room[at] ? [[given.places[at].name, room[at]] as const] : []))
    )
    const next = rememberCapacity(memory, waiting, round)
    const learnt = capacityNow(next, round)
    const same = replicas.every((amount, at) => amount === given.places[at].current)
    if (same && learnt.size === learned.size && [...learnt].every(([name, amount]) => learned.get(name) === amount)) {
      return { rounds: round, planned, replicas }
    }
    memory = next
    given = after(given, replicas)
  }
  return undefined
}

describe("planning by what was learned", () => {
  it("comes to rest in a few rounds, with every replica where there is room as far as there is any", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            weight: fc.integer({ min: 1, max: 5 }),
            room: fc.nat({ max: 12 }),
            current: fc.nat({ max: 15 })
          }),
          {
            minLength: 1,
            maxLength: 6
          }
        ),
        fc.nat({ max: 40 }),
        fc.boolean(),
        fc.constantFrom("spread" as const, "fill" as const),
        fc.boolean(),
        (clusters, total, keepUnschedulable, strategy, avoidDisruption) => {
          const places = clusters.map(({ current, weight }, at) => place(`c${at}`, { current, weight }))
          const room = clusters.map((one) => one.room)
          const given: Case = {
            ...plain,
            places,
            total,
            strategy,
            avoidDisruption,
            keepUnschedulable: keepUnschedulable || !avoidDisruption
          }
          const rest = settle(given, room, clusters.length * 2 + 3)
          assert.isDefined(rest, "it did not come to rest")
          const running = sum(rest.replicas.map((amount, at) => Math.min(amount, room[at])))
          assert.isAtLeast(running, Math.min(total, sum(room)))
        }
      ),
      { numRuns: Number(process.env["FEDERATION_RUNS"] ?? 400) }
    ))

  it("goes on to count while a cluster is not heard of, and for a while after that", () => {
    const lost = new Set(["a"])
    const first = rememberCapacity(new Map(), new Map([["a", 4]]), 0)
    const unheard = rememberCapacity(first, new Map(), 1000, lost)
    assert.deepStrictEqual([...capacityNow(unheard, 86_400_000)], [["a", 4]])
    assert.strictEqual(capacityWakeMs(unheard, 1000), Infinity)
    const heard = rememberCapacity(unheard, new Map(), 86_400_000)
    assert.strictEqual(capacityWakeMs(heard, 86_400_000), 86_700_000)
    assert.strictEqual(
      rememberCapacity(first, new Map(), 700_000, lost).size,
      0,
      "what did not count does not begin to"
    )
  })

  it("remembers for longer each time that a cluster is found full again, and forgets in the end", () => {
    const full = new Map([["a", 4]])
    const first = rememberCapacity(new Map(), full, 0)
    assert.strictEqual(capacityWakeMs(first, 0), 300_000)
    assert.deepStrictEqual([...capacityNow(first, 299_999)], [["a", 4]])
    assert.strictEqual(capacityNow(first, 300_000).size, 0)
    const again = rememberCapacity(rememberCapacity(first, new Map(), 300_000), full, 301_000)
    assert.strictEqual(capacityWakeMs(again, 301_000), 901_000)
    assert.strictEqual(rememberCapacity(first, new Map(), 600_000).size, 0)
    assert.strictEqual(capacityWakeMs(rememberCapacity(first, full, 700_000), 700_000), 1_300_000)
  })
})
