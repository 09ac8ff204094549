// A set of nodes beside JavaScript's own.
import * as fc from "fast-check"
import { assert, it } from "vitest"
import { NodeSet } from "../../core/scheduling/decide/NodeSet.ts"

const step = fc.oneof(
  { weight: 20, arbitrary: fc.nat({ max: 3000 }) },
  { weight: 1, arbitrary: fc.constant("clear" as const) }
)

it("has what was added since it was emptied, once each and in that order", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600, size: "max" }), (steps) => {
      const own = new NodeSet()
      const model = new Set<number>()
      for (const one of steps) {
        if (one === "clear") {
          own.clear()
          model.clear()
        } else {
          own.add(one)
          model.add(one)
        }
        if (one === "clear" || one % 16 === 0) {
          const seen: Array<number> = []
          own.each((node) => seen.push(node))
          assert.deepStrictEqual(seen, [...model])
        }
      }
    })
  )
})
