// What a node may write: itself, its lease, and the pods that run on it.
// Owns these limits for users of system:nodes; which objects a node may read is the node authorizer's.
import { type Json, type KubeObject, sameJson } from "#kube"
import type { AdmissionPlugin, AdmissionRequest } from "../Access.ts"
import type { Api } from "../Api.ts"
import { nodeOf } from "../rbac/NodeAuthorizer.ts"
import { fieldsOf, itemsOf, textOf } from "../resources/Fields.ts"
import { refusal } from "./Plugin.ts"

const MIRROR = "kubernetes.io/config.mirror"
/** Labels under kubernetes.io and k8s.io that a node may give itself. */
const OWN_LABELS: ReadonlySet<string> = new Set([
  "beta.kubernetes.io/arch",
  "beta.kubernetes.io/instance-type",
  "beta.kubernetes.io/os",
  "failure-domain.beta.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "kubernetes.io/arch",
  "kubernetes.io/hostname",
  "kubernetes.io/os",
  "node.kubernetes.io/instance-type",
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone"
])
const OWN_DOMAINS = ["kubelet.kubernetes.io", "node.kubernetes.io"]

const isWithin = (domain: string, parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`)

const isForbiddenLabel = (label: string): boolean => {
  const slash = label.indexOf("/")
  if (slash < 0) return false
  const domain = label.slice(0, slash)
  if (isWithin(domain, "node-restriction.kubernetes.io")) return true
  if (!isWithin(domain, "kubernetes.io") && !isWithin(domain, "k8s.io")) return false
  return !OWN_LABELS.has(label) && !OWN_DOMAINS.some((own) => isWithin(domain, own))
}

type Labels = Readonly<Record<string, string>>

/** The labels that differ and are not the node's to set, in order. */
const forbiddenLabels = (labels: Labels = {}, old: Labels = {}): ReadonlyArray<string> =>
  [...new Set([...Object.keys(labels), ...Object.keys(old)])]
    .filter((label) => labels[label] !== old[label] && isForbiddenLabel(label))
    .sort()

const nodeNameOf = (pod: KubeObject | undefined): string => textOf(fieldsOf(pod?.spec)["nodeName"])

const nodeWrite = (node: string, { object, oldObject, operation, request }: AdmissionRequest): string | undefined => {
  const name = operation === "CREATE" ? (object?.metadata.name ?? "") : request.name
  const quoted = JSON.stringify(node)
  if (name !== node) return `node ${quoted} is not allowed to modify node ${JSON.stringify(name)}`
  const labels = forbiddenLabels(object?.metadata.labels, oldObject?.metadata.labels)
  if (operation === "CREATE")
    return labels.length === 0
      ? undefined
      : `node ${quoted} is not allowed to set the following labels: ${labels.join(", ")}`
  if (operation !== "UPDATE") return undefined
  const same = (field: string): boolean => sameJson(fieldsOf(object?.spec)[field], fieldsOf(oldObject?.spec)[field])
  if (!same("taints")) return `node ${quoted} is not allowed to modify taints`
  if (
    !sameJson(
      (object?.metadata.ownerReferences ?? []) as unknown as Json,
      (oldObject?.metadata.ownerReferences ?? []) as unknown as Json
    )
  )
    return `node ${quoted} is not allowed to modify ownerReferences`
  return labels.length === 0 ? undefined : `is not allowed to modify labels: ${labels.join(", ")}`
}

const podCreate = (node: string, pod: KubeObject | undefined): string | undefined => {
  const quoted = JSON.stringify(node)
  if (pod?.metadata.annotations?.[MIRROR] === undefined)
    return `pod does not have "${MIRROR}" annotation, node ${quoted} can only create mirror pods`
  if (nodeNameOf(pod) !== node) return `node ${quoted} can only create pods with spec.nodeName set to itself`
  const owners = pod.metadata.ownerReferences ?? []
  const [owner] = owners
  if (owner === undefined || owners.length > 1)
    return `node ${quoted} can only create pods with a single owner reference set to itself`
  if (owner.kind !== "Node" || owner.name !== node)
    return `node ${quoted} can only create pods with an owner reference set to itself`
  if (owner.controller !== true)
    return `node ${quoted} can only create pods with a controller owner reference set to itself`
  if (owner.blockOwnerDeletion === true) return `node ${quoted} must not set blockOwnerDeletion on an owner reference`
  const volumes = itemsOf(fieldsOf(pod.spec)["volumes"])
  const apiObject = volumes.find(
    ({ configMap, persistentVolumeClaim, secret }) => configMap ?? persistentVolumeClaim ?? secret
  )
  return apiObject === undefined ? undefined : `node ${quoted} can not create pods that reference API objects`
}

/** NodeRestriction. */
export const nodeRestriction = (api: Api): AdmissionPlugin => {
  const pods = api.view("", "pods")

  const podWrite = (node: string, admission: AdmissionRequest): string | undefined => {
    const { object, oldObject, operation, request } = admission
    const quoted = JSON.stringify(node)
    const held = oldObject ?? pods.get(request.namespace, request.name)
    if (request.subresource === "eviction")
      return nodeNameOf(held) === node ? undefined : `node ${node} can only evict pods with spec.nodeName set to itself`
    if (request.subresource === "status") {
      if (operation !== "UPDATE") return `unexpected operation ${JSON.stringify(operation)}`
      if (nodeNameOf(oldObject) !== node)
        return `node ${quoted} can only update pod status for pods with spec.nodeName set to itself`
      const [labels, old] = [object?.metadata.labels ?? {}, oldObject?.metadata.labels ?? {}]
      return sameJson(labels, old) ? undefined : `node ${quoted} cannot update labels through pod status`
    }
    if (request.subresource !== "")
      return `unexpected pod subresource ${JSON.stringify(request.subresource)}, only 'status' and 'eviction' are allowed`
    if (operation === "CREATE") return podCreate(node, object)
    if (operation === "DELETE")
      return nodeNameOf(held) === node
        ? undefined
        : `node ${quoted} can only delete pods with spec.nodeName set to itself`
    return `unexpected operation ${JSON.stringify(operation)}, node ${quoted} can only create and delete mirror pods`
  }

  const tokenRequest = (node: string, { object, request }: AdmissionRequest): string | undefined => {
    const reference = fieldsOf(fieldsOf((object ?? request.body)?.spec)["boundObjectRef"])
    if (reference["kind"] !== "Pod" || textOf(reference["name"]) === "")
      return "node requested token not bound to a pod"
    if (textOf(reference["uid"]) === "") return "node requested token with a pod binding without a uid"
    const pod = pods.get(request.namespace, textOf(reference["name"]))
    if (pod === undefined) return `pods ${JSON.stringify(textOf(reference["name"]))} not found`
    return nodeNameOf(pod) === node ? undefined : "node requested token bound to a pod scheduled on a different node"
  }

  const check = (node: string, admission: AdmissionRequest): string | undefined => {
    const { object, operation, request } = admission
    const { group, resource } = request.resource
    const name = operation === "CREATE" ? (object?.metadata.name ?? "") : request.name
    switch (group === "" ? resource : `${resource}.${group}`) {
      case "nodes":
        return nodeWrite(node, admission)
      case "pods":
        return podWrite(node, admission)
      case "serviceaccounts":
        return request.subresource === "token" ? tokenRequest(node, admission) : undefined
      case "persistentvolumeclaims":
        return request.subresource === "status" ? undefined : "may only update PVC status"
      case "leases.coordination.k8s.io":
        if (request.namespace !== "kube-node-lease")
          return 'can only access leases in the "kube-node-lease" system namespace'
        return name === node ? undefined : "can only access node lease with the same name as the requesting node"
      case "csinodes.storage.k8s.io":
        return name === node ? undefined : "can only access CSINode with the same name as the requesting node"
      default:
        return undefined
    }
  }

  return {
    name: "NodeRestriction",
    handles: ({ request }) => request.user.name.startsWith("system:node:") && nodeOf(request.user) !== undefined,
    mutate: (admission, done) => {
      const { request } = admission
      const node = nodeOf(request.user) ?? ""
      const why =
        node === "" ? `could not determine node from user ${JSON.stringify(request.user.name)}` : check(node, admission)
      done(why === undefined ? { object: admission.object } : refusal(admission, why))
    }
  }
}
