// What stands in a FederatedObject, for those who read and write it.
// Owns its shape and the two questions asked everywhere: where it goes in all, and what differs in one cluster; refuses any write.
import type { Json, JsonObject, KubeObject } from "#kube"

/** One operation of a JSON patch. */
export interface OverridePatch {
  readonly op: "add" | "remove" | "replace" | "test" | "move" | "copy"
  readonly path: string
  readonly from?: string
  readonly value?: Json
}

/** What one controller changes, by cluster. */
export interface ControllerOverrides {
  readonly controller: string
  readonly clusters: ReadonlyArray<{ readonly cluster: string; readonly patches?: ReadonlyArray<OverridePatch> }>
}

/** Where one controller wants the object. */
export interface ControllerPlacement {
  readonly controller: string
  readonly placement: ReadonlyArray<{ readonly cluster: string }>
}

/** An object that this one goes with. */
export interface LeaderReference {
  readonly group?: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
}

/** The spec of a FederatedObject. */
export interface FederatedObjectSpec {
  readonly template: JsonObject
  readonly overrides?: ReadonlyArray<ControllerOverrides>
  readonly placements?: ReadonlyArray<ControllerPlacement>
  readonly follows?: ReadonlyArray<LeaderReference>
}

/** Why the object is not, or not yet, in a cluster as it should be; OK when it is. KubeAdmiral's words. */
export type PropagationStatus =
  | "OK"
  | "WaitingForRemoval"
  /** Ours: other clusters get the new template first. */
  | "WaitingForRollout"
  | "WaitingForCascadingDeletion"
  | "PendingCreate"
  | "ClusterNotReady"
  | "ClusterTerminating"
  | "CachedRetrievalFailed"
  | "ComputeResourceFailed"
  | "ApplyOverridesFailed"
  | "CreationFailed"
  | "UpdateFailed"
  | "DeletionFailed"
  | "LabelRemovalFailed"
  | "RetrievalFailed"
  | "AlreadyExists"
  | "FieldRetentionFailed"
  | "VersionRetrievalFailed"
  | "ClientRetrievalFailed"
  | "ManagedLabelFalse"
  | "FinalizerCheckFailed"
  | "CreationTimedOut"
  | "UpdateTimedOut"
  | "DeletionTimedOut"
  | "LabelRemovalTimedOut"

/** What is known of the object in one cluster. */
export interface ClusterPropagation {
  readonly cluster: string
  readonly status?: PropagationStatus
  readonly message?: string
  readonly lastObservedGeneration?: number
  /** "gen:3" or "rv:17", and the hash of what was wanted then. */
  readonly version?: string
  readonly hash?: string
}

/** A condition as all kinds have them. */
export interface Condition {
  readonly type: string
  readonly status: "True" | "False" | "Unknown"
  readonly observedGeneration?: number
  readonly lastUpdateTime?: string
  readonly lastTransitionTime?: string
  readonly reason?: string
  readonly message?: string
}

/** The status of a FederatedObject. */
export interface FederatedObjectStatus {
  readonly syncedGeneration?: number
  readonly conditions?: ReadonlyArray<Condition>
  readonly clusters?: ReadonlyArray<ClusterPropagation>
}

/** The spec, as the API server has validated it. */
export const federatedSpecOf = (object: KubeObject): FederatedObjectSpec =>
  // SAFETY: the schema of FederatedObject.
  (object.spec ?? { template: {} }) as unknown as FederatedObjectSpec

/** The status, as the API server has validated it. */
export const federatedStatusOf = (object: KubeObject): FederatedObjectStatus =>
  // SAFETY: the schema of FederatedObject.
  (object.status ?? {}) as unknown as FederatedObjectStatus

/** All clusters that any controller wants the object in, sorted. */
export const placedClusters = ({ placements }: FederatedObjectSpec): ReadonlyArray<string> =>
  Array.from(new Set((placements ?? []).flatMap(({ placement }) => placement.map(({ cluster }) => cluster)))).sort()

/** Clusters that one controller wants the object in. */
export const placementBy = ({ placements }: FederatedObjectSpec, controller: string): ReadonlyArray<string> =>
  placements?.find((one) => one.controller === controller)?.placement.map(({ cluster }) => cluster) ?? []

/** What one controller changes in a cluster. */
export const patchesBy = (
  { overrides }: FederatedObjectSpec,
  controller: string,
  cluster: string
): ReadonlyArray<OverridePatch> =>
  overrides?.find((one) => one.controller === controller)?.clusters.find((one) => one.cluster === cluster)?.patches ??
  []
