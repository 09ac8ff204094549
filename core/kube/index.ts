// The door of the room: Kubernetes' vocabulary and the one Client port.
// Owns what other rooms may use; everything else in this folder is the room's own business.
export { answeredClient } from "./AnsweredClient.ts"
export {
  type Controller,
  type ControllerOptions,
  type ControllerStats,
  type ControllerWatch,
  makeController,
  type QueueController,
  type Reconciled,
  type Requeue
} from "./cache/Controller.ts"
export { Informer, type InformerHandler, type InformerOptions } from "./cache/Informer.ts"
export {
  InformerFactory,
  type InformerFactoryOptions,
  type InformerRequest,
  onAllSynced
} from "./cache/InformerFactory.ts"
export { electLeader, type LeaderElectionOptions } from "./cache/LeaderElection.ts"
export { type Indexer, ObjectStore } from "./cache/ObjectStore.ts"
export { defaultRateLimits, type RateLimits } from "./cache/RateLimiter.ts"
export { Reflector, type ReflectorOptions, type ReflectorSink } from "./cache/Reflector.ts"
export { WorkQueue, type WorkQueueOptions } from "./cache/WorkQueue.ts"
export type { Cancel, Clockwork } from "./Clockwork.ts"
export { machineClockwork } from "./ClockworkAdapter.ts"
export { type ClockworkRuntime, clockworkServices, makeClockworkRuntime } from "./ClockworkRuntime.ts"
export type {
  Client,
  Collection,
  DeleteOptions,
  Done,
  Form,
  GetOptions,
  ListOptions,
  Patch,
  PatchOptions,
  Preconditions,
  Selection,
  Target,
  TargetMemo,
  WatchListener,
  WatchOptions,
  WriteOptions
} from "./Client.ts"
export { parseDurationMs } from "./Duration.ts"
export { effectClient, type EffectClient } from "./EffectClient.ts"
export {
  escapeFieldValue,
  everyField,
  type FieldRequirement,
  FieldSelector,
  parseFieldSelector
} from "./FieldSelector.ts"
export { connectOptions, ConnectionPool } from "./http/ConnectionPoolAdapter.ts"
export { type Credential, CredentialsAdapter } from "./http/CredentialsAdapter.ts"
export { impersonateExtraField } from "./http/ExtraField.ts"
export { httpClient, type HttpClientOptions, type HttpKubeApi } from "./http/HttpClientAdapter.ts"
export {
  type AccessChoice,
  anonymous,
  chooseAccess,
  type ExecPlugin,
  type KubeAccess,
  type KubeCluster,
  type Kubeconfig,
  KubeconfigInvalid,
  type KubeContext,
  type KubeUser,
  mergeKubeconfigs,
  parseKubeconfig,
  type PemSource
} from "./http/Kubeconfig.ts"
export { loadAccess, type LoadOptions } from "./http/KubeconfigAdapter.ts"
export { isJsonObject, type Json, type JsonArray, type JsonObject, type JsonPrimitive, sameJson } from "./Json.ts"
export {
  controllerOf,
  type KubeList,
  type KubeObject,
  type ManagedFieldsEntry,
  objectKey,
  type ObjectMeta,
  type OwnerReference,
  splitKey
} from "./KubeObject.ts"
export {
  everyLabel,
  formatLabelSelector,
  type LabelOperator,
  type LabelRequirement,
  type Labels,
  LabelSelector,
  type LabelSelectorObject,
  labelSelectorOf,
  labelSelectorOfLabels,
  noLabel,
  parseLabelSelector,
  SelectorInvalid
} from "./LabelSelector.ts"
export {
  ANNOTATION_BYTES_MAX,
  annotationProblems,
  generatedName,
  labelProblems,
  type NameProblems,
  Names,
  randomSuffix
} from "./Names.ts"
export { milliQuantity, parseQuantity, Quantity, type QuantityFormat, quantityOf, wholeQuantity } from "./Quantity.ts"
export { QuantityInvalid } from "./QuantityText.ts"
export { firstQueryValue } from "./QueryText.ts"
export { requestInfo, type RequestInfo, RequestInfoInvalid } from "./RequestInfo.ts"
export {
  apiVersionOf,
  groupResource,
  type GroupVersion,
  type GroupVersionKind,
  type GroupVersionResource,
  gvr,
  parseApiVersion
} from "./Resource.ts"
export type { Schema } from "./Schema.ts"
export { applyPatch, type ApplyRequest } from "./patch/apply/ApplyPatch.ts"
export type { FieldSet } from "./patch/apply/FieldSet.ts"
export { LAST_APPLIED } from "./patch/apply/LastApplied.ts"
export { resetFieldsOf } from "./patch/apply/ResetFields.ts"
export {
  type FieldContext,
  type FieldVersion,
  type ManagedWrite,
  sameButForTimes,
  updateManagers
} from "./patch/apply/UpdateManagers.ts"
export { applyJsonPatch, JSON_PATCH_OPERATIONS_LIMIT, jsonPatchUnknownFields } from "./patch/JsonPatch.ts"
export { applyMergePatch } from "./patch/MergePatch.ts"
export { applyStrategicMergePatch } from "./patch/StrategicMergePatch.ts"
export {
  builtInResources,
  builtInVersion,
  definitionNames,
  kindOfDefinition,
  schemaNamed,
  schemaOfKind
} from "./schema/BuiltIns.ts"
export { cannotBeHandled, decodeProblem } from "./schema/Decode.ts"
export { fillDefaults, hasOwnDefaults } from "./schema/Defaults.ts"
export { duplicateFields } from "./schema/DuplicateFields.ts"
export type { CustomSchema } from "./schema/CustomOpenApi.ts"
export { customDefinitionName, type OpenApi, type OpenApiDocument, openApiOf } from "./schema/OpenApi.ts"
export type { PublishedResource } from "./schema/OpenApiPaths.ts"
export {
  duplicateFieldProblem,
  prune,
  type PruneOptions,
  strictDecodingMessage,
  unknownFieldProblem,
  unknownFields
} from "./schema/Prune.ts"
export type { BuiltInResource } from "./schema/SchemaTablesAdapter.ts"
export { isTidy } from "./schema/Tidy.ts"
export { schemaProblems } from "./schema/Validate.ts"
export {
  ApiFailure,
  describeProblem,
  Failures,
  type FailureTarget,
  type FieldProblem,
  type Status,
  type StatusCause
} from "./Status.ts"
export { type ClientRate, limitedClient } from "./LimitedClient.ts"
export { TokenBucket } from "./TokenBucket.ts"
export { type CivilDay, civilDay, daysFromCivil, parseRfc3339, rfc3339, rfc3339Micro } from "./Timestamp.ts"
export { INITIAL_EVENTS_END, type WatchEvent } from "./WatchEvent.ts"
