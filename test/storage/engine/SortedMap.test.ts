import { assert, describe, it } from "vitest"
import * as fc from "fast-check"
import { SortedMap } from "../../../core/storage/engine/SortedMap.ts"

const text = fc.oneof(
  fc.integer({ min: 0, max: 700 }).map((n) => `k${n}`),
  fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes).toString("latin1"))
)
/** Now and then somebody looks on the way, by which order is made and put right. */
const steps = fc.array(fc.tuple(text, fc.boolean(), fc.nat(400)), { maxLength: 1500, size: "max" })

describe("SortedMap", () => {
  it("is a sorted array with a faster search", () => {
    fc.assert(
      fc.property(
        steps,
        fc.array(fc.tuple(text, fc.option(text, { nil: undefined })), { maxLength: 30 }),
        (all, looks) => {
          const map = new SortedMap<number>()
          const model = new Map<string, number>()
          for (const [at, [key, keep, look]] of all.entries()) {
            if (keep) model.set(key, at)
            else model.delete(key)
            if (keep) map.set(key, at)
            else map.delete(key)
            if (look === 0) {
              const keys: Array<string> = []
              map.scan("", undefined, (one) => keys.push(one) > 0)
              assert.deepStrictEqual(keys, [...model.keys()].sort())
            }
          }
          const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
          for (const made of [map, SortedMap.of(model)]) {
            assert.strictEqual(made.size, model.size)
            for (const [start, end] of looks) {
              const wanted = sorted.filter(([key]) => key >= start && (end === undefined || key < end))
              const seen: Array<[string, number]> = []
              made.scan(start, end, (key, value) => seen.push([key, value]) < 5)
              assert.deepStrictEqual(seen, wanted.slice(0, 5))
              assert.strictEqual(made.count(start, end), wanted.length)
              assert.strictEqual(made.get(start), model.get(start))
              const after = sorted.filter(([key]) => key >= start)
              const cursor = made.cursor(start)
              for (const [key, value] of after) {
                assert.deepStrictEqual([cursor.key, cursor.value], [key, value])
                cursor.next()
              }
              assert.isUndefined(cursor.key)
            }
          }
          const left: Array<string> = []
          map.scan("", undefined, (key) => {
            for (const [other] of sorted) if (other > key) map.delete(other)
            return left.push(key) > 0
          })
          assert.deepStrictEqual(
            left,
            sorted.slice(0, 1).map(([key]) => key)
          )
          map.clear()
          assert.strictEqual(map.count("", undefined), 0)
        }
      ),
      { numRuns: 60 }
    )
  })
})
