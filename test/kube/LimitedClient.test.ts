// A client that asks no faster than it may: order, rate and watches, on a server that notes when each request arrives.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type Client, gvr, limitedClient, type WatchListener } from "#kube"
import { VirtualClock } from "./VirtualClock.ts"

const resource = gvr("", "v1", "pods")
const collection = { resource, namespace: "a" }
const object = { apiVersion: "v1", kind: "Pod", metadata: { name: "x" } }
const nobody = () => undefined

/** Notes each request, answers none. */
const noting = (clock: VirtualClock) => {
  const seen: Array<{ readonly what: string; readonly atMs: number }> = []
  const note = (what: string): void => void seen.push({ what, atMs: clock.monotonic() })
  const state = { watching: 0 }
  const client: Client = {
    get: ({ name }) => note(name),
    list: () => note("list"),
    watch: () => {
      note("watch")
      state.watching++
      return () => void state.watching--
    },
    create: () => note("create"),
    update: ({ name }) => note(name),
    patch: ({ name }) => note(name),
    delete: ({ name }) => note(name),
    deleteCollection: () => note("deletecollection")
  }
  return { client, seen, state }
}

const ask = (client: Client, turn: number): void => {
  const target = { ...collection, name: `n${turn}` }
  const verbs = [
    () => client.get(target, {}, nobody),
    () => client.update(target, object, {}, nobody),
    () => client.patch(target, { type: "merge", body: {} }, {}, nobody),
    () => client.delete(target, {}, nobody)
  ]
  verbs[turn % verbs.length]()
}

describe("a client with a rate", () => {
  it("sends every request in the order in which it came, and in no span more than it may", () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 200 })
    const rates = fc.record({ qps: fc.integer({ min: 1, max: 50 }), burst: fc.integer({ min: 1, max: 20 }) })
    fc.assert(
      fc.property(rates, pauses, (rate, waits) => {
        const clock = new VirtualClock(1)
        const { client, seen } = noting(clock)
        const limited = limitedClient(client, rate, clock)
        const asked: Array<number> = []
        let atMs = 0
        for (const [turn, wait] of waits.entries()) {
          atMs += wait
          asked.push(atMs)
          clock.after(atMs, () => ask(limited, turn))
        }
        clock.run(atMs + (waits.length * 1000) / rate.qps + 1000)
        assert.deepStrictEqual(
          seen.map(({ what }) => what),
          waits.map((_, turn) => `n${turn}`)
        )
        for (const [from, first] of seen.entries()) {
          assert.isAtLeast(first.atMs, asked[from])
          for (const [more, last] of seen.slice(from).entries())
            assert.isAtMost(more + 1, rate.burst + ((last.atMs - first.atMs) * rate.qps) / 1000 + 1.001)
        }
        // Nobody waits while there are tokens.
        assert.deepStrictEqual(
          seen.slice(0, rate.burst).map((one) => one.atMs),
          asked.slice(0, rate.burst)
        )
      })
    )
  })

  it("begins a watch in its turn, and none that was given up before", () => {
    const clock = new VirtualClock(1)
    const { client, seen, state } = noting(clock)
    const limited = limitedClient(client, { qps: 1, burst: 1 }, clock)
    const listener: WatchListener = { event: nobody, ended: nobody }
    limited.list(collection, {}, nobody)
    const given = limited.watch(collection, {}, listener)
    const kept = limited.watch(collection, {}, listener)
    given()
    clock.run(5000)
    assert.deepStrictEqual(seen, [
      { what: "list", atMs: 0 },
      { what: "watch", atMs: 2000 }
    ])
    kept()
    assert.strictEqual(state.watching, 0)
  })
})
