// A PropagationPolicy or ClusterPropagationPolicy as code reads it, compiled once per object with KubeAdmiral's defaults.
// Owns reading and the defaults; refuses to choose among policies, and to place anything.
import { type Json, type KubeObject, LabelSelector, labelSelectorOf, parseDurationMs, SelectorInvalid } from "#kube"
import {
  type Fields,
  fieldsIn,
  fieldsOf,
  invalid,
  itemsOf,
  numberIn,
  numberOf,
  type Problems,
  textOf
} from "#apiserver"
import { type ClusterTerms, clusterTermsOf } from "./ClusterTerms.ts"
import { topologyLabels } from "./FederationNames.ts"
import { type Toleration, tolerationsOf } from "./Taints.ts"

/** What a policy says about one cluster of its placement. */
export interface ClusterPreferences {
  readonly min: number
  /** Infinity: no limit. */
  readonly max: number
  /** undefined: none given. */
  readonly weight: number | undefined
  readonly priority: number | undefined
}

/** Objects that a policy is for where no label names one. */
export interface ResourceSelector {
  /** Empty texts: any. */
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly labels: LabelSelector
}

/** Clusters that are used as long as there are enough of them. */
export interface FailoverGroup {
  readonly name: string
  readonly clusters: ClusterTerms
  readonly minClusters: number
}

/** How clusters are spread over groups of them. */
export interface SpreadConstraint {
  /** A label, or "cluster". */
  readonly topologyKey: string
  readonly minGroups: number
  readonly maxGroups: number
  readonly required: boolean
}

/** How far a new template goes at a time; texts are percentages. */
export interface RolloutPolicy {
  readonly maxClusters?: number | string
  readonly maxUnavailable?: number | string
  readonly paused?: boolean
}

/** What schedules an object: the policy, or what an object's annotations make of it. */
export interface Requirements {
  readonly mode: "Duplicate" | "Divide"
  readonly strategy: "Spread" | "Binpack" | "Capacity"
  /** Each must hold. */
  readonly clusters: ReadonlyArray<ClusterTerms>
  /** Terms that raise a cluster's score. */
  readonly preferred: ReadonlyArray<{ readonly weight: number; readonly terms: ClusterTerms }>
  /** A taint must be tolerated by each list. */
  readonly tolerations: ReadonlyArray<ReadonlyArray<Toleration>>
  readonly maxClusters: number
  /** undefined: every cluster. */
  readonly placement: ReadonlyMap<string, ClusterPreferences> | undefined
  readonly sticky: boolean
  readonly avoidDisruption: boolean
  /** undefined: replicas that find no room stay where they are. */
  readonly autoMigration: { readonly podUnschedulableForMs: number; readonly keepUnschedulable: boolean } | undefined
  readonly failoverGroups: ReadonlyArray<FailoverGroup>
  readonly spread: ReadonlyArray<SpreadConstraint>
  readonly failover: {
    readonly disabled: boolean
    /** How long a lost cluster is waited for. */
    readonly tolerationMs: number
    /** How long a cluster is kept at most while what replaces it is not ready. */
    readonly graceMs: number
  }
}

/** A policy. */
export interface PropagationPolicy extends Requirements {
  readonly kind: "PropagationPolicy" | "ClusterPropagationPolicy"
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly generation: number
  /** Empty: the usual plugins. */
  readonly profile: string
  readonly followers: boolean
  /** undefined: a new template goes everywhere at once. */
  readonly rollout: RolloutPolicy | undefined
  /** What annotations of objects may do. */
  readonly objectOverrides: "Narrow" | "Replace" | "Ignore"
  readonly reschedule: {
    readonly policyContentChanged: boolean
    readonly clusterJoined: boolean
    readonly clusterLabelsChanged: boolean
    readonly clusterApiResourcesChanged: boolean
  }
  readonly selectors: ReadonlyArray<ResourceSelector>
  readonly priority: number
  /** As it stands in the object: what changes of content are told by. */
  readonly spec: Fields
  /** What is wrong with it; a policy with problems is used as if the wrong parts matched nothing. */
  readonly problems: Problems
}

const TOLERATION_SECONDS = 300
const GRACE_SECONDS = 600

const preferencesOf = (fields: Fields): ClusterPreferences => ({
  min: numberOf(fields["minReplicas"]),
  max: numberIn(fields["maxReplicas"]) ?? Infinity,
  weight: numberIn(fields["weight"]),
  priority: numberIn(fields["priority"])
})

/** The `placement` of a policy, or of an object's annotation; undefined when it is empty. */
export const placementOf = (
  list: unknown,
  path: string,
  problems: Problems
): ReadonlyMap<string, ClusterPreferences> | undefined => {
  const items = itemsOf(list)
  if (items.length === 0) return undefined
  const found = new Map<string, ClusterPreferences>()
  items.forEach((item, at) => {
    const cluster = textOf(item["cluster"])
    const preferences = preferencesOf(fieldsOf(item["preferences"]))
    if (found.has(cluster))
      problems.push({ type: "FieldValueDuplicate", field: `${path}[${at}].cluster`, value: cluster, detail: "" })
    if (preferences.min > preferences.max) {
      problems.push(
        invalid(`${path}[${at}].preferences.minReplicas`, preferences.min, "must not be more than maxReplicas")
      )
    }
    found.set(cluster, preferences)
  })
  return found
}

/** A selector of labels as it stands in JSON: absent means any, a bad one none. */
const labelsOf = (value: unknown, path: string, problems: Problems): LabelSelector => {
  const fields = fieldsIn(value)
  if (fields === undefined) return new LabelSelector([])
  const selector = labelSelectorOf(fields)
  if (!(selector instanceof SelectorInvalid)) return selector
  problems.push(invalid(path, fields, selector.message))
  return new LabelSelector([], true)
}

const selectorOf = (fields: Fields, path: string, problems: Problems): ResourceSelector => ({
  apiVersion: textOf(fields["apiVersion"]),
  kind: textOf(fields["kind"]),
  namespace: textOf(fields["namespace"]),
  name: textOf(fields["name"]),
  labels: labelsOf(fields["labelSelector"], `${path}.labelSelector`, problems)
})

const TOPOLOGY: Readonly<Record<string, string | undefined>> = topologyLabels

const spreadOf = (fields: Fields, path: string, problems: Problems): SpreadConstraint => {
  const key = textOf(fields["topologyKey"])
  const minGroups = numberIn(fields["minGroups"]) ?? 1
  const maxGroups = numberIn(fields["maxGroups"]) ?? Infinity
  if (minGroups > maxGroups) problems.push(invalid(`${path}.minGroups`, minGroups, "must not be more than maxGroups"))
  return {
    topologyKey: TOPOLOGY[key] ?? key,
    minGroups,
    maxGroups,
    required: fields["whenUnsatisfiable"] !== "ScheduleAnyway"
  }
}

const autoMigrationOf = (value: unknown, path: string, problems: Problems): Requirements["autoMigration"] => {
  const fields = fieldsIn(value)
  if (fields === undefined) return undefined
  const text = textOf(fieldsOf(fields["when"])["podUnschedulableFor"]) || "1m"
  const podUnschedulableForMs = parseDurationMs(text)
  if (podUnschedulableForMs === undefined) {
    problems.push(invalid(`${path}.when.podUnschedulableFor`, text, "must be a duration like 1m30s"))
  }
  return {
    podUnschedulableForMs: podUnschedulableForMs ?? 60_000,
    keepUnschedulable: fields["keepUnschedulableReplicas"] === true
  }
}

const rescheduleOf = (fields: Fields): PropagationPolicy["reschedule"] => ({
  policyContentChanged: fields["policyContentChanged"] !== false,
  clusterJoined: fields["clusterJoined"] === true,
  clusterLabelsChanged: fields["clusterLabelsChanged"] === true,
  clusterApiResourcesChanged: fields["clusterAPIResourcesChanged"] === true
})

const requirementsOf = (spec: Fields, problems: Problems): Requirements => {
  const reschedule = fieldsOf(spec["reschedulePolicy"])
  const failover = fieldsOf(spec["failover"])
  return {
    mode: spec["schedulingMode"] === "Divide" ? "Divide" : "Duplicate",
    // SAFETY: the schema's enum.
    strategy: (textOf(spec["replicasStrategy"]) || "Spread") as Requirements["strategy"],
    clusters: [clusterTermsOf(spec, "spec", problems)],
    preferred: [],
    tolerations: [tolerationsOf(spec["tolerations"], "spec.tolerations", problems)],
    maxClusters: numberIn(spec["maxClusters"]) ?? Infinity,
    placement: placementOf(spec["placement"], "spec.placement", problems),
    sticky: reschedule["disableRescheduling"] === true,
    avoidDisruption: fieldsOf(reschedule["replicaRescheduling"])["avoidDisruption"] !== false,
    autoMigration: autoMigrationOf(spec["autoMigration"], "spec.autoMigration", problems),
    failoverGroups: itemsOf(spec["failoverGroups"]).map((group, at) => ({
      name: textOf(group["name"]),
      clusters: clusterTermsOf(group, `spec.failoverGroups[${at}]`, problems),
      minClusters: numberIn(group["minClusters"]) ?? 1
    })),
    spread: itemsOf(spec["spreadConstraints"]).map((one, at) =>
      spreadOf(one, `spec.spreadConstraints[${at}]`, problems)
    ),
    failover: {
      disabled: failover["disabled"] === true,
      tolerationMs: (numberIn(failover["tolerationSeconds"]) ?? TOLERATION_SECONDS) * 1000,
      graceMs: (numberIn(failover["gracePeriodSeconds"]) ?? GRACE_SECONDS) * 1000
    }
  }
}

const amountIn = (value: unknown, field: string, problems: Problems): number | string | undefined => {
  if (value === undefined) return undefined
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value
  if (typeof value === "string" && /^\d{1,3}%$/.test(value)) return value
  problems.push(invalid(field, value as Json, "must be a whole number that is not negative, or a percentage like 25%"))
  return undefined
}

const rolloutOf = (value: unknown, problems: Problems): RolloutPolicy | undefined => {
  const fields = fieldsIn(value)
  if (fields === undefined) return undefined
  const maxClusters = amountIn(fields["maxClusters"], "spec.rollout.maxClusters", problems)
  const maxUnavailable = amountIn(fields["maxUnavailable"], "spec.rollout.maxUnavailable", problems)
  return {
    ...(maxClusters === undefined ? {} : { maxClusters }),
    ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
    ...(fields["paused"] === true ? { paused: true } : {})
  }
}

const readPolicy = (object: KubeObject): PropagationPolicy => {
  const spec = fieldsOf(object.spec)
  const problems: Problems = []
  const { generation, name, namespace, uid } = object.metadata
  return {
    ...requirementsOf(spec, problems),
    kind: object.kind === "ClusterPropagationPolicy" ? "ClusterPropagationPolicy" : "PropagationPolicy",
    namespace: namespace ?? "",
    name: name ?? "",
    uid: uid ?? "",
    generation: generation ?? 0,
    profile: textOf(spec["schedulingProfile"]),
    followers: spec["disableFollowerScheduling"] !== true,
    rollout: rolloutOf(spec["rollout"], problems),
    // SAFETY: the schema's enum.
    objectOverrides: (textOf(spec["objectOverrides"]) || "Narrow") as PropagationPolicy["objectOverrides"],
    reschedule: rescheduleOf(fieldsOf(fieldsOf(spec["reschedulePolicy"])["rescheduleWhen"])),
    selectors: itemsOf(spec["resourceSelectors"]).map((one, at) =>
      selectorOf(one, `spec.resourceSelectors[${at}]`, problems)
    ),
    priority: numberOf(spec["priority"]),
    spec,
    problems
  }
}

/** Objects are never changed in place, so what was read of one is good for as long as it lives. */
const known = new WeakMap<KubeObject, PropagationPolicy>()

/** Reads a policy, once per object: the same object is the same policy. */
export const propagationPolicyOf = (object: KubeObject): PropagationPolicy => {
  const found = known.get(object)
  if (found !== undefined) return found
  const fresh = readPolicy(object)
  known.set(object, fresh)
  return fresh
}
