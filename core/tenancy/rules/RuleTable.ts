// The one table: which fields of Kubernetes' own types name something, and what.
// Owns every rule of every built-in kind, by the definition that holds the field; how the choices choose, References.ts says.
// A field that is in neither table is judged harmless by the test that walks the served schema, or the test fails.
import { confinedNode, matchConditionsNode, namespaceSelectorNode, roleSelectorNode } from "./Confinement.ts"
import {
  ingressParametersNode,
  localReferenceNode,
  policyRuleNode,
  referenceNode,
  resourceAttributesNode,
  roleRefNode,
  scopeNode,
  subjectNode,
  tokenReviewStatusNode,
  userInfoNode
} from "./References.ts"
import { claimContextNode, quotaNode, secretParametersNode } from "./Keys.ts"
import type { RuleNode } from "../rewrite/RuleNode.ts"
import type { SortName } from "./Sorts.ts"

/** What a field is: a sort, hidden from tenants, or rules of its own. */
export type FieldRule = SortName | "hidden" | RuleNode

const storageClass = "name:storageclasses.storage.k8s.io"
const attributesClass = "name:volumeattributesclasses.storage.k8s.io"
const admission = "api.admissionregistration.v1"
const extensions = "apiextensions-apiserver.pkg.apis.apiextensions.v1"

/** Definitions whose own content decides; names are without "io.k8s.". */
export const definitionRules: Readonly<Record<string, RuleNode>> = {
  "api.core.v1.ObjectReference": referenceNode("apiVersion"),
  "api.core.v1.TypedLocalObjectReference": localReferenceNode("apiGroup"),
  "api.core.v1.TypedObjectReference": referenceNode("apiGroup"),
  "api.autoscaling.v1.CrossVersionObjectReference": localReferenceNode("apiVersion"),
  "api.autoscaling.v2.CrossVersionObjectReference": localReferenceNode("apiVersion"),
  "api.authentication.v1.BoundObjectReference": localReferenceNode("apiVersion"),
  "api.resource.v1.ResourceClaimConsumerReference": localReferenceNode("apiGroup"),
  "api.networking.v1.IngressClassParametersReference": ingressParametersNode,
  "api.rbac.v1.RoleRef": roleRefNode,
  "api.rbac.v1.Subject": subjectNode,
  "api.rbac.v1.PolicyRule": policyRuleNode,
  "api.authorization.v1.ResourceAttributes": resourceAttributesNode,
  "api.authorization.v1.ResourceRule": policyRuleNode,
  "api.authentication.v1.UserInfo": userInfoNode,
  "api.authentication.v1.TokenReviewStatus": tokenReviewStatusNode,
  "api.core.v1.ScopedResourceSelectorRequirement": scopeNode,
  [`${admission}.NamedRuleWithOperations`]: policyRuleNode,
  [`${admission}.RuleWithOperations`]: policyRuleNode
}

/** Fields by definition. A sort on a list or map is one of its items or values. */
export const fieldRules: Readonly<Record<string, Readonly<Record<string, FieldRule>>>> = {
  "api.core.v1.PodSpec": {
    nodeName: "name:nodes",
    priorityClassName: "name:priorityclasses.scheduling.k8s.io",
    runtimeClassName: "name:runtimeclasses.node.k8s.io"
  },
  "api.core.v1.PodStatus": { nominatedNodeName: "name:nodes" },
  "api.core.v1.PodAffinityTerm": { namespaces: "namespace", namespaceSelector: namespaceSelectorNode },
  "api.core.v1.ClusterTrustBundleProjection": { name: "name:clustertrustbundles.certificates.k8s.io" },
  "api.core.v1.PersistentVolumeClaimSpec": {
    storageClassName: storageClass,
    volumeAttributesClassName: attributesClass,
    volumeName: "name:persistentvolumes"
  },
  "api.core.v1.PersistentVolumeClaimStatus": { currentVolumeAttributesClassName: attributesClass },
  "api.core.v1.ModifyVolumeStatus": { targetVolumeAttributesClassName: attributesClass },
  "api.core.v1.PersistentVolumeSpec": { storageClassName: storageClass, volumeAttributesClassName: attributesClass },
  "api.core.v1.SecretReference": { namespace: "namespace" },
  "api.core.v1.AzureFilePersistentVolumeSource": { secretNamespace: "namespace" },
  "api.core.v1.GlusterfsPersistentVolumeSource": { endpointsNamespace: "namespace" },
  "api.core.v1.StorageOSPersistentVolumeSource": { volumeNamespace: "namespace" },
  "api.core.v1.StorageOSVolumeSource": { volumeNamespace: "namespace" },
  "api.core.v1.CSIVolumeSource": { driver: "name:csidrivers.storage.k8s.io" },
  "api.core.v1.CSIPersistentVolumeSource": { volumeAttributes: claimContextNode },
  "api.core.v1.ConfigMapNodeConfigSource": { namespace: "namespace" },
  "api.core.v1.NodeStatus": {
    images: "hidden",
    volumesAttached: "hidden",
    volumesInUse: "hidden"
  },
  "api.core.v1.EndpointAddress": { nodeName: "name:nodes" },
  "api.core.v1.ResourceQuotaSpec": { hard: quotaNode },
  "api.core.v1.ResourceQuotaStatus": { hard: quotaNode, used: quotaNode },
  "api.discovery.v1.Endpoint": { nodeName: "name:nodes" },
  "api.discovery.v1.ForNode": { name: "name:nodes" },
  "api.events.v1.Event": { note: "text" },
  // A class of the tenant's own is for a controller of its own; what the platform runs is used through classes that it publishes.
  "api.networking.v1.IngressClassSpec": { controller: "word" },
  "api.node.v1.RuntimeClass": { handler: "word" },
  "api.networking.v1.IngressSpec": { ingressClassName: "name:ingressclasses.networking.k8s.io" },
  "api.networking.v1.NetworkPolicyPeer": { namespaceSelector: namespaceSelectorNode },
  "api.rbac.v1.AggregationRule": { clusterRoleSelectors: roleSelectorNode },
  "api.authorization.v1.SubjectAccessReviewSpec": { user: "user", groups: "userGroup" },
  "api.authorization.v1.SelfSubjectRulesReviewSpec": { namespace: "namespace" },
  "api.authorization.v1.SubjectAccessReviewStatus": { reason: "text", evaluationError: "text" },
  "api.authorization.v1.SubjectRulesReviewStatus": { evaluationError: "text" },
  "api.resource.v1.ExactDeviceRequest": { deviceClassName: "name:deviceclasses.resource.k8s.io" },
  "api.resource.v1.DeviceSubRequest": { deviceClassName: "name:deviceclasses.resource.k8s.io" },
  "api.storage.v1.StorageClass": { parameters: secretParametersNode },
  "api.storage.v1.VolumeAttributesClass": { parameters: secretParametersNode },
  [`${admission}.ServiceReference`]: { namespace: "namespace" },
  [`${admission}.WebhookClientConfig`]: { url: "refused" },
  [`${admission}.ParamRef`]: { namespace: "namespace" },
  [`${admission}.ParamKind`]: { apiVersion: "apiVersion" },
  [`${admission}.MatchResources`]: { namespaceSelector: namespaceSelectorNode },
  [`${admission}.ValidatingWebhook`]: { namespaceSelector: confinedNode, matchConditions: matchConditionsNode },
  [`${admission}.MutatingWebhook`]: { namespaceSelector: confinedNode, matchConditions: matchConditionsNode },
  [`${admission}.ValidatingAdmissionPolicySpec`]: { matchConditions: matchConditionsNode },
  [`${admission}.MutatingAdmissionPolicySpec`]: { matchConditions: matchConditionsNode },
  [`${admission}.ValidatingAdmissionPolicyBindingSpec`]: {
    policyName: "name:validatingadmissionpolicies.admissionregistration.k8s.io"
  },
  [`${admission}.MutatingAdmissionPolicyBindingSpec`]: {
    policyName: "name:mutatingadmissionpolicies.admissionregistration.k8s.io"
  },
  [`${admission}.ExpressionWarning`]: { warning: "text" },
  [`${admission}.Validation`]: { expression: "expression", messageExpression: "expression" },
  [`${admission}.Variable`]: { expression: "expression" },
  [`${admission}.AuditAnnotation`]: { valueExpression: "expression" },
  [`${admission}.ApplyConfiguration`]: { expression: "expression" },
  [`${admission}.JSONPatch`]: { expression: "expression" },
  [`${extensions}.CustomResourceDefinitionSpec`]: { group: "group" },
  [`${extensions}.ServiceReference`]: { namespace: "namespace" },
  [`${extensions}.WebhookClientConfig`]: { url: "refused" }
}

/** Sentences, wherever a field of the name is a string and no rule says otherwise. */
export const sentenceFields: ReadonlySet<string> = new Set(["message"])

/** Definitions into which nothing is looked for: a schema's own words describe fields, and name none. */
export const opaqueDefinitions: ReadonlySet<string> = new Set([
  `${extensions}.JSONSchemaProps`,
  "apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry",
  `${extensions}.ValidationRule`
])
