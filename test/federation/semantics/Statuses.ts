// Random statuses of members, as their schemas have them: the ground for properties of aggregation.
// Owns the generators; refuses to judge what is made of them.
import * as fc from "fast-check"
import type { JsonObject } from "#kube"
import type { MemberState } from "#federation"

const count = fc.nat({ max: 50 })

const time = fc
  .nat({ max: 1_000_000 })
  .map((seconds) => new Date(1_790_000_000_000 + seconds * 1000).toISOString().replace(".000", ""))

const condition = (type: string): fc.Arbitrary<JsonObject> =>
  fc.record({
    type: fc.constant(type),
    status: fc.constantFrom("True", "False", "Unknown"),
    reason: fc.constantFrom("NewReplicaSetAvailable", "ReplicaSetUpdated", "MinimumReplicasAvailable", "Whatever"),
    message: fc.constantFrom("", "as it should be", "not as it should be"),
    lastUpdateTime: time,
    lastTransitionTime: time
  })

/** Some conditions of these types, each at most once, in any order. */
export const conditions = (...types: ReadonlyArray<string>): fc.Arbitrary<ReadonlyArray<JsonObject>> =>
  fc.shuffledSubarray([...types]).chain((chosen) => fc.tuple(...chosen.map(condition)))

const some = (fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<JsonObject> =>
  // SAFETY: generators of JSON.
  fc.record(fields, { requiredKeys: [] }) as unknown as fc.Arbitrary<JsonObject>

const withConditions = (fields: Record<string, fc.Arbitrary<unknown>>, ...types: ReadonlyArray<string>) =>
  fc
    .tuple(some(fields), conditions(...types))
    .map(([status, list]) => (list.length === 0 ? status : { ...status, conditions: list }))

const counts = (...names: ReadonlyArray<string>): Record<string, fc.Arbitrary<unknown>> =>
  Object.fromEntries(names.map((name) => [name, count]))

/** Statuses by kind. */
export const statuses: Readonly<Record<string, fc.Arbitrary<JsonObject>>> = {
  Deployment: withConditions(
    counts(
      "replicas",
      "updatedReplicas",
      "readyReplicas",
      "availableReplicas",
      "unavailableReplicas",
      "collisionCount"
    ),
    "Available",
    "Progressing",
    "ReplicaFailure"
  ),
  StatefulSet: some({
    ...counts("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"),
    currentRevision: fc.constantFrom("web-1", "web-2"),
    updateRevision: fc.constantFrom("web-1", "web-2")
  }),
  DaemonSet: some(
    counts(
      "currentNumberScheduled",
      "numberMisscheduled",
      "desiredNumberScheduled",
      "numberReady",
      "updatedNumberScheduled",
      "numberAvailable",
      "numberUnavailable"
    )
  ),
  ReplicaSet: withConditions(
    counts("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"),
    "ReplicaFailure"
  ),
  HorizontalPodAutoscaler: withConditions(
    { ...counts("currentReplicas", "desiredReplicas"), lastScaleTime: time },
    "AbleToScale",
    "ScalingActive",
    "ScalingLimited"
  ),
  PodDisruptionBudget: withConditions(
    counts("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"),
    "DisruptionAllowed"
  ),
  CronJob: some({ lastScheduleTime: time, lastSuccessfulTime: time }),
  PersistentVolumeClaim: some({
    phase: fc.constantFrom("Pending", "Bound", "Lost"),
    capacity: fc.record({ storage: fc.constantFrom("1Gi", "512Mi", "2Gi") })
  }),
  ResourceQuota: some({
    hard: fc.record({ pods: fc.constantFrom("4", "10") }),
    used: fc.record({ pods: fc.constantFrom("0", "3") })
  }),
  Pod: withConditions(
    { phase: fc.constantFrom("Pending", "Running", "Succeeded", "Failed"), startTime: time },
    "Ready",
    "PodScheduled"
  )
}

/** The kinds, with the group that each is in. */
export const GROUPS: Readonly<Record<string, string>> = {
  Deployment: "apps",
  StatefulSet: "apps",
  DaemonSet: "apps",
  ReplicaSet: "apps",
  HorizontalPodAutoscaler: "autoscaling",
  PodDisruptionBudget: "policy",
  CronJob: "batch",
  PersistentVolumeClaim: "",
  ResourceQuota: "",
  Pod: ""
}

/** Kinds whose controllers tell which generation they saw. */
export const OBSERVING: ReadonlySet<string> = new Set([
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "ReplicaSet",
  "HorizontalPodAutoscaler",
  "PodDisruptionBudget",
  "Pod"
])

/** A fleet's copies of an object of a kind; clusters have different names, generations are seen or not. */
export const members = (kind: string, max = 6): fc.Arbitrary<ReadonlyArray<MemberState>> =>
  fc
    .uniqueArray(fc.constantFrom("ash", "beech", "cedar", "elm", "fir", "oak", "pine", "yew"), {
      minLength: 1,
      maxLength: max
    })
    .chain((clusters) =>
      fc.tuple(
        ...clusters.map((cluster) =>
          fc
            .record({
              status: statuses[kind] ?? fc.constant({}),
              generation: fc.integer({ min: 1, max: 3 }),
              seen: fc.boolean(),
              sourceGeneration: fc.integer({ min: 1, max: 3 }),
              replicas: count
            })
            .map(({ generation, replicas, seen, sourceGeneration, status }): MemberState => ({
              cluster,
              sourceGeneration,
              object: {
                metadata: { generation },
                spec: { replicas },
                status: OBSERVING.has(kind)
                  ? { ...status, observedGeneration: seen ? generation : generation - 1 }
                  : status
              }
            }))
        )
      )
    )
