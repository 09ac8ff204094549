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
export { type EventPace, type Happening, HostEvents, usualEventPace } from "./events/HostEvents.ts"
export { MemberEvents, type MemberEventsOptions, type MirroredEvents } from "./events/MemberEvents.ts"
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
export { type AutoscalerOptions, isCentralized, makeAutoscalerController } from "./autoscaling/AutoscalerController.ts"
export { decideAutoscaler, type WorkloadPolicy } from "./autoscaling/AutoscalerMode.ts"
export {
  type CentralizedAutoscaling,
  type CentralizedAutoscalingOptions,
  startCentralizedAutoscaling
} from "./autoscaling/CentralizedAutoscaling.ts"
export { fleetClient, type FleetClientOptions, scaledNamespaces } from "./autoscaling/FleetClient.ts"
export { FleetMetrics, type FleetMetricsOptions } from "./autoscaling/FleetMetrics.ts"
export { FleetPods } from "./autoscaling/FleetPods.ts"
export {
  type FollowerOptions,
  following,
  makeFollowerController,
  withPlacement
} from "./followers/FollowerController.ts"
export { FollowGraph, type FollowNode, type Need } from "./followers/FollowGraph.ts"
export { followNodeOf, sourceNameOf, templateOf } from "./followers/Needs.ts"
export { estimateCapacity } from "./migration/AutoMigration.ts"
export { appliedMigrationText, manualMigration, MigrationInvalid } from "./migration/ManualMigration.ts"
export {
  makeMigrationController,
  type MigrationController,
  type MigrationOptions
} from "./migration/MigrationController.ts"
export { makePolicyCountController, type PolicyCountOptions } from "./policies/PolicyCountController.ts"
export { ReferenceCounts } from "./policies/ReferenceCounts.ts"
export { configuredTypes, SemanticsInvalid } from "./semantics/ConfiguredTypes.ts"
export { fieldPath, valueAt, withValueAt } from "./semantics/FieldPaths.ts"
export { typesFile } from "./semantics/TypesFileAdapter.ts"
export { nativeTypes } from "./semantics/NativeTypes.ts"
export { nativeSemantics, SemanticsRepeated, SemanticsTable } from "./semantics/SemanticsTable.ts"
export type {
  Aggregate,
  AggregationInput,
  FieldPath,
  Health,
  MemberState,
  Reference,
  ReplicaPaths,
  TypeSemantics
} from "./semantics/TypeSemantics.ts"
export { exportConflict } from "./services/ExportConflicts.ts"
export { makeServiceControllers, type ServiceControllers, type ServiceOptions } from "./services/ServiceControllers.ts"
export { aggregatedStatus, STALE } from "./status/Aggregation.ts"
export { collectAll, collectedPaths, memberStates } from "./status/Collection.ts"
export type { MemberReads } from "./status/MemberReads.ts"
export {
  concernedClusters,
  makeStatusController,
  type StatusController,
  type StatusOptions
} from "./status/StatusController.ts"
export { schedule, scheduleSteps } from "./scheduling/Schedule.ts"
export { type PluginTransport, type Plugins, scheduleAsking } from "./scheduling/PluginCalls.ts"
export { nextStep, type RollingCluster, type RolloutLimits, type RolloutStep } from "./rollout/RolloutPlan.ts"
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
export { isTokenWorn, memberRules } from "./clusters/MemberAccount.ts"
export { type ClusterTimes, usualClusterTimes } from "./clusters/ClusterController.ts"
export { Circuit, usualCircuit } from "./clusters/Circuit.ts"
export { type MemberBounds, MemberClient, usualBounds } from "./clusters/MemberClient.ts"
export type { ConnectMember, MemberConnection, ServedType } from "./clusters/MemberConnection.ts"
export { clusterRoom } from "./clusters/ClusterRoom.ts"
export { Reservations, type Taken, takenBy } from "./clusters/Reservations.ts"
export { connectMember } from "./clusters/MemberConnectionAdapter.ts"
export { type Federation, type FederationOptions, type FederationStats, makeFederation } from "./Federation.ts"
export { federatedName } from "./federate/ObjectNames.ts"
export { afterActing, mayAct, type Pending, pendingOf, pendingText, takeTurns } from "./federate/PendingControllers.ts"
export { defaultTypeConfigs } from "./serve/DefaultTypes.ts"
export { federationCommand } from "./serve/JoinCommand.ts"
export { type HostControllers, serveFederation, type ServeFederationOptions } from "./serve/ServeFederation.ts"
export { serveFederationCommand } from "./serve/ServeFederationCommand.ts"
export { HashRing, ownership, type Shard, wholeShard } from "./shards/HashRing.ts"
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
  notedCapacity,
  rememberCapacity
} from "./migration/CapacityMemory.ts"
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
