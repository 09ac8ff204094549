// Addresses of pods: no two pods of a machine have the same one as long as there are enough, whatever came and went before.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { placeOf, podIp } from "../../../sim/nodes/NodeGroup.ts"
import { PLACES, PodPlaces } from "../../../sim/nodes/PodPlaces.ts"

describe("places of pods", () => {
  it("are never shared while one is free", () => {
    const seed = 20261128
    fc.assert(
      fc.property(
        fc.array(fc.record({ node: fc.nat(1), leave: fc.boolean(), at: fc.nat() }), { maxLength: 400 }),
        (steps) => {
          const places = new PodPlaces(2)
          const held: [Array<number>, Array<number>] = [[], []]
          for (const { at, leave, node } of steps) {
            const own = held[node]
            if (leave && own.length > 0) places.free(node, own.splice(at % own.length, 1)[0])
            else if (own.length < PLACES) own.push(places.take(node))
            assert.strictEqual(new Set(own).size, own.length)
          }
        }
      ),
      { seed }
    )
  })

  it("are shared when all are taken, and kept for pods that had them before", () => {
    const places = new PodPlaces(1)
    places.hold(0, 0)
    const taken = Array.from({ length: PLACES }, () => places.take(0))
    assert.notInclude(taken.slice(0, -1), 0)
    assert.strictEqual(taken.at(-1), 0)
  })

  it("are read from the addresses that they give", () => {
    for (const node of [0, 255, 256, 70_000]) {
      for (const place of [0, 1, PLACES - 1]) assert.strictEqual(placeOf(node, podIp(node, place)), place)
    }
    assert.isUndefined(placeOf(1, podIp(2, 7)))
    assert.isUndefined(placeOf(1, "172.16.0.1"))
  })
})
