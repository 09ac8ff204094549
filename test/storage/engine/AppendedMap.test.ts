import { assert, describe, it } from "vitest"
import * as fc from "fast-check"
import { AppendedMap } from "../../../core/storage/engine/AppendedMap.ts"

type Step =
  | { readonly append: true }
  | { readonly put: number }
  | { readonly drop: true }
  | { readonly remove: number }
  | { readonly look: readonly [number, number] }
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.constant({ append: true as const }), weight: 6 },
  { arbitrary: fc.record({ put: fc.nat(60) }), weight: 1 },
  { arbitrary: fc.constant({ drop: true as const }), weight: 4 },
  { arbitrary: fc.record({ remove: fc.nat(60) }), weight: 1 },
  { arbitrary: fc.record({ look: fc.tuple(fc.nat(60), fc.nat(60)) }), weight: 2 }
)
const keyOf = (number: number): string => String(number).padStart(6, "0")

describe("AppendedMap", () => {
  it("is an ordered map, whatever goes in front and comes out of order", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const map = new AppendedMap<number>()
        const model = new Map<string, number>()
        let next = 0
        const put = (key: string, value: number): void => {
          map.set(key, value)
          model.set(key, value)
        }
        const remove = (key: string): void => {
          map.delete(key)
          model.delete(key)
        }
        for (const [at, one] of steps.entries()) {
          if ("append" in one) put(keyOf(next++), at)
          else if ("put" in one) put(keyOf(one.put), at)
          else if ("remove" in one) remove(keyOf(one.remove))
          else if ("drop" in one) remove([...model.keys()].sort()[0] ?? "")
          else {
            const [start, end] = [keyOf(Math.min(...one.look)), keyOf(Math.max(...one.look))]
            const wanted = [...model].filter(([key]) => key >= start && key < end).sort(([a], [b]) => (a < b ? -1 : 1))
            const seen: Array<[string, number]> = []
            map.scan(start, end, (key, value) => seen.push([key, value]) > 0)
            assert.deepStrictEqual(seen, wanted)
            assert.strictEqual(map.count(start, end), wanted.length)
            assert.strictEqual(map.get(start), model.get(start))
          }
          assert.strictEqual(map.size, model.size)
        }
        const all: Array<string> = []
        map.scan("", undefined, (key) => all.push(key) > 0)
        assert.deepStrictEqual(all, [...model.keys()].sort())
      }),
      { numRuns: 300 }
    )
  })

  it("gives places back that went from the front", () => {
    const map = new AppendedMap<number>()
    for (let at = 0; at < 20_000; at++) {
      map.set(keyOf(at), at)
      if (at >= 10) map.delete(keyOf(at - 10))
    }
    assert.strictEqual(map.size, 10)
    assert.strictEqual(map.get(keyOf(19_995)), 19_995)
    assert.strictEqual(map.get(keyOf(19_989)), undefined)
  })
})
