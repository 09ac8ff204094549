// Where one object's rollout stands: each cluster's copy against the pod template that it is to have, and what the policy lets go next.
// Owns this reading of copies, the digest that a copy carries, and a copy that is changed in all but its template; refuses to write. A
// cluster that is not heard of holds nobody up.
import { type Fields, fieldsOf, numberIn, numberOf } from "#apiserver"
import type { JsonObject, KubeObject } from "#kube"
import { federatedSpecOf, placedClusters } from "../api/FederatedObject.ts"
import { federationAnnotations } from "../api/FederationNames.ts"
import type { RolloutPolicy } from "../api/PropagationPolicy.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { templateKey } from "../federate/ObjectNames.ts"
import { jsonAt } from "../federate/Template.ts"
import type { TypeRules } from "../federate/TypeRules.ts"
import { textDigest } from "../planner/StableHash.ts"
import { annotationJson } from "../scheduling/SchedulingUnit.ts"
import { sortedJson } from "../scheduling/Triggers.ts"
import { maxUnavailable } from "../semantics/WorkloadStatus.ts"
import type { MemberReads } from "../status/MemberReads.ts"
import { nextStep, type RollingCluster, type RolloutStep } from "./RolloutPlan.ts"

const DIGEST = federationAnnotations.podTemplateDigest

/** What the policy of an object lets go at a time; undefined: everything. */
const policyOf = ({ metadata: { annotations = {} } }: KubeObject): RolloutPolicy | undefined =>
  annotations[federationAnnotations.rollout] === undefined
    ? undefined
    : fieldsOf(annotationJson(annotations, federationAnnotations.rollout))

/** Whether an object's new templates go step by step. */
export const isStepwise = (federated: KubeObject, { podTemplate }: Pick<TypeRules, "podTemplate">): boolean =>
  podTemplate !== undefined && policyOf(federated) !== undefined

/** A desired copy with the digest of its pod template. */
export const withDigest = (desired: KubeObject, path: ReadonlyArray<string>): KubeObject => {
  // SAFETY: an object is JSON.
  const digest = textDigest(sortedJson(jsonAt(desired as unknown as JsonObject, path)))
  const annotations = { ...desired.metadata.annotations, [DIGEST]: digest }
  return { ...desired, metadata: { ...desired.metadata, annotations } }
}

export const digestOf = ({ metadata }: KubeObject): string | undefined => metadata.annotations?.[DIGEST]

const replacedAt = (
  value: Fields,
  [field = "", ...rest]: ReadonlyArray<string>,
  by: JsonObject[string]
): JsonObject => ({
  ...value,
  [field]: rest.length === 0 ? by : replacedAt(fieldsOf(value[field]), rest, by)
})

/** The desired copy with the pod template that is there: everything else goes at once. */
export const withOldTemplate = (desired: KubeObject, there: KubeObject, path: ReadonlyArray<string>): KubeObject => {
  // SAFETY: objects are JSON.
  const template = jsonAt(there as unknown as JsonObject, path)
  const made = replacedAt(desired as unknown as Fields, path, template) as unknown as KubeObject
  const { [DIGEST]: _new, ...annotations } = desired.metadata.annotations ?? {}
  const old = digestOf(there)
  return {
    ...made,
    metadata: { ...desired.metadata, annotations: { ...annotations, ...(old === undefined ? {} : { [DIGEST]: old }) } }
  }
}

const resolved = (value: number | string | undefined, of: number, round: (value: number) => number): number => {
  if (value === undefined) return Infinity
  return typeof value === "number" ? value : round((Number.parseInt(value, 10) * of) / 100)
}

/** What it takes to look at all copies. */
export interface RolloutView {
  readonly federated: KubeObject
  readonly type: TypeConfig
  readonly rules: TypeRules
  readonly reads: Pick<MemberReads, "isCurrent" | "object">
  /** The digest that a cluster's copy is to have; undefined: it cannot be made. */
  readonly wanted: (cluster: string) => string | undefined
}

const standingOf = (copy: KubeObject, cluster: string, wanted: string, { rules }: RolloutView): RollingCluster => {
  // SAFETY: objects are JSON.
  const object = copy as unknown as JsonObject
  const spec = fieldsOf(copy.spec)
  const replicas = rules.replicas === undefined ? 1 : (numberIn(jsonAt(object, rules.replicas.spec)) ?? 1)
  const { state: health } = rules.health(object)
  const isWell = health === "Healthy" || health === "Unknown"
  const ready =
    rules.replicas?.ready === undefined ? (isWell ? replicas : 0) : numberOf(jsonAt(object, rules.replicas.ready))
  const digest = digestOf(copy)
  const isNew = digest === undefined || digest === wanted
  const state = !isNew ? "waiting" : health === "Degraded" ? "failed" : isWell ? "done" : "rolling"
  const costs = copy.kind === "Deployment" ? maxUnavailable(spec, replicas) : Math.min(1, replicas)
  return { cluster, state, replicas, ready, costs }
}

/** The next step over all clusters that are heard of. */
export const rolloutStep = (view: RolloutView): RolloutStep => {
  const { federated, reads, type, wanted } = view
  const policy = policyOf(federated) ?? {}
  const key = templateKey(federated)
  const standing: Array<RollingCluster> = []
  for (const cluster of placedClusters(federatedSpecOf(federated))) {
    const copy = reads.isCurrent(cluster, type.type) ? reads.object(cluster, type.type, key) : undefined
    const digest = copy === undefined ? undefined : wanted(cluster)
    if (copy !== undefined && digest !== undefined) standing.push(standingOf(copy, cluster, digest, view))
  }
  const replicas = standing.reduce((sum, one) => sum + one.replicas, 0)
  return nextStep(standing, {
    maxClusters: resolved(policy.maxClusters, standing.length, Math.ceil),
    maxUnavailable: resolved(policy.maxUnavailable, replicas, Math.floor),
    paused: policy.paused === true
  })
}
