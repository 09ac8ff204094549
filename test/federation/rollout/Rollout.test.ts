// A new pod template on its way over the clusters: never more at a time than the policy allows, no further once it fails, and always on
// while nothing stands in the way.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { federatedStatusOf, federationResources, nextStep, type RollingCluster, type RolloutLimits } from "#federation"
import { deployment, policy } from "../run/Objects.ts"
import { deployments, FederationWorld, type Server } from "../run/FederationWorld.ts"

const clusterAt = (at: number): fc.Arbitrary<RollingCluster> =>
  fc
    .record({
      state: fc.constantFrom(
        "done" as const,
        "rolling" as const,
        "failed" as const,
        "waiting" as const,
        "waiting" as const
      ),
      replicas: fc.nat({ max: 10 }),
      missing: fc.nat({ max: 3 }),
      costs: fc.nat({ max: 4 })
    })
    .map(({ costs, missing, replicas, state }) => ({
      cluster: `c${at}`,
      state,
      replicas,
      ready: Math.max(0, replicas - missing),
      costs: Math.min(costs, replicas)
    }))

const clusters = fc
  .integer({ min: 1, max: 8 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, at) => clusterAt(at))))

const limits: fc.Arbitrary<RolloutLimits> = fc.record({
  maxClusters: fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 5 })),
  maxUnavailable: fc.oneof(fc.constant(Infinity), fc.nat({ max: 12 })),
  paused: fc.boolean()
})

const of = (all: ReadonlyArray<RollingCluster>, state: RollingCluster["state"]) =>
  all.filter((one) => one.state === state)

describe("the next step of a rollout", () => {
  it("keeps to what is allowed, whoever asks and in whatever order", () => {
    fc.assert(
      fc.property(clusters, limits, (all, given) => {
        const { go } = nextStep(all, given)
        assert.deepStrictEqual([...nextStep(all.toReversed(), given).go].sort(), [...go].sort())
        const waiting = of(all, "waiting").map(({ cluster }) => cluster)
        for (const cluster of go) assert.include(waiting, cluster)
        if (given.paused || of(all, "failed").length > 0) return assert.strictEqual(go.size, 0)
        const rolling = of(all, "rolling")
        if (go.size > 0) assert.isAtMost(rolling.length + go.size, given.maxClusters)
        // What may be missing at worst, once all that are on their way have lost what they may.
        const worst = all.reduce((sum, { cluster, costs, ready, replicas, state }) => {
          const missing = replicas - ready
          return sum + (state === "rolling" || go.has(cluster) ? Math.max(missing, costs) : missing)
        }, 0)
        if (go.size > 0 && rolling.length + go.size > 1) assert.isAtMost(worst, given.maxUnavailable)
      })
    )
  })

  it("is one, while something waits and nothing stands in its way", () => {
    fc.assert(
      fc.property(clusters, limits, (all, given) => {
        const still = all.map((one) =>
          one.state === "rolling" || one.state === "failed" ? { ...one, state: "done" as const } : one
        )
        const { go } = nextStep(still, { ...given, paused: false })
        if (of(still, "waiting").length > 0) assert.isAtLeast(go.size, 1)
      })
    )
  })

  it("comes to its end over and over", () => {
    fc.assert(
      fc.property(clusters, limits, (all, given) => {
        let now: ReadonlyArray<RollingCluster> = all.map((one) => ({ ...one, state: "waiting" as const }))
        for (let steps = 0; of(now, "done").length < now.length; steps++) {
          assert.isAtMost(steps, now.length)
          const { go } = nextStep(now, { ...given, paused: false })
          now = now.map((one) => (go.has(one.cluster) ? { ...one, state: "done" as const, ready: one.replicas } : one))
        }
      })
    )
  })
})

const MEMBERS = ["a", "b", "c"]

class Scene {
  readonly world = new FederationWorld(41)

  constructor(rollout: object) {
    const { world } = this
    for (const name of MEMBERS) world.join(name)
    world.start()
    assert.isTrue(world.until(() => MEMBERS.every((name) => world.isReady(name))))
    const spec = { schedulingMode: "Duplicate", placement: MEMBERS.map((cluster) => ({ cluster })) }
    world.make(world.host, federationResources.propagationPolicies, "default", policy("spread", { ...spec, rollout }))
    world.make(world.host, deployments, "default", deployment("web", 4))
    assert.isTrue(
      world.until(() => MEMBERS.every((name) => this.imageIn(name) === "nginx:1")),
      world.failures.join("\n")
    )
    MEMBERS.forEach((name) => this.settle(name))
    world.run(5000)
  }

  member(name: string): Server {
    const found = this.world.members.get(name)
    if (found === undefined) throw new Error(`no member ${name}`)
    return found
  }

  copy(name: string) {
    const found = this.world.read(this.member(name), deployments, "default", "web")
    if (found === undefined) throw new Error(`no copy in ${name}`)
    return {
      generation: found.metadata.generation,
      spec: found.spec as {
        readonly replicas: number
        readonly template: { readonly spec: { readonly containers: ReadonlyArray<{ readonly image: string }> } }
      }
    }
  }

  imageIn(name: string): string | undefined {
    const found = this.world.read(this.member(name), deployments, "default", "web")
    return found === undefined ? undefined : this.copy(name).spec.template.spec.containers[0]?.image
  }

  images(): ReadonlyArray<string | undefined> {
    this.world.run(5000)
    return MEMBERS.map((name) => this.imageIn(name))
  }

  /** A member's controller has brought the copy to what it says. */
  settle(name: string, conditions: ReadonlyArray<object> = []): void {
    const { generation, spec } = this.copy(name)
    const counts = { replicas: spec.replicas, updatedReplicas: spec.replicas, readyReplicas: spec.replicas }
    const status = { observedGeneration: generation, ...counts, availableReplicas: spec.replicas, conditions }
    this.world.change(this.member(name), deployments, "default", "web", { status }, "status")
  }

  roll(image: string, more: object = {}): void {
    const template = { spec: { containers: [{ name: "web", image }] } }
    this.world.change(this.world.host, deployments, "default", "web", { spec: { template, ...more } })
  }

  statuses(): ReadonlyArray<string | undefined> {
    const object = this.world.read(this.world.host, federationResources.objects, "default", "web-deployments.apps")
    return object === undefined ? [] : (federatedStatusOf(object).clusters ?? []).map(({ status }) => status)
  }
}

describe("a rollout over clusters", () => {
  it("goes on from cluster to cluster as each is well, while scales go everywhere at once", () => {
    const scene = new Scene({ maxClusters: 1 })
    scene.roll("nginx:2")
    assert.deepStrictEqual(scene.images(), ["nginx:2", "nginx:1", "nginx:1"])
    assert.deepStrictEqual(scene.statuses(), ["OK", "WaitingForRollout", "WaitingForRollout"])
    scene.world.change(scene.world.host, deployments, "default", "web", { spec: { replicas: 6 } })
    assert.deepStrictEqual(scene.images(), ["nginx:2", "nginx:1", "nginx:1"])
    assert.deepStrictEqual(
      MEMBERS.map((name) => scene.copy(name).spec.replicas),
      [6, 6, 6]
    )
    scene.settle("a")
    assert.deepStrictEqual(scene.images(), ["nginx:2", "nginx:2", "nginx:1"])
    // A process that begins anew goes on where the last one was.
    scene.world.crash()
    scene.world.start()
    scene.world.run(20_000)
    assert.deepStrictEqual(scene.images(), ["nginx:2", "nginx:2", "nginx:1"])
    scene.settle("b")
    assert.deepStrictEqual(scene.images(), ["nginx:2", "nginx:2", "nginx:2"])
    scene.settle("c")
    scene.world.run(5000)
    assert.deepStrictEqual(scene.statuses(), ["OK", "OK", "OK"])
  })

  it("stops where it fails, goes back where it has been, and does not wait for a lost member", () => {
    const scene = new Scene({ maxClusters: 1 })
    scene.roll("nginx:bad")
    scene.world.run(5000)
    for (const name of ["b", "c"]) scene.settle(name)
    scene.settle("a", [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }])
    assert.deepStrictEqual(scene.images(), ["nginx:bad", "nginx:1", "nginx:1"])
    scene.roll("nginx:1")
    scene.world.run(5000)
    // Nothing of theirs is another one, but they have been told of another source.
    for (const name of ["b", "c"]) scene.settle(name)
    assert.deepStrictEqual(scene.images(), ["nginx:1", "nginx:1", "nginx:1"])
    MEMBERS.forEach((name) => scene.settle(name))
    scene.roll("nginx:3")
    assert.deepStrictEqual(scene.images(), ["nginx:3", "nginx:1", "nginx:1"])
    scene.member("a").ways.up = false
    assert.isTrue(scene.world.until(() => scene.imageIn("b") === "nginx:3", 180_000))
  })

  it("is held where the policy pauses it", () => {
    const scene = new Scene({ maxClusters: "50%", paused: true })
    scene.roll("nginx:2")
    assert.deepStrictEqual(scene.images(), ["nginx:1", "nginx:1", "nginx:1"])
    scene.world.change(scene.world.host, federationResources.propagationPolicies, "default", "spread", {
      spec: { rollout: { paused: null } }
    })
    assert.deepStrictEqual(scene.images(), ["nginx:2", "nginx:2", "nginx:1"])
  })
})
