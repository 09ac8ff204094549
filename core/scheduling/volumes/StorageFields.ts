// The fields of claims, volumes, classes and CSI objects that scheduling reads, as the API declares them.
// Owns their shapes and small readings of them; refuses to match volumes with nodes, which VolumePlan.ts does.
import { type KubeObject, type LabelSelectorObject, Quantity, quantityOf } from "#kube"
import type { Exact } from "../pod/ResourceVector.ts"
import type { NodeSelectorFields } from "../pod/PodFields.ts"

export interface ClaimFields {
  readonly volumeName?: string
  readonly storageClassName?: string
  readonly accessModes?: ReadonlyArray<string>
  readonly volumeMode?: string
  readonly volumeAttributesClassName?: string
  readonly selector?: LabelSelectorObject
  readonly resources?: { readonly requests?: Readonly<Record<string, string>> }
}

export interface VolumeSpecFields {
  readonly storageClassName?: string
  readonly accessModes?: ReadonlyArray<string>
  readonly volumeMode?: string
  readonly volumeAttributesClassName?: string
  readonly capacity?: Readonly<Record<string, string>>
  readonly claimRef?: { readonly name?: string; readonly namespace?: string; readonly uid?: string }
  readonly nodeAffinity?: { readonly required?: NodeSelectorFields }
  readonly csi?: { readonly driver: string; readonly volumeHandle: string }
}

export interface ClassFields {
  readonly provisioner?: string
  readonly volumeBindingMode?: string
  readonly allowedTopologies?: ReadonlyArray<{
    readonly matchLabelExpressions?: ReadonlyArray<{ readonly key: string; readonly values: ReadonlyArray<string> }>
  }>
}

export interface CapacityFields {
  readonly storageClassName?: string
  readonly capacity?: string
  readonly maximumVolumeSize?: string
  readonly nodeTopology?: LabelSelectorObject
}

export interface CsiNodeFields {
  readonly drivers?: ReadonlyArray<{ readonly name: string; readonly allocatable?: { readonly count?: number } }>
}

export interface CsiDriverFields {
  readonly storageCapacity?: boolean
  readonly preventPodSchedulingIfMissing?: boolean
}

export interface AttachmentFields {
  readonly attacher?: string
  readonly nodeName?: string
  readonly source?: { readonly persistentVolumeName?: string }
}

export const SELECTED_NODE = "volume.kubernetes.io/selected-node"
export const BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
export const BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
const BETA_CLASS = "volume.beta.kubernetes.io/storage-class"

const nothing = {}

// SAFETY (all): the API server has validated these objects against the same declarations.
export const claimOf = (claim: KubeObject): ClaimFields => claim.spec ?? nothing
export const volumeOf = (volume: KubeObject): VolumeSpecFields => volume.spec ?? nothing
export const classOf = (storageClass: KubeObject): ClassFields => storageClass as unknown as ClassFields
export const capacityOf = (capacity: KubeObject): CapacityFields => capacity as unknown as CapacityFields
export const csiNodeOf = (csiNode: KubeObject): CsiNodeFields => csiNode.spec ?? nothing
export const csiDriverOf = (driver: KubeObject): CsiDriverFields => driver.spec ?? nothing
export const attachmentOf = (attachment: KubeObject): AttachmentFields => attachment.spec ?? nothing

export const classNameOf = (object: KubeObject): string =>
  object.metadata.annotations?.[BETA_CLASS] ?? claimOf(object).storageClassName ?? ""

/** Bytes; 0 for what is no quantity. */
export const bytesOf = (text: string | undefined): Exact => {
  const quantity = text === undefined ? undefined : quantityOf(text)
  return quantity instanceof Quantity ? quantity.value() : 0
}

/** Whether a claim has its volume for good. */
export const isBound = (claim: KubeObject): boolean =>
  (claimOf(claim).volumeName ?? "") !== "" && claim.metadata.annotations?.[BIND_COMPLETED] !== undefined

/** Whether a volume is promised to a claim, or bound to it. */
export const isPromisedTo = (volume: KubeObject, claim: KubeObject): boolean => {
  const { claimRef } = volumeOf(volume)
  if (claimRef === undefined) return false
  const { name, namespace, uid } = claim.metadata
  if (claimRef.name !== name || claimRef.namespace !== namespace) return false
  return (claimRef.uid ?? "") === "" || claimRef.uid === uid
}
