// Members that vanish and come back, in virtual time: what can move is elsewhere within the tolerated time, nothing is ever wanted twice
// where it can be seen, and whoever is merely not heard of keeps what it has in the books.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { federationResources, usualClusterTimes } from "#federation"
import { deployments, FederationWorld, type WorldOptions } from "./FederationWorld.ts"
import { deployment, policy } from "./Objects.ts"

const MEMBERS = Array.from({ length: 10 }, (_, at) => `m${at}`)
const NAMES = Array.from({ length: 6 }, (_, at) => `web-${at}`)
const REPLICAS = 4
const TOLERATED_MS = 30_000

const replicasOf = (spec: unknown): number => (spec as { readonly replicas: number }).replicas

class Fleet {
  readonly world: FederationWorld

  constructor(seed: number, options: WorldOptions = {}) {
    const world = (this.world = new FederationWorld(seed, options))
    for (const name of MEMBERS) world.joinCounted(name, 100)
    world.make(
      world.host,
      federationResources.propagationPolicies,
      "default",
      policy("spread", {
        schedulingMode: "Divide",
        maxClusters: 2,
        failover: { tolerationSeconds: TOLERATED_MS / 1000, gracePeriodSeconds: 60 }
      })
    )
    world.start()
    assert.isTrue(world.until(() => MEMBERS.every((name) => world.isReady(name))))
    for (const name of NAMES) world.make(world.host, deployments, "default", deployment(name, REPLICAS))
    assert.isTrue(
      world.until(() => NAMES.every((name) => this.wanted(name) === REPLICAS)),
      world.failures.join("\n")
    )
    world.run(10_000)
  }

  /** Replicas that members are told to run: those that answer, or all. */
  wanted(name: string, all = false): number {
    let sum = 0
    for (const member of this.world.counted.values()) {
      const object = all || member.up ? member.object("deployments.apps", `default/${name}`) : undefined
      if (object !== undefined) sum += replicasOf(object.spec)
    }
    return sum
  }

  placed(at: string): ReadonlyArray<string> {
    return this.world.counted
      .get(at)!
      .objects("deployments.apps")
      .map(({ metadata }) => metadata.name ?? "")
  }

  readyReplicas(name: string): number {
    const status = this.world.read(this.world.host, deployments, "default", name)?.status as
      | { readonly readyReplicas?: number }
      | undefined
    return status?.readyReplicas ?? 0
  }
}

describe("an outage", () => {
  it(
    "moves everything elsewhere within the tolerated time, and nothing is there twice when all is back",
    { timeout: 120_000 },
    () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 2 ** 30 }),
          fc.constantFrom(...MEMBERS),
          fc.boolean(),
          (seed, lost, crashes) => {
            const fleet = new Fleet(seed)
            const { world } = fleet
            const affected = fleet.placed(lost)
            world.counted.get(lost)!.cut()
            if (crashes) {
              world.run(20_000)
              world.crash()
              world.start()
            }
            const limitMs = usualClusterTimes.health.downAfterMs + TOLERATED_MS + 60_000
            for (let passed = 0; passed < limitMs; passed += 1000) {
              world.run(1000)
              for (const name of NAMES) assert.isAtMost(fleet.wanted(name), REPLICAS, `${name} is wanted twice`)
            }
            for (const name of NAMES) assert.strictEqual(fleet.wanted(name), REPLICAS, `${name} is not whole elsewhere`)
            world.counted.get(lost)!.up = true
            world.run(600_000)
            for (const name of NAMES)
              assert.strictEqual(fleet.wanted(name, true), REPLICAS, `${name} is there twice (${affected.join()})`)
            for (const name of NAMES) assert.strictEqual(fleet.readyReplicas(name), REPLICAS)
            world.crash()
          }
        ),
        { numRuns: 8 }
      )
    }
  )

  it(
    "moves no faster than the budget of all objects lets, and what a user changes at once",
    { timeout: 60_000 },
    () => {
      const fleet = new Fleet(3, { evictions: { perSecond: 0.02, burst: 1 } })
      const { world } = fleet
      const lost = MEMBERS.toSorted((a, b) => fleet.placed(b).length - fleet.placed(a).length)[0]
      const affected = fleet.placed(lost)
      assert.isAtLeast(affected.length, 2, "the draw of this seed is too even")
      const whole = (): ReadonlyArray<string> => affected.filter((name) => fleet.wanted(name) >= REPLICAS)
      world.counted.get(lost)!.cut()
      assert.isTrue(world.until(() => whole().length === 1, 300_000))
      world.run(10_000)
      assert.lengthOf(whole(), 1, "the bucket holds one, and fills in 50 s")
      const late = affected.find((name) => !whole().includes(name))!
      world.change(world.host, deployments, "default", late, { spec: { replicas: REPLICAS + 2 } })
      assert.isTrue(
        world.until(() => fleet.wanted(late) === REPLICAS + 2, 5000),
        "what a user changes waits for nobody"
      )
      assert.isTrue(world.until(() => whole().length === affected.length, 400_000))
    }
  )

  it(
    "lowers no count while a member is merely not heard of, and drives nothing out when most are lost",
    { timeout: 60_000 },
    () => {
      const fleet = new Fleet(7)
      const { world } = fleet
      const first = MEMBERS.find((name) => fleet.placed(name).length > 0)!
      world.counted.get(first)!.cut()
      for (let passed = 0; passed < 40; passed++) {
        world.run(1000)
        for (const name of NAMES) assert.strictEqual(fleet.readyReplicas(name), REPLICAS, `${name} after ${passed} s`)
      }
      for (const name of MEMBERS) world.counted.get(name)!.cut()
      world.run(900_000)
      for (const name of MEMBERS) world.counted.get(name)!.up = true
      world.run(300_000)
      for (const name of NAMES) assert.strictEqual(fleet.wanted(name, true), REPLICAS)
    }
  )
})
