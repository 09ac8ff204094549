// Which policy an object gets, and what makes it worth another attempt.
import { assert, describe, it } from "vitest"
import {
  federationLabels,
  PolicyIndex,
  type PolicySubject,
  sameSnapshot,
  schedulingAnnotations,
  triggered
} from "#federation"
import { cluster, fleetOf, NOW, policy, taint, unit } from "./Fleets.ts"

const subject: PolicySubject = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  namespace: "team",
  name: "web",
  labels: { app: "web" }
}
const CLUSTER = "ClusterPropagationPolicy"

const indexOf = (...policies: ReadonlyArray<ReturnType<typeof policy>>): PolicyIndex => {
  const index = new PolicyIndex()
  for (const one of policies) index.set(one)
  return index
}

const chosen = (index: PolicyIndex, more: Partial<PolicySubject> = {}): string => {
  const found = index.choose({ ...subject, ...more })
  return typeof found === "string" ? found : `${found.kind === CLUSTER ? "c:" : ""}${found.name}`
}

describe("the policy of an object", () => {
  it("is the one that its label names, or none at all", () => {
    const index = indexOf(policy({}, "named"), policy({ resourceSelectors: [{}] }, "all"), policy({}, "wide", CLUSTER))
    assert.strictEqual(chosen(index, { labels: { [federationLabels.propagationPolicy]: "named" } }), "named")
    assert.strictEqual(chosen(index, { labels: { [federationLabels.propagationPolicy]: "gone" } }), "missing")
    assert.strictEqual(chosen(index, { labels: { [federationLabels.clusterPropagationPolicy]: "wide" } }), "c:wide")
    const both = { [federationLabels.propagationPolicy]: "named", [federationLabels.clusterPropagationPolicy]: "wide" }
    assert.strictEqual(chosen(index, { labels: both }), "named")
    assert.strictEqual(chosen(index, { labels: both, namespace: "" }), "c:wide")
  })

  it("is the one of the highest priority, then the closest, then the first by name", () => {
    const all = policy({ resourceSelectors: [{}] }, "z-default")
    const kinds = policy({ resourceSelectors: [{ apiVersion: "apps/v1", kind: "Deployment" }] }, "kind")
    const labels = policy({ resourceSelectors: [{ labelSelector: { matchLabels: { app: "web" } } }] }, "labels")
    const named = policy({ resourceSelectors: [{ name: "web" }] }, "name")
    assert.strictEqual(chosen(indexOf(all)), "z-default")
    assert.strictEqual(chosen(indexOf(all, kinds)), "kind")
    assert.strictEqual(chosen(indexOf(all, labels, kinds)), "labels")
    assert.strictEqual(chosen(indexOf(named, all, labels, kinds)), "name")
    assert.strictEqual(chosen(indexOf(named, policy({ resourceSelectors: [{}], priority: 1 }, "first"))), "first")
    assert.strictEqual(chosen(indexOf(all, policy({ resourceSelectors: [{}] }, "a"))), "a")
  })

  it("is one of its namespace before one of the federation, and none where none selects it", () => {
    const wide = policy({ resourceSelectors: [{}], priority: 9 }, "wide", CLUSTER)
    const own = policy({ resourceSelectors: [{}] }, "own")
    const index = indexOf(wide, own)
    assert.strictEqual(chosen(index), "own")
    assert.strictEqual(chosen(index, { namespace: "other" }), "c:wide")
    index.delete("team", "own")
    assert.strictEqual(chosen(index), "c:wide")
    index.delete("", "wide")
    assert.strictEqual(chosen(index), "none")
    assert.strictEqual(chosen(indexOf(policy({ resourceSelectors: [{ kind: "Job" }] }))), "none")
  })
})

describe("another attempt", () => {
  const base = [cluster("a"), cluster("b")]
  const given = policy({})
  const first = triggered({ unit: unit(), fleet: fleetOf(...base), policy: given, last: undefined })
  const why = (more: Partial<Parameters<typeof triggered>[0]>) => {
    const { deferred, reasons } = triggered({
      unit: unit(),
      fleet: fleetOf(...base),
      policy: given,
      last: first.snapshot,
      ...more
    })
    return [reasons, deferred]
  }

  it("is not made when nothing changed, in whatever order clusters come", () => {
    assert.deepStrictEqual(first.reasons, ["first"])
    assert.deepStrictEqual(why({ fleet: fleetOf(...base.toReversed()) }), [[], []])
    const again = triggered({ unit: unit(), fleet: fleetOf(...base.toReversed()), policy: given, last: first.snapshot })
    assert.isTrue(sameSnapshot(again.snapshot, first.snapshot))
  })

  it("is made when the object changes in what places it", () => {
    for (const more of [
      { replicas: 7 },
      { request: new Map([["cpu", 200]]) },
      { annotations: { [schedulingAnnotations.maxClusters]: "1" } }
    ]) {
      assert.deepStrictEqual(why({ unit: unit(more) }), [["object"], []])
    }
    assert.deepStrictEqual(why({ unit: unit({ annotations: { other: "1" } }) }), [[], []])
  })

  it("is made when the policy becomes another, of the same name too", () => {
    assert.deepStrictEqual(why({ policy: policy({}, "p", CLUSTER) }), [["policy"], []])
    assert.deepStrictEqual(why({ policy: policy({ maxClusters: 1 }) }), [["policyContent"], []])
    assert.deepStrictEqual(why({ policy: policy({ priority: 4 }) }), [[], []])
  })

  it("waits for the policy's leave when clusters change, but for taints", () => {
    const relabelled = fleetOf(cluster("a", { labels: { x: "y" } }), "b")
    assert.deepStrictEqual(why({ fleet: relabelled }), [[], ["clusterLabels"]])
    assert.deepStrictEqual(why({ fleet: fleetOf(cluster("a", { types: new Set() }), "b") }), [[], ["clusterTypes"]])
    assert.deepStrictEqual(why({ fleet: fleetOf(cluster("a", { taints: [taint("k", "NoSchedule")] }), "b") }), [
      ["clusterTaints"],
      []
    ])
    const eager = policy({ reschedulePolicy: { rescheduleWhen: { clusterLabelsChanged: true } } })
    const last = triggered({ unit: unit(), fleet: fleetOf(...base), policy: eager, last: undefined }).snapshot
    assert.deepStrictEqual(why({ fleet: relabelled, policy: eager, last }), [["clusterLabels"], []])
  })

  it("knows a cluster that is new from one that changed", () => {
    const joined = fleetOf(...base, cluster("0-new", { joinedMs: NOW, taints: [taint("k", "NoSchedule")] }))
    assert.deepStrictEqual(why({ fleet: joined }), [[], ["clusterJoined"]])
    assert.deepStrictEqual(why({ fleet: fleetOf("a") })[0].slice(0, 1), ["clusterGone"])
  })

  it("is put off, and seen later, while clusters are sticky", () => {
    const sticky = policy({ reschedulePolicy: { disableRescheduling: true } })
    const last = triggered({ unit: unit(), fleet: fleetOf(...base), policy: sticky, last: undefined }).snapshot
    const fleet = fleetOf(cluster("a", { taints: [taint("k", "NoSchedule")] }), "b")
    const put = triggered({ unit: unit(), fleet, policy: sticky, last })
    assert.deepStrictEqual([put.reasons, put.deferred], [[], ["clusterTaints"]])
    assert.strictEqual(put.snapshot, last)
    assert.deepStrictEqual(triggered({ unit: unit({ replicas: 1 }), fleet, policy: sticky, last }).reasons, ["object"])
  })

  it("remembers as little for a thousand clusters as for two", () => {
    const many = fleetOf(...Array.from({ length: 1000 }, (_, at) => cluster(`c${at}`)))
    const { snapshot } = triggered({ unit: unit(), fleet: many, policy: given, last: undefined })
    assert.isBelow(JSON.stringify(snapshot).length, 400)
  })
})
