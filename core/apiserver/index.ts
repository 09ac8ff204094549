// The door of the room: the generic API server.
// Owns what other rooms may use; everything else in this folder is the room's own business.
export type {
  AccessAttributes,
  AccessDecision,
  Admitted,
  AdmissionPlugin,
  AdmissionRequest,
  Authorizer
} from "./Access.ts"
export { admissionPlugins, type AdmissionOptions } from "./admission/Plugins.ts"
export { BASELINE_CAPABILITIES, BASELINE_SELINUX_TYPES, BASELINE_SYSCTLS } from "./admission/PodSecurityChecks.ts"
export { podAmounts, type Amounts } from "./admission/PodAmounts.ts"
export { isCountedBy, isInScopes, quotaUsage } from "./admission/QuotaUsage.ts"
export { quotaStatus } from "./admission/ResourceQuota.ts"
export { httpsWebhookCaller, type HttpsWebhookCaller } from "./admission/WebhookCallAdapter.ts"
export type { ServiceResolver, WebhookAnswer, WebhookCaller, WebhookTarget } from "./admission/WebhookCaller.ts"
export type { MatchCondition, WebhookOptions } from "./admission/Webhooks.ts"
export type { Api, ResourceView } from "./Api.ts"
export { type ApiServer, type ApiServerOptions, makeApiServer } from "./ApiServer.ts"
export {
  ANONYMOUS,
  Authenticator,
  type AuthenticatorOptions,
  bearerTokens,
  type Credentials,
  Rejected,
  type RequestAuthenticator,
  type TokenAuthenticator,
  tokensForReview,
  unionOfTokens
} from "./authn/Authenticator.ts"
export { bootstrapTokens } from "./authn/BootstrapTokens.ts"
export { CertificateAuthorities, clientCertificates } from "./authn/ClientCertificate.ts"
export { frontAuthenticator, openIdPaths } from "./authn/FrontIdentity.ts"
export { type RequestHeaderOptions, requestHeaders, USUAL_REQUEST_HEADERS } from "./authn/RequestHeader.ts"
export { ServiceAccountTokens, type ServiceAccountTokensOptions } from "./authn/ServiceAccountTokens.ts"
export { type SigningKey, signingKey, type VerifyingKey, verifyingKeys } from "./authn/SigningKeys.ts"
export { newSigningKeyPem } from "./authn/SigningKeysAdapter.ts"
export { staticTokens } from "./authn/StaticTokens.ts"
export { tokenRequest, type TokenRequestOptions } from "./authn/TokenRequest.ts"
export type { BootstrapOptions } from "./bootstrap/BootstrapObjects.ts"
export { type IdentityOptions, reviewDefinitions, withTokenRequest } from "./bootstrap/IdentityDefinitions.ts"
export { reconcileBootstrap } from "./bootstrap/Reconcile.ts"
export { type ControlPlane, type ControlPlaneOptions, makeControlPlane } from "./ControlPlane.ts"
export type { RingBounds } from "./cache/EventRing.ts"
export { celExpression, CelFailed, type CelExpression } from "./crd/CelExpression.ts"
export { definitionsOf as customDefinitions } from "./crd/CustomResource.ts"
export * as SchemaParts from "./crd/SchemaParts.ts"
export type {
  Action,
  Column,
  Definition,
  Definitions,
  Draft,
  Strategy,
  StrategyContext,
  Subresource
} from "./Definition.ts"
export {
  type CertificateOptions,
  CertificatesFailed,
  clientCertificate,
  clusterCertificates,
  type ClusterCertificates,
  type KeyPair
} from "./http/ClusterCertificatesAdapter.ts"
export { versionInfo } from "./http/Version.ts"
export { inProcessClient } from "./InProcessClient.ts"
export { Audit, type AuditBackend, type AuditedRequest, type AuditEvent, type AuditTrail } from "./http/Audit.ts"
export { AuditLog, type AuditLogOptions } from "./http/AuditLogAdapter.ts"
export { type AuditPolicy, AuditPolicyInvalid, parseAuditPolicy } from "./http/AuditPolicy.ts"
export type { AuditOptions } from "./serve/ServerOptions.ts"
export { openAudit } from "./serve/ServeAudit.ts"
export { yamlText } from "./http/StatusBody.ts"
export { kubeconfigText } from "./http/KubeconfigText.ts"
export { openApiV2Bytes } from "./http/OpenApiProtobuf.ts"
export { objectMediaTypes, parseAccept, type Wanted } from "./http/Negotiation.ts"
export {
  BODY_BYTES_MAX,
  type BodyFormat,
  type Decoded,
  decodeObject,
  objectFormat,
  patchTypeOf,
  tooLargeBody
} from "./http/RequestBody.ts"
export { Query } from "./http/RequestUrl.ts"
export { uuidFrom } from "./http/RequestId.ts"
export { type StreamRequest, type Streams, unreachable } from "./http/Streams.ts"
export { LOOPBACK } from "./Loopback.ts"
export { aggregateClusterRoles, aggregatedRules } from "./rbac/Aggregation.ts"
export { usualChain } from "./rbac/Authorizers.ts"
export { NodeAuthorizer } from "./rbac/NodeAuthorizer.ts"
export { RbacAuthorizer } from "./rbac/RbacAuthorizer.ts"
export { makeDefinitions } from "./registry/DefinitionRegistry.ts"
export type { FieldManagers, ManagedWrite } from "./registry/FieldManagers.ts"
export type { Compaction } from "./store/Compaction.ts"
export { openStore } from "./serve/ServeStore.ts"
export type { KeyValue } from "./store/KeyValue.ts"
export { type DirectStorage, storageKeyValue } from "./store/StorageKeyValue.ts"
export type {
  ApiAnswer,
  ApiRequest,
  ApiWatch,
  ApiWatchListener,
  HeldEvent,
  HeldObject,
  RequestOptions,
  UserInfo,
  Verb
} from "./Request.ts"
export { type RunningApiServer, serveApiServer } from "./ServeApiServer.ts"
export {
  apiServerFlags,
  type ApiServerFlags,
  apiServerOptions,
  listenAddress,
  serveApiServerCommand
} from "./ServeApiServerCommand.ts"
export type { HealthCheck } from "./http/HealthChecks.ts"
export {
  defaultServerOptions,
  noExtensions,
  type ServerExtensions,
  type ServerOptions,
  type ServerPage
} from "./serve/ServerOptions.ts"
export { builtInDefinitions } from "./resources/BuiltIns.ts"
export { defaultResourcesContext, type ResourcesContext } from "./resources/Context.ts"
export { CronClock, cronClock } from "./resources/batch/CronClock.ts"
export { TimeZone } from "./resources/batch/TimeZone.ts"
export {
  type Fields,
  fieldsIn,
  fieldsOf,
  itemsOf,
  mapOf,
  numberIn,
  numberOf,
  textOf,
  textsOf,
  withoutField
} from "./resources/Fields.ts"
export {
  duplicate,
  forbidden,
  invalid,
  invalidUnshown,
  notFound,
  type Problems,
  required
} from "./resources/Problems.ts"
