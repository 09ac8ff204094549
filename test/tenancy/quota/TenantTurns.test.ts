// Turns at the cluster: never more under way than there are places, nobody forgotten, a tenant's own requests in order, and a modest
// tenant served next however long another's line is.
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Clockwork } from "#kube"
import { SteppedClockwork } from "../../../core/tenancy/check/SteppedClockwork.ts"
import { TenantTurns } from "../../../core/tenancy/quota/TenantTurns.ts"

/** So many places for lists, however late the process is. */
const fixed = (places: number): { readonly min: number; readonly start: number; readonly max: number } => ({
  min: places,
  start: places,
  max: places
})

/** A clock whose timers ring as late as they are told to. */
const lateClock = () => {
  let nowMs = 0
  let due: { readonly atMs: number; readonly run: () => void } | undefined
  const clockwork: Clockwork = {
    now: () => nowMs,
    monotonic: () => nowMs,
    random: () => 0,
    defer: () => assert.fail("nothing is deferred"),
    every: () => assert.fail("nothing is repeated"),
    after: (delayMs, run) => {
      due = { atMs: nowMs + delayMs, run }
      return () => (due = undefined)
    }
  }
  const ring = (lateMs: number): boolean => {
    const timer = due
    if (timer === undefined) return false
    due = undefined
    nowMs = timer.atMs + lateMs
    timer.run()
    return true
  }
  return { clockwork, ring }
}

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
        const turns = new TenantTurns(new SteppedClockwork(), { list: fixed(places), other: 1 })
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
    const turns = new TenantTurns(new SteppedClockwork(), { list: fixed(1), other: 1 })
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

  it("let in fewer lists the later the process is, more when it is in time, and measure only while there are lists", () => {
    const { clockwork, ring } = lateClock()
    const turns = new TenantTurns(clockwork, { list: { min: 2, start: 4, max: 6 }, other: 1 })
    assert.isFalse(ring(0))
    const inside: Array<() => void> = []
    const leaves: Array<() => void> = []
    const come = (): void => {
      const leave = turns.take("list", "a", () => inside.push(() => leave()))
      leaves.push(leave)
    }
    const ringOften = (lateMs: number): void => {
      for (let times = 0; times < 50; times++) assert.isTrue(ring(lateMs))
    }
    for (let lists = 0; lists < 10; lists++) come()
    assert.strictEqual(inside.length, 4)
    ringOften(20)
    inside[0]?.()
    inside[1]?.()
    assert.strictEqual(inside.length, 4, "two left, and nobody came in their places")
    inside[2]?.()
    assert.strictEqual(inside.length, 5)
    ringOften(0)
    assert.strictEqual(inside.length, 9, "six at once, and three that have left")
    for (const leave of leaves) leave()
    assert.strictEqual(turns.waiting, 0)
    assert.isTrue(ring(0))
    assert.isFalse(ring(0))
  })

  it("never let a tenant that asks for one list wait for another's many", () => {
    const turns = new TenantTurns(new SteppedClockwork(), { list: { min: 2, start: 2, max: 4 }, other: 1 })
    const served: Array<string> = []
    const take = (tenant: string): (() => void) => turns.take("list", tenant, () => served.push(tenant))
    const noisy = [take("noisy"), take("noisy"), take("noisy"), take("noisy")]
    take("modest")
    take("second")
    take("modest")
    take("third")
    assert.deepStrictEqual(served, ["noisy", "noisy", "modest", "second"])
    assert.strictEqual(turns.waiting, 4)
    noisy[0]?.()
    assert.deepStrictEqual(served.slice(4), ["third"])
  })
})
