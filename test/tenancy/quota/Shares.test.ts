// Shares of a quota: whatever is used and wherever, never more than the whole.
import * as fc from "fast-check"
import { assert, it } from "vitest"
import { Quantity, quantityOf, wholeQuantity } from "#kube"
import { needsOf, withHold } from "../../../core/tenancy/quota/QuotaHold.ts"
import { beyondShare } from "../../../core/tenancy/quota/QuotaRefusal.ts"
import {
  type Amounts,
  divide,
  quotaObject,
  type Share,
  SHARE_NAME,
  shareOf,
  sum,
  textOf,
  withinWhole
} from "../../../core/tenancy/quota/QuotaShares.ts"
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

const using = (namespace: string, used: Amounts): Share =>
  shareOf(namespace, { ...quotaObject("acme01", namespace, new Map()), status: { used: textOf(used) } }, new Map())

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

it("give a namespace what it wants if the whole has it, and leave that to it for a while", () => {
  const hard = amounts(20, 20_000)
  const wish = fc.tuple(fc.array(small, { minLength: 2, maxLength: 6 }), small, fc.nat(5), fc.nat(5))
  const isWithin = (asked: Amounts, taken: ReadonlyArray<Amounts>): boolean =>
    [...hard].every(
      ([name, all]) => sum([asked, ...taken].map((each) => each.get(name) ?? wholeQuantity(0))).compare(all) <= 0
    )
  const covers = (one: Amounts | undefined, other: Amounts): boolean =>
    [...other].every(([name, amount]) => (one?.get(name) ?? wholeQuantity(0)).compare(amount) >= 0)
  fc.assert(
    fc.property(wish, ([used, [pods, cpu], first, second]) => {
      const wanting = { namespace: `n-${first % used.length}`, requested: amounts(pods, cpu) }
      const shares = used.map(([p, c], at) => using(`n-${at}`, amounts(p, c)))
      const { hasRoom, hold, needs } = needsOf(hard, shares, wanting, 1000)
      const room = isWithin(
        wanting.requested,
        shares.map((each) => each.used)
      )
      assert.strictEqual(hasRoom, room)
      assert.strictEqual(hold !== undefined, room)
      if (hold === undefined) return
      const target = divide(hard, needs, wanting.namespace).get(wanting.namespace)
      assert.isTrue(covers(target, hold.amounts))
      const held = shares.map((share) =>
        share.namespace === wanting.namespace ? { ...share, object: withHold(share.object!, hold) } : share
      )
      // Nobody takes it away, neither who levels nor who wants; when its time is over it is divided again.
      const other = { namespace: `n-${second % used.length}`, requested: amounts(1, 1) }
      for (const each of [undefined, other]) {
        if (each?.namespace === wanting.namespace) continue
        const later = needsOf(hard, held, each, 2999)
        assert.isTrue(covers(divide(hard, later.needs, each?.namespace).get(wanting.namespace), hold.amounts))
      }
      assert.deepStrictEqual(needsOf(hard, held, undefined, 3000).needs, needsOf(hard, shares, undefined, 1000).needs)
    })
  )
})

it("are asked for in the words of upstream's refusal", () => {
  const refusal = (message: string, code = 403) =>
    beyondShare({ code, fields: [], body: new TextEncoder().encode(JSON.stringify({ message })) })
  const beyond = refusal(
    `pods "b" is forbidden: exceeded quota: ${SHARE_NAME}, requested: pods=1,requests.cpu=600m, used: pods=0,requests.cpu=1, limited: pods=0,requests.cpu=1`
  )
  assert.deepStrictEqual(
    [...(beyond ?? [])].map(([name, amount]) => `${name} ${amount.canonical()}`),
    ["pods 1", "requests.cpu 600m"]
  )
  assert.strictEqual(refusal(`exceeded quota: ${SHARE_NAME}`)?.size, 0)
  assert.isUndefined(refusal("exceeded quota: own, requested: pods=1, used: pods=1, limited: pods=1"))
  assert.isUndefined(refusal(`exceeded quota: ${SHARE_NAME}`, 409))
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
