import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { WatchAccount, WriteTimes } from "../../scenarios/generator/Delivery.ts"

interface Arrival {
  readonly kind: "ack" | "event"
  readonly revision: number
  readonly watcher: number
}

/** Any interleaving of acknowledgements with the events of each watcher, each watcher's events in order. */
const interleaving = (writes: number, watchers: number) =>
  fc
    .array(fc.nat(), { minLength: writes * (watchers + 1), maxLength: writes * (watchers + 1) })
    .map((draws): ReadonlyArray<Arrival> => {
      const queues = [
        Array.from({ length: writes }, (_, index): Arrival => ({ kind: "ack", revision: index + 1, watcher: -1 })),
        ...Array.from({ length: watchers }, (_, watcher) =>
          Array.from({ length: writes }, (_, index): Arrival => ({ kind: "event", revision: index + 1, watcher }))
        )
      ]
      return draws.flatMap((draw) => {
        const open = queues.filter((queue) => queue.length > 0)
        const next = open[draw % Math.max(1, open.length)]?.shift()
        return next === undefined ? [] : [next]
      })
    })

describe("the account of a group of watchers", () => {
  it("counts every event once, whether it comes before or after its write's acknowledgement", () => {
    const run = fc.integer({ min: 1, max: 20 }).chain((writes) =>
      fc.integer({ min: 1, max: 4 }).chain((watchers) =>
        fc.record({
          writes: fc.constant(writes),
          watchers: fc.constant(watchers),
          arrivals: interleaving(writes, watchers)
        })
      )
    )
    fc.assert(
      fc.property(run, ({ arrivals, watchers, writes }) => {
        const times = new WriteTimes()
        const account = new WatchAccount(times, 0, watchers)
        times.listen(account)
        const last = new Array<number>(watchers).fill(0)
        arrivals.forEach(({ kind, revision, watcher }, at) => {
          if (kind === "ack") times.acknowledged(0, revision, at - 0.5, revision)
          else {
            account.arrived(revision, last[watcher], at, false)
            last[watcher] = revision
          }
        })
        assert.strictEqual(account.expected, writes * watchers)
        assert.strictEqual(account.delivered, account.expected)
        assert.isTrue(account.complete)
        account.close()
        assert.include(account, { duplicated: 0, outOfOrder: 0, unknown: 0 })
        assert.strictEqual(account.lag.count, account.delivered)
      })
    )
  })

  const setUp = (perKey = false, watchers = 1) => {
    const times = new WriteTimes()
    const account = new WatchAccount(times, 0, watchers, perKey ? (key) => (key < watchers ? 1 : 0) : undefined)
    times.listen(account)
    return { times, account }
  }

  it("tells a duplicate from an event out of order, and neither counts as delivered", () => {
    const { account, times } = setUp()
    for (const revision of [1, 2, 3]) times.acknowledged(0, revision, 0, 0)
    account.arrived(2, 0, 1, false)
    account.arrived(2, 2, 1, false)
    account.arrived(1, 2, 1, false)
    assert.include(account, { delivered: 1, duplicated: 1, outOfOrder: 1 })
    assert.isFalse(account.complete)
    account.arrived(2, 2, 1, true)
    assert.strictEqual(account.delivered, 2)
  })

  it("expects of a watcher of one key only that key's events, and nothing of other key spaces", () => {
    const { account, times } = setUp(true, 2)
    times.acknowledged(0, 1, 0, 0)
    times.acknowledged(0, 2, 0, 1)
    times.acknowledged(0, 3, 0, 2)
    times.acknowledged(1, 4, 0, 0)
    assert.strictEqual(account.expected, 2)
  })

  it("expects the past that it starts from, without lag", () => {
    const times = new WriteTimes()
    for (let revision = 1; revision <= 10; revision++) times.acknowledged(revision % 2, revision, 0, 0)
    const account = new WatchAccount(times, 0, 1)
    account.expectPast(5, 10)
    times.listen(account)
    assert.strictEqual(account.expected, 3)
    for (const revision of [6, 8, 10]) account.arrived(revision, 0, 99, false)
    assert.strictEqual(account.delivered, 3)
    assert.strictEqual(account.lag.count, 0)
  })

  it("counts events of writes that were never acknowledged apart, and keeps its bound", () => {
    const { account } = setUp()
    for (let revision = 1; revision <= 70_000; revision++) account.arrived(revision, revision - 1, 0, false)
    assert.strictEqual(account.delivered, 0)
    account.close()
    assert.strictEqual(account.unknown, 70_000)
  })
})
