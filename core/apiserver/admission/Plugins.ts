// All admission plugins in kube-apiserver's order.
// Owns the order and which are on; refuses what any of them does.
import type { AdmissionPlugin, Authorizer } from "../Access.ts"
import type { Api } from "../Api.ts"
import { rbacEscalation } from "../rbac/Escalation.ts"
import type { RbacAuthorizer } from "../rbac/RbacAuthorizer.ts"
import { mutatingPolicies, validatingPolicies } from "./AdmissionPolicies.ts"
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from "./Certificates.ts"
import { limitRanger } from "./LimitRanger.ts"
import { namespaceLifecycle } from "./NamespaceLifecycle.ts"
import { nodeRestriction } from "./NodeRestriction.ts"
import { ownerReferencesPermissionEnforcement } from "./OwnerReferences.ts"
import { defaultTolerationSeconds, runtimeClass, taintNodesByCondition } from "./PodDefaults.ts"
import { podSecurity } from "./PodSecurity.ts"
import { priority } from "./Priority.ts"
import { resourceQuota } from "./ResourceQuota.ts"
import { serviceAccount } from "./ServiceAccountPlugin.ts"
import {
  defaultIngressClass,
  defaultStorageClass,
  persistentVolumeClaimResize,
  storageObjectInUseProtection
} from "./StorageDefaults.ts"
import { mutatingWebhooks, validatingWebhooks, type WebhookOptions } from "./Webhooks.ts"

export interface AdmissionOptions {
  /** Asked for `escalate`, `bind`, `approve`, `sign` and owners' finalizers. */
  readonly authorizer: Authorizer
  /** Whose rules a writer of roles must hold; absent: roles are anybody's to write who may write them. */
  readonly rbac?: RbacAuthorizer
  /** Absent: no webhook is ever called. */
  readonly webhooks?: WebhookOptions
  /** Names of plugins that are off by default: "NodeRestriction" and "OwnerReferencesPermissionEnforcement". */
  readonly enable?: ReadonlyArray<string>
  /** Names of plugins that are to be off, like "ServiceAccount". */
  readonly disable?: ReadonlyArray<string>
}

/** The server's own guard of roles always runs; whether the others do is the options'. */
const OFF_BY_DEFAULT: ReadonlySet<string> = new Set(["NodeRestriction", "OwnerReferencesPermissionEnforcement"])

/** Every plugin that is on, in order; the definitions that they look at must be registered by now. */
export const admissionPlugins = (api: Api, options: AdmissionOptions): ReadonlyArray<AdmissionPlugin> => {
  const { authorizer, rbac, webhooks } = options
  const all = [
    namespaceLifecycle(api),
    limitRanger(api),
    serviceAccount(api),
    nodeRestriction(api),
    taintNodesByCondition,
    podSecurity(api),
    priority(api),
    defaultTolerationSeconds,
    defaultStorageClass(api),
    storageObjectInUseProtection,
    ownerReferencesPermissionEnforcement(api, authorizer),
    persistentVolumeClaimResize(api),
    runtimeClass(api),
    certificateApproval(authorizer),
    certificateSigning(authorizer),
    certificateSubjectRestriction,
    defaultIngressClass(api),
    ...(rbac === undefined ? [] : [rbacEscalation(rbac, authorizer)]),
    mutatingPolicies(api),
    ...(webhooks === undefined ? [] : [mutatingWebhooks(api, webhooks)]),
    validatingPolicies(api),
    ...(webhooks === undefined ? [] : [validatingWebhooks(api, webhooks)]),
    resourceQuota(api)
  ]
  const isOn = ({ name }: AdmissionPlugin): boolean =>
    options.disable?.includes(name) !== true && (!OFF_BY_DEFAULT.has(name) || options.enable?.includes(name) === true)
  return all.filter(isOn)
}
