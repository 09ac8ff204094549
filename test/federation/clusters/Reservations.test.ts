// Room that is taken before members show it: many objects placed at once are not all sent to the same room.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { clusterRoom, Fleet, federationResources, Reservations, takenBy } from "#federation"
import { effectClient, gvr, type KubeObject, parseLabelSelector, SelectorInvalid } from "#kube"
import { Effect } from "effect"
import { FleetWorld } from "../FleetWorld.ts"
import { deployment, policy } from "../run/Objects.ts"
import { deployments, FederationWorld } from "../run/FederationWorld.ts"
import { cluster, unit } from "../scheduling/Fleets.ts"

const CLUSTERS = ["a", "b"]
const KEYS = ["x", "y", "z"]

type Step =
  | {
      readonly kind: "hold"
      readonly key: string
      readonly cluster: string
      readonly replicas: number
      readonly cpu: number
    }
  | { readonly kind: "release"; readonly key: string; readonly cluster: string }
  | { readonly kind: "forget" | "arrive"; readonly key: string }
  | { readonly kind: "settle"; readonly cluster: string }
  | { readonly kind: "expire"; readonly afterMs: number }

const key = fc.constantFrom(...KEYS)
const place = fc.constantFrom(...CLUSTERS)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("hold" as const),
    key,
    cluster: place,
    replicas: fc.integer({ min: 1, max: 9 }),
    cpu: fc.integer({ min: 1, max: 500 })
  }),
  fc.record({ kind: fc.constant("release" as const), key, cluster: place }),
  fc.record({ kind: fc.constantFrom("forget" as const, "arrive" as const), key }),
  fc.record({ kind: fc.constant("settle" as const), cluster: place }),
  fc.record({ kind: fc.constant("expire" as const), afterMs: fc.nat({ max: 200_000 }) })
)

interface Kept {
  readonly replicas: number
  readonly cpu: number
  readonly atMs: number
}

describe("reserved room", () => {
  it("is the sum of what is held, until it is there and told, given back, or too old", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const reservations = new Reservations()
        const model = new Map<string, Kept>()
        const there = new Set<string>()
        let nowMs = 0
        const drop = (when: (id: string, kept: Kept) => boolean): void => {
          for (const [id, kept] of Array.from(model)) if (when(id, kept)) model.delete(id)
        }
        for (const one of steps) {
          if (one.kind === "hold") {
            const id = `${one.cluster}/${one.key}`
            const before = model.get(id)?.replicas ?? 0
            model.set(id, { replicas: before + one.replicas, cpu: one.cpu, atMs: nowMs })
            reservations.hold(one.key, one.cluster, {
              request: new Map([["cpu", one.cpu]]),
              replicas: one.replicas,
              atMs: nowMs,
              isThere: () => there.has(one.key)
            })
          } else if (one.kind === "release") {
            drop((id) => id === `${one.cluster}/${one.key}`)
            reservations.release(one.key, one.cluster)
          } else if (one.kind === "forget") {
            drop((id) => id.endsWith(`/${one.key}`))
            reservations.forget(one.key)
          } else if (one.kind === "arrive") there.add(one.key)
          else if (one.kind === "settle") {
            drop((id) => id.startsWith(`${one.cluster}/`) && there.has(id.slice(one.cluster.length + 1)))
            reservations.settle(one.cluster)
          } else if (one.kind === "expire") {
            nowMs += one.afterMs
            drop((_id, { atMs }) => nowMs - atMs >= 300_000)
            reservations.expire(nowMs)
          }
          assert.strictEqual(reservations.size, model.size)
          for (const name of CLUSTERS) {
            const held = [...model].filter(([id]) => id.startsWith(`${name}/`))
            const sum = held.reduce((all, [, { cpu, replicas }]) => all + cpu * replicas, 0)
            assert.strictEqual(reservations.has(name), held.length > 0)
            assert.strictEqual(reservations.taken(name)?.get("cpu") ?? 0, sum)
          }
        }
      })
    )
  })

  it("is what a placement has more than the one before", () => {
    const asking = unit({ replicas: 5, request: new Map([["cpu", 100]]) })
    const placed = (clusters: ReadonlyArray<readonly [string, number | undefined]>) => ({
      clusters: new Map(clusters),
      leaving: new Map()
    })
    const taken = takenBy(
      asking,
      placed([
        ["a", 3],
        ["b", 2]
      ]),
      placed([
        ["a", 1],
        ["c", 4]
      ])
    )
    assert.deepStrictEqual(taken, [
      { cluster: "a", more: -2, total: 1 },
      { cluster: "b", more: -2, total: 0 },
      { cluster: "c", more: 4, total: 4 }
    ])
    assert.deepStrictEqual(takenBy(asking, placed([]), placed([["a", undefined]])), [
      { cluster: "a", more: 5, total: 5 }
    ])
    assert.isEmpty(takenBy(unit({ replicas: 5, request: new Map() }), placed([]), placed([["a", 5]])))
  })

  it("leaves everything of a fleet as it is but room", () => {
    const fleet = Fleet.of(CLUSTERS.map((name) => cluster(name, { available: new Map([["cpu", 10]]) })))
    const less = fleet.withRoom(({ available, name }) => (name === "a" ? new Map([["cpu", 3]]) : available))
    assert.strictEqual(less.cluster("a")?.available.get("cpu"), 3)
    assert.strictEqual(less.cluster("b"), fleet.cluster("b"))
    assert.deepStrictEqual([less.size, less.indexOf("b"), less.hashes], [fleet.size, fleet.indexOf("b"), fleet.hashes])
  })

  it("keeps objects that are placed at once from being sent to the same room", () => {
    const world = new FederationWorld(31)
    for (const name of CLUSTERS) world.joinCounted(name, 10)
    world.start()
    assert.isTrue(
      world.until(() => CLUSTERS.every((name) => world.isReady(name))),
      world.failures.join("\n")
    )
    // One cluster each, by room: ten nodes of 16 cores have room for 80 pods of two.
    const one = policy("spread", { schedulingMode: "Divide", replicasStrategy: "Capacity", maxClusters: 1 })
    world.make(world.host, federationResources.propagationPolicies, "default", one)
    for (let at = 0; at < 8; at++) {
      const made = deployment(`web-${at}`, 20)
      const containers = [{ name: "web", image: "nginx:1", resources: { requests: { cpu: "2" } } }]
      const template = { metadata: { labels: { app: `web-${at}` } }, spec: { containers } }
      world.make(world.host, deployments, "default", { ...made, spec: { ...(made.spec as object), template } })
    }
    const replicasIn = (name: string): number =>
      world.counted
        .get(name)!
        .objects("deployments.apps")
        .reduce((sum, { spec }) => sum + (spec as { readonly replicas: number }).replicas, 0)
    assert.isTrue(
      world.until(() => replicasIn("a") + replicasIn("b") === 160, 20_000),
      world.failures.join("\n")
    )
    assert.deepStrictEqual([replicasIn("a"), replicasIn("b")], [80, 80])
  })
})

describe("a member's room", () => {
  it("has no part of nodes that are left out", () => {
    const world = new FleetWorld(["oak"], [])
    const node = (name: string, labels: Readonly<Record<string, string>>): KubeObject => ({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, labels }
    })
    const nodes = gvr("", "v1", "nodes")
    const oak = world.member("oak")
    const filled = (name: string, labels: Readonly<Record<string, string>>): void => {
      oak.create(nodes, node(name, labels))
      oak.setStatus(nodes, name, { allocatable: { cpu: "4" }, conditions: [{ type: "Ready", status: "True" }] })
    }
    filled("plain", {})
    filled("edge", { pool: "edge" })
    filled("spot", { pool: "spot" })
    const room = (...selectors: ReadonlyArray<string>): unknown => {
      const excluded = selectors.map(parseLabelSelector).filter((one) => !(one instanceof SelectorInvalid))
      const answers: Array<unknown> = []
      world.runtime.run(
        Effect.map(clusterRoom(effectClient(oak.client), excluded as never), (one) => answers.push(one)),
        () => {}
      )
      world.clockwork.settle()
      const { allocatable, schedulableNodes } = answers[0] as { allocatable: { cpu: string }; schedulableNodes: number }
      return [schedulableNodes, allocatable.cpu]
    }
    assert.deepStrictEqual(room(), [3, "12"])
    assert.deepStrictEqual(room("pool=edge"), [2, "8"])
    assert.deepStrictEqual(room("pool=edge", "pool=spot"), [1, "4"])
  })
})
