// The door of the room: one cluster, many tenants, each seeing a whole cluster of its own.
// Owns what other rooms may use; everything else in this folder is the room's own business.
export { checkTenancyCommand } from "./CheckTenancyCommand.ts"
export { type ClusterNaming, clusterNaming } from "./names/ClusterNames.ts"
export { customReferences, REFERENCES_ANNOTATION } from "./names/CustomReferences.ts"
export { parseTenantId, prefixIn, prefixOf, TenantIdInvalid, underPrefix } from "./names/TenantId.ts"
export type { CustomReference, CustomReferenceKind, KindShape, TenantView } from "./names/TenantView.ts"
export { Translation } from "./names/Translation.ts"
export {
  type AnswerOptions,
  BodyInvalid,
  type Owner,
  type PatchForm,
  Refused,
  type RewriteStream,
  type Rewriting,
  WholeNeeded
} from "./rewrite/Contract.ts"
export { ITEM_BYTES_MAX } from "./rewrite/Pending.ts"
export { Rewriter } from "./rewrite/Rewriter.ts"
export { TENANT_LABEL } from "./rules/Sorts.ts"
export { type Caller, type PlatformCaller, type TenantCaller } from "./identity/Caller.ts"
export { type Identify } from "./identity/Identify.ts"
export { TenantNamespaces } from "./lifecycle/TenantNamespaces.ts"
export { type Tenant, Tenants } from "./lifecycle/Tenants.ts"
export { defaultTenantLimits, type TenantLimits } from "./quota/TenantLoad.ts"
export { makeTenancy, type Tenancy, type TenancyOptions, type TenancyStats } from "./serve/Tenancy.ts"
export { type RunningTenancy, serveTenancy, type ServeTenancyOptions } from "./ServeTenancy.ts"
export { serveTenancyCommand } from "./ServeTenancyCommand.ts"
export { type Upstream, type UpstreamCall } from "./upstream/Upstream.ts"
