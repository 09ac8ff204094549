// Properties of aggregation for every kind, and the cases that kubectl and people depend on.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { fieldsOf } from "#apiserver"
import { apiVersionOf, isJsonObject, type JsonObject, type KubeObject, sameJson } from "#kube"
import { aggregatedStatus, type MemberState, nativeSemantics, STALE } from "#federation"
import { GROUPS, members, OBSERVING } from "./Statuses.ts"

const NOW = "2026-11-28T12:00:00Z"
const LATER = "2026-11-28T13:00:00Z"

const sourceOf = (kind: string, generation: number, status: JsonObject = {}): KubeObject => ({
  apiVersion: apiVersionOf({
    group: GROUPS[kind] ?? "batch",
    version: kind === "HorizontalPodAutoscaler" ? "v2" : "v1"
  }),
  kind,
  metadata: { name: "web", namespace: "team", generation },
  spec: { replicas: 3 },
  status
})

const aggregate = (
  source: KubeObject,
  states: ReadonlyArray<MemberState>,
  now = NOW,
  lost: ReadonlyArray<string> = []
) => aggregatedStatus(nativeSemantics.ofObject(source), { source, members: states, lost: new Set(lost), now })

const numbersIn = (status: JsonObject | undefined): JsonObject =>
  Object.fromEntries(
    Object.entries(status ?? {}).filter(([name, value]) => typeof value === "number" && name !== "observedGeneration")
  )

for (const kind of Object.keys(GROUPS)) {
  describe(`the status of a ${kind} over clusters`, () => {
    it("does not depend on the order of clusters", () => {
      fc.assert(
        fc.property(members(kind), fc.nat(), (states, turn) => {
          const turned = states.map((_, at) => states[(at + turn) % states.length])
          const source = sourceOf(kind, 2)
          assert.deepStrictEqual(aggregate(source, turned.reverse()), aggregate(source, states))
        }),
        { numRuns: 60 }
      )
    })

    it("is the same however often and whenever it is made", () => {
      fc.assert(
        fc.property(members(kind), (states) => {
          const once = aggregate(sourceOf(kind, 2), states)
          assert.deepStrictEqual(aggregate(sourceOf(kind, 2, once), states, LATER), once)
        }),
        { numRuns: 60 }
      )
    })

    it("is a single cluster's own", () => {
      fc.assert(
        fc.property(members(kind, 1), ([state]) => {
          assert.isDefined(state)
          const settled = { ...state, sourceGeneration: 3 }
          const status = state.object?.["status"]
          assert.isTrue(isJsonObject(status))
          const { observedGeneration: _own, ...own } = status as JsonObject
          const { observedGeneration: _ours, ...ours } = aggregate(sourceOf(kind, 3), [settled]) ?? {}
          assert.deepStrictEqual(ours, own)
        }),
        { numRuns: 60 }
      )
    })

    it("keeps every number when contact is lost, and says so", () => {
      fc.assert(
        fc.property(members(kind), fc.nat(), (states, which) => {
          const stale = states.map((state, at) => (at === which % states.length ? { ...state, stale: true } : state))
          const lost = stale.filter((state) => state.stale === true).map(({ cluster }) => cluster)
          const [before, after] = [aggregate(sourceOf(kind, 2), states), aggregate(sourceOf(kind, 2), stale, NOW, lost)]
          assert.deepStrictEqual(numbersIn(after), numbersIn(before))
          const conditions = after?.["conditions"]
          const told = Array.isArray(conditions) && conditions.some((one) => isJsonObject(one) && one["type"] === STALE)
          assert.strictEqual(told, kind !== "CronJob" && kind !== "ResourceQuota", JSON.stringify(after))
          // Contact is back: the mark is gone, and nothing else differs.
          assert.deepStrictEqual(aggregate(sourceOf(kind, 2, after), states, LATER), before)
        }),
        { numRuns: 60 }
      )
    })

    it("is not written while a cluster is lost of which nothing is known", () => {
      fc.assert(
        fc.property(members(kind), (states) => {
          const unknown: MemberState = { cluster: "walnut" }
          assert.isUndefined(aggregate(sourceOf(kind, 2), [...states, unknown], NOW, ["walnut"]))
          assert.isDefined(aggregate(sourceOf(kind, 2), [...states, unknown]))
        }),
        { numRuns: 20 }
      )
    })

    it("never claims a generation that some cluster has not seen", () => {
      fc.assert(
        fc.property(members(kind), fc.integer({ min: 1, max: 3 }), (states, generation) => {
          const claimed = aggregate(sourceOf(kind, generation, { observedGeneration: 3 }), states)?.[
            "observedGeneration"
          ]
          const all = states.every(({ object, sourceGeneration = 0 }) => {
            const own = object as { metadata: { generation: number }; status: { observedGeneration?: number } }
            return sourceGeneration >= generation && (own.status.observedGeneration ?? 0) >= own.metadata.generation
          })
          assert.strictEqual(claimed === generation, all && OBSERVING.has(kind))
          assert.isAtMost(Number(claimed ?? 0), generation)
        }),
        { numRuns: 60 }
      )
    })
  })
}

describe("sums", () => {
  it("are those of all clusters", () => {
    fc.assert(
      fc.property(members("Deployment"), (states) => {
        const status = aggregate(sourceOf("Deployment", 2), states) ?? {}
        for (const name of ["replicas", "readyReplicas", "availableReplicas", "updatedReplicas"]) {
          const wanted = states.reduce((sum, { object }) => sum + Number(fieldsOf(object?.["status"])[name] ?? 0), 0)
          assert.strictEqual(Number(status[name] ?? 0), wanted)
        }
      })
    )
  })
})

const deployment = (cluster: string, replicas: number, available: number, generation = 2): MemberState => ({
  cluster,
  sourceGeneration: generation,
  object: {
    metadata: { generation: 5 },
    spec: { replicas },
    status: {
      observedGeneration: 5,
      replicas,
      updatedReplicas: replicas,
      readyReplicas: available,
      availableReplicas: available,
      conditions: [
        {
          type: "Available",
          status: available >= replicas - Math.floor(replicas / 4) ? "True" : "False",
          lastTransitionTime: "2026-11-28T10:00:00Z"
        },
        {
          type: "Progressing",
          status: "True",
          reason: available === replicas ? "NewReplicaSetAvailable" : "ReplicaSetUpdated"
        }
      ]
    }
  }
})

const conditionOf = (status: JsonObject | undefined, type: string): JsonObject | undefined => {
  const conditions = status?.["conditions"]
  return Array.isArray(conditions)
    ? (conditions as ReadonlyArray<JsonObject>).find((one) => one["type"] === type)
    : undefined
}

describe("a Deployment over clusters", () => {
  it("is available when as many are as one Deployment would need", () => {
    const enough = aggregate(sourceOf("Deployment", 2), [deployment("a", 6, 6), deployment("b", 2, 0)])
    assert.strictEqual(conditionOf(enough, "Available")?.["status"], "True")
    assert.include(JSON.stringify(conditionOf(enough, "Available")), "not in b")
    const tooFew = aggregate(sourceOf("Deployment", 2), [deployment("a", 6, 5), deployment("b", 2, 0)])
    assert.strictEqual(conditionOf(tooFew, "Available")?.["status"], "False")
    assert.strictEqual(conditionOf(tooFew, "Available")?.["reason"], "MinimumReplicasUnavailable")
  })

  it("has progressed when all have", () => {
    const done = aggregate(sourceOf("Deployment", 2), [deployment("a", 4, 4), deployment("b", 2, 2)])
    assert.strictEqual(conditionOf(done, "Progressing")?.["reason"], "NewReplicaSetAvailable")
    const underWay = aggregate(sourceOf("Deployment", 2), [deployment("a", 4, 4), deployment("b", 2, 1)])
    assert.strictEqual(conditionOf(underWay, "Progressing")?.["reason"], "ReplicaSetUpdated")
  })
})

describe("a StatefulSet over clusters", () => {
  const set = (cluster: string, current: string, update: string): MemberState => ({
    cluster,
    sourceGeneration: 2,
    object: {
      metadata: { generation: 1 },
      status: { observedGeneration: 1, replicas: 2, currentRevision: current, updateRevision: update }
    }
  })
  const revisions = (...states: ReadonlyArray<MemberState>) => {
    const status = aggregate(sourceOf("StatefulSet", 2), states)
    return [status?.["currentRevision"], status?.["updateRevision"]]
  }

  it("has finished its rollout exactly when every cluster has", () => {
    const [current, update] = revisions(set("a", "web-1", "web-1"), set("b", "web-7", "web-7"))
    assert.isString(current)
    assert.strictEqual(current, update)
    const [older, newer] = revisions(set("a", "web-1", "web-1"), set("b", "web-7", "web-8"))
    assert.notStrictEqual(older, newer)
    assert.deepStrictEqual(revisions(set("a", "web-1", "web-2"), set("b", "web-1", "web-2")), ["web-1", "web-2"])
  })
})

describe("a Job over clusters", () => {
  const ended = (type: string, at: string): ReadonlyArray<JsonObject> => [
    { type: type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget", status: "True", lastTransitionTime: at },
    { type, status: "True", lastTransitionTime: at, message: `${type} at ${at}` }
  ]
  const job = (cluster: string, status: JsonObject): MemberState => ({ cluster, object: { metadata: {}, status } })
  const running = job("a", { active: 2, ready: 1, startTime: "2026-11-28T08:00:00Z" })
  const complete = job("b", {
    succeeded: 3,
    startTime: "2026-11-28T09:00:00Z",
    completionTime: "2026-11-28T09:30:00Z",
    conditions: ended("Complete", "2026-11-28T09:30:00Z")
  })
  const failed = job("c", {
    failed: 4,
    startTime: "2026-11-28T09:00:00Z",
    conditions: ended("Failed", "2026-11-28T09:40:00Z")
  })
  const types = (status: JsonObject | undefined) =>
    ((status?.["conditions"] ?? []) as ReadonlyArray<JsonObject>).map((one) => one["type"])

  it("runs until all have ended", () => {
    const status = aggregate(sourceOf("Job", 1), [running, complete])
    assert.deepInclude(status, { active: 2, ready: 1, succeeded: 3, startTime: "2026-11-28T08:00:00Z" })
    assert.deepStrictEqual(types(status), [])
    assert.isUndefined(status?.["completionTime"])
  })

  it("is complete when all are, and failed when one is", () => {
    const done = aggregate(sourceOf("Job", 1), [complete, { ...complete, cluster: "d" }])
    assert.deepStrictEqual(types(done), ["SuccessCriteriaMet", "Complete"])
    assert.deepInclude(done, { succeeded: 6, completionTime: "2026-11-28T09:30:00Z" })
    const broken = aggregate(sourceOf("Job", 1), [complete, failed])
    assert.deepStrictEqual(types(broken), ["FailureTarget", "Failed"])
    assert.include(JSON.stringify(conditionOf(broken, "Failed")), "1 of 2 clusters failed")
  })

  it("has not ended while a cluster has none of it", () => {
    assert.deepStrictEqual(types(aggregate(sourceOf("Job", 1), [complete, { cluster: "d" }])), [])
  })

  it("stays as it ended, and counts of ended pods never fall", () => {
    const done = aggregate(sourceOf("Job", 1), [complete])
    const after = aggregate(sourceOf("Job", 1, done), [running, job("b", { succeeded: 1 })])
    assert.deepStrictEqual(types(after), ["SuccessCriteriaMet", "Complete"])
    assert.deepInclude(after, {
      succeeded: 3,
      completionTime: "2026-11-28T09:30:00Z",
      startTime: "2026-11-28T09:00:00Z"
    })
    assert.isUndefined(after?.["active"])
  })
})

describe("addresses and phases", () => {
  it("are all addresses, each once", () => {
    const service = (cluster: string, ip: string): MemberState => ({
      cluster,
      object: { status: { loadBalancer: { ingress: [{ ip }] } } }
    })
    const source = { ...sourceOf("Service", 1), apiVersion: "v1" }
    const status = aggregate(source, [service("b", "10.0.0.2"), service("a", "10.0.0.1"), service("c", "10.0.0.1")])
    assert.deepStrictEqual(status, { loadBalancer: { ingress: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2" }] } })
  })

  it("are the phase that needs attention first", () => {
    const pod = (cluster: string, phase: string): MemberState => ({
      cluster,
      object: { status: { phase, containerStatuses: [{ name: "web", ready: phase === "Running" }] } }
    })
    const status = aggregate(sourceOf("Pod", 1), [pod("a", "Running"), pod("b", "Failed"), pod("c", "Pending")])
    assert.strictEqual(status?.["phase"], "Failed")
    const names = ((status?.["containerStatuses"] ?? []) as ReadonlyArray<JsonObject>).map((one) => one["name"])
    assert.isTrue(sameJson(names as ReadonlyArray<string>, ["web (a)", "web (b)", "web (c)"]))
  })
})
