// Turns at the cluster: never more under way than there are places, nobody forgotten, a tenant's own requests in order, and a modest
// tenant served next however long another's line is.
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { TenantTurns } from "../../../core/tenancy/quota/TenantTurns.ts"

const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("come" as const), tenant: fc.constantFrom("a", "b", "c") }),
    fc.record({ do: fc.constant("end" as const), at: fc.nat(20) }),
    fc.record({ do: fc.constant("give up" as const), at: fc.nat(20) })
  ),
  { maxLength: 60 }
)

interface Request {
  readonly tenant: string
  leave: () => void
}

describe("turns", () => {
  it("let in as many as there are places, and everybody in the end, each tenant's in order", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 4 }), (script, places) => {
        const turns = new TenantTurns({ list: places, other: 1 })
        const inside = new Set<Request>()
        const outside: Array<Request> = []
        const served: Array<Request> = []
        const come = (tenant: string): void => {
          const request: Request = { tenant, leave: () => undefined }
          outside.push(request)
          request.leave = turns.take("list", tenant, () => {
            outside.splice(outside.indexOf(request), 1)
            inside.add(request)
            served.push(request)
          })
        }
        const end = (at: number): void => {
          const request = [...inside][at % Math.max(1, inside.size)]
          if (request === undefined) return
          inside.delete(request)
          request.leave()
          request.leave()
        }
        const giveUp = (at: number): void => {
          const [request] = outside.splice(at % Math.max(1, outside.length), 1)
          request?.leave()
        }
        const check = (): void => {
          assert.isAtMost(inside.size, places)
          assert.strictEqual(turns.waiting, outside.length)
          if (inside.size < places) assert.isEmpty(outside)
        }
        const order: Array<Request> = []
        for (const step of script) {
          if (step.do === "come") {
            come(step.tenant)
            const newest = outside.at(-1) ?? served.at(-1)
            if (newest !== undefined) order.push(newest)
          } else if (step.do === "end") end(step.at)
          else giveUp(step.at)
          check()
        }
        while (inside.size > 0) {
          end(0)
          check()
        }
        assert.isEmpty(outside)
        for (const tenant of ["a", "b", "c"]) {
          const mine = served.filter((request) => request.tenant === tenant)
          const came = order.filter((request) => request.tenant === tenant && mine.includes(request))
          assert.deepStrictEqual(mine, came)
        }
      })
    )
  })

  it("serve a modest tenant next, however long another's line is, and each kind by places of its own", () => {
    const turns = new TenantTurns({ list: 1, other: 1 })
    const served: Array<string> = []
    const leaves = Array.from({ length: 5 }, (_, at) => turns.take("list", "noisy", () => served.push(`noisy ${at}`)))
    turns.take("other", "modest", () => served.push("modest get"))
    leaves.push(turns.take("list", "modest", () => served.push("modest list")))
    leaves[0]()
    assert.deepStrictEqual(served, ["noisy 0", "modest get", "noisy 1"])
    leaves[1]()
    assert.deepStrictEqual(served.slice(3), ["modest list"])
    leaves[5]()
    assert.deepStrictEqual(served.slice(4), ["noisy 2"])
  })
})
