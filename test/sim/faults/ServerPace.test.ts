// The times of a server as data: drawn values keep to the measured distribution, the events of one watch keep their order, and a call takes
// at least what was measured for its kind.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { gvr } from "#kube"
import { drawLatency, Kernel, Network, quantileShares, RandomStream } from "#sim"
import { callKind, ServerPace } from "../../../sim/faults/ServerPace.ts"

const pods = { resource: gvr("", "v1", "pods"), namespace: "" }
const ascending = fc
  .array(fc.double({ min: 0, max: 1e4, noNaN: true }), {
    minLength: quantileShares.length,
    maxLength: quantileShares.length
  })
  .map((values) => values.toSorted((left, right) => left - right))

describe("a measured time", () => {
  it("is drawn between its least and its most, and below each value as often as its share says", () => {
    fc.assert(
      fc.property(ascending, fc.integer(), (ms, seed) => {
        const random = new RandomStream(seed)
        const drawn = Array.from({ length: 2000 }, () => drawLatency({ kind: "quantiles", ms }, random))
        for (const value of drawn) assert.isTrue(value >= ms[0] - 1e-9 && value <= (ms.at(-1) ?? 0) + 1e-9)
        for (const [at, share] of quantileShares.entries()) {
          const [below, atMost] = [
            drawn.filter((value) => value < ms[at] - 1e-9).length / drawn.length,
            drawn.filter((value) => value <= ms[at] + 1e-9).length / drawn.length
          ]
          assert.isAtMost(below, share + 0.06)
          assert.isAtLeast(atMost, share - 0.06)
        }
      }),
      { numRuns: 20 }
    )
  })
})

describe("a server's pace", () => {
  it("keeps the events of one watch in their order, however late each is", () => {
    fc.assert(
      fc.property(ascending, fc.array(fc.double({ min: 0, max: 100, noNaN: true })), fc.integer(), (ms, gaps, seed) => {
        const pace = new ServerPace({ calls: {}, events: { "*": { kind: "quantiles", ms } } }, new RandomStream(seed))
        const lane = pace.watch(pods)
        let [wayMs, lastMs] = [0, 0]
        for (const gap of gaps) {
          const at = lane?.arrivalMs((wayMs += gap)) ?? Number.NaN
          assert.isAtLeast(at, Math.max(lastMs, wayMs))
          lastMs = at
        }
      })
    )
  })

  it("makes calls wait for the work that is there, twice as long as in a line before processors that never rest", () => {
    const gaps = fc.array(fc.double({ min: 0, max: 20, noNaN: true }), { minLength: 1, maxLength: 60 })
    const share = fc.double({ min: 0.1, max: 4, noNaN: true })
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 5 }), share, (gapsMs, atOnce, workShare) => {
        const ms = 7
        const times = { calls: { "get *": { kind: "constant", ms } }, events: {}, atOnce, workShare } as const
        const pace = new ServerPace(times, new RandomStream(1))
        const freeAtMs = Array.from({ length: atOnce }, () => 0)
        let comesMs = 0
        for (const gapMs of gapsMs) {
          const end = pace.call("get", pods)?.arrivalMs((comesMs += gapMs)) ?? Number.NaN
          freeAtMs.sort((left, right) => left - right)
          const beginMs = Math.max(comesMs, freeAtMs[0])
          freeAtMs[0] = beginMs + ms * workShare
          assert.closeTo(end, comesMs + 2 * (beginMs - comesMs) + ms, 1e-6)
        }
      })
    )
  })

  it("tells watchers one after another, and lets calls wait for that", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 1, max: 8 }),
        fc.double({ min: 0.01, max: 2, noNaN: true }),
        (watchers, atOnce, eventMs) => {
          const times = {
            calls: { "get *": { kind: "constant", ms: 3 } },
            events: { "*": { kind: "constant", ms: 0 } },
            atOnce,
            eventMs
          } as const
          const pace = new ServerPace(times, new RandomStream(1))
          let told = 10
          for (let watcher = 1; watcher <= watchers; watcher++) {
            told = pace.watch(pods)?.arrivalMs(10) ?? Number.NaN
            assert.closeTo(told, 10 + (watcher * eventMs) / atOnce, 1e-6)
          }
          const end = pace.call("get", pods)?.arrivalMs(10) ?? Number.NaN
          assert.closeTo(end, 13 + 2 * Math.floor(watchers / atOnce) * eventMs, 1e-6)
        }
      )
    )
  })

  it("takes a kind's own time, its verb's where the kind is not named, and none where neither is", () => {
    const times = {
      calls: { "list pods (cluster)": { kind: "constant", ms: 40 }, "get *": { kind: "constant", ms: 3 } },
      events: {}
    } as const
    const pace = new ServerPace(times, new RandomStream(1))
    assert.strictEqual(pace.call("list", pods)?.arrivalMs(10), 50)
    assert.strictEqual(pace.call("get", { ...pods, name: "a" })?.arrivalMs(10), 13)
    assert.isUndefined(pace.call("list", { ...pods, namespace: "team" }))
    assert.isUndefined(pace.watch(pods))
    const binding = { ...pods, namespace: "team", name: "a", subresource: "binding" }
    assert.strictEqual(callKind("create", binding), "create pods/binding")
  })

  it("takes a list's time by what it holds, but for the part that each takes", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5000 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (holds, items, fixedShare) => {
          const name = "list pods (cluster)"
          const times = {
            calls: { [name]: { kind: "constant", ms: 40 } },
            events: {},
            lists: { [name]: { items, fixedShare } }
          }
          const lane = new ServerPace(times as never, new RandomStream(1)).call("list", pods)
          const served = lane?.arrivalMs(10) ?? Number.NaN
          const answered = lane?.answer?.({ items: Array.from({ length: holds }) })?.arrivalMs(served) ?? Number.NaN
          assert.closeTo(answered - 10, 40 * (fixedShare + ((1 - fixedShare) * holds) / items), 1e-6)
        }
      )
    )
  })

  it("delays a call by its lane on the way, and lets a faster one overtake it", () => {
    const kernel = new Kernel({ seed: 1 })
    const network = new Network(kernel)
    const [client, server] = [kernel.process("client"), kernel.process("server")]
    const connection = network.connect(client, server)
    const arrived: Array<string> = []
    const lane = (ms: number) => ({ arrivalMs: (wayMs: number) => wayMs + ms })
    connection?.send("client", () => void arrived.push(`slow at ${Math.floor(kernel.nowMs / 100)}`), lane(100))
    connection?.send("client", () => void arrived.push("fast"))
    kernel.run({ untilMs: 1000 })
    assert.deepStrictEqual(arrived, ["fast", "slow at 1"])
  })
})
