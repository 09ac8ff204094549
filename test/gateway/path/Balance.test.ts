// The choice of endpoints: shares by weight, fewest in flight, slow start, ejection, retry budgets; and how many connections there are.
import * as fc from "fast-check"
import { once } from "node:events"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Balancer, type Candidate } from "../../../core/gateway/balance/Balancer.ts"
import { Connections, type Pooled } from "../../../core/gateway/balance/Connections.ts"
import type { Dial } from "../../../core/gateway/balance/DialAdapter.ts"
import { RetryBudget } from "../../../core/gateway/balance/RetryBudget.ts"
import { machineClockwork } from "../../../core/kube/index.ts"
import type { HttpClient } from "../../../core/net/index.ts"
import { LruCache } from "../../../core/gateway/identity/LruCache.ts"
import { type Pair, Pki } from "./Pki.ts"
import { askOn, changed, clusterOf, eventually, Gateway } from "./Rig.ts"
import { ScriptedUpstream } from "./ScriptedUpstream.ts"

class Member implements Candidate {
  usable = true
  inflight = 0
  readonly weight: number

  constructor(weight: number) {
    this.weight = weight
  }

  weightAt(): number {
    return this.weight
  }
}

/** Chance that repeats. */
const chance = (seed: number): (() => number) => {
  let state = (seed % 2_147_483_646) + 1
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
}
const strategies = ["RoundRobin", "LeastInflight", "PowerOfTwoChoices"] as const

describe("a choice", () => {
  it("never falls on one that is not usable or was tried, while another is left", () => {
    const members = fc.array(fc.tuple(fc.nat(5), fc.boolean()), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(members, fc.constantFrom(...strategies), fc.nat(), fc.nat(5), (made, strategy, seed, tries) => {
        const all = made.map(([weight, usable]) => Object.assign(new Member(weight), { usable }))
        const balancer = new Balancer(all)
        const random = chance(seed)
        const usable = all.filter((member) => member.usable)
        const tried = all.slice(0, tries)
        const fresh = usable.filter((member) => !tried.includes(member))
        for (let turn = 0; turn < 20; turn++) {
          const picked = balancer.pick(strategy, 0, random, tried)
          if (usable.length === 0) assert.isUndefined(picked)
          else assert.include(fresh.length > 0 ? fresh : usable, picked)
          const heavy = fresh.some((member) => member.weight > 0)
          if (heavy) assert.isAbove(picked?.weight ?? 0, 0)
        }
      })
    )
  })

  it("of round robin falls on each exactly by its weight in every full turn", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 2, maxLength: 5 }), (weights) => {
        const all = weights.map((weight) => new Member(weight))
        const balancer = new Balancer(all)
        const total = weights.reduce((sum, each) => sum + each, 0)
        const met = new Map<Member, number>()
        for (let turn = 0; turn < 3 * total; turn++) {
          const picked = balancer.pick("RoundRobin", 0, Math.random) as Member
          met.set(picked, (met.get(picked) ?? 0) + 1)
        }
        for (const member of all) assert.equal(met.get(member), 3 * member.weight)
      })
    )
  })

  it("of the fewest in flight keeps loads even by weight; that of two draws nearly so", () => {
    for (const strategy of ["LeastInflight", "PowerOfTwoChoices"] as const) {
      const all = [new Member(1), new Member(1), new Member(2)]
      const balancer = new Balancer(all)
      const random = chance(7)
      for (let turn = 0; turn < 4000; turn++) (balancer.pick(strategy, 0, random) as Member).inflight++
      const loads = all.map((member) => member.inflight / member.weight)
      const spread = Math.max(...loads) - Math.min(...loads)
      assert.isAtMost(spread, strategy === "LeastInflight" ? 1 : 40, strategy)
    }
  })
})

describe("a retry budget", () => {
  it("never gives more than its share and its floor over any ten seconds", () => {
    const step = fc.record({ afterMs: fc.nat(1500), requests: fc.nat(20), retries: fc.nat(20) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(100), fc.nat(3), (steps, percent, perSecond) => {
        const budget = new RetryBudget(percent, perSecond)
        const log: Array<{ at: number; requests: number; retries: number }> = []
        let nowMs = 5000
        for (const { afterMs, requests, retries } of steps) {
          nowMs += afterMs
          for (let n = 0; n < requests; n++) budget.count(nowMs)
          let given = 0
          for (let n = 0; n < retries; n++) if (budget.take(nowMs)) given++
          log.push({ at: nowMs, requests, retries: given })
          const second = Math.floor(nowMs / 1000)
          const window = log.filter(({ at }) => Math.floor(at / 1000) > second - 10)
          const sum = (what: "requests" | "retries"): number => window.reduce((all, each) => all + each[what], 0)
          assert.isAtMost(sum("retries"), (sum("requests") * percent) / 100 + perSecond * 10 + 1e-9)
        }
      })
    )
  })
})

describe("a cache with two bounds", () => {
  it("holds the last used, never more, never longer", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(6), fc.boolean()), { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        (steps, max) => {
          const cache = new LruCache<number>(max)
          let plain: Array<{ key: string; until: number }> = []
          steps.forEach(([key, isWrite], now) => {
            const name = String(key)
            if (isWrite) {
              cache.set(name, key, now + 10)
              plain = [...plain.filter((each) => each.key !== name), { key: name, until: now + 10 }].slice(-max)
            } else {
              const known = plain.find((each) => each.key === name)
              const good = known !== undefined && now < known.until
              assert.equal(cache.get(name, now), good ? key : undefined)
              plain = plain.filter((each) => each.key !== name)
              if (good && known !== undefined) plain.push(known)
            }
            assert.isAtMost(cache.size, max)
          })
        }
      )
    )
  })
})

describe("connections", () => {
  it("that fail at once fail those who wait, once each, and nobody tries for ever", () => {
    let dialed = 0
    const dial: Dial = {
      connect: (_, done) => {
        dialed++
        done({ kind: "failure", code: "EINVAL", message: "never" })
      },
      upgrade: () => () => {}
    }
    const connections = new Connections({ dial, clockwork: machineClockwork, target: { host: "x", port: 1 }, kept: 2 })
    const outcomes: Array<unknown> = []
    for (let turn = 1; turn <= 3; turn++) {
      connections.take((outcome) => outcomes.push(outcome))
      assert.equal(dialed, turn)
      assert.equal(outcomes.length, turn)
    }
    connections.retire(10)
    connections.take((outcome) => outcomes.push(outcome))
    assert.deepInclude(outcomes[3], { kind: "failure", code: "RETIRED" })
    assert.equal(dialed, 3)
  })
})

describe("connections to one endpoint", () => {
  interface Carried {
    readonly pooled: Pooled
    readonly heavy: boolean
    readonly until: number
  }
  /** As much of a connection as the pool looks at; each request on it stays open until the test ends it. */
  interface Fake {
    activeRequests: number
  }
  const dialTo = (made: Array<Fake>): Dial => ({
    connect: (_, done) => {
      const fake = { activeRequests: 0, ready: true, leaving: false, protocol: "h2" }
      made.push(fake)
      done(fake as unknown as HttpClient)
    },
    upgrade: () => () => {}
  })
  const end = ({ heavy, pooled }: Carried): void => {
    ;(pooled.client as unknown as Fake).activeRequests--
    if (heavy) pooled.heavy--
  }

  it("keep small answers from waiting behind those that bring much", () => {
    const orders = fc.array(fc.record({ heavy: fc.boolean(), turns: fc.nat(40) }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), orders, (kept, asked) => {
        const made: Array<Fake> = []
        const connections = new Connections({
          dial: dialTo(made),
          clockwork: machineClockwork,
          target: { host: "x", port: 1 },
          kept
        })
        let open: ReadonlyArray<Carried> = []
        const seen = new Set<Pooled>()
        asked.forEach(({ heavy, turns }, turn) => {
          for (const carried of open) if (carried.until <= turn) end(carried)
          open = open.filter(({ until }) => until > turn)
          connections.take((pooled) => {
            if ("kind" in pooled) return assert.fail(pooled.message)
            if (heavy && [...seen].some(({ forHeavy }) => forHeavy)) assert.isTrue(pooled.forHeavy)
            if (!heavy && [...seen].some((other) => other.heavy === 0)) assert.equal(pooled.heavy, 0)
            seen.add(pooled)
            ;(pooled.client as unknown as Fake).activeRequests++
            if (heavy) pooled.heavy++
            open = [...open, { pooled, heavy, until: turn + 1 + turns }]
          }, heavy)
        })
        assert.isAtMost(made.length, kept)
        if (kept > 1 && asked.some(({ heavy }) => heavy)) assert.isAtLeast(made.length, 2)
      })
    )
  })
})

describe("endpoints behind a gateway", () => {
  let pki: Pki
  let alice: Pair
  let gateway: Gateway
  let upstreams: ReadonlyArray<ScriptedUpstream>
  const headers = { ":authority": "a.example" }
  const path = "/api/v1/pods"

  beforeAll(async () => {
    pki = await Pki.make("the one ca")
    const serving = await pki.sign({ name: "upstream", dns: ["upstream"] })
    alice = await pki.sign({ name: "alice" })
    gateway = await Gateway.open(await pki.sign({ name: "gateway" }))
    const settings = { maxConcurrentStreams: 20 }
    upstreams = await Promise.all([0, 1, 2].map(() => new ScriptedUpstream(serving, undefined, settings).open()))
  })
  afterAll(async () => {
    await gateway.close()
    await Promise.all(upstreams.map((upstream) => upstream.kill()))
  })

  it("get equal shares in turn, whoever asks and over whichever connection", async () => {
    gateway.snapshots.set(
      clusterOf(
        "a.example",
        upstreams.map(({ url }) => url),
        pki
      )
    )
    await gateway.ready()
    for (let n = 0; n < 30; n++) assert.equal((await gateway.ask("a.example", path, { client: alice })).status, 200)
    assert.deepEqual(
      upstreams.map(({ seen }) => seen.length),
      [10, 10, 10]
    )
  })

  it("get few connections from many clients; more only as far as their limit of streams asks for them", async () => {
    const [only] = upstreams as [ScriptedUpstream]
    gateway.snapshots.set()
    await eventually(() => only.sockets.size === 0, "the old connections ended")
    gateway.snapshots.set(clusterOf("a.example", [only.url], pki))
    await gateway.ready()
    const sessions = Array.from({ length: 40 }, () => gateway.session("a.example", alice))
    for (const session of sessions) assert.equal((await askOn(session, path, { headers })).status, 200)
    assert.isAtMost(only.sockets.size, 2)
    only.script = (_, response) => {
      response.writeHead(200)
      response.write("x\n")
    }
    const streams = sessions.flatMap((session) =>
      [1, 2, 3].map(() => session.request({ ...headers, ":path": `${path}?watch=1` }))
    )
    for (const stream of streams) stream.on("error", () => {})
    await Promise.all(streams.map((stream) => once(stream.resume(), "response")))
    // 120 watches, 20 on each connection.
    assert.isAtLeast(only.sockets.size, 6)
    assert.isAtMost(only.sockets.size, 9)
    for (const session of sessions) session.destroy()
    await eventually(() => only.sockets.size <= 2, "idle connections beyond the kept ones were closed")
  })

  it("are taken out by failing checks in a row, and brought back by good ones in a row", async () => {
    const [first, second] = upstreams as [ScriptedUpstream, ScriptedUpstream]
    const health = { rise: 2, fall: 3 }
    gateway.snapshots.set(clusterOf("a.example", [first.url, second.url], pki, { health }))
    await gateway.ready()
    first.script = second.script = (_, response) => void response.end("ok")
    first.well = false
    await eventually(() => gateway.states.get(first.url)?.healthy === false, "it was taken out")
    first.seen.length = 0
    for (let n = 0; n < 6; n++) await gateway.ask("a.example", path, { client: alice })
    assert.equal(first.seen.length, 0)
    first.well = true
    await eventually(() => gateway.states.get(first.url)?.healthy === true, "it was brought back")
  })

  it("are ejected after failures in a row, never more than the allowed part, and come back", async () => {
    const [first, second] = upstreams as [ScriptedUpstream, ScriptedUpstream]
    // A check that shares a connection with a dropped request fails with it: here only the requests count.
    const health = { fall: 1000, ejectAfterFailures: 3, ejectionMs: 3000, maxEjectedPercent: 50 }
    gateway.snapshots.set()
    gateway.snapshots.set(clusterOf("a.example", [first.url, second.url], pki, { health }))
    await gateway.ready()
    const drop = (_: unknown, response: { stream: { session: { destroy(): void } | undefined } }): void =>
      response.stream.session?.destroy()
    first.script = drop
    second.script = (_, response) => void response.end("ok")
    for (let n = 0; n < 12; n++) assert.equal((await gateway.ask("a.example", path, { client: alice })).status, 200)
    assert.equal(gateway.states.get(first.url)?.reason, "Ejected")
    // The last one stays, whatever it does.
    second.script = drop
    for (let n = 0; n < 6; n++) await gateway.ask("a.example", path, { client: alice })
    assert.notEqual(gateway.states.get(second.url)?.reason, "Ejected")
    first.script = second.script = (_, response) => void response.end("ok")
    await eventually(() => gateway.states.get(first.url)?.healthy === true, "it came back")
  })

  it("disabled get nothing new and keep what is open", async () => {
    const [first, second] = upstreams as [ScriptedUpstream, ScriptedUpstream]
    const cluster = clusterOf("a.example", [first.url, second.url], pki, { timeouts: { drainMs: 60_000 } })
    gateway.snapshots.set()
    gateway.snapshots.set(cluster)
    await gateway.ready()
    let finish = (): void => {}
    first.script = second.script = (request, response) => {
      if (!request.url.includes("watch")) return void response.end("ok")
      response.writeHead(200)
      response.write("begin\n")
      finish = () => void response.end("end\n")
    }
    const session = gateway.session("a.example", alice)
    const stream = session.request({ ...headers, ":path": `${path}?watch=1` })
    let text = ""
    stream.on("data", (chunk: Buffer) => (text += String(chunk)))
    await once(stream, "response")
    const which = first.seen.some(({ path: each }) => each.includes("watch")) ? first : second
    const endpoints = cluster.endpoints.map((each) => ({ ...each, disabled: each.url === which.url }))
    gateway.snapshots.set(changed(cluster, { endpoints }))
    which.seen.length = 0
    for (let n = 0; n < 6; n++) assert.equal((await askOn(session, path, { headers })).body, "ok")
    assert.equal(which.seen.length, 0)
    finish()
    await new Promise((resolve) => stream.once("close", resolve))
    assert.equal(text, "begin\nend\n")
    session.destroy()
  })
})
