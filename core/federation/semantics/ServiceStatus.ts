// What stands at the edge of several clusters: addresses of Services and Ingresses, budgets, autoscalers, quotas, claims.
// Owns these kinds' aggregates; workloads are WorkloadStatus.ts's.
import { fieldsIn, fieldsOf, type Fields, itemsOf, numberOf, textOf } from "#apiserver"
import { type Json, type JsonObject, quantityOf, QuantityInvalid } from "#kube"
import { mergedConditions } from "./Conditions.ts"
import { agreed, given, known, listed, observedGeneration, statusOf, summed, time } from "./MemberStatus.ts"
import { firstPhase } from "./PodStatus.ts"
import type { Aggregate, AggregationInput, MemberState } from "./TypeSemantics.ts"

// --- Addresses ---

const unique = (items: ReadonlyArray<Fields>): ReadonlyArray<Fields> => {
  const seen = new Set<string>()
  return items.filter((item) => {
    const text = JSON.stringify(item)
    return seen.has(text) ? false : (seen.add(text), true)
  })
}

/** Every address under which any member serves it (Service, Ingress). */
export const aggregateAddresses: Aggregate = (input) => {
  const members = known(input.members)
  if (members.length === 0) return undefined
  const ingress = unique(members.flatMap((member) => itemsOf(fieldsOf(statusOf(member)["loadBalancer"])["ingress"])))
  return {
    loadBalancer: ingress.length === 0 ? {} : { ingress },
    ...listed("conditions", mergedConditions({ ...input, members }))
  }
}

// --- Quantities ---

type Combine = (a: string, b: string) => string

const combined =
  (sum: boolean): Combine =>
  (a, b) => {
    const [left, right] = [quantityOf(a), quantityOf(b)]
    if (left instanceof QuantityInvalid) return b
    if (right instanceof QuantityInvalid) return a
    if (sum) return left.add(right).toString()
    return left.compare(right) <= 0 ? a : b
  }

const amounts = (members: ReadonlyArray<MemberState>, name: string, combine: Combine): JsonObject => {
  const found: Record<string, string> = {}
  let some = false
  for (const member of members) {
    const part = fieldsIn(statusOf(member)[name])
    if (part === undefined) continue
    some = true
    for (const [resource, value] of Object.entries(part)) {
      const text = typeof value === "number" ? String(value) : textOf(value)
      const before = found[resource]
      found[resource] = before === undefined ? text : combine(before, text)
    }
  }
  return some ? { [name]: found } : {}
}

/** What all clusters grant and use together (ResourceQuota). */
export const aggregateQuota: Aggregate = ({ members: all }) => {
  const members = known(all)
  if (members.length === 0) return undefined
  return { ...amounts(members, "hard", combined(true)), ...amounts(members, "used", combined(true)) }
}

// --- Volumes ---

const VOLUME_PHASES = ["Failed", "Pending", "Available", "Released", "Bound"]
const CLAIM_PHASES = ["Lost", "Pending", "Bound"]

/** The phase that needs attention first (PersistentVolume). */
export const aggregateVolume: Aggregate = ({ members: all }) => {
  const members = known(all)
  if (members.length === 0) return undefined
  return {
    ...given("phase", firstPhase(members, VOLUME_PHASES)),
    ...agreed(members, "message"),
    ...agreed(members, "reason"),
    ...given("lastPhaseTransitionTime", time(members, "lastPhaseTransitionTime", "last"))
  }
}

/** The phase that needs attention first, and the least that every cluster has (PersistentVolumeClaim). */
export const aggregateClaim: Aggregate = (input) => {
  const members = known(input.members)
  const [only] = members
  if (only === undefined) return undefined
  if (members.length === 1) return statusOf(only)
  return {
    ...given("phase", firstPhase(members, CLAIM_PHASES)),
    ...agreed(members, "accessModes"),
    ...amounts(members, "capacity", combined(false)),
    ...listed("conditions", mergedConditions({ ...input, members }))
  }
}

// --- Autoscaler and budget ---

/** A metric's identity: its type and name, without the value. */
const metricKey = (metric: Fields): string => {
  const type = textOf(metric["type"])
  const { current: _value, ...rest } = fieldsOf(metric[type.charAt(0).toLowerCase() + type.slice(1)])
  return JSON.stringify([type, rest])
}

/** Metrics that only one member reports, or that all report alike: an average of averages would be a number nobody measured. */
const metrics = (members: ReadonlyArray<MemberState>): JsonObject => {
  const byKey = new Map<string, Array<Fields>>()
  for (const member of members) {
    for (const metric of itemsOf(statusOf(member)["currentMetrics"])) {
      const key = metricKey(metric)
      byKey.set(key, [...(byKey.get(key) ?? []), metric])
    }
  }
  const told = [...byKey.values()].filter((found) => new Set(found.map((metric) => JSON.stringify(metric))).size === 1)
  return listed(
    "currentMetrics",
    told.flatMap(([first]) => (first === undefined ? [] : [first]))
  )
}

/** Replicas of all, and whether every one can act (HorizontalPodAutoscaler). */
export const aggregateAutoscaler: Aggregate = (input) => {
  const members = known(input.members)
  if (members.length === 0) return undefined
  return {
    ...seen(input, members),
    ...given("lastScaleTime", time(members, "lastScaleTime", "last")),
    ...summed(members, ["currentReplicas", "desiredReplicas"]),
    ...metrics(members),
    ...listed("conditions", mergedConditions({ ...input, members }))
  }
}

/** Kinds whose controllers do not always tell what they saw: no generation where no member has one. */
const seen = (input: AggregationInput, members: ReadonlyArray<MemberState>): JsonObject =>
  members.some((member) => statusOf(member)["observedGeneration"] !== undefined) ? observedGeneration(input) : {}

/** What may be disrupted in all clusters together (PodDisruptionBudget). */
export const aggregateBudget: Aggregate = (input) => {
  const members = known(input.members)
  if (members.length === 0) return undefined
  const disrupted = Object.assign(
    {},
    ...members.map((member) => fieldsOf(statusOf(member)["disruptedPods"]))
  ) as Record<string, Json>
  const sums = summed(members, ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"])
  const conditions = mergedConditions({ ...input, members }).map((condition) =>
    condition["type"] === "DisruptionAllowed" ? allowed(condition, sums, members.length) : condition
  )
  return {
    ...seen(input, members),
    ...sums,
    ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
    ...listed("conditions", conditions)
  }
}

/** The whole allows a disruption as soon as one cluster does. */
const allowed = (condition: JsonObject, sums: JsonObject, members: number): JsonObject => {
  if (members === 1 || numberOf(sums["disruptionsAllowed"]) === 0 || condition["status"] === "True") return condition
  return { ...condition, status: "True", reason: "SufficientPods", message: "" }
}

/** Of a kind whose status is its conditions, and of kinds that nobody described: conditions merged, the rest where all agree. */
export const aggregateByAgreement: Aggregate = (input) => {
  const members = known(input.members)
  if (members.length === 0) return undefined
  const names = new Set(members.flatMap((member) => Object.keys(statusOf(member))))
  names.delete("conditions")
  names.delete("observedGeneration")
  return {
    ...seen(input, members),
    ...Object.assign({}, ...[...names].sort().map((name) => agreed(members, name))),
    ...listed("conditions", mergedConditions({ ...input, members }))
  }
}
