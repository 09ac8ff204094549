// Candidates with clocks that differ, through pauses of the server and of their own: never two leaders, and always one again.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type Clockwork, electLeader, type KubeObject } from "#kube"
import { FakeServer } from "./FakeServer.ts"
import { VirtualClock } from "./VirtualClock.ts"

/** The same time, told with another wall clock and counted from another start. */
const skewed = (clock: VirtualClock, byMs: number): Clockwork => ({
  now: () => clock.now() + byMs,
  monotonic: () => clock.monotonic() + 5_000_000 + byMs,
  random: clock.random,
  defer: clock.defer,
  after: clock.after,
  every: clock.every
})

const holders = (server: FakeServer): ReadonlyArray<string> =>
  server.objects("leases").map(({ spec }) => (spec as { holderIdentity: string }).holderIdentity)

const leaseSpec = (server: FakeServer): Record<string, unknown> => {
  const [lease]: ReadonlyArray<KubeObject | undefined> = server.objects("leases")
  return lease?.spec as Record<string, unknown>
}

describe("LeaderElection", () => {
  it("has at most one leader at any time, and one in the end", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const clock = new VirtualClock(seed)
        const server = new FakeServer(clock)
        const leading = new Set<string>()
        const stand = (identity: string, client = server.client) =>
          electLeader({
            clockwork: skewed(clock, (clock.random() - 0.5) * 3_600_000),
            client,
            namespace: "kube-system",
            name: "scheduler",
            identity,
            started: () => {
              leading.add(identity)
              assert.strictEqual(leading.size, 1, `${[...leading].join(" and ")} lead`)
            },
            stopped: () => void leading.delete(identity)
          })
        const running = new Map(["a", "b", "c"].map((identity) => [identity, stand(identity)]))
        let restarts = 0
        for (let turn = 0; turn < 60; turn++) {
          server.faults.failing = clock.random() < 0.3 ? 0.9 : 0
          server.faults.latencyMs = clock.random() < 0.2 ? 9000 : 20
          if (clock.random() < 0.2) {
            const [identity, cancel] = [...running][clock.below(running.size)]
            cancel()
            running.delete(identity)
            const next = `new-${restarts++}`
            running.set(next, stand(next))
          }
          clock.run(clock.random() * 8000)
        }
        server.faults.failing = 0
        server.faults.latencyMs = 20
        clock.run(60_000)
        assert.strictEqual(leading.size, 1)
        assert.deepStrictEqual([...leading], holders(server))
      }),
      { numRuns: 60 }
    )
  })

  it("writes the lease as client-go does and renews it every two seconds", () => {
    const clock = new VirtualClock(1)
    const server = new FakeServer(clock)
    const seen: Array<string> = []
    const cancel = electLeader({
      clockwork: clock,
      client: server.client,
      namespace: "kube-system",
      name: "manager",
      identity: "me",
      started: () => undefined,
      stopped: () => undefined,
      leader: (identity) => seen.push(identity)
    })
    clock.run(1000)
    const first = leaseSpec(server)
    assert.deepStrictEqual(
      [first["holderIdentity"], first["leaseDurationSeconds"], first["leaseTransitions"]],
      ["me", 15, 0]
    )
    assert.match(String(first["renewTime"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    const before = server.revision
    clock.run(20_000)
    assert.isAtLeast(server.revision - before, 9)
    assert.strictEqual(leaseSpec(server)["acquireTime"], first["acquireTime"])
    cancel()
    clock.run(100)
    assert.strictEqual(leaseSpec(server)["holderIdentity"], "")
    assert.strictEqual(leaseSpec(server)["leaseDurationSeconds"], 1)
    assert.deepStrictEqual(seen, ["me"])
  })

  it("takes a lease over when its holder is silent for its duration, and counts the transition", () => {
    const clock = new VirtualClock(1)
    const server = new FakeServer(clock)
    server.put("leases", {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { namespace: "kube-system", name: "manager" },
      // Long past by its own clock; only what is observed here counts.
      spec: {
        holderIdentity: "gone",
        leaseDurationSeconds: 15,
        renewTime: "2001-01-01T00:00:00.000000Z",
        leaseTransitions: 4
      }
    })
    let startedAt = 0
    electLeader({
      clockwork: clock,
      client: server.client,
      namespace: "kube-system",
      name: "manager",
      identity: "me",
      started: () => {
        startedAt = clock.monotonic()
      },
      stopped: () => undefined
    })
    clock.run(60_000)
    assert.isAbove(startedAt, 15_000)
    assert.isBelow(startedAt, 21_000)
    assert.strictEqual(leaseSpec(server)["leaseTransitions"], 5)
  })

  it("stops leading when it could not renew for the deadline", () => {
    const clock = new VirtualClock(1)
    const server = new FakeServer(clock)
    let stoppedAt = 0
    electLeader({
      clockwork: clock,
      client: server.client,
      namespace: "kube-system",
      name: "manager",
      identity: "me",
      started: () => undefined,
      stopped: () => {
        stoppedAt = clock.monotonic()
      }
    })
    clock.run(10_000)
    server.faults.failing = 1
    clock.run(60_000)
    assert.isAtLeast(stoppedAt, 16_000)
    assert.isAtMost(stoppedAt, 20_100)
  })
})
