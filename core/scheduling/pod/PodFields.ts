// The fields of pods and nodes that scheduling reads, as the API declares them.
// Owns their shapes and how to get at them; refuses to judge them. The API server has validated every object that comes here.
import { type JsonObject, type KubeObject, type Labels, type LabelSelectorObject, parseRfc3339 } from "#kube"

export type Amounts = Readonly<Record<string, string | number>>

export interface ContainerPort {
  readonly hostPort?: number
  readonly hostIP?: string
  readonly protocol?: string
}

export interface Container {
  readonly name: string
  readonly image?: string
  readonly restartPolicy?: string
  readonly ports?: ReadonlyArray<ContainerPort>
  readonly resources?: { readonly requests?: Amounts; readonly limits?: Amounts }
}

export interface Toleration {
  readonly key?: string
  readonly operator?: string
  readonly value?: string
  readonly effect?: string
}

export interface Taint {
  readonly key: string
  readonly value?: string
  readonly effect: string
}

export interface NodeSelectorRequirement {
  readonly key: string
  readonly operator: string
  readonly values?: ReadonlyArray<string>
}

export interface NodeSelectorTermFields {
  readonly matchExpressions?: ReadonlyArray<NodeSelectorRequirement>
  readonly matchFields?: ReadonlyArray<NodeSelectorRequirement>
}

export interface NodeSelectorFields {
  readonly nodeSelectorTerms?: ReadonlyArray<NodeSelectorTermFields>
}

export interface PreferredNodeTerm {
  readonly weight: number
  readonly preference: NodeSelectorTermFields
}

export interface NodeAffinityFields {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: NodeSelectorFields
  readonly preferredDuringSchedulingIgnoredDuringExecution?: ReadonlyArray<PreferredNodeTerm>
}

export interface PodAffinityTermFields {
  readonly topologyKey: string
  readonly labelSelector?: LabelSelectorObject
  readonly namespaces?: ReadonlyArray<string>
  readonly namespaceSelector?: LabelSelectorObject
}

export interface PodAffinityFields {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: ReadonlyArray<PodAffinityTermFields>
  readonly preferredDuringSchedulingIgnoredDuringExecution?: ReadonlyArray<{
    readonly weight: number
    readonly podAffinityTerm: PodAffinityTermFields
  }>
}

export interface SpreadConstraintFields {
  readonly maxSkew: number
  readonly topologyKey: string
  readonly whenUnsatisfiable: string
  readonly labelSelector?: LabelSelectorObject
  readonly minDomains?: number
  readonly matchLabelKeys?: ReadonlyArray<string>
  readonly nodeAffinityPolicy?: string
  readonly nodeTaintsPolicy?: string
}

export interface VolumeFields {
  readonly name: string
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean }
  readonly ephemeral?: JsonObject
  readonly image?: { readonly reference?: string }
  readonly gcePersistentDisk?: { readonly pdName: string; readonly readOnly?: boolean }
  readonly awsElasticBlockStore?: { readonly volumeID: string; readonly readOnly?: boolean }
  readonly rbd?: {
    readonly monitors?: ReadonlyArray<string>
    readonly image: string
    readonly pool?: string
    readonly readOnly?: boolean
  }
  readonly iscsi?: { readonly iqn: string; readonly readOnly?: boolean }
}

export interface PodSpecFields {
  readonly nodeName?: string
  readonly schedulerName?: string
  readonly priority?: number
  readonly preemptionPolicy?: string
  readonly nodeSelector?: Labels
  readonly affinity?: {
    readonly nodeAffinity?: NodeAffinityFields
    readonly podAffinity?: PodAffinityFields
    readonly podAntiAffinity?: PodAffinityFields
  }
  readonly tolerations?: ReadonlyArray<Toleration>
  readonly topologySpreadConstraints?: ReadonlyArray<SpreadConstraintFields>
  readonly containers?: ReadonlyArray<Container>
  readonly initContainers?: ReadonlyArray<Container>
  readonly overhead?: Amounts
  readonly resources?: { readonly requests?: Amounts; readonly limits?: Amounts }
  readonly volumes?: ReadonlyArray<VolumeFields>
  readonly schedulingGates?: ReadonlyArray<{ readonly name: string }>
  readonly resourceClaims?: ReadonlyArray<JsonObject>
  readonly hostNetwork?: boolean
  readonly hostUsers?: boolean
}

export interface PodCondition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastProbeTime?: string | null
  readonly lastTransitionTime?: string
  readonly observedGeneration?: number
}

export interface ContainerStatus {
  readonly name: string
  readonly allocatedResources?: Amounts
  readonly resources?: { readonly requests?: Amounts }
}

export interface PodStatusFields {
  readonly phase?: string
  readonly nominatedNodeName?: string
  readonly startTime?: string
  readonly conditions?: ReadonlyArray<PodCondition>
  readonly containerStatuses?: ReadonlyArray<ContainerStatus>
  readonly initContainerStatuses?: ReadonlyArray<ContainerStatus>
  readonly resources?: { readonly requests?: Amounts }
  readonly allocatedResources?: Amounts
}

export interface NodeSpecFields {
  readonly unschedulable?: boolean
  readonly taints?: ReadonlyArray<Taint>
}

export interface NodeStatusFields {
  readonly allocatable?: Amounts
  readonly images?: ReadonlyArray<{ readonly names?: ReadonlyArray<string>; readonly sizeBytes?: number }>
  readonly conditions?: ReadonlyArray<{ readonly type: string; readonly status: string }>
}

const nothing = {}

// SAFETY (all four): the API server has decoded and validated these objects against the same declarations.
export const podSpecOf = (pod: KubeObject): PodSpecFields => pod.spec ?? nothing
export const podStatusOf = (pod: KubeObject): PodStatusFields => pod.status ?? nothing
export const nodeSpecOf = (node: KubeObject): NodeSpecFields => node.spec ?? nothing
export const nodeStatusOf = (node: KubeObject): NodeStatusFields => node.status ?? nothing

/** A pod's priority; 0 when it has none. */
export const priorityOf = (pod: KubeObject): number => podSpecOf(pod).priority ?? 0

/** The node that a pod is on; empty while it is on none. */
export const nodeNameOf = (pod: KubeObject): string => podSpecOf(pod).nodeName ?? ""

export const nominatedNodeOf = (pod: KubeObject): string => podStatusOf(pod).nominatedNodeName ?? ""

/** When a pod began, milliseconds; Infinity while it has not: later than any other. */
export const startedMsOf = (pod: KubeObject): number => {
  const { startTime } = podStatusOf(pod)
  return startTime === undefined ? Infinity : (parseRfc3339(startTime) ?? Infinity)
}

export const uidOf = (object: KubeObject): string => object.metadata.uid ?? ""

export const noLabels: Labels = {}
