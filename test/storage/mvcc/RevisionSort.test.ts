import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { View } from "../../../core/storage/engine/Engine.ts"
import { RevisionSort } from "../../../core/storage/mvcc/RevisionSort.ts"

type Row = readonly [revision: number, sub: number, text: string]

const TOP = 1000

/** Gathers all rows again in each pass, as the walk over versions does, until nothing is left out. */
const inPasses = (rows: ReadonlyArray<Row>, keysMax: number, textMax: number) => {
  const found: Array<Row> = []
  let passes = 0
  for (let floor = 0; ;) {
    const sort = new RevisionSort(floor, TOP, keysMax, textMax)
    for (const [revision, sub, text] of rows) if (sort.wants(revision)) sort.add(revision, sub, text)
    const runs = sort.order()
    while (runs.next(undefined as unknown as View).done !== true);
    for (const { keys, revision } of sort.revisions()) for (const [text, sub] of keys) found.push([revision, sub, text])
    passes++
    if (sort.ceiling === TOP) return { found, passes }
    floor = sort.ceiling
  }
}

const row = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.nat(5), fc.string({ maxLength: 6 }))

describe("RevisionSort", () => {
  it("gives every key once, by revision and place, however little it may hold", () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 400 }), fc.integer({ min: 1, max: 50 }), (rows, keysMax) => {
        const places = new Map<string, number>()
        for (const [revision, sub, text] of rows) {
          const id = JSON.stringify([revision, text])
          places.set(id, Math.max(sub, places.get(id) ?? 0))
        }
        const { found } = inPasses(rows, keysMax, 10_000)
        assert.deepStrictEqual(
          new Map(found.map(([revision, sub, text]) => [JSON.stringify([revision, text]), sub])),
          places
        )
        assert.strictEqual(found.length, places.size)
        for (let at = 1; at < found.length; at++) {
          const [before, here] = [found[at - 1], found[at]]
          assert.isTrue(before[0] < here[0] || (before[0] === here[0] && before[1] <= here[1]))
        }
      }),
      { numRuns: 300 }
    )
  })

  it("needs several passes when it may hold little, and one when a revision is larger than that", () => {
    const spread = Array.from({ length: 500 }, (_, at): Row => [at + 1, 0, `key${at}`])
    assert.isAbove(inPasses(spread, 50, 100_000).passes, 5)
    assert.isAbove(inPasses(spread, 100_000, 300).passes, 5)
    const one = Array.from({ length: 500 }, (_, at): Row => [7, at, `key${at}`])
    assert.deepStrictEqual(inPasses(one, 50, 100), { found: one, passes: 1 })
  })
})
