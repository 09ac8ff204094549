// The door of the room: one gateway in front of many kube-apiservers.
// Owns what other rooms may use; everything else in this folder is the room's own business.
export { ConfigStore, type ConfigStoreOptions, type Verdict } from "./config/ConfigStore.ts"
export type { EndpointReports, EndpointState, GatewaySnapshot, Snapshots } from "./config/Snapshot.ts"
export type {
  Authentication,
  Balancing,
  BalancingStrategy,
  ClientIdentity,
  DispatchPolicy,
  Endpoint,
  FeatureGates,
  FlowControl,
  FrontProxy,
  HealthCheck,
  KeyPair,
  LimitQueue,
  LimitScope,
  NeverImpersonate,
  NeverLimited,
  Retry,
  Secret,
  SecureServing,
  Timeouts,
  TokenBucket,
  UpstreamCluster
} from "./config/UpstreamCluster.ts"
export { noFeatures, parseFeatureGates } from "./decode/DecodeFeatures.ts"
export { askedVersion, isLongRunning, type RequestFacts } from "./policy/RequestFacts.ts"
export {
  type Admission,
  type Decided,
  openAdmission,
  type Permit,
  type Refusal,
  type RefusalReason,
  type Waiting
} from "./limits/Admission.ts"
export { type GlobalLimits, Limits, type LimitsOptions } from "./limits/Limits.ts"
export {
  type Moments,
  type Observer,
  type RequestRecord,
  type RequestTrace,
  silentObserver
} from "./observe/Observer.ts"
export {
  type DispatchRule,
  emptyRule,
  type ListField,
  listFields,
  type ServiceAccountRef
} from "./policy/DispatchRule.ts"
export { originalMatches } from "./policy/OriginalEvaluator.ts"
export { firstRule, ruleAgrees } from "./policy/ReferenceEvaluator.ts"
export { RuleIndex } from "./policy/RuleIndex.ts"
export {
  GATEWAY_GROUP,
  GATEWAY_VERSION,
  gatewayCrds,
  rateLimitConditions,
  upstreamClusters
} from "./schema/GatewayCrds.ts"
export { hostOf } from "./proxy/HostName.ts"
export { changedMeaning, type ChangedMeaning } from "./lint/ChangedMeaning.ts"
export { lintClusters, type LintFinding } from "./lint/LintClusters.ts"
export { gatewayCommand } from "./serve/GatewayCommand.ts"
export { serveGatewayCommand } from "./serve/ServeGatewayCommand.ts"
export { serveRateLimiterCommand } from "./serve/ServeRateLimiterCommand.ts"
export { type GatewayProcess, type GatewayProcessOptions, runGateway } from "./serve/ServeGatewayProcess.ts"
export { type ConfigSource, followApi } from "./source/ApiSource.ts"
export { clusterStatusOf } from "./source/ClusterStatus.ts"
export { controlDefinitions } from "./source/ControlDefinitions.ts"
export { followFolder } from "./source/FolderAdapter.ts"
export { ManifestInvalid, type Manifests, parseManifests } from "./source/ManifestText.ts"
export { StatusReporter } from "./source/StatusReporter.ts"
