import { assert, describe, it } from "vitest"
import * as fc from "fast-check"
import { ExpiryQueue } from "../../../core/storage/lease/ExpiryQueue.ts"

const step = fc.oneof(
  { arbitrary: fc.record({ grant: fc.integer({ min: 1, max: 50 }) }), weight: 4 },
  { arbitrary: fc.record({ renew: fc.nat(), forMs: fc.integer({ min: 1, max: 50 }) }), weight: 4 },
  { arbitrary: fc.record({ drop: fc.nat() }), weight: 1 },
  { arbitrary: fc.record({ wait: fc.integer({ min: 0, max: 30 }), max: fc.integer({ min: 1, max: 4 }) }), weight: 4 }
)

describe("ExpiryQueue", () => {
  it("offers every item whose time has passed, once, earliest first, and no other", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const deadlines = new Map<number, number>()
        const queue = new ExpiryQueue<number>((item) => deadlines.get(item))
        let now = 0
        let next = 0
        const pick = (n: number): number | undefined => [...deadlines.keys()][n % Math.max(1, deadlines.size)]
        const take = (max: number): void => {
          const due = [...deadlines].filter(([, at]) => at <= now)
          const taken = queue.takeExpired(now, max)
          assert.strictEqual(taken.length, Math.min(max, due.length))
          assert.strictEqual(new Set(taken).size, taken.length)
          for (const item of taken) {
            assert.isAtMost(deadlines.get(item) ?? Number.POSITIVE_INFINITY, now)
            deadlines.delete(item)
          }
        }
        for (const one of steps) {
          if ("grant" in one) {
            deadlines.set(next, now + one.grant)
            queue.push(next++, now + one.grant)
          } else if ("renew" in one) {
            const item = pick(one.renew)
            // A renewal moves a deadline on and leaves its entry behind, as the lessor's does.
            if (item !== undefined) deadlines.set(item, Math.max(deadlines.get(item) ?? 0, now + one.forMs))
          } else if ("drop" in one) deadlines.delete(pick(one.drop) ?? -1)
          else {
            now += one.wait
            take(one.max)
          }
        }
        now += 1000
        while (deadlines.size > 0) take(7)
        assert.deepStrictEqual(queue.takeExpired(now, 10), [])
      }),
      { numRuns: 500 }
    )
  })
})
