// One attempt at a time: what each plugin does, what is chosen, and above all what stays when nothing better can be found.
import { assert, describe, it } from "vitest"
import { clusterTaints, controlAnnotations, type MemberCluster, schedulingAnnotations } from "#federation"
import { cluster, decide, fleetOf, NOW, placed, policy, profile, shown, taint, unit } from "./Fleets.ts"

const duplicate = { schedulingMode: "Duplicate" }
const weights = (given: Record<string, number>) => ({
  placement: Object.entries(given).map(([name, weight]) => ({ cluster: name, preferences: { weight } }))
})

describe("placing", () => {
  it("gives the whole object to every cluster, or divides its replicas by weight", () => {
    assert.deepStrictEqual(shown(decide({ policy: policy(duplicate) })), { a: undefined, b: undefined, c: undefined })
    const divided = decide({ policy: policy(weights({ a: 1, b: 2, c: 3 })) })
    assert.deepStrictEqual(shown(divided), { a: 1, b: 2, c: 3 })
    assert.strictEqual(divided.reason, "Scheduled")
    assert.isTrue(divided.changed)
  })

  it("divides by room where the policy has no weights", () => {
    const half = cluster("b", { available: new Map([["cpu", 5_000]]) })
    assert.deepStrictEqual(shown(decide({ fleet: fleetOf("a", half), unit: unit({ replicas: 30 }) })), { a: 20, b: 10 })
  })

  it("divides by how many pods fit, and plans none where none fit", () => {
    const small = cluster("b", { available: new Map([["cpu", 200]]) })
    const full = cluster("c", { available: new Map() })
    const outcome = decide({
      fleet: fleetOf("a", small, full),
      policy: policy({ replicasStrategy: "Capacity" }),
      unit: unit({ replicas: 51 })
    })
    assert.deepStrictEqual(shown(outcome), { a: 50, b: 1 })
  })

  it("fills clusters by priority", () => {
    const placement = [
      { cluster: "a", preferences: { priority: 1 } },
      { cluster: "b", preferences: { priority: 9, maxReplicas: 4 } }
    ]
    assert.deepStrictEqual(shown(decide({ policy: policy({ replicasStrategy: "Binpack", placement }) })), {
      a: 2,
      b: 4
    })
  })

  it("treats a type without replicas as one that is not divided", () =>
    assert.deepStrictEqual(shown(decide({ unit: unit({ replicas: undefined }) })), {
      a: undefined,
      b: undefined,
      c: undefined
    }))

  it("reports replicas that no cluster may take, and asks to be tried again", () => {
    const capped = { placement: [{ cluster: "a", preferences: { maxReplicas: 2 } }] }
    const outcome = decide({ policy: policy(capped) })
    assert.deepStrictEqual([shown(outcome), outcome.reason, outcome.unassigned], [{ a: 2 }, "PartlyScheduled", 4])
    assert.isTrue(outcome.waiting)
  })
})

describe("filters", () => {
  const chosen = (...clusters: ReadonlyArray<MemberCluster | string>) =>
    Object.keys(shown(decide({ policy: policy(duplicate), fleet: fleetOf(...clusters) })))

  it("leave out clusters that are not ready, do not serve the type, are tainted, or are going", () => {
    assert.deepStrictEqual(chosen("a", cluster("b", { ready: false })), ["a"])
    assert.deepStrictEqual(chosen("a", cluster("b", { types: new Set() })), ["a"])
    assert.deepStrictEqual(chosen("a", cluster("b", { taints: [taint("k", "NoSchedule")] })), ["a"])
    assert.deepStrictEqual(chosen("a", cluster("b", { taints: [taint("k", "PreferNoSchedule")] })), ["a", "b"])
    assert.deepStrictEqual(chosen("a", cluster("b", { terminating: true })), ["a"])
    assert.deepStrictEqual(chosen("a", cluster("b", { joined: false })), ["a"])
  })

  it("keep an object where it is while a cluster is not ready, or takes nothing new", () => {
    const lost = cluster("b", { ready: false })
    const tainted = cluster("c", { taints: [taint("k", "NoSchedule")] })
    const outcome = decide({ previous: placed({ a: 2, b: 2, c: 2 }), fleet: fleetOf("a", lost, tainted) })
    assert.deepStrictEqual(shown(outcome), { a: 2, b: 2, c: 2 })
    assert.isFalse(outcome.changed)
  })

  it("freeze replicas where nothing new may go", () => {
    const tainted = cluster("c", { taints: [taint("k", "NoSchedule")] })
    const fleet = fleetOf("a", "b", tainted)
    const grown = decide({ previous: placed({ a: 2, b: 2, c: 2 }), fleet, unit: unit({ replicas: 30 }) })
    assert.strictEqual(shown(grown)["c"], 2)
    assert.strictEqual(shown(grown)["a"], 14)
    const shrunk = decide({ previous: placed({ a: 2, b: 2, c: 2 }), fleet, unit: unit({ replicas: 3 }) })
    assert.deepStrictEqual(shown(shrunk), { a: 1, b: 1, c: 1 })
  })

  it("let a NoExecute taint drive an object out, at once or when its toleration ends", () => {
    const fleet = fleetOf("a", cluster("b", { taints: [taint("k", "NoExecute")] }))
    const previous = placed({ b: 6 })
    const moved = decide({ previous, fleet })
    assert.deepStrictEqual(shown(moved), { a: 6, b: 6 })
    assert.deepStrictEqual([...moved.placement.leaving.keys()], ["b"])
    const patient = policy({ tolerations: [{ key: "k", operator: "Exists", tolerationSeconds: 60 }] })
    const waits = decide({ previous, fleet, policy: patient })
    assert.deepStrictEqual([shown(waits), waits.wakeAtMs], [{ b: 6 }, NOW + 60_000])
    assert.deepStrictEqual(shown(decide({ previous, fleet, policy: patient, nowMs: NOW + 60_000 })), { a: 6, b: 6 })
  })

  it("wait for a lost cluster as long as the policy says, or for ever", () => {
    const fleet = fleetOf("a", cluster("b", { ready: false, taints: [taint(clusterTaints.unreachable, "NoExecute")] }))
    const previous = placed({ b: 6 })
    assert.deepStrictEqual(shown(decide({ previous, fleet })), { b: 6 })
    assert.strictEqual(decide({ previous, fleet }).wakeAtMs, NOW + 300_000)
    const quick = policy({ failover: { tolerationSeconds: 10 } })
    assert.deepStrictEqual(shown(decide({ previous, fleet, policy: quick, nowMs: NOW + 10_000 })), { a: 6, b: 6 })
    const never = policy({ failover: { disabled: true } })
    assert.strictEqual(decide({ previous, fleet, policy: never }).wakeAtMs, Infinity)
  })

  it("know selectors, terms, names, and that an empty term matches nothing", () => {
    const labelled = [cluster("a", { labels: { tier: "5", eu: "yes" } }), cluster("b", { labels: { tier: "7" } })]
    const chosen = (spec: Parameters<typeof policy>[0]) =>
      Object.keys(shown(decide({ fleet: fleetOf(...labelled), policy: policy({ ...duplicate, ...spec }) })))
    assert.deepStrictEqual(chosen({ clusterSelector: { eu: "yes" } }), ["a"])
    const term = (key: string, operator: string, values: ReadonlyArray<string> = []) => ({
      matchExpressions: [{ key, operator, values }]
    })
    assert.deepStrictEqual(chosen({ clusterAffinity: [term("tier", "Gt", ["6"])] }), ["b"])
    assert.deepStrictEqual(chosen({ clusterAffinity: [term("eu", "DoesNotExist"), term("tier", "Lt", ["6"])] }), [
      "a",
      "b"
    ])
    assert.deepStrictEqual(
      chosen({ clusterAffinity: [{ matchFields: [{ key: "metadata.name", operator: "NotIn", values: ["a"] }] }] }),
      ["b"]
    )
    assert.deepStrictEqual(chosen({ clusterAffinity: [{}] }), [])
  })

  it("leave a cluster that migration names, until it may come back", () => {
    const evicted = new Map([["b", NOW + 5_000]])
    const outcome = decide({ unit: unit({ evicted }), previous: placed({ a: 3, b: 3 }), fleet: fleetOf("a", "b") })
    assert.deepStrictEqual([...outcome.placement.leaving.keys()], ["b"])
    assert.strictEqual(outcome.wakeAtMs, NOW + 5_000)
    assert.deepStrictEqual(shown(decide({ unit: unit({ evicted }), fleet: fleetOf("a", "b"), nowMs: NOW + 5_000 })), {
      a: 3,
      b: 3
    })
  })

  it("count what one pod asks for only where a profile says so", () => {
    const small = cluster("a", { available: new Map([["cpu", 50]]) })
    assert.deepStrictEqual(Object.keys(shown(decide({ fleet: fleetOf(small) }))), ["a"])
    const fits = profile({ plugins: { filter: { enabled: [{ name: "ClusterResourcesFit" }] } } })
    const outcome = decide({ fleet: fleetOf(small), profile: fits })
    assert.deepStrictEqual([shown(outcome), outcome.reason], [{}, "Unschedulable"])
    assert.include(outcome.message, "has not enough cpu left")
  })
})

describe("choosing", () => {
  const few = policy({ ...duplicate, maxClusters: 1 })
  const full = cluster("a", { available: new Map([["cpu", 0]]) })

  it("takes the emptiest clusters, and stays where the object is", () => {
    const fleet = fleetOf(full, "b", "c")
    assert.deepStrictEqual(Object.keys(shown(decide({ policy: few, fleet }))), ["b"])
    assert.deepStrictEqual(Object.keys(shown(decide({ policy: few, fleet, previous: placed({ a: undefined }) }))), [
      "a"
    ])
  })

  it("honours the weights and arguments of a profile", () => {
    const dense = profile({
      plugins: { score: { disabled: [{ name: "*" }], enabled: [{ name: "ClusterResourcesMostAllocated" }] } },
      pluginConfig: [{ name: "ClusterResourcesMostAllocated", args: { resources: [{ name: "cpu", weight: 1 }] } }]
    })
    const busy = cluster("c", { available: new Map([["cpu", 1_000]]) })
    assert.deepStrictEqual(Object.keys(shown(decide({ policy: few, fleet: fleetOf("b", busy), profile: dense }))), [
      "c"
    ])
  })

  it("uses a failover group while it has enough clusters, and does not run back", () => {
    const groups = policy({
      ...duplicate,
      failoverGroups: [
        { name: "home", clusterSelector: { at: "home" }, minClusters: 2 },
        { name: "away", clusterSelector: { at: "away" } }
      ]
    })
    const home = [cluster("a", { labels: { at: "home" } }), cluster("b", { labels: { at: "home" } })]
    const away = cluster("c", { labels: { at: "away" } })
    assert.deepStrictEqual(Object.keys(shown(decide({ policy: groups, fleet: fleetOf(...home, away) }))), ["a", "b"])
    const lost = fleetOf(home[0], cluster("b", { labels: { at: "home" }, ready: false }), away)
    assert.deepStrictEqual(Object.keys(shown(decide({ policy: groups, fleet: lost }))), ["c"])
    const back = decide({ policy: groups, fleet: fleetOf(...home, away), previous: placed({ c: undefined }) })
    assert.deepStrictEqual(Object.keys(shown(back)), ["c"])
  })

  it("spreads over zones, and says when it cannot", () => {
    const zoned = (name: string, zone: string) => cluster(name, { labels: { "topology.kubernetes.io/zone": zone } })
    const fleet = fleetOf(zoned("a", "z1"), zoned("b", "z1"), zoned("c", "z2"), zoned("d", "z3"))
    const spread = (more: object) => policy({ ...duplicate, ...more })
    const two = spread({ maxClusters: 2, spreadConstraints: [{ topologyKey: "zone", minGroups: 2 }] })
    assert.deepStrictEqual(Object.keys(shown(decide({ policy: two, fleet }))), ["a", "c"])
    const one = spread({ spreadConstraints: [{ topologyKey: "zone", maxGroups: 1 }] })
    assert.deepStrictEqual(Object.keys(shown(decide({ policy: one, fleet }))), ["a", "b"])
    const four = { topologyKey: "zone", minGroups: 4 }
    assert.strictEqual(decide({ policy: spread({ spreadConstraints: [four] }), fleet }).reason, "Unschedulable")
    const soft = spread({ spreadConstraints: [{ ...four, whenUnsatisfiable: "ScheduleAnyway" }] })
    const outcome = decide({ policy: soft, fleet })
    assert.strictEqual(Object.keys(shown(outcome)).length, 4)
    assert.include(outcome.explain().notes.join(), "only 3 of 4 groups")
  })
})

describe("never on doubt", () => {
  const previous = placed({ a: 3, b: 3 })

  it.each([
    ["no cluster will do", { policy: policy({ clusterSelector: { no: "where" } }) }, "Unschedulable"],
    ["the policy is gone", { policy: "missing" as const }, "PolicyNotFound"],
    ["no policy is named", { policy: "none" as const }, "NoPolicy"],
    [
      "the policy cannot be read",
      { policy: policy({ clusterAffinity: [{ matchExpressions: [{ key: "a" }] }] }) },
      "PolicyInvalid"
    ],
    ["the profile is gone", { profile: "missing" as const }, "ProfileNotFound"],
    ["no cluster has joined", { fleet: fleetOf() }, "NoClusters"],
    ["it is told not to", { unit: unit({ annotations: { [controlAnnotations.noScheduling]: "" } }) }, "NotAsked"],
    [
      "a webhook is away",
      { profile: profile({ plugins: { filter: { enabled: [{ name: "x", type: "Webhook" }] } } }) },
      "Scheduled"
    ]
  ])("the last placement stays when %s", (_, given, reason) => {
    const outcome = decide({ previous, ...given })
    assert.deepStrictEqual(shown(outcome), { a: 3, b: 3 })
    assert.isFalse(outcome.changed)
    assert.strictEqual(outcome.reason, reason)
    assert.strictEqual(outcome.explain().reason, reason)
  })

  it("scaling to zero keeps the object, without replicas", () => {
    const outcome = decide({ previous, unit: unit({ replicas: 0 }) })
    assert.deepStrictEqual([shown(outcome), outcome.reason], [{ a: 0, b: 0 }, "ScaledToZero"])
    const again = decide({ previous: outcome.placement, unit: unit({ replicas: 4 }) })
    assert.strictEqual(
      Object.values(shown(again)).reduce((a = 0, b = 0) => a + b, 0),
      4
    )
  })

  it("limits that leave no room keep the object, without replicas", () => {
    const outcome = decide({
      fleet: fleetOf("a"),
      previous: placed({ a: 3 }),
      unit: unit({ limited: new Map([["a", 0]]) })
    })
    assert.deepStrictEqual([shown(outcome), outcome.reason], [{ a: 0 }, "Unschedulable"])
  })

  it("a policy that wants no clusters is no doubt", () =>
    assert.deepStrictEqual(shown(decide({ previous, policy: policy({ maxClusters: 0 }) })), {}))

  it("sticky clusters stay, and replicas are scaled in them", () => {
    const sticky = policy({ reschedulePolicy: { disableRescheduling: true }, clusterSelector: { no: "more" } })
    const outcome = decide({ previous, policy: sticky, unit: unit({ replicas: 10 }) })
    assert.deepStrictEqual(shown(outcome), { a: 5, b: 5 })
  })
})

describe("annotations", () => {
  const eu = cluster("a", { labels: { eu: "yes" }, taints: [taint("k", "NoSchedule")] })
  const fleet = fleetOf(eu, cluster("b", { labels: { eu: "yes" } }), "c")
  const chosen = (annotations: Record<string, string>, spec: Parameters<typeof policy>[0] = {}) => {
    const given = policy({ ...duplicate, clusterSelector: { eu: "yes" }, ...spec })
    return Object.keys(shown(decide({ fleet, policy: given, unit: unit({ annotations }) })))
  }

  it("narrow a policy, and do not widen it", () => {
    assert.deepStrictEqual(chosen({}), ["b"])
    assert.deepStrictEqual(chosen({ [schedulingAnnotations.clusterSelector]: "{}" }), ["b"])
    assert.deepStrictEqual(chosen({ [schedulingAnnotations.tolerations]: '[{"operator":"Exists"}]' }), ["b"])
    assert.deepStrictEqual(chosen({ [schedulingAnnotations.placements]: '[{"cluster":"c"}]' }), [])
    assert.deepStrictEqual(chosen({ [schedulingAnnotations.maxClusters]: "9" }, { maxClusters: 1 }), ["b"])
  })

  it("replace it where it lets them", () => {
    const replace = { objectOverrides: "Replace" }
    assert.deepStrictEqual(chosen({ [schedulingAnnotations.tolerations]: '[{"operator":"Exists"}]' }, replace), [
      "a",
      "b"
    ])
    assert.deepStrictEqual(chosen({ [schedulingAnnotations.clusterSelector]: "{}" }, replace), ["b", "c"])
  })

  it("that cannot be read are ignored and told of", () => {
    const annotations = { [schedulingAnnotations.placements]: "[{", [schedulingAnnotations.maxClusters]: "few" }
    const outcome = decide({ fleet, policy: policy(duplicate), unit: unit({ annotations }) })
    assert.deepStrictEqual(Object.keys(shown(outcome)), ["b", "c"])
    assert.strictEqual(outcome.explain().notes.length, 2)
  })
})
