// The recent changes against the rule they keep: the newest ones, as long as they are fresh or few, within the bounds.
import * as fc from "fast-check"
import { assert, it } from "vitest"
import { CacheEvent, EventRing, type RingBounds } from "../../../core/apiserver/cache/EventRing.ts"

const push = (ring: EventRing, revision: number, nowMs: number): void =>
  ring.push(new CacheEvent("n/a", revision, undefined, undefined), undefined, nowMs)

const revisionsIn = (ring: EventRing): ReadonlyArray<number> =>
  (ring.after(ring.floor) ?? []).map((each) => each.revision)

it("keeps what is fresh and a few older ones, and tells from where on nothing is missing", () => {
  const bounds: RingBounds = { events: 200, bytes: 2 ** 20, freshMs: 1000, fewest: 10 }
  const pauses = fc.array(fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0, max: 20 }) }, fc.constant(1500)), {
    maxLength: 400
  })
  fc.assert(
    fc.property(pauses, (all) => {
      const ring = new EventRing(bounds)
      const times: Array<number> = []
      let nowMs = 0
      for (const [at, pauseMs] of all.entries()) {
        nowMs += pauseMs
        times.push(nowMs)
        push(ring, at + 1, nowMs)
        const fresh = times.filter((each) => nowMs - each <= bounds.freshMs).length
        assert.strictEqual(ring.size, Math.min(times.length, bounds.events, Math.max(fresh, bounds.fewest + 1)))
      }
      const kept = revisionsIn(ring)
      assert.deepStrictEqual(kept, times.map((_, at) => at + 1).slice(times.length - ring.size))
      assert.strictEqual(ring.floor, times.length - ring.size)
      assert.isUndefined(ring.floor === 0 ? undefined : ring.after(ring.floor - 1))
    })
  )
})

it("gives way to its bytes before all", () => {
  const ring = new EventRing({ events: 200, bytes: 1024, freshMs: 1000, fewest: 10 })
  for (let revision = 1; revision <= 20; revision++) push(ring, revision, 0)
  assert.deepStrictEqual(revisionsIn(ring), [17, 18, 19, 20])
})
