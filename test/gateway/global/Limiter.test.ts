// The limiter in virtual time: whatever joins, leaves, dies, is cut off or goes by a wrong clock, no more is admitted than the limit and
// what is leased, and no more is leased than the limit. Then how soon it is right again after each of these.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { FlowControl } from "../../../core/gateway/config/UpstreamCluster.ts"
import { CLUSTER, flowControl, globalBucket, globalSlots, LimiterWorld, type SimGateway } from "./LimiterWorld.ts"

type Happening =
  | { readonly do: "join"; readonly rate: number; readonly pace: number }
  | { readonly do: "leave" | "crash" | "cut" | "mend"; readonly at: number }
  | { readonly do: "rate"; readonly at: number; readonly rate: number }
  | { readonly do: "killLeader" | "startServers" | "cutLeader" | "mendLeader" }

const at = fc.nat(9)
const happenings = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 20, max: 3000 }),
    what: fc.oneof(
      fc.record({
        do: fc.constant("join" as const),
        rate: fc.integer({ min: 0, max: 300 }),
        pace: fc.double({ min: 0.96, max: 1.04, noNaN: true })
      }),
      fc.record({ do: fc.constantFrom("leave" as const, "crash" as const, "cut" as const, "mend" as const), at }),
      fc.record({ do: fc.constant("rate" as const), at, rate: fc.integer({ min: 0, max: 600 }) }),
      fc.record({
        do: fc.constantFrom("killLeader" as const, "startServers" as const, "cutLeader" as const, "mendLeader" as const)
      })
    )
  }),
  { minLength: 3, maxLength: 12 }
)

class Story {
  readonly world: LimiterWorld
  private cutLeader = -1

  constructor(control: FlowControl, seed: number) {
    this.world = new LimiterWorld({ seed, control, servers: 3 })
  }

  private pick(index: number): SimGateway | undefined {
    const running = this.world.gateways.filter(({ running }) => running)
    return running[index % Math.max(1, running.length)]
  }

  private cut(gateway: SimGateway | undefined, blocked: boolean): void {
    const { network, servers } = this.world
    if (gateway !== undefined)
      network.setPartition(
        [gateway.process],
        servers.map(({ process }) => process),
        blocked
      )
  }

  play(what: Happening): void {
    const { world } = this
    const leases = world.kernel.process("leases")
    if (what.do === "join") world.join(what.rate, 80, what.pace)
    else if (what.do === "rate") {
      const gateway = this.pick(what.at)
      if (gateway !== undefined) gateway.rate = what.rate
    } else if (what.do === "leave" || what.do === "crash") {
      const gateway = this.pick(what.at)
      if (gateway !== undefined) world[what.do](gateway)
    } else if (what.do === "cut" || what.do === "mend") this.cut(this.pick(what.at), what.do === "cut")
    else if (what.do === "killLeader") {
      if (world.leader() >= 0) world.killServer(world.leader())
    } else if (what.do === "startServers") {
      for (const [server, entry] of world.servers.entries()) if (entry.server === undefined) world.startServer(server)
    } else if (what.do === "cutLeader") {
      this.cutLeader = world.leader()
      const process = world.servers[this.cutLeader]?.process
      if (process !== undefined) world.network.setPartition([process], [leases], true)
    } else {
      const process = world.servers[this.cutLeader]?.process
      if (process !== undefined) world.network.setPartition([process], [leases], false)
    }
  }
}

const controls: ReadonlyArray<readonly [string, FlowControl, number]> = [
  ["a rate in parts", globalBucket("GlobalAllocate", 200, 50), 200],
  ["slots in parts", globalSlots("GlobalAllocate", 20), 20],
  ["slots as asked for", globalSlots("GlobalCount", 20), 20]
]

describe("leases", () => {
  for (const [title, control, limit] of controls) {
    it(`are never more than the limit: ${title}`, () => {
      fc.assert(
        fc.property(happenings, fc.nat(), (story, seed) => {
          const told = new Story(control, seed)
          told.world.join(100, 80)
          for (const { afterMs, what } of story) {
            for (let ms = 0; ms < afterMs; ms += 100) {
              told.world.run(100)
              assert.isAtMost(told.world.leasedSum(), limit * 1.000001, `at ${told.world.kernel.nowMs} ms`)
            }
            told.play(what)
          }
          told.world.run(2000)
          assert.isAtMost(told.world.leasedSum(), limit * 1.000001)
        }),
        { numRuns: 25 }
      )
    })
  }
})

describe("what is admitted anywhere", () => {
  it("is at most the rate and the burst, and a token a gateway", () => {
    fc.assert(
      fc.property(happenings, fc.nat(), (story, seed) => {
        const told = new Story(globalBucket("GlobalAllocate", 200, 50), seed)
        told.world.join(300, 0)
        for (const { afterMs, what } of story) {
          told.world.run(afterMs)
          told.play(what)
        }
        told.world.run(3000)
        const gateways = told.world.gateways.length
        for (const windowMs of [100, 1000, 10_000]) {
          // The clocks of gateways may go faster than the world's by 4 %.
          const allowed = ((200 * windowMs) / 1000) * 1.04 + 50 + gateways
          assert.isAtMost(told.world.most(windowMs), Math.ceil(allowed), `in ${windowMs} ms`)
        }
      }),
      { numRuns: 25 }
    )
  })

  it("is at most the tokens of the time and those that were out", () => {
    fc.assert(
      fc.property(happenings, fc.nat(), (story, seed) => {
        const told = new Story(globalBucket("GlobalCount", 200, 50), seed)
        told.world.join(300, 0)
        for (const { afterMs, what } of story) {
          told.world.run(afterMs)
          told.play(what)
        }
        told.world.run(3000)
        // Tokens that were handed out live for a second.
        for (const windowMs of [100, 1000, 10_000]) {
          assert.isAtMost(told.world.most(windowMs), Math.ceil((200 * (windowMs + 1050)) / 1000 + 50))
        }
      }),
      { numRuns: 25 }
    )
  })

  it("would be more without the ledger's care (negative control)", () => {
    const world = new LimiterWorld({ seed: 1, control: globalBucket("GlobalAllocate", 200, 50), servers: 1 })
    world.join(400, 0)
    world.join(400, 0)
    world.run(4000)
    for (const { client } of world.gateways) {
      const [managed] = client.managed()
      managed.apply(
        { cluster: CLUSTER, name: "limited", epoch: Number.MAX_SAFE_INTEGER, version: 1, amount: 200, tokens: 0 },
        Number.POSITIVE_INFINITY
      )
    }
    world.run(2000)
    assert.isAbove(world.leasedSum(), 200)
    assert.isAbove(world.most(1000), 251)
  })
})

describe("the limiter is right soon", () => {
  it("after a cold start with skewed demand", () => {
    const world = new LimiterWorld({ seed: 7, control: globalBucket("GlobalAllocate", 1000, 100) })
    world.run(1500)
    for (const rate of [900, 50, 50]) world.join(rate)
    world.run(5000)
    const start = 1500
    assert.isAtLeast(world.admittedIn(start + 1000, start + 2000), 850)
    assert.isAtLeast(world.admittedIn(start + 2000, start + 5000) / 3, 900)
  })

  it("by equal parts where all want more", () => {
    const world = new LimiterWorld({ seed: 8, control: globalBucket("GlobalAllocate", 300, 30) })
    world.run(1500)
    for (let gateway = 0; gateway < 3; gateway++) world.join(400)
    world.run(6000)
    const before = world.gateways.map(({ flow }) => flow.counts.admitted)
    world.run(10_000)
    for (const [gateway, { flow }] of world.gateways.entries())
      assert.closeTo(flow.counts.admitted - (before[gateway] ?? 0), 1000, 60)
  })

  for (const scope of ["GlobalAllocate", "GlobalCount"] as const) {
    it(`after a limit was cut below what was given out: ${scope}`, () => {
      const world = new LimiterWorld({ seed: 9, control: globalSlots(scope, 100) })
      world.run(1500)
      for (let gateway = 0; gateway < 2; gateway++) world.join(1000, 60)
      world.run(4000)
      assert.isAbove(world.gateways[0].flow.counts.inFlight + world.gateways[1].flow.counts.inFlight, 80)
      world.snapshots.swap({ [CLUSTER]: [globalSlots(scope, 10)] })
      world.run(1000)
      assert.isAtMost(world.gateways[0].flow.counts.inFlight + world.gateways[1].flow.counts.inFlight, 10)
      assert.isAtMost(world.leasedSum(), 10)
      for (const { flow } of world.gateways) assert.isAtLeast(flow.counts.inFlight, 0)
    })
  }

  it("through the death of its leader: leases outlive the election, and nothing is given twice", () => {
    const world = new LimiterWorld({ seed: 10, control: globalBucket("GlobalAllocate", 200, 20) })
    world.run(1500)
    for (const rate of [300, 100]) world.join(rate)
    world.run(6000)
    world.killServer(world.leader())
    const from = world.kernel.nowMs
    world.run(12_000)
    assert.isAtLeast(world.leader(), 0)
    for (let second = 0; second < 12; second++)
      assert.isAtLeast(world.admittedIn(from + second * 1000, from + (second + 1) * 1000), 150, `second ${second}`)
    assert.isAtMost(world.most(1000, from), 222)
  })

  it("when a gateway dies without a word, once its lease is over", () => {
    const world = new LimiterWorld({ seed: 11, control: globalBucket("GlobalAllocate", 200, 20) })
    world.run(1500)
    const [first] = [world.join(400), world.join(400)]
    world.run(5000)
    world.crash(first)
    world.run(7000)
    const from = world.kernel.nowMs
    world.run(3000)
    assert.isAtLeast(world.admittedIn(from, from + 3000), 560)
  })

  it("when a gateway says goodbye, at once", () => {
    const world = new LimiterWorld({ seed: 12, control: globalBucket("GlobalAllocate", 200, 20) })
    world.run(1500)
    const [first] = [world.join(400), world.join(400)]
    world.run(5000)
    world.leave(first)
    world.run(1000)
    const from = world.kernel.nowMs
    world.run(3000)
    assert.isAtLeast(world.admittedIn(from, from + 3000), 560)
  })

  it("with fifty gateways and few slots, everyone gets a turn", () => {
    const world = new LimiterWorld({ seed: 13, control: globalSlots("GlobalCount", 10) })
    world.run(1500)
    for (let gateway = 0; gateway < 50; gateway++) world.join(5, 20)
    world.run(20_000)
    for (const { flow, process } of world.gateways) assert.isAbove(flow.counts.admitted, 0, process.name)
  })
})

describe("a gateway cut off from the limiter", () => {
  const cutOff = (onLimiterLoss: FlowControl["onLimiterLoss"]): number => {
    const control = { ...globalBucket("GlobalAllocate", 200, 20), onLimiterLoss }
    const world = new LimiterWorld({ seed: 14, control })
    world.run(1500)
    const gateway = world.join(100)
    world.run(3000)
    world.network.setPartition(
      [gateway.process],
      world.servers.map(({ process }) => process),
      true
    )
    world.run(6000)
    const from = world.kernel.nowMs
    world.run(10_000)
    return world.admittedIn(from, from + 10_000) / 10
  }

  it("goes by its local limit, by none, or lets nothing through, as its schema says", () => {
    assert.closeTo(cutOff("Local"), 1, 0.3)
    assert.closeTo(cutOff("Open"), 100, 15)
    assert.strictEqual(cutOff("Closed"), 0)
  })

  it("takes what its lease left into its local limit: a limiter that goes fills nobody's bucket", () => {
    const limit = { kind: "TokenBucket", local: { qps: 10, burst: 100 }, global: { qps: 40, burst: 400 } } as const
    const control = flowControl({ scope: "GlobalAllocate", onLimiterLoss: "Local", limit })
    const world = new LimiterWorld({ seed: 15, control })
    world.run(1500)
    for (let at = 0; at < 4; at++) world.join(100)
    // Until the burst is used and everybody has its part.
    world.run(20_000)
    for (const at of world.servers.keys()) world.killServer(at)
    const from = world.kernel.nowMs
    world.run(20_000)
    const admitted = world.admittedIn(from, from + 20_000)
    // 40 a second all the time; four full local buckets would let 400 more through.
    assert.isAtMost(admitted, 40 * 20 + 60)
    assert.isAbove(admitted, 40 * 20 * 0.7)
  })
})
