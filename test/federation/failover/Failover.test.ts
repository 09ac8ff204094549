// Losing clusters: who counts as lost and when, the brake, what is left and when, and how fast.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  type ClusterHealth,
  clusterTaints,
  defaultBrakeOptions,
  defaultHealthOptions,
  fullBudget,
  type MemberCluster,
  observeHealth,
  type Placement,
  planTaints,
  schedule,
  type Seen,
  settleLeaving,
  takeEviction
} from "#federation"
import { cluster, fleetOf, NOW, placed, policy, request, shown, taint, unit } from "../scheduling/Fleets.ts"

const options = defaultHealthOptions

/** What is thought after looks at so many milliseconds. */
const watch = (looks: ReadonlyArray<readonly [number, Seen]>): ClusterHealth => {
  let health: ClusterHealth | undefined
  for (const [nowMs, seen] of looks) health = observeHealth(health, { seen, nowMs, options })
  return health!
}

const healthy: ClusterHealth = { seen: "ready", sinceMs: 0, lost: false, lossesMs: [] }
const lost: ClusterHealth = { seen: "unreachable", sinceMs: 0, lost: true, lossesMs: [0] }

describe("a cluster", () => {
  it("is lost only when it is bad for a while, and back only when it is good for a while", () => {
    assert.isFalse(
      watch([
        [0, "ready"],
        [1, "notReady"],
        [60_000, "unreachable"]
      ]).lost
    )
    assert.isTrue(
      watch([
        [0, "ready"],
        [1, "notReady"],
        [60_001, "unreachable"]
      ]).lost
    )
    const back: ReadonlyArray<readonly [number, Seen]> = [
      [0, "unreachable"],
      [60_000, "unreachable"],
      [70_000, "ready"]
    ]
    assert.isTrue(watch([...back, [89_999, "ready"]]).lost)
    assert.isFalse(watch([...back, [90_000, "ready"]]).lost)
  })

  it("that comes and goes is waited for longer each time", () => {
    const looks: Array<readonly [number, Seen]> = []
    for (let round = 0; round < 4; round++) {
      const at = round * 300_000
      looks.push([at, "unreachable"], [at + 60_000, "unreachable"], [at + 61_000, "ready"], [at + 299_000, "ready"])
    }
    const health = watch(looks.slice(0, -1))
    assert.strictEqual(health.lossesMs.length, 4)
    assert.isTrue(observeHealth(health, { seen: "ready", nowMs: 961_000 + 159_999, options }).lost)
    assert.isFalse(observeHealth(health, { seen: "ready", nowMs: 961_000 + 160_000, options }).lost)
  })

  it("is never lost while it is never seen bad for long, whatever else is seen", () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 59_999 }), fc.boolean()), { maxLength: 40 }), (steps) => {
        let nowMs = 0
        let health: ClusterHealth | undefined
        for (const [bad, first] of steps) {
          health = observeHealth(health, { seen: first ? "unreachable" : "notReady", nowMs, options })
          nowMs += bad
          health = observeHealth(health, { seen: "ready", nowMs, options })
          nowMs += 1
          assert.isFalse(health.lost)
        }
      }),
      { numRuns: 200 }
    ))
})

const plan = (
  clusters: ReadonlyArray<{ readonly health: ClusterHealth; readonly taints?: MemberCluster["taints"] }>,
  nowMs = NOW
) =>
  planTaints({
    clusters: clusters.map(({ health, taints = [] }, at) => ({ name: `c${at}`, health, taints })),
    nowMs,
    health: options,
    brake: defaultBrakeOptions
  })

describe("taints", () => {
  it("are set on lost clusters, taken from those that are back, and leave users' alone", () => {
    const theirs = taint("mine", "NoExecute", 5)
    const { changes } = plan([{ health: lost, taints: [theirs] }, { health: healthy }, { health: healthy }])
    assert.deepStrictEqual(changes, [
      {
        cluster: "c0",
        taints: [
          theirs,
          taint(clusterTaints.unreachable, "NoSchedule", NOW),
          taint(clusterTaints.unreachable, "NoExecute", NOW)
        ]
      }
    ])
    const tainted = changes[0].taints
    assert.deepStrictEqual(
      plan([{ health: lost, taints: tainted }, { health: healthy }, { health: healthy }], NOW + 9).changes,
      []
    )
    assert.deepStrictEqual(plan([{ health: healthy, taints: tainted }]).changes, [{ cluster: "c0", taints: [theirs] }])
  })

  it("keep their time when a cluster that was not ready becomes unreachable", () => {
    const before = [taint(clusterTaints.notReady, "NoSchedule", 7), taint(clusterTaints.notReady, "NoExecute", 8)]
    const { changes } = plan([{ health: lost, taints: before }, { health: healthy }])
    assert.deepStrictEqual(
      changes[0].taints.map(({ addedMs, key }) => [key, addedMs]),
      [
        [clusterTaints.unreachable, 7],
        [clusterTaints.unreachable, 8]
      ]
    )
  })

  it("drive nothing out when many are lost at once, and wait anew when the brake is off", () => {
    const many = (count: number, taints: MemberCluster["taints"] = []) =>
      Array.from({ length: 10 }, (_, at) => (at < count ? { health: lost, taints } : { health: healthy }))
    const few = plan(many(3))
    assert.isFalse(few.braked)
    assert.isTrue(few.changes.every(({ taints }) => taints.some(({ effect }) => effect === "NoExecute")))
    const held = plan(many(4, few.changes[0].taints), NOW + 100_000)
    assert.isTrue(held.braked)
    assert.strictEqual(held.changes.length, 4)
    assert.isTrue(held.changes.every(({ taints }) => taints.every(({ effect }) => effect === "NoSchedule")))
    const again = plan(many(3, held.changes[0].taints), NOW + 200_000)
    assert.deepStrictEqual(
      again.changes[0].taints.map(({ addedMs }) => addedMs),
      [NOW, NOW + 200_000]
    )
  })

  it("never drive out of more clusters than the brake lets, for every fleet", () =>
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }), (states) => {
        const { changes } = plan(states.map((isLost) => ({ health: isLost ? lost : healthy })))
        const driving = changes.filter(({ taints }) => taints.some(({ effect }) => effect === "NoExecute")).length
        assert.isAtMost(driving, Math.max(1, Math.floor(states.length * 0.34)))
      }),
      { numRuns: 200 }
    ))
})

const until = (...names: ReadonlyArray<string>): Placement["leaving"] =>
  new Map(names.map((name) => [name, { reason: "lost", sinceMs: NOW, untilMs: NOW + 600_000 }]))

describe("a cluster that is left", () => {
  const placement = placed({ a: 3, b: 6, c: 3 }, until("b"))
  const left = (ready: Record<string, number>, nowMs = NOW, maxUnavailable = 0) =>
    settleLeaving({ placement, ready: new Map(Object.entries(ready)), maxUnavailable, nowMs }).left

  it("stays until what replaces it is ready, or its time is over", () => {
    assert.deepStrictEqual(left({ a: 3, c: 2 }), [])
    assert.deepStrictEqual(left({ a: 3, c: 3 }), ["b"])
    assert.deepStrictEqual(left({ a: 3, b: 6, c: 2 }, NOW, 1), ["b"])
    assert.deepStrictEqual(left({}, NOW + 600_000), ["b"])
  })

  it("never takes answering replicas below what is wanted, in whatever order others become ready", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ replicas: fc.integer({ min: 1, max: 9 }), ready: fc.nat({ max: 9 }), leaves: fc.boolean() }),
          {
            minLength: 1,
            maxLength: 6
          }
        ),
        fc.nat({ max: 3 }),
        (clusters, maxUnavailable) => {
          const name = (at: number): string => `c${at}`
          const ready = new Map(clusters.map((one, at) => [name(at), Math.min(one.ready, one.replicas)]))
          const given = placed(
            Object.fromEntries(clusters.map(({ replicas }, at) => [name(at), replicas])),
            until(...clusters.flatMap(({ leaves }, at) => (leaves ? [name(at)] : [])))
          )
          const sum = (names: Iterable<string>): number =>
            Array.from(names).reduce((all, one) => all + (ready.get(one) ?? 0), 0)
          const { placement: rest } = settleLeaving({ placement: given, ready, maxUnavailable, nowMs: NOW })
          const wanted = clusters.reduce((all, { leaves, replicas }) => all + (leaves ? 0 : replicas), 0)
          const before = sum(given.clusters.keys())
          assert.isAtLeast(sum(rest.clusters.keys()), Math.min(before, wanted - maxUnavailable))
        }
      ),
      { numRuns: 300 }
    ))
})

describe("the loss of a tenth of all clusters", () => {
  it("places every replica elsewhere within the tolerated time, none twice, and leaves nothing behind", () => {
    const names = Array.from({ length: 30 }, (_, at) => `c${String(at).padStart(2, "0")}`)
    const given = policy({ failover: { tolerationSeconds: 60 } })
    const ofUnit = (at: number) => unit({ name: `web-${at}`, replicas: 20 + at })
    const start = fleetOf(...names)
    let placements = Array.from(
      { length: 40 },
      (_, at) => schedule(request({ unit: ofUnit(at), policy: given, fleet: start })).placement
    )
    const dead = new Set(names.slice(0, 3))
    const { changes } = planTaints({
      clusters: names.map((name) => ({ name, health: dead.has(name) ? lost : healthy, taints: [] })),
      nowMs: NOW,
      health: options,
      brake: defaultBrakeOptions
    })
    const taints = new Map(changes.map((one) => [one.cluster, one.taints]))
    const after = fleetOf(
      ...names.map((name) => cluster(name, { ready: !dead.has(name), taints: taints.get(name) ?? [] }))
    )
    const attempt = (nowMs: number) =>
      placements.map((previous, at) =>
        schedule(request({ unit: ofUnit(at), policy: given, fleet: after, previous, nowMs }))
      )
    for (const outcome of attempt(NOW + 59_999)) assert.isFalse(outcome.changed)
    const moved = attempt(NOW + 60_000)
    moved.forEach(({ placement }, at) => {
      let alive = 0
      for (const [name, replicas = 0] of placement.clusters) if (!dead.has(name)) alive += replicas
      assert.strictEqual(alive, 20 + at)
      for (const name of placement.leaving.keys()) assert.isTrue(dead.has(name))
    })
    placements = moved.map(({ placement }) => {
      const ready = new Map(
        Array.from(placement.clusters, ([name, replicas]) => [name, dead.has(name) ? 0 : (replicas ?? 0)])
      )
      return settleLeaving({ placement, ready, maxUnavailable: 0, nowMs: NOW + 90_000 }).placement
    })
    for (const { clusters } of placements) for (const name of clusters.keys()) assert.isFalse(dead.has(name))
    for (const outcome of attempt(NOW + 90_000)) assert.isFalse(outcome.changed)
    const back = fleetOf(...names)
    placements.forEach((previous, at) => {
      const outcome = schedule(
        request({ unit: ofUnit(at), policy: given, fleet: back, previous, nowMs: NOW + 900_000 })
      )
      assert.deepStrictEqual(shown(outcome), Object.fromEntries(previous.clusters))
    })
  })
})

describe("the budget of evictions", () => {
  const slow = { perSecond: 2, burst: 3 }
  it("lets a burst pass, then so many in a second, and says when", () => {
    let budget = fullBudget(0, slow)
    const take = (nowMs: number) => {
      const taken = takeEviction(budget, nowMs, slow)
      ;({ budget } = taken)
      return taken
    }
    assert.deepStrictEqual(
      [0, 0, 0, 0].map((at) => take(at).allowed),
      [true, true, true, false]
    )
    assert.strictEqual(take(0).retryAtMs, 500)
    assert.isTrue(take(500).allowed)
    assert.isFalse(take(400).allowed)
    assert.isTrue(take(1000).allowed)
  })
})
