// The heap against a sorted list: the same random pushes, pops and cancels must come out in the same order.
import * as fc from "fast-check"
import { assert, it } from "vitest"
import { EventHeap, type EventHandle } from "../../../sim/time/EventHeap.ts"

interface Expected {
  readonly time: number
  readonly rank: number
  readonly call: number
  readonly handle: EventHandle
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("push" as const), time: fc.nat(20), rank: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("pop" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cancel" as const), which: fc.nat() }) }
)

it("delivers by time, then rank, then the order of calls, whatever is cancelled", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const heap = new EventHeap()
      let expected: Array<Expected> = []
      let calls = 0
      const takeFirst = (): Expected | undefined => {
        expected.sort((a, b) => a.time - b.time || a.rank - b.rank || a.call - b.call)
        return expected.shift()
      }
      const popAndCompare = (): void => {
        const first = takeFirst()
        const slot = heap.pop()
        if (first === undefined) return assert.strictEqual(slot, -1)
        assert.strictEqual(heap.handleOf(slot), first.handle)
        heap.release(slot)
      }
      for (const step of steps) {
        if (step.do === "push") {
          const handle = heap.handleOf(heap.push(step.time, step.rank))
          expected.push({ time: step.time, rank: step.rank, call: calls++, handle })
        } else if (step.do === "pop") popAndCompare()
        else if (expected.length > 0) {
          const [victim] = expected.splice(step.which % expected.length, 1)
          assert.isTrue(heap.cancel(victim.handle))
          assert.isFalse(heap.cancel(victim.handle))
        }
        assert.strictEqual(heap.pending, expected.length)
      }
      while (expected.length > 0) popAndCompare()
      assert.strictEqual(heap.pop(), -1)
    })
  )
})

it("sweeps what is cancelled and never confuses an old handle with a new event", () => {
  const heap = new EventHeap()
  const handles = Array.from({ length: 50_000 }, (_, at) => heap.handleOf(heap.push((at * 7919) % 50_000, 0)))
  for (const [at, handle] of handles.entries()) if (at % 10 !== 0) heap.cancel(handle)
  assert.strictEqual(heap.pending, 5000)
  heap.push(-1, 0)
  for (const [at, handle] of handles.entries()) if (at % 10 !== 0) assert.isFalse(heap.cancel(handle))
  let last = -1
  for (let left = 5001; left > 0; left--) {
    const time = heap.nextTime()
    assert.isAtLeast(time, last)
    last = time
    heap.release(heap.pop())
  }
  assert.strictEqual(heap.nextTime(), Number.POSITIVE_INFINITY)
})
