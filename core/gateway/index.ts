// The door of the room: one gateway in front of many kube-apiservers.
// Owns what other rooms may use; everything else in this folder is the room's own business.
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
  Retry,
  Secret,
  SecureServing,
  Timeouts,
  TokenBucket,
  UpstreamCluster
} from "./config/UpstreamCluster.ts"
export { askedVersion, isLongRunning, type RequestFacts } from "./policy/RequestFacts.ts"
