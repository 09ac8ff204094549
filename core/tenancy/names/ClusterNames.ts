// Whose the names of objects outside namespaces are, kind by kind.
// Owns this table; refuses references to them, which the rule table holds. Built-in kinds that are not here would be taken for custom ones; a test sees to it that there are none.

/**
 * `prefixed` names are the tenant's own; `classes` are its own or published by the platform; a `volume` may besides be one that
 * a provisioner named; `shared` ones are the same for all; `definition` is a CRD's, whose group is translated; `withheld` kinds
 * are no tenant's business and are never served.
 */
export type ClusterNaming = "namespace" | "prefixed" | "classes" | "volume" | "shared" | "definition" | "withheld"

const admission = "admissionregistration.k8s.io"

const table = new Map<string, ClusterNaming>([
  ["namespaces", "namespace"],
  ["nodes", "shared"],
  ["persistentvolumes", "volume"],
  ["componentstatuses", "withheld"],
  ["clusterroles.rbac.authorization.k8s.io", "prefixed"],
  ["clusterrolebindings.rbac.authorization.k8s.io", "prefixed"],
  [`validatingwebhookconfigurations.${admission}`, "prefixed"],
  [`mutatingwebhookconfigurations.${admission}`, "prefixed"],
  [`validatingadmissionpolicies.${admission}`, "prefixed"],
  [`validatingadmissionpolicybindings.${admission}`, "prefixed"],
  [`mutatingadmissionpolicies.${admission}`, "prefixed"],
  [`mutatingadmissionpolicybindings.${admission}`, "prefixed"],
  ["customresourcedefinitions.apiextensions.k8s.io", "definition"],
  ["storageclasses.storage.k8s.io", "classes"],
  ["volumeattributesclasses.storage.k8s.io", "classes"],
  ["csidrivers.storage.k8s.io", "classes"],
  ["priorityclasses.scheduling.k8s.io", "classes"],
  ["ingressclasses.networking.k8s.io", "classes"],
  ["runtimeclasses.node.k8s.io", "classes"],
  ["deviceclasses.resource.k8s.io", "classes"],
  ["apiservices.apiregistration.k8s.io", "withheld"],
  ["certificatesigningrequests.certificates.k8s.io", "withheld"],
  ["clustertrustbundles.certificates.k8s.io", "withheld"],
  ["csinodes.storage.k8s.io", "withheld"],
  ["volumeattachments.storage.k8s.io", "withheld"],
  ["devicetaintrules.resource.k8s.io", "withheld"],
  ["resourceslices.resource.k8s.io", "withheld"],
  ["flowschemas.flowcontrol.apiserver.k8s.io", "withheld"],
  ["prioritylevelconfigurations.flowcontrol.apiserver.k8s.io", "withheld"],
  ["ipaddresses.networking.k8s.io", "withheld"],
  ["servicecidrs.networking.k8s.io", "withheld"],
  ["storageversionmigrations.storagemigration.k8s.io", "withheld"]
])

/** How a resource like "storageclasses.storage.k8s.io" names its objects; what the table does not have is custom: a tenant's own, or the platform's where it publishes them. */
export const clusterNaming = (resource: string): ClusterNaming =>
  table.get(resource) ?? (resource === UNRESOLVED ? "prefixed" : "classes")

/** What a reference names when nobody knows its kind: nothing that the platform could have published. */
export const UNRESOLVED = "unresolved"

/** The resources that the table judges, for the test that compares it with what a kube-apiserver serves. */
export const judgedClusterResources = (): ReadonlyArray<string> => [...table.keys()]

/** Namespaced kinds that no tenant is served: the kubelet's and the scheduler's own bookkeeping. */
export const withheldNamespaced: ReadonlySet<string> = new Set([
  "podcertificaterequests.certificates.k8s.io",
  "csistoragecapacities.storage.k8s.io"
])
