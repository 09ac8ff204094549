// The door of the room: one API for many clusters, that never deletes on doubt.
// Owns what other rooms may use; everything else in this folder is the room's own business.
export { type ClusterTerms, clusterMatches, type Labelled } from "./api/ClusterTerms.ts"
export { type CollectedFields, type CollectedStatus, collectedStatusOf } from "./api/CollectedStatus.ts"
export { type Amounts, type MemberCluster, memberClusterOf, typeName } from "./api/FederatedCluster.ts"
export {
  type ClusterPropagation,
  type Condition,
  type ControllerOverrides,
  type ControllerPlacement,
  type FederatedObjectSpec,
  type FederatedObjectStatus,
  federatedSpecOf,
  federatedStatusOf,
  type LeaderReference,
  type OverridePatch,
  patchesBy,
  placedClusters,
  placementBy,
  type PropagationStatus
} from "./api/FederatedObject.ts"
export { federationDefinitions } from "./api/FederationDefinitions.ts"
export * from "./api/FederationNames.ts"
export { type OverridePolicy, overridePolicyOf } from "./api/OverridePolicy.ts"
export { type PropagationPolicy, propagationPolicyOf, type Requirements } from "./api/PropagationPolicy.ts"
export {
  defaultSchedulingProfile,
  type PluginWebhook,
  pluginWebhookOf,
  type SchedulingProfile,
  schedulingProfileOf
} from "./api/SchedulingProfile.ts"
export { federationCrds } from "./api/schema/FederationCrds.ts"
export { type ClusterTaint, type Toleration } from "./api/Taints.ts"
export { type TypeConfig, typeConfigOf } from "./api/TypeConfig.ts"
export {
  type FederationError,
  ObjectInvalid,
  OverrideFailed,
  PlacementNotExplained,
  PluginFailed
} from "./FederationError.ts"
export { applyOverrides } from "./overrides/ApplyOverrides.ts"
export type { ApplyOverrides, Overridden, OverrideRequest } from "./overrides/Overridden.ts"
export { mixed, textDigest, textHash } from "./planner/StableHash.ts"
export { Fleet } from "./scheduling/Fleet.ts"
export {
  type ExplainedCluster,
  type Explanation,
  type Leaving,
  nowhere,
  type Outcome,
  type Placement,
  type PluginAnswer,
  type PluginQuestion,
  type PolicyChoice,
  type Schedule,
  type ScheduleReason,
  type ScheduleRequest
} from "./scheduling/Outcome.ts"
export {
  podRequest,
  type SchedulingUnit,
  schedulingUnitOf,
  unitKey,
  type UnitParts
} from "./scheduling/SchedulingUnit.ts"
export { schedule, scheduleSteps } from "./scheduling/Schedule.ts"
export { type PluginTransport, type Plugins, scheduleAsking } from "./scheduling/PluginCalls.ts"
export { pluginTransport } from "./scheduling/PluginTransportAdapter.ts"
export { PolicyIndex, type PolicySubject } from "./scheduling/PolicyIndex.ts"
export { samePlacement } from "./scheduling/Departures.ts"
export {
  sameSnapshot,
  type Snapshot,
  snapshotOf,
  type Trigger,
  triggered,
  type Triggered,
  type TriggerRequest
} from "./scheduling/Triggers.ts"
export {
  type ClusterHealth,
  defaultHealthOptions,
  healthDueMs,
  type HealthOptions,
  observeHealth,
  type Seen
} from "./failover/ClusterHealth.ts"
export {
  defaultEvictionOptions,
  type EvictionBudget,
  type EvictionOptions,
  fullBudget,
  takeEviction
} from "./failover/EvictionBudget.ts"
export { type Replaced, type ReplacementRequest, settleLeaving } from "./failover/Replacement.ts"
export {
  type BrakeOptions,
  defaultBrakeOptions,
  planTaints,
  type TaintChange,
  type TaintedCluster,
  type TaintPlan
} from "./failover/TaintPlan.ts"
export {
  type CapacityMemory,
  capacityNow,
  capacityWakeMs,
  type LearnedCapacity,
  rememberCapacity
} from "./planner/CapacityMemory.ts"
export { explainPlacement, type ExplainRequest } from "./explain/ExplainPlacement.ts"
export { explainPlacementCommand } from "./explain/ExplainPlacementCommand.ts"
export { placementText } from "./explain/PlacementText.ts"
export {
  explanationText,
  storedExplanationOf,
  storedPlacement,
  storedPlacementOf,
  type StoredPlacement
} from "./scheduling/StoredPlacement.ts"
