// Properties of one flow in virtual time: never above the limit whatever changes under it, every place given back where it was taken,
// nobody starved, and a Retry-After that keeps its word.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { Permit, Refusal, Waiting } from "../../../core/gateway/limits/Admission.ts"
import { type Entry, Flow, type FlowSettings } from "../../../core/gateway/limits/Flow.ts"
import { BucketGate, exemptGate, type Gate, SlotGate } from "../../../core/gateway/limits/Gate.ts"
import { TokenBucket } from "../../../core/kube/index.ts"
import { VirtualClock } from "./VirtualClock.ts"

const settings = (queueLength: number, queueTimeoutMs = 1000, maxLongRunning?: number): FlowSettings => ({
  queueLength,
  queueTimeoutMs,
  maxLongRunning
})

const entry = (key = "", given: Partial<Entry> = {}): Entry => ({
  key,
  longRunning: false,
  initialListMs: 0,
  privileged: false,
  drops: false,
  ...given
})

const bucket = (clock: VirtualClock, qps: number, burst: number): Gate =>
  new BucketGate(new TokenBucket(qps, burst, clock.nowMs))

type Outcome = Permit | Refusal | Waiting

/** A flow with everything that ever happened to its requests. */
class Bench {
  readonly clock = new VirtualClock()
  readonly flow = new Flow(this.clock)
  readonly open: Array<{ readonly permit: Permit; readonly key: string }> = []
  readonly waiting = new Set<Waiting>()
  readonly admittedAt: Array<{ readonly ms: number; readonly key: string }> = []
  readonly refusals: Array<Refusal> = []
  cancelled = 0

  ask(key = "", given: Partial<Entry> = {}): Outcome {
    let waiting: Waiting | undefined
    const settle = (outcome: Permit | Refusal): void => {
      if (waiting !== undefined) this.waiting.delete(waiting)
      if (outcome.kind === "refusal") this.refusals.push(outcome)
      else {
        this.open.push({ permit: outcome, key })
        this.admittedAt.push({ ms: this.clock.nowMs, key })
      }
    }
    const outcome = this.flow.enter(entry(key, given), settle)
    if (outcome.kind === "waiting") {
      waiting = outcome
      this.waiting.add(outcome)
    } else settle(outcome)
    return outcome
  }

  end(at: number): void {
    const [one] = this.open.splice(at % Math.max(1, this.open.length), 1)
    one?.permit.release()
    one?.permit.release()
  }

  seats(key: string): number {
    return this.open.filter((one) => one.key === key).length
  }
}

type Step =
  | { readonly do: "ask"; readonly key: string; readonly long: boolean }
  | { readonly do: "end" | "cancel" | "settle"; readonly at: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "slots"; readonly max: number; readonly queue: number }
  | { readonly do: "bucket"; readonly qps: number; readonly burst: number; readonly queue: number }
  | { readonly do: "exempt" }

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant("ask" as const), key: fc.constantFrom("a", "b", "c"), long: fc.boolean() })
    },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constantFrom("end" as const, "cancel" as const, "settle" as const), at: fc.nat(9) })
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(700) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("slots" as const), max: fc.nat(4), queue: fc.nat(5) })
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("bucket" as const),
        qps: fc.integer({ min: 1, max: 20 }),
        burst: fc.integer({ min: 1, max: 5 }),
        queue: fc.nat(5)
      })
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("exempt" as const) }) }
  ),
  { maxLength: 60 }
)

const play = (bench: Bench, step: Step): void => {
  const { clock, flow } = bench
  if (step.do === "ask") bench.ask(step.key, { longRunning: step.long, initialListMs: step.long ? 100 : 0 })
  else if (step.do === "end") bench.end(step.at)
  else if (step.do === "settle") bench.open[step.at % Math.max(1, bench.open.length)]?.permit.settle()
  else if (step.do === "wait") clock.advance(step.ms)
  else if (step.do === "slots") flow.set(new SlotGate(step.max), settings(step.queue))
  else if (step.do === "bucket") flow.set(bucket(clock, step.qps, step.burst), settings(step.queue))
  else if (step.do === "exempt") flow.set(exemptGate, settings(0))
  else {
    const waiting = [...bench.waiting][step.at % Math.max(1, bench.waiting.size)]
    waiting?.cancel()
    waiting?.cancel()
    if (waiting !== undefined && bench.waiting.delete(waiting)) bench.cancelled++
  }
}

describe("a flow under any steps", () => {
  it("counts what is open, whatever the gate was, is and becomes", () => {
    fc.assert(
      fc.property(steps, (run) => {
        const bench = new Bench()
        for (const step of run) {
          play(bench, step)
          const { counts } = bench.flow
          assert.isAtLeast(counts.inFlight, 0)
          assert.isAtLeast(counts.longRunning, 0)
          assert.isAtMost(counts.inFlight, bench.open.length)
          assert.strictEqual(bench.flow.waiting, bench.waiting.size)
          const { admitted, arrived, refused } = counts
          assert.strictEqual(arrived, admitted + refused + bench.waiting.size + bench.cancelled)
        }
        while (bench.open.length > 0) bench.end(0)
        for (const waiting of bench.waiting) waiting.cancel()
        bench.clock.advance(5000)
        while (bench.open.length > 0) bench.end(0)
        assert.strictEqual(bench.flow.counts.inFlight, 0)
        assert.strictEqual(bench.flow.counts.longRunning, 0)
        assert.strictEqual(bench.flow.waiting, 0)
      }),
      { numRuns: 300 }
    )
  })

  it("never lets one in above the slots there are", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 4 }), (run, max) => {
        const bench = new Bench()
        bench.flow.set(new SlotGate(max), settings(4))
        let limit = max
        for (const step of run) {
          if (step.do === "bucket" || step.do === "exempt") continue
          const before = bench.flow.counts.inFlight
          play(bench, step)
          if (step.do === "slots") limit = step.max
          assert.isAtMost(bench.flow.counts.inFlight, Math.max(before, limit))
        }
      }),
      { numRuns: 300 }
    )
  })

  it("never admits more in any window than the bucket allows", () => {
    const arrivals = fc.array(fc.record({ gap: fc.nat(40), key: fc.constantFrom("a", "b") }), { maxLength: 150 })
    const rates = fc.record({ qps: fc.integer({ min: 1, max: 100 }), burst: fc.integer({ min: 1, max: 20 }) })
    fc.assert(
      fc.property(arrivals, rates, fc.nat(20), (run, { burst, qps }, queue) => {
        const bench = new Bench()
        bench.flow.set(bucket(bench.clock, qps, burst), settings(queue))
        for (const { gap, key } of run) {
          bench.clock.advance(gap)
          bench.ask(key)
        }
        bench.clock.advance(2000)
        const times = bench.admittedAt.map(({ ms }) => ms)
        for (let from = 0; from < times.length; from++) {
          for (let to = from; to < times.length; to++) {
            const allowed = burst + ((times[to] - times[from]) * qps) / 1000
            assert.isAtMost(to - from + 1, allowed + 1e-3)
          }
        }
      }),
      { numRuns: 150 }
    )
  })

  it("keeps tokens through a resize, and gives none for it", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 30 }), (bursts) => {
        const clock = new VirtualClock()
        const tokens = new TokenBucket(10, 10, 0)
        let had = 10
        for (const burst of bursts) {
          tokens.resize(10, burst, clock.nowMs)
          had = Math.min(had, burst)
          assert.closeTo(tokens.available(clock.nowMs), had, 1e-6)
        }
      })
    )
  })
})

describe("waiting", () => {
  it("gives each of those who wait its fair share within one", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 2, max: 8 }),
        fc.nat(1000),
        (polite, ratio, seed) => {
          const bench = new Bench()
          const users = Array.from({ length: polite + 1 }, (_, at) => `user-${at}`)
          bench.flow.set(bucket(bench.clock, 100, 1), settings(500, 60_000))
          // The first user asks far more than all others.
          for (let round = 0; round < 40; round++) {
            for (let more = 0; more < ratio; more++) bench.ask("user-0")
            for (const user of users.slice(1)) bench.ask(user)
            bench.clock.advance(seed % 3)
          }
          const from = bench.admittedAt.length
          bench.clock.advance(300)
          const served = bench.admittedAt.slice(from)
          const counts = users.map((user) => served.filter(({ key }) => key === user).length)
          assert.isAtMost(Math.max(...counts) - Math.min(...counts), 1, counts.join(" "))
          assert.isAtLeast(served.length, 29)
        }
      ),
      { numRuns: 60 }
    )
  })

  it("levels the seats of those who wait, however long their requests last", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 5 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.nat(30), { minLength: 60, maxLength: 60 }),
        (users, each, ends) => {
          const bench = new Bench()
          const max = users * each
          bench.flow.set(new SlotGate(max), settings(1000, 600_000))
          for (let at = 0; at < 200; at++) bench.ask("user-0")
          for (let at = 0; at < 100; at++) for (let user = 1; user < users; user++) bench.ask(`user-${user}`)
          for (const at of ends) bench.end(at)
          // The flooding user's first seats may still be open; once they are given back everyone has its share.
          while (bench.seats("user-0") > each) bench.end(bench.open.findIndex(({ key }) => key === "user-0"))
          for (let user = 0; user < users; user++) assert.closeTo(bench.seats(`user-${user}`), each, 1)
          assert.strictEqual(bench.open.length, max)
        }
      ),
      { numRuns: 60 }
    )
  })

  it("puts out whoever floods the queue, not the others", () => {
    const bench = new Bench()
    bench.flow.set(new SlotGate(0), settings(10))
    for (let at = 0; at < 50; at++) bench.ask("noisy")
    for (let at = 0; at < 4; at++) bench.ask("polite")
    assert.strictEqual(bench.refusals.length, 44)
    bench.flow.set(new SlotGate(100))
    assert.strictEqual(bench.seats("polite"), 4)
    assert.strictEqual(bench.seats("noisy"), 6)
  })

  it("ends at the deadline, and the others keep their turn", () => {
    const bench = new Bench()
    bench.flow.set(new SlotGate(0), settings(10, 1000))
    bench.ask("a")
    bench.clock.advance(600)
    bench.ask("b")
    bench.ask("a")
    bench.clock.advance(500)
    assert.deepStrictEqual(
      bench.refusals.map(({ reason }) => reason),
      ["queue_timeout"]
    )
    bench.flow.set(new SlotGate(1))
    bench.end(0)
    assert.deepStrictEqual(
      bench.admittedAt.map(({ key }) => key),
      ["a", "b"]
    )
  })
})

describe("a refusal", () => {
  it("says when there is a place, and keeps its word", () => {
    fc.assert(
      fc.property(
        fc.record({ qps: fc.integer({ min: 1, max: 20 }), burst: fc.integer({ min: 1, max: 20 }) }),
        fc.nat(50),
        ({ burst, qps }, more) => {
          const bench = new Bench()
          bench.flow.set(bucket(bench.clock, qps, burst), settings(0))
          for (let at = 0; at < burst; at++) assert.strictEqual(bench.ask().kind, "permit")
          let last = bench.ask()
          for (let at = 0; at < more; at++) last = bench.ask()
          if (last.kind !== "refusal" || last.retryAfterSeconds === undefined) return assert.fail("not refused")
          assert.isAtLeast(last.retryAfterSeconds * 1000, 1000 / qps)
          assert.isAtMost(last.retryAfterSeconds, 12)
          bench.clock.advance(last.retryAfterSeconds * 1000)
          assert.strictEqual(bench.ask().kind, "permit")
        }
      ),
      { numRuns: 100 }
    )
  })

  it("spreads a crowd over the time that it takes to serve it", () => {
    const bench = new Bench()
    bench.flow.set(bucket(bench.clock, 10, 1), settings(0))
    for (let at = 0; at < 60; at++) bench.ask()
    const seconds = new Set(bench.refusals.map(({ retryAfterSeconds }) => retryAfterSeconds))
    assert.isAtLeast(seconds.size, 4)
  })

  it("has no Retry-After for events, so that clients drop them", () => {
    const bench = new Bench()
    bench.flow.set(new SlotGate(0), settings(0))
    const outcome = bench.ask("", { drops: true })
    assert.deepStrictEqual(outcome, { kind: "refusal", reason: "rate_limited", retryAfterSeconds: undefined })
  })
})

describe("a long-running request", () => {
  it("holds a place until its initial list is over, and counts apart from then on", () => {
    const bench = new Bench()
    bench.flow.set(new SlotGate(1), settings(0, 0, 2))
    const first = bench.ask("", { longRunning: true, initialListMs: 500 })
    assert.strictEqual(bench.ask().kind, "refusal")
    if (first.kind !== "permit") return assert.fail("not admitted")
    first.settle()
    bench.clock.advance(499)
    assert.strictEqual(bench.ask().kind, "refusal")
    bench.clock.advance(1)
    assert.strictEqual(bench.flow.counts.inFlight, 0)
    assert.strictEqual(bench.flow.counts.longRunning, 1)
    const second = bench.ask("", { longRunning: true })
    if (second.kind !== "permit") return assert.fail("not admitted")
    second.settle()
    assert.strictEqual(bench.ask("", { longRunning: true }).kind, "refusal")
    assert.strictEqual(bench.ask().kind, "permit")
    first.release()
    second.release()
    assert.strictEqual(bench.flow.counts.longRunning, 0)
    assert.strictEqual(bench.flow.counts.inFlight, 1)
  })
})
