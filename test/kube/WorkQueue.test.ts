// The queue's promises, each and at random: nothing is worked on twice at a time, nothing that was added is lost.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type RateLimits, WorkQueue } from "#kube"
import { VirtualClock } from "./VirtualClock.ts"

const queueOn = (clock: VirtualClock, limits?: RateLimits) => {
  let ready = 0
  const queue = new WorkQueue({ clockwork: clock, ready: () => ready++, ...(limits === undefined ? {} : { limits }) })
  return { queue, ready: () => ready }
}

describe("WorkQueue", () => {
  it("holds each key once, in the order of adding", () => {
    const { queue } = queueOn(new VirtualClock(1))
    for (const key of ["a", "b", "a", "c", "b"]) queue.add(key)
    assert.deepStrictEqual([queue.take(), queue.take(), queue.take(), queue.take()], ["a", "b", "c", undefined])
  })

  it("gives a key out again only after its work is done, once for all additions meanwhile", () => {
    const { queue } = queueOn(new VirtualClock(1))
    queue.add("a")
    assert.strictEqual(queue.take(), "a")
    queue.add("a")
    queue.add("a")
    assert.isUndefined(queue.take())
    queue.done("a")
    assert.strictEqual(queue.take(), "a")
    queue.done("a")
    assert.isUndefined(queue.take())
  })

  it("adds later, at the earliest of several moments", () => {
    const clock = new VirtualClock(1)
    const { queue } = queueOn(clock)
    queue.addAfter("a", 1000)
    queue.addAfter("a", 500)
    queue.addAfter("b", 700)
    queue.addAfter("a", 2000)
    clock.run(499)
    assert.strictEqual(queue.length, 0)
    clock.run(1)
    assert.strictEqual(queue.take(), "a")
    clock.run(5000)
    assert.deepStrictEqual([queue.take(), queue.take()], ["b", undefined])
  })

  it("waits longer for each failure of a key: 5 ms, doubled, at most 1000 s", () => {
    const clock = new VirtualClock(1)
    const { queue } = queueOn(clock, { baseMs: 5, maxMs: 1_000_000, perSecond: Infinity, burst: 0 })
    const waits: Array<number> = []
    for (let failures = 0; failures < 20; failures++) {
      const before = clock.monotonic()
      queue.addRateLimited("a")
      while (queue.length === 0) clock.run(5)
      waits.push(clock.monotonic() - before)
      queue.done(queue.take()!)
    }
    assert.deepStrictEqual(waits.slice(0, 4), [5, 10, 20, 40])
    assert.deepStrictEqual(waits.slice(-2), [1_000_000, 1_000_000])
    queue.forget("a")
    assert.strictEqual(queue.failures("a"), 0)
  })

  it("lets a burst of a hundred retries through, then ten a second", () => {
    const clock = new VirtualClock(1)
    const { queue } = queueOn(clock)
    for (let key = 0; key < 150; key++) queue.addRateLimited(`k-${key}`)
    clock.run(5)
    assert.strictEqual(queue.length, 100)
    clock.run(1000)
    assert.strictEqual(queue.length, 110)
    clock.run(4000)
    assert.strictEqual(queue.length, 150)
  })

  it("loses nothing and works on nothing twice at a time, whatever happens", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const clock = new VirtualClock(seed)
        const { queue } = queueOn(clock, { baseMs: 5, maxMs: 1000, perSecond: Infinity, burst: 0 })
        const working = new Set<string>()
        const wanted = new Map<string, number>()
        const worked = new Map<string, number>()
        for (let turn = 0; turn < 400; turn++) {
          const key = `k-${clock.below(10)}`
          const choice = clock.random()
          if (choice < 0.4) {
            wanted.set(key, turn)
            if (choice < 0.1) queue.addLast(key)
            else if (choice < 0.2) queue.add(key)
            else if (choice < 0.3) queue.addAfter(key, clock.below(500))
            else queue.addRateLimited(key)
          } else if (choice < 0.7) {
            const taken = queue.take()
            if (taken !== undefined) {
              assert.isFalse(working.has(taken))
              working.add(taken)
              worked.set(taken, turn)
            }
          } else if (working.has(key)) {
            working.delete(key)
            queue.done(key)
          } else clock.run(clock.below(100))
        }
        for (const key of working) queue.done(key)
        clock.run(10_000)
        for (let key = queue.take(); key !== undefined; key = queue.take()) {
          worked.set(key, Infinity)
          queue.done(key)
        }
        for (const [key, turn] of wanted)
          assert.isAbove(worked.get(key) ?? -1, turn, `${key} was added and not worked on`)
      })
    )
  })

  it("gives out last what nobody waits for, yet never lets it starve", () => {
    const { queue } = queueOn(new VirtualClock(1))
    for (let key = 0; key < 4; key++) queue.addLast(`last-${key}`)
    for (let key = 0; key < 40; key++) queue.add(`user-${key}`)
    queue.add("last-2")
    assert.strictEqual(queue.length, 44)
    const order: Array<string> = []
    for (let key = queue.take(); key !== undefined; key = queue.take()) order.push(key)
    assert.lengthOf(new Set(order), 44)
    const positions = ["last-0", "last-1", "last-3"].map((key) => order.indexOf(key))
    assert.isAbove(Math.min(...positions), 10)
    assert.isBelow(order.indexOf("last-0"), 20)
    assert.isBelow(order.indexOf("last-2"), order.indexOf("last-3"))
    assert.strictEqual(queue.length, 0)
  })

  it("says each time that a key is ready, and takes nothing after it is closed", () => {
    const clock = new VirtualClock(1)
    const { queue, ready } = queueOn(clock)
    queue.add("a")
    queue.addAfter("b", 10)
    clock.run(10)
    assert.strictEqual(ready(), 2)
    queue.addAfter("c", 10)
    queue.close()
    queue.add("d")
    clock.run(100)
    assert.isUndefined(queue.take())
  })
})
