// The rights that tenants have upstream: everything in their own namespaces, and outside of them the few kinds that a cluster's
// owner needs, on names that the admission policies beside this hold to the tenant's mark.
// Owns these objects; refuses to write them anywhere.
import type { KubeObject } from "#kube"
import { ADMINS, adminsOf } from "../identity/Caller.ts"
import { INTERNAL_LABEL } from "../serve/UpstreamHead.ts"

const RBAC = "rbac.authorization.k8s.io"
const apiVersion = `${RBAC}/v1`
const PREFIX = "tenant.kubezoo.io:"

/** What binds a tenant's administrators in each of its namespaces. */
export const NAMESPACE_BINDING = `${PREFIX}admins`
export const NAMESPACE_ROLE = `${PREFIX}namespace-admin`
export const CLUSTER_ROLE = `${PREFIX}cluster-writer`

const labels = { [INTERNAL_LABEL]: "true" }

const group = (name: string) => ({ kind: "Group", apiGroup: RBAC, name })
const clusterRole = (name: string) => ({ kind: "ClusterRole", apiGroup: RBAC, name })

const writing = ["get", "create", "update", "patch", "delete"]

/** Everything in a namespace, for whoever is bound there. */
export const namespaceRole: KubeObject = {
  apiVersion,
  kind: "ClusterRole",
  metadata: { name: NAMESPACE_ROLE, labels },
  rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }]
}

/**
 * What administrators do outside namespaces. `escalate` and `bind` are for roles that grant nothing by themselves: the policies
 * see to it that cluster-wide bindings of tenants name only groups that this server alone asserts.
 */
export const clusterWriter: KubeObject = {
  apiVersion,
  kind: "ClusterRole",
  metadata: { name: CLUSTER_ROLE, labels },
  rules: [
    { apiGroups: [""], resources: ["namespaces", "namespaces/status", "namespaces/finalize"], verbs: writing },
    { apiGroups: [""], resources: ["nodes", "persistentvolumes"], verbs: ["get"] },
    { apiGroups: [RBAC], resources: ["clusterroles", "clusterrolebindings"], verbs: [...writing, "bind", "escalate"] },
    {
      apiGroups: ["apiextensions.k8s.io"],
      resources: ["customresourcedefinitions", "customresourcedefinitions/status"],
      verbs: writing
    },
    {
      apiGroups: ["admissionregistration.k8s.io"],
      resources: [
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicies/status",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings"
      ],
      verbs: writing
    },
    { apiGroups: ["networking.k8s.io"], resources: ["ingressclasses"], verbs: writing },
    { apiGroups: ["node.k8s.io"], resources: ["runtimeclasses"], verbs: writing },
    {
      apiGroups: ["storage.k8s.io"],
      resources: ["storageclasses", "volumeattributesclasses", "csidrivers"],
      verbs: ["get"]
    },
    { apiGroups: ["scheduling.k8s.io"], resources: ["priorityclasses"], verbs: ["get"] },
    { apiGroups: ["resource.k8s.io"], resources: ["deviceclasses"], verbs: ["get"] },
    {
      apiGroups: ["authorization.k8s.io"],
      resources: ["subjectaccessreviews"],
      verbs: ["create"]
    },
    { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] }
  ]
}

export const clusterWriterBinding: KubeObject = {
  apiVersion,
  kind: "ClusterRoleBinding",
  metadata: { name: CLUSTER_ROLE, labels },
  roleRef: clusterRole(CLUSTER_ROLE),
  subjects: [group(ADMINS)]
}

/** Binds a tenant's administrators in one of its namespaces. */
export const namespaceBinding = (tenant: string, namespace: string): KubeObject => ({
  apiVersion,
  kind: "RoleBinding",
  metadata: { name: NAMESPACE_BINDING, namespace, labels },
  roleRef: clusterRole(NAMESPACE_ROLE),
  subjects: [group(adminsOf(tenant))]
})

/** The name of a tenant's own cluster role: what it may do with its custom resources outside namespaces. */
export const tenantRoleName = (tenant: string): string => `${PREFIX}tenant:${tenant}`

/** `groups` are those of the tenant's CRDs, in upstream's spelling. */
export const tenantRole = (tenant: string, groups: ReadonlyArray<string>): KubeObject => ({
  apiVersion,
  kind: "ClusterRole",
  metadata: { name: tenantRoleName(tenant), labels },
  rules: groups.length === 0 ? [] : [{ apiGroups: groups, resources: ["*"], verbs: ["*"] }]
})

export const tenantRoleBinding = (tenant: string): KubeObject => ({
  apiVersion,
  kind: "ClusterRoleBinding",
  metadata: { name: tenantRoleName(tenant), labels },
  roleRef: clusterRole(tenantRoleName(tenant)),
  subjects: [group(adminsOf(tenant))]
})
