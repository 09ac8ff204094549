import { assert, describe, it } from "vitest"
import * as fc from "fast-check"
import { inRange, type KeyRange } from "../../../core/storage/mvcc/Snapshot.ts"
import { IntervalIndex } from "../../../core/storage/watch/IntervalIndex.ts"

const key = fc.constantFrom(..."a a\0 ab b ba c d e \xff".split(" ").map((text) => Buffer.from(text, "latin1")))
const manyKeys = fc.oneof(
  key,
  fc.integer({ min: 0, max: 99 }).map((n) => Buffer.from(`k${n}`))
)
const range: fc.Arbitrary<KeyRange> = fc.oneof(
  manyKeys.map((start) => ({ start, end: undefined, single: true })),
  manyKeys.map((start) => ({ start, end: undefined, single: false })),
  fc
    .tuple(manyKeys, manyKeys)
    .filter(([a, b]) => a.compare(b) < 0)
    .map(([start, end]) => ({ start, end, single: false }))
)
const step = fc.oneof(
  { arbitrary: fc.record({ add: range }), weight: 5 },
  { arbitrary: fc.record({ remove: fc.nat() }), weight: 2 },
  { arbitrary: fc.record({ stab: manyKeys }), weight: 5 }
)
const idOf = ({ end, single, start }: KeyRange): string =>
  `${single}${Buffer.from(start).toString("hex")}|${end === undefined ? "-" : Buffer.from(end).toString("hex")}`

describe("IntervalIndex", () => {
  it("finds exactly the ranges that hold a key", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
        const index = new IntervalIndex<string>()
        const model = new Map<string, KeyRange>()
        for (const one of steps) {
          if ("add" in one) {
            const id = idOf(one.add)
            assert.strictEqual(index.get(one.add), model.has(id) ? id : undefined)
            if (!model.has(id)) index.set(one.add, id)
            model.set(id, one.add)
          } else if ("remove" in one) {
            const gone = [...model][one.remove % Math.max(1, model.size)]
            if (gone === undefined) continue
            index.delete(gone[1])
            model.delete(gone[0])
          } else {
            const hits: Array<string> = []
            index.stab(one.stab.toString("latin1"), (id) => hits.push(id), undefined)
            const wanted = [...model].filter(([, range]) => inRange(range, one.stab)).map(([id]) => id)
            assert.deepStrictEqual(hits.sort(), wanted.sort())
          }
        }
      }),
      { numRuns: 300 }
    )
  })
})
