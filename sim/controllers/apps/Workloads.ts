// The workload kinds of apps/v1, and core/v1's ReplicationController, as their controllers read them.
// Owns shapes only, of what a server has defaulted and validated; refuses rules, which the controllers have.
import { gvr, type JsonObject, type KubeObject, type LabelSelectorObject } from "#kube"
import type { OwnerKind } from "../Owned.ts"
import type { Condition } from "../PodFacts.ts"
import type { PodTemplate } from "../PodControl.ts"

/** A number, or a share like "25%". */
export type IntOrPercent = number | string

export const deploymentResource = gvr("apps", "v1", "deployments")
export const replicaSetResource = gvr("apps", "v1", "replicasets")
export const statefulSetResource = gvr("apps", "v1", "statefulsets")
export const daemonSetResource = gvr("apps", "v1", "daemonsets")
export const revisionResource = gvr("apps", "v1", "controllerrevisions")

export const deploymentKind: OwnerKind = { apiVersion: "apps/v1", kind: "Deployment" }
export const replicaSetKind: OwnerKind = { apiVersion: "apps/v1", kind: "ReplicaSet" }
export const statefulSetKind: OwnerKind = { apiVersion: "apps/v1", kind: "StatefulSet" }
export const daemonSetKind: OwnerKind = { apiVersion: "apps/v1", kind: "DaemonSet" }

export type RollingUpdate = { readonly maxSurge?: IntOrPercent; readonly maxUnavailable?: IntOrPercent }

export interface Deployment extends KubeObject {
  readonly spec: {
    readonly replicas?: number
    readonly selector: LabelSelectorObject
    readonly template: PodTemplate
    readonly strategy?: { readonly type?: string; readonly rollingUpdate?: RollingUpdate }
    readonly minReadySeconds?: number
    readonly revisionHistoryLimit?: number
    readonly progressDeadlineSeconds?: number
    readonly paused?: boolean
  } & JsonObject
  readonly status?: DeploymentStatus & JsonObject
}

export type DeploymentStatus = {
  readonly observedGeneration?: number
  readonly replicas?: number
  readonly updatedReplicas?: number
  readonly readyReplicas?: number
  readonly availableReplicas?: number
  readonly unavailableReplicas?: number
  readonly terminatingReplicas?: number
  readonly collisionCount?: number
  readonly conditions?: ReadonlyArray<Condition>
}

/** A ReplicaSet, or a ReplicationController: they differ in the selector's form alone. */
export interface ReplicaSet extends KubeObject {
  readonly spec: {
    readonly replicas?: number
    readonly selector?: JsonObject
    readonly template: PodTemplate
    readonly minReadySeconds?: number
  } & JsonObject
  readonly status?: ReplicaSetStatus & JsonObject
}

export type ReplicaSetStatus = {
  readonly observedGeneration?: number
  readonly replicas?: number
  readonly fullyLabeledReplicas?: number
  readonly readyReplicas?: number
  readonly availableReplicas?: number
  readonly terminatingReplicas?: number
  readonly conditions?: ReadonlyArray<Condition>
}

export interface StatefulSet extends KubeObject {
  readonly spec: {
    readonly replicas?: number
    readonly selector: LabelSelectorObject
    readonly template: PodTemplate
    readonly serviceName?: string
    readonly volumeClaimTemplates?: ReadonlyArray<KubeObject>
    readonly podManagementPolicy?: "OrderedReady" | "Parallel"
    readonly updateStrategy?: {
      readonly type?: "RollingUpdate" | "OnDelete"
      readonly rollingUpdate?: { readonly partition?: number; readonly maxUnavailable?: IntOrPercent }
    }
    readonly revisionHistoryLimit?: number
    readonly minReadySeconds?: number
    readonly ordinals?: { readonly start?: number }
    readonly persistentVolumeClaimRetentionPolicy?: {
      readonly whenDeleted?: "Retain" | "Delete"
      readonly whenScaled?: "Retain" | "Delete"
    }
  } & JsonObject
  readonly status?: StatefulSetStatus & JsonObject
}

export type StatefulSetStatus = {
  readonly observedGeneration?: number
  readonly replicas: number
  readonly readyReplicas?: number
  readonly availableReplicas: number
  readonly currentReplicas?: number
  readonly updatedReplicas?: number
  readonly currentRevision?: string
  readonly updateRevision?: string
  readonly collisionCount?: number
  readonly conditions?: ReadonlyArray<Condition>
}

export interface DaemonSet extends KubeObject {
  readonly spec: {
    readonly selector: LabelSelectorObject
    readonly template: PodTemplate
    readonly updateStrategy?: { readonly type?: "RollingUpdate" | "OnDelete"; readonly rollingUpdate?: RollingUpdate }
    readonly revisionHistoryLimit?: number
    readonly minReadySeconds?: number
  } & JsonObject
  readonly status?: DaemonSetStatus & JsonObject
}

export type DaemonSetStatus = {
  readonly currentNumberScheduled: number
  readonly numberMisscheduled: number
  readonly desiredNumberScheduled: number
  readonly numberReady: number
  readonly observedGeneration?: number
  readonly updatedNumberScheduled?: number
  readonly numberAvailable?: number
  readonly numberUnavailable?: number
  readonly collisionCount?: number
  readonly conditions?: ReadonlyArray<Condition>
}

/** One of the templates that a StatefulSet or a DaemonSet had. */
export interface Revision extends KubeObject {
  readonly revision: number
  readonly data?: { readonly spec?: { readonly template?: PodTemplate & JsonObject } }
}

/** The replicas of a spec: 1 where nobody has said. */
export const replicasOf = ({ spec }: { readonly spec: { readonly replicas?: number } }): number => spec.replicas ?? 1

/** A count as upstream writes it: left out when it is 0. */
export const counted = (count: number): number | undefined => (count === 0 ? undefined : count)
