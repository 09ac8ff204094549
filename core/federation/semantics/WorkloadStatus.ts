// The status of a workload over several clusters: Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController.
// Owns sums and the conditions that kubectl waits for; refuses to invent counts: what a lost member last said is kept.
import { fieldsOf, type Fields, numberIn, numberOf, textOf } from "#apiserver"
import type { JsonObject } from "#kube"
import { mergedCondition, mergedConditions, membersWith, transitionTime } from "./Conditions.ts"
import { agreed, known, listed, observedGeneration, specOf, statusOf, summed } from "./MemberStatus.ts"
import type { Aggregate, AggregationInput, MemberState } from "./TypeSemantics.ts"

/** A workload whose status is sums and merged conditions. */
export const summing =
  (names: ReadonlyArray<string>): Aggregate =>
  (input) => {
    const members = known(input.members)
    if (members.length === 0) return undefined
    return {
      ...observedGeneration(input),
      ...summed(members, names),
      ...agreed(members, "collisionCount"),
      ...listed("conditions", mergedConditions({ ...input, members }))
    }
  }

export const aggregateReplicaSet = summing([
  "replicas",
  "fullyLabeledReplicas",
  "readyReplicas",
  "availableReplicas",
  "terminatingReplicas"
])

export const aggregateDaemonSet = summing([
  "currentNumberScheduled",
  "numberMisscheduled",
  "desiredNumberScheduled",
  "numberReady",
  "updatedNumberScheduled",
  "numberAvailable",
  "numberUnavailable"
])

// --- Deployment ---

/** How many of a number of replicas may be missing, as a Deployment's strategy says (apps/v1: rounded down, surge up). */
export const maxUnavailable = (spec: Fields, replicas: number): number => {
  const strategy = fieldsOf(spec["strategy"])
  if (strategy["type"] === "Recreate" || replicas === 0) return 0
  const rolling = fieldsOf(strategy["rollingUpdate"])
  const unavailable = scaled(rolling["maxUnavailable"] ?? "25%", replicas, Math.floor)
  const surge = scaled(rolling["maxSurge"] ?? "25%", replicas, Math.ceil)
  return Math.min(replicas, unavailable === 0 && surge === 0 ? 1 : unavailable)
}

const scaled = (value: unknown, of: number, round: (value: number) => number): number => {
  if (typeof value === "number") return value
  const percent = /^(\d+)%$/.exec(textOf(value))
  return percent === null ? 0 : round((Number(percent[1]) * of) / 100)
}

const wanted = (member: MemberState): number => numberIn(specOf(member)["replicas"]) ?? 1

/** Available by the whole's own measure: as one Deployment of all the clusters' replicas would be. */
const available = (input: AggregationInput, members: ReadonlyArray<MemberState>): JsonObject => {
  const found = membersWith(members, "Available")
  if (members.length === 1 && found[0] !== undefined) return found[0].condition
  const desired = members.reduce((sum, member) => sum + wanted(member), 0)
  const there = members.reduce((sum, member) => sum + numberOf(statusOf(member)["availableReplicas"]), 0)
  const enough = there >= desired - maxUnavailable(fieldsOf(input.source.spec), desired)
  const status = enough ? "True" : "False"
  const deciders = found.filter(({ condition }) => condition["status"] === status)
  const short = found.filter(({ condition }) => condition["status"] !== "True").map(({ cluster }) => cluster)
  const clusters = short.length === 0 ? "" : ` (not in ${short.slice(0, 10).join(", ")})`
  const updated = deciders
    .map(({ condition }) => textOf(condition["lastUpdateTime"]))
    .filter((time) => time !== "")
    .sort()
  const lastTransitionTime = transitionTime(input, { type: "Available", status }, deciders)
  return {
    type: "Available",
    status,
    lastUpdateTime: updated.at(-1) ?? lastTransitionTime,
    lastTransitionTime,
    reason: enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
    message: enough
      ? `Deployment has minimum availability${clusters}.`
      : `Deployment does not have minimum availability${clusters}.`
  }
}

/** Progress of all: complete when all are, failed when one is, else that of those still under way. */
const progressing = (input: AggregationInput, members: ReadonlyArray<MemberState>): JsonObject => {
  const found = membersWith(members, "Progressing")
  const failed = found.filter(({ condition }) => condition["status"] === "False")
  const underWay = found.filter(({ condition }) => condition["reason"] !== "NewReplicaSetAvailable")
  const deciders = failed.length > 0 ? failed : underWay.length > 0 ? underWay : found
  return mergedCondition(input, "Progressing", deciders)
}

const DEPLOYMENT_COUNTS = [
  "replicas",
  "updatedReplicas",
  "readyReplicas",
  "availableReplicas",
  "unavailableReplicas",
  "terminatingReplicas"
]

/** As one Deployment would report it, so that `kubectl rollout status` and `kubectl wait` work on the host. */
export const aggregateDeployment: Aggregate = (input) => {
  const members = known(input.members)
  if (members.length === 0) return undefined
  const conditions = mergedConditions({ ...input, members }).map((condition) => {
    if (condition["type"] === "Available") return available(input, members)
    return condition["type"] === "Progressing" ? progressing(input, members) : condition
  })
  return {
    ...observedGeneration(input),
    ...summed(members, DEPLOYMENT_COUNTS),
    ...agreed(members, "collisionCount"),
    ...listed("conditions", conditions)
  }
}

// --- StatefulSet ---

/** The revisions of several members as one name: the same for the same revisions, so that equal names mean a finished rollout. */
const revision = (members: ReadonlyArray<MemberState>, name: string): string | undefined => {
  const all = members.map((member) => textOf(statusOf(member)[name]))
  if (all.every((found) => found === all[0])) return all[0] === "" ? undefined : all[0]
  const text = members.map(({ cluster }, at) => `${cluster}=${all[at] ?? ""}`).join("\n")
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0
  return `members-${hash.toString(16).padStart(8, "0")}`
}

const STATEFUL_COUNTS = ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"]

/** Sums over any number of clusters; the two revisions are equal exactly when they are so in every member. */
export const aggregateStatefulSet: Aggregate = (input) => {
  const members = known(input.members)
  if (members.length === 0) return undefined
  const current = revision(members, "currentRevision")
  const update = revision(members, "updateRevision")
  return {
    ...observedGeneration(input),
    ...summed(members, STATEFUL_COUNTS),
    ...(current === undefined ? {} : { currentRevision: current }),
    ...(update === undefined ? {} : { updateRevision: update }),
    ...agreed(members, "collisionCount"),
    ...listed("conditions", mergedConditions({ ...input, members }))
  }
}
