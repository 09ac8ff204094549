// Shares of a quota: whatever is used and wherever, never more than the whole.
import * as fc from "fast-check"
import { assert, it } from "vitest"
import { Quantity, quantityOf, wholeQuantity } from "#kube"
import { type Amounts, divide, sum, withinWhole } from "../../../core/tenancy/quota/QuotaShares.ts"
import { TenantLoad } from "../../../core/tenancy/quota/TenantLoad.ts"
import { ApiFailure } from "#kube"
import { VirtualClock } from "../../kube/VirtualClock.ts"

const milli = (value: number): Quantity => {
  const quantity = quantityOf(`${value}m`)
  assert.instanceOf(quantity, Quantity)
  return quantity
}

const amounts = (pods: number, cpu: number): Amounts =>
  new Map([
    ["pods", wholeQuantity(pods)],
    ["requests.cpu", milli(cpu)]
  ])

const small = fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 5000 }))

it("are what is used and a part of what is free, which add up to the whole", () => {
  fc.assert(
    fc.property(fc.array(small, { minLength: 1, maxLength: 12 }), small, fc.nat(12), (used, free, wanting) => {
      const shares = used.map(([pods, cpu], at) => ({ namespace: `n-${at}`, used: amounts(pods, cpu) }))
      const whole = (of: 0 | 1): number => used.reduce((all, each) => all + each[of], free[of])
      const hard = amounts(whole(0), whole(1))
      const targets = divide(hard, shares, `n-${wanting}`)
      for (const [name, all] of hard) {
        const given = shares.map(({ namespace }) => targets.get(namespace)?.get(name) ?? wholeQuantity(0))
        assert.strictEqual(sum(given).compare(all), 0, name)
        for (const [at, share] of shares.entries()) {
          assert.isAtLeast(given[at].compare(share.used.get(name) ?? wholeQuantity(0)), 0)
        }
      }
    })
  )
})

it("are never written beyond the whole, whatever others hold", () => {
  fc.assert(
    fc.property(small, small, fc.array(small, { maxLength: 6 }), ([p, c], [tp, tc], others) => {
      const held = others.map(([pods, cpu]) => amounts(pods, cpu))
      const written = withinWhole(amounts(p, c), amounts(tp, tc), held)
      for (const [name, all] of amounts(p, c)) {
        const taken = sum(held.map((each) => each.get(name) ?? wholeQuantity(0)))
        const own = written.get(name) ?? wholeQuantity(0)
        assert.isAtLeast(own.compare(wholeQuantity(0)), 0)
        // Others may hold too much already; then nothing is added to it.
        if (own.compare(wholeQuantity(0)) > 0) assert.isAtMost(own.add(taken).compare(all), 0)
      }
    })
  )
})

it("of the server's own work are bounded for each tenant", () => {
  const clock = new VirtualClock(1)
  const load = new TenantLoad({ requestsPerSecond: 10, burst: 5, inFlightMax: 3, longRunningMax: 1 }, clock)
  const entered = Array.from({ length: 4 }, () => load.enter(false))
  assert.deepStrictEqual(
    entered.map((each) => each instanceof ApiFailure),
    [false, false, false, true],
    "three are under way"
  )
  const [first] = entered
  if (!(first instanceof ApiFailure)) first?.()
  assert.isFunction(load.enter(false))
  assert.isFunction(load.enter(true))
  const refused = load.enter(true)
  assert.instanceOf(refused, ApiFailure)
  assert.strictEqual(refused instanceof ApiFailure && refused.code, 429)
})
