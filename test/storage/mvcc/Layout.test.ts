import { assert, describe, it } from "vitest"
import * as fc from "fast-check"
import {
  escapeKey,
  historyKey,
  historyRevision,
  logKey,
  readRevision,
  revisionRow,
  unescapeKey
} from "../../../core/storage/mvcc/Layout.ts"

const key = fc
  .array(fc.oneof({ arbitrary: fc.constantFrom(0, 1, 0xfe, 0xff), weight: 3 }, fc.integer({ min: 0, max: 255 })), {
    maxLength: 12
  })
  .map((bytes) => Buffer.from(bytes))
const revision = fc.oneof(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), fc.integer({ min: 0, max: 300 }))
const sign = (n: number): number => Math.sign(n)

describe("the layout of rows", () => {
  it("sorts escaped keys as the keys themselves, none a prefix of another", () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        const [left, right] = [escapeKey(a), escapeKey(b)]
        assert.strictEqual(sign(left.compare(right)), sign(a.compare(b)))
        if (a.compare(b) !== 0) assert.notDeepEqual(right.subarray(0, left.length), left)
      }),
      { numRuns: 2000 }
    )
  })

  it("sorts History rows by key, then revision, and gives both back", () => {
    fc.assert(
      fc.property(key, key, revision, revision, (a, b, first, second) => {
        const [left, right] = [historyKey(a, first), historyKey(b, second)]
        assert.strictEqual(sign(left.compare(right)), sign(a.compare(b)) || sign(first - second))
        assert.deepStrictEqual(unescapeKey(left), a)
        assert.strictEqual(historyRevision(left), first)
        // The rows of a key lie between its own escaped form and that of the next key.
        const next = Buffer.concat([a, Buffer.alloc(1)])
        assert.isTrue(left.compare(escapeKey(a)) >= 0 && left.compare(escapeKey(next)) < 0)
      }),
      { numRuns: 2000 }
    )
  })

  it("sorts Log rows by revision, then place", () => {
    fc.assert(
      fc.property(revision, revision, fc.nat(), fc.nat(), (a, b, i, j) => {
        assert.strictEqual(sign(logKey(a, i).compare(logKey(b, j))), sign(a - b) || sign(i - j))
        assert.strictEqual(readRevision(revisionRow(a), 0), a)
        assert.strictEqual(sign(revisionRow(a).compare(revisionRow(b))), sign(a - b))
      }),
      { numRuns: 2000 }
    )
  })
})
