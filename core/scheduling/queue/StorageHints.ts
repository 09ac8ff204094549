// Whether changes of claims, volumes, classes and CSI objects can help a pod that a volume plugin turned down.
// Owns these rows of the table of hints; Hints.ts has the others.
import { type KubeObject, sameJson } from "#kube"
import { noLabels, podSpecOf } from "../pod/PodFields.ts"
import { bytesOf, capacityOf, classOf, csiNodeOf } from "../volumes/StorageFields.ts"
import { disksConflict } from "../volumes/VolumeRestrictions.ts"
import { Action } from "./ClusterEvents.ts"
import type { HintRow } from "./Hints.ts"

const claimsOf = (pod: KubeObject): ReadonlyArray<string> =>
  (podSpecOf(pod).volumes ?? []).flatMap(({ ephemeral, name, persistentVolumeClaim: claim }) =>
    claim !== undefined ? [claim.claimName] : ephemeral === undefined ? [] : [`${pod.metadata.name}-${name}`]
  )

const isOwnClaim = (pod: KubeObject, claim: KubeObject | undefined): boolean =>
  claim?.metadata.namespace === pod.metadata.namespace && claimsOf(pod).includes(claim?.metadata.name ?? "")

const sharesVolumes = (pod: KubeObject, other: KubeObject): boolean =>
  other.metadata.namespace === pod.metadata.namespace &&
  (disksConflict(podSpecOf(pod).volumes ?? [], podSpecOf(other).volumes ?? []) ||
    claimsOf(other).some((name) => claimsOf(pod).includes(name)))

const limitsGrew = (before: KubeObject, after: KubeObject): boolean =>
  (csiNodeOf(after).drivers ?? []).some(({ allocatable, name }) => {
    const old = csiNodeOf(before).drivers?.find((driver) => driver.name === name)
    return old === undefined || (allocatable?.count ?? Infinity) > (old.allocatable?.count ?? Infinity)
  })

const limitOf = (object: KubeObject) => {
  const { capacity, maximumVolumeSize } = capacityOf(object)
  return bytesOf(maximumVolumeSize ?? capacity)
}

const { add, delete: deleted, nodeLabel, update } = Action
const changed = add | update

export const storageHints: ReadonlyArray<HintRow> = [
  {
    plugin: "VolumeRestrictions",
    resource: "AssignedPod",
    actions: deleted,
    helps: (pod, { before }) => before !== undefined && sharesVolumes(pod, before)
  },
  { plugin: "VolumeRestrictions", resource: "Node", actions: add },
  {
    plugin: "VolumeRestrictions",
    resource: "PersistentVolumeClaim",
    actions: add,
    helps: (pod, { after }) => isOwnClaim(pod, after)
  },
  { plugin: "NodeVolumeLimits", resource: "CSINode", actions: add },
  {
    plugin: "NodeVolumeLimits",
    resource: "CSINode",
    actions: update,
    helps: (_, { after, before }) => after !== undefined && before !== undefined && limitsGrew(before, after)
  },
  {
    plugin: "NodeVolumeLimits",
    resource: "AssignedPod",
    actions: deleted,
    helps: (_, { before }) => before !== undefined && claimsOf(before).length > 0
  },
  {
    plugin: "NodeVolumeLimits",
    resource: "PersistentVolumeClaim",
    actions: add,
    helps: (pod, { after }) => isOwnClaim(pod, after)
  },
  { plugin: "NodeVolumeLimits", resource: "VolumeAttachment", actions: deleted },
  {
    plugin: "VolumeBinding",
    resource: "StorageClass",
    actions: changed,
    helps: (_, { after, before }) =>
      before === undefined ||
      after === undefined ||
      !sameJson(classOf(before).allowedTopologies ?? [], classOf(after).allowedTopologies ?? [])
  },
  {
    plugin: "VolumeBinding",
    resource: "PersistentVolumeClaim",
    actions: changed,
    helps: (pod, { after }) => isOwnClaim(pod, after)
  },
  { plugin: "VolumeBinding", resource: "PersistentVolume", actions: changed },
  { plugin: "VolumeBinding", resource: "Node", actions: add | nodeLabel },
  { plugin: "VolumeBinding", resource: "CSINode", actions: add },
  {
    plugin: "VolumeBinding",
    resource: "CSIStorageCapacity",
    actions: changed,
    helps: (_, { after, before }) => after !== undefined && (before === undefined || limitOf(after) > limitOf(before))
  },
  { plugin: "VolumeBinding", resource: "CSIDriver", actions: update },
  {
    plugin: "VolumeZone",
    resource: "StorageClass",
    actions: add,
    helps: (_, { after }) => after !== undefined && classOf(after).volumeBindingMode === "WaitForFirstConsumer"
  },
  { plugin: "VolumeZone", resource: "Node", actions: add | nodeLabel },
  {
    plugin: "VolumeZone",
    resource: "PersistentVolumeClaim",
    actions: changed,
    helps: (pod, { after }) => isOwnClaim(pod, after)
  },
  {
    plugin: "VolumeZone",
    resource: "PersistentVolume",
    actions: changed,
    helps: (_, { after, before }) =>
      before === undefined || !sameJson(before.metadata.labels ?? noLabels, after?.metadata.labels ?? noLabels)
  }
]
