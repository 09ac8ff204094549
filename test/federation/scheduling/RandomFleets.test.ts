// What holds for every fleet, policy, object and history: drawn at random, shrunk when it fails.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  clusterTaints,
  Fleet,
  type MemberCluster,
  nowhere,
  type Placement,
  schedule,
  type ScheduleRequest
} from "#federation"
import { type Json } from "#kube"
import { cluster, NOW, policy, profile, request, taint, unit } from "./Fleets.ts"

/** FEDERATION_RUNS=20000 is the long form. */
const RUNS = Number(process.env["FEDERATION_RUNS"] ?? 400)

const names = Array.from({ length: 7 }, (_, at) => `c${at}`)

const member = (name: string): fc.Arbitrary<MemberCluster> =>
  fc
    .record({
      ready: fc.oneof({ arbitrary: fc.constant(true), weight: 4 }, { arbitrary: fc.constant(false), weight: 1 }),
      terminating: fc.oneof({ arbitrary: fc.constant(false), weight: 6 }, { arbitrary: fc.constant(true), weight: 1 }),
      zone: fc.constantFrom("z1", "z2", undefined),
      tier: fc.constantFrom("1", "2", "3"),
      free: fc.nat({ max: 10_000 }),
      taints: fc.subarray(
        [
          taint("k", "NoSchedule"),
          taint("k", "PreferNoSchedule"),
          taint("k", "NoExecute", NOW - 5_000),
          taint(clusterTaints.unreachable, "NoExecute", NOW - 10_000)
        ],
        { maxLength: 1 }
      )
    })
    .map(({ free, ready, taints, terminating, tier, zone }) =>
      cluster(name, {
        ready,
        terminating,
        taints,
        labels: { tier, ...(zone === undefined ? {} : { "topology.kubernetes.io/zone": zone }) },
        available: new Map([["cpu", free]])
      })
    )

const members = fc.subarray(names).chain((some) => fc.tuple(...some.map(member)))

const maybe = <A extends Json>(arbitrary: fc.Arbitrary<A>, name: string): fc.Arbitrary<Record<string, Json>> =>
  fc
    .option(arbitrary, { nil: undefined })
    .map((value): Record<string, Json> => (value === undefined ? {} : { [name]: value }))

const preferences = fc
  .record({
    min: maybe(fc.nat({ max: 3 }), "minReplicas"),
    max: maybe(fc.integer({ min: 3, max: 9 }), "maxReplicas"),
    weight: maybe(fc.nat({ max: 4 }), "weight"),
    priority: maybe(fc.nat({ max: 2 }), "priority")
  })
  .map(({ max, min, priority, weight }) => ({ ...min, ...max, ...weight, ...priority }))

const placementList = fc
  .subarray(names, { minLength: 1 })
  .chain((some) => fc.tuple(...some.map((name) => preferences.map((one) => ({ cluster: name, preferences: one })))))

const spec = fc
  .tuple(
    fc.constantFrom("Divide", "Duplicate").map((schedulingMode) => ({ schedulingMode })),
    maybe(fc.constantFrom("Spread", "Binpack", "Capacity"), "replicasStrategy"),
    maybe(fc.integer({ min: 1, max: 4 }), "maxClusters"),
    maybe(fc.constant({ tier: "1" }), "clusterSelector"),
    maybe(fc.constant([{ key: "k", operator: "Exists", tolerationSeconds: 60 }]), "tolerations"),
    maybe(placementList, "placement"),
    maybe(fc.record({ keepUnschedulableReplicas: fc.boolean() }), "autoMigration"),
    maybe(
      fc.record({
        disableRescheduling: fc.boolean(),
        replicaRescheduling: fc.record({ avoidDisruption: fc.boolean() })
      }),
      "reschedulePolicy"
    ),
    maybe(fc.constant([{ topologyKey: "zone", minGroups: 1, maxGroups: 1 }]), "spreadConstraints"),
    maybe(fc.constant([{ name: "first", clusterSelector: { tier: "2" } }, { name: "second" }]), "failoverGroups"),
    maybe(
      fc.record({ tolerationSeconds: fc.constantFrom(5, 300), gracePeriodSeconds: fc.constantFrom(0, 600) }),
      "failover"
    )
  )
  .map((parts): Record<string, Json> => Object.assign({}, ...parts))

const counts = (max: number): fc.Arbitrary<ReadonlyMap<string, number>> =>
  fc
    .dictionary(fc.constantFrom(...names), fc.nat({ max }), { maxKeys: 2 })
    .map((found) => new Map(Object.entries(found)))

const somewhere = fc.dictionary(fc.constantFrom(...names), fc.nat({ max: 9 }), { maxKeys: 4 }).chain((clusters) =>
  fc.subarray(Object.keys(clusters)).map((leaving): Placement => ({
    clusters: new Map(Object.entries(clusters).sort(([a], [b]) => (a < b ? -1 : 1))),
    leaving: new Map(leaving.map((name) => [name, { reason: "drawn", sinceMs: NOW - 10, untilMs: NOW + 1000 }]))
  }))
)

const away = profile({ plugins: { filter: { enabled: [{ name: "away", type: "Webhook" }] } } })

const drawn: fc.Arbitrary<ScheduleRequest> = fc
  .record({
    clusters: members,
    spec,
    replicas: fc.option(fc.nat({ max: 20 }), { nil: undefined }),
    limited: counts(4),
    capacity: counts(6),
    evicted: counts(2),
    previous: fc.oneof(fc.constant(nowhere), somewhere),
    outage: fc.oneof({ arbitrary: fc.constant(false), weight: 5 }, { arbitrary: fc.constant(true), weight: 1 })
  })
  .map(({ capacity, clusters, evicted, limited, outage, previous, replicas, spec }) =>
    request({
      fleet: Fleet.of(clusters),
      policy: policy(spec),
      previous,
      ...(outage ? { profile: away } : {}),
      unit: unit({
        replicas,
        limited,
        capacity,
        evicted: new Map(Array.from(evicted, ([name, seconds]) => [name, NOW + seconds * 1000]))
      })
    })
  )

const check = (holds: (given: ScheduleRequest) => void): void => fc.assert(fc.property(drawn, holds), { numRuns: RUNS })

/** Clusters that are not on their way out. */
const staying = ({ clusters, leaving }: Placement): ReadonlyArray<string> =>
  Array.from(clusters.keys()).filter((name) => !leaving.has(name))

const policyOf = ({ policy }: ScheduleRequest) => {
  if (typeof policy === "string") throw new Error("every drawn request has a policy")
  return policy
}

describe("for every fleet, policy and history", () => {
  it("an object is never taken from everywhere", () =>
    check((given) => {
      const { placement } = schedule(given)
      if (given.previous.clusters.size > 0) assert.isAbove(placement.clusters.size, 0)
    }))

  it("the same is decided again, and then nothing is written", () =>
    check((given) => {
      const first = schedule(given)
      const again = schedule(given)
      assert.deepStrictEqual(again.placement, first.placement)
      const second = schedule({ ...given, previous: first.placement })
      assert.deepStrictEqual(second.placement, first.placement)
      assert.isFalse(second.changed)
    }))

  it("the order in which clusters come does not matter", () =>
    check((given) => {
      const turned = Fleet.of(given.fleet.clusters.toReversed())
      assert.deepStrictEqual(schedule({ ...given, fleet: turned }).placement, schedule(given).placement)
    }))

  it("the order of filters and of scores does not matter, and one filter more only rules out", () =>
    check((given) => {
      if (given.profile === "missing") return
      const { plugins } = given.profile
      const turned = { ...plugins, filter: plugins.filter.toReversed(), score: plugins.score.toReversed() }
      const loose = schedule(given)
      const other = schedule({ ...given, profile: { ...given.profile, plugins: turned } })
      // Of several filters that rule a cluster out, the first one names the reason.
      const withoutReasons = ({ clusters, leaving }: typeof loose.placement) => ({
        clusters,
        leaving: Array.from(leaving, ([name, { sinceMs, untilMs }]) => ({ name, sinceMs, untilMs }))
      })
      assert.deepStrictEqual(withoutReasons(other.placement), withoutReasons(loose.placement))
      const more = [...plugins.filter, { webhook: false, name: "ClusterResourcesFit", weight: 1 }]
      const strict = schedule({ ...given, profile: { ...given.profile, plugins: { ...plugins, filter: more } } })
      assert.isAtMost(strict.explain().feasible, loose.explain().feasible)
    }))

  it("nothing goes to a cluster that is not ready, is tainted, is going, or that the policy does not mean", () =>
    check((given) => {
      const { placement } = schedule(given)
      const { placement: listed } = policyOf(given)
      for (const name of placement.clusters.keys()) {
        if (given.previous.clusters.has(name) && !given.previous.leaving.has(name)) continue
        if (placement.leaving.has(name) || given.previous.leaving.has(name)) continue
        const found = given.fleet.cluster(name)!
        assert.isTrue(found.ready)
        assert.isFalse(found.terminating)
        assert.isFalse(found.taints.some(({ key }) => key === clusterTaints.unreachable))
        assert.isTrue(listed === undefined || listed.has(name))
        assert.isFalse((given.unit.evicted.get(name) ?? 0) > given.nowMs)
      }
    }))

  it("no more clusters are chosen than the policy wants, and current ones first", () =>
    check((given) => {
      const outcome = schedule(given)
      const policy = policyOf(given)
      if (!outcome.scheduled || outcome.reason === "ScaledToZero" || policy.sticky) return
      const chosen = staying(outcome.placement)
      assert.isAtMost(chosen.length, policy.maxClusters)
    }))

  it("hard caps hold: maximums, manual limits, and clusters that take nothing new", () =>
    check((given) => {
      const outcome = schedule(given)
      const policy = policyOf(given)
      if (policy.mode !== "Divide" || given.unit.replicas === undefined || !outcome.changed) return
      for (const [name, replicas = 0] of outcome.placement.clusters) {
        assert.isAtMost(replicas, policy.placement?.get(name)?.max ?? Infinity)
        assert.isAtMost(replicas, given.unit.limited.get(name) ?? Infinity)
        const found = given.fleet.cluster(name)
        const frozen =
          found !== undefined && (!found.ready || found.taints.some(({ key }) => key === clusterTaints.unreachable))
        if (frozen && outcome.reason !== "ScaledToZero")
          assert.isAtMost(replicas, given.previous.clusters.get(name) ?? 0)
      }
    }))

  it("all replicas are placed or reported, and none twice", () =>
    check((given) => {
      const outcome = schedule(given)
      const policy = policyOf(given)
      const total = given.unit.replicas
      if (policy.mode !== "Divide" || total === undefined || !outcome.scheduled) return
      let placed = 0
      for (const name of staying(outcome.placement)) placed += outcome.placement.clusters.get(name) ?? 0
      const keeps =
        policy.autoMigration !== undefined && (policy.autoMigration.keepUnschedulable || !policy.avoidDisruption)
      if (keeps) assert.isAtLeast(placed + outcome.unassigned, total)
      else assert.strictEqual(placed + outcome.unassigned, total)
    }))

  it("a cluster is left only where the object was, and with no more than it had there", () =>
    check((given) => {
      const { placement } = schedule(given)
      for (const name of placement.leaving.keys()) {
        assert.isTrue(given.previous.clusters.has(name))
        const before = given.previous.clusters.get(name)
        const now = placement.clusters.get(name)
        if (now !== undefined && before !== undefined) assert.isAtMost(now, before)
      }
    }))

  it("an explanation tells what was decided", () =>
    check((given) => {
      const outcome = schedule(given)
      const told = outcome.explain()
      assert.strictEqual(told.reason, outcome.reason)
      assert.deepStrictEqual(
        told.chosen.map((one) => one.cluster).toSorted(),
        Array.from(outcome.placement.clusters.keys()).toSorted()
      )
      assert.doesNotThrow(() => JSON.stringify(told))
    }))
})
