// Objects laid out anew: they say what they said, in the same order, and are nobody else's.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { compact } from "../../../core/apiserver/store/Compact.ts"

describe("compact", () => {
  it("changes nothing that can be seen", () => {
    const name = fc.oneof(
      fc.constantFrom("kind", "metadata", "spec", "0", "7", "__proto__", "constructor", ""),
      fc.string()
    )
    const fields = fc.dictionary(name, fc.oneof(fc.jsonValue(), fc.constant(undefined)))
    fc.assert(
      fc.property(fields, (given) => {
        const text = JSON.stringify(given)
        const made = compact(given)
        assert.deepStrictEqual(made, given)
        assert.strictEqual(JSON.stringify(made), text)
        assert.deepStrictEqual(Object.keys(made), Object.keys(given))
        for (const field in given) assert.strictEqual(made[field], given[field])
      })
    )
  })
})
