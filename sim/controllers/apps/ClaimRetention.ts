// Who owns the volume claims of a StatefulSet's pods: nobody, the set (they go with it), or a pod that is scaled away (they go with it).
// Owns the rule, by spec.persistentVolumeClaimRetentionPolicy; refuses to delete claims, which the garbage collector does.
import type { KubeObject, OwnerReference } from "#kube"
import { type OwnerKind, ownerReference } from "../Owned.ts"
import { isInRange } from "./StatefulPods.ts"
import { type StatefulSet, statefulSetKind } from "./Workloads.ts"

const podKind: OwnerKind = { apiVersion: "v1", kind: "Pod" }

const noReferences: ReadonlyArray<OwnerReference> = []

const refersTo = (reference: OwnerReference, object: KubeObject, { apiVersion, kind }: OwnerKind): boolean =>
  reference.apiVersion === apiVersion && reference.kind === kind && reference.name === object.metadata.name

const isOwnedBy = ({ metadata }: KubeObject, { metadata: { uid } }: KubeObject): boolean =>
  metadata.ownerReferences?.some((reference) => reference.uid === uid) === true

const isStaleReference = (claim: KubeObject, object: KubeObject, kind: OwnerKind): boolean => {
  const reference = claim.metadata.ownerReferences?.find((one) => refersTo(one, object, kind))
  return reference !== undefined && reference.uid !== object.metadata.uid
}

const policyOf = ({ spec }: StatefulSet): { readonly whenDeleted: boolean; readonly whenScaled: boolean } => ({
  whenDeleted: spec.persistentVolumeClaimRetentionPolicy?.whenDeleted === "Delete",
  whenScaled: spec.persistentVolumeClaimRetentionPolicy?.whenScaled === "Delete"
})

/** Whether somebody else controls a claim whose fate the set should decide. */
export const hasOtherController = (claim: KubeObject, set: StatefulSet, pod: KubeObject): boolean => {
  const { whenDeleted, whenScaled } = policyOf(set)
  if (!whenDeleted && !whenScaled) return false
  return (claim.metadata.ownerReferences ?? noReferences).some((reference) => {
    if (refersTo(reference, set, statefulSetKind)) return reference.uid !== set.metadata.uid
    if (refersTo(reference, pod, podKind)) return reference.uid !== pod.metadata.uid
    return reference.controller === true
  })
}

/** Whether a claim belongs to an earlier pod of this name: a new one must wait until it is gone. */
export const isStaleClaim = (claim: KubeObject, set: StatefulSet, pod: KubeObject): boolean =>
  policyOf(set).whenScaled && isStaleReference(claim, pod, podKind)

/** Who should own a claim: the set, the pod, or neither. */
const wantedOwners = (set: StatefulSet, pod: KubeObject): { readonly set: boolean; readonly pod: boolean } => {
  const { whenDeleted, whenScaled } = policyOf(set)
  const isScaledAway = whenScaled && !isInRange(set, pod)
  return { set: whenDeleted && !isScaledAway, pod: isScaledAway }
}

/** Whether a claim's owners are as the policy wants them. A claim of an earlier set or pod is left alone. */
export const isClaimRight = (claim: KubeObject, set: StatefulSet, pod: KubeObject): boolean => {
  if (isStaleReference(claim, set, statefulSetKind) || isStaleReference(claim, pod, podKind)) return true
  const bySet = isOwnedBy(claim, set)
  const byPod = isOwnedBy(claim, pod)
  if (hasOtherController(claim, set, pod)) return !bySet && !byPod
  const isHalfOwned = (claim.metadata.ownerReferences ?? noReferences).some(
    ({ controller, uid }) => (uid === set.metadata.uid || uid === pod.metadata.uid) && controller !== true
  )
  const wanted = wantedOwners(set, pod)
  return !isHalfOwned && bySet === wanted.set && byPod === wanted.pod
}

/** The owners that the policy wants a claim to have. */
export const retainedOwners = (claim: KubeObject, set: StatefulSet, pod: KubeObject): ReadonlyArray<OwnerReference> => {
  const others = (claim.metadata.ownerReferences ?? noReferences).filter(
    (reference) => !refersTo(reference, set, statefulSetKind) && !refersTo(reference, pod, podKind)
  )
  if (hasOtherController(claim, set, pod)) return others
  const wanted = wantedOwners(set, pod)
  return [
    ...others,
    ...(wanted.set ? [ownerReference(set, statefulSetKind)] : []),
    ...(wanted.pod ? [ownerReference(pod, podKind)] : [])
  ]
}
