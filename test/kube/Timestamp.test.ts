// Times against the platform's own calendar, at random and at the edges.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { parseRfc3339, rfc3339, rfc3339Micro } from "#kube"

const anyMs = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 })

describe("Timestamp", () => {
  it("writes what the platform's Date writes, cut to seconds or filled to microseconds", () => {
    fc.assert(
      fc.property(anyMs, (ms) => {
        const expected = new Date(ms).toISOString()
        assert.strictEqual(rfc3339(ms), `${expected.slice(0, 19)}Z`)
        assert.strictEqual(rfc3339Micro(ms), `${expected.slice(0, 23)}000Z`)
      })
    )
  })

  it("reads back what it wrote", () => {
    fc.assert(fc.property(anyMs, (ms) => assert.strictEqual(parseRfc3339(rfc3339Micro(ms)), ms)))
  })

  it("reads offsets and refuses what is no time", () => {
    assert.strictEqual(parseRfc3339("2026-11-24T05:30:00+01:30"), Date.parse("2026-11-24T04:00:00Z"))
    for (const text of ["", "2026-11-24", "2026-02-29T00:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24 04:00:00Z"]) {
      assert.isUndefined(parseRfc3339(text), text)
    }
  })
})
