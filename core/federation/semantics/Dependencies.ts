// What each native kind names and so cannot be without in a member.
// Owns one function per kind, of one step; the way from step to step is the followers'. Refuses what only labels connect.
import { fieldsOf, itemsOf, textOf } from "#apiserver"
import type { KubeObject } from "#kube"
import { valueAt } from "./FieldPaths.ts"
import { addPodReferences, References } from "./PodReferences.ts"
import type { FieldPath, Reference } from "./TypeSemantics.ts"

type Dependencies = (object: KubeObject) => ReadonlyArray<Reference>

export const noDependencies: Dependencies = () => []

const referencesOf = (object: KubeObject): References => new References(object.metadata.namespace ?? "")

/** What a pod template needs. */
export const podDependencies =
  (template: FieldPath): Dependencies =>
  (object) => {
    const found = referencesOf(object)
    addPodReferences(found, fieldsOf(valueAt(object, [...template, "spec"])))
    return found.all()
  }

/** A StatefulSet also needs the Service that names its pods, and its claims' classes. */
export const statefulSetDependencies: Dependencies = (object) => {
  const found = referencesOf(object)
  const spec = fieldsOf(object.spec)
  addPodReferences(found, fieldsOf(valueAt(spec, ["template", "spec"])))
  found.add("", "Service", textOf(spec["serviceName"]))
  for (const claim of itemsOf(spec["volumeClaimTemplates"])) {
    found.add("storage.k8s.io", "StorageClass", textOf(fieldsOf(claim["spec"])["storageClassName"]), false)
  }
  return found.all()
}

/** Secrets that images are pulled with; a service account's token secrets are each cluster's own. */
export const serviceAccountDependencies: Dependencies = (object) => {
  const found = referencesOf(object)
  for (const pull of itemsOf(object["imagePullSecrets"])) found.add("", "Secret", textOf(pull["name"]))
  return found.all()
}

export const claimDependencies: Dependencies = (object) => {
  const found = referencesOf(object)
  const spec = fieldsOf(object.spec)
  found.add("storage.k8s.io", "StorageClass", textOf(spec["storageClassName"]), false)
  found.add("storage.k8s.io", "VolumeAttributesClass", textOf(spec["volumeAttributesClassName"]), false)
  found.add("", "PersistentVolume", textOf(spec["volumeName"]), false)
  return found.all()
}

const CSI_SECRETS = [
  "controllerPublishSecretRef",
  "nodeStageSecretRef",
  "nodePublishSecretRef",
  "controllerExpandSecretRef",
  "nodeExpandSecretRef"
]

export const volumeDependencies: Dependencies = (object) => {
  const found = referencesOf(object)
  const spec = fieldsOf(object.spec)
  found.add("storage.k8s.io", "StorageClass", textOf(spec["storageClassName"]), false)
  const csi = fieldsOf(spec["csi"])
  for (const name of CSI_SECRETS) {
    const secret = fieldsOf(csi[name])
    const [namespace, of] = [textOf(secret["namespace"]), textOf(secret["name"])]
    if (namespace !== "" && of !== "") found.put({ group: "", kind: "Secret", namespace, name: of })
  }
  return found.all()
}

/** Certificates, the class and the Services behind an Ingress. */
export const ingressDependencies: Dependencies = (object) => {
  const found = referencesOf(object)
  const spec = fieldsOf(object.spec)
  for (const tls of itemsOf(spec["tls"])) found.add("", "Secret", textOf(tls["secretName"]))
  found.add("networking.k8s.io", "IngressClass", textOf(spec["ingressClassName"]), false)
  const backend = (part: unknown): void => found.add("", "Service", textOf(fieldsOf(fieldsOf(part)["service"])["name"]))
  backend(spec["defaultBackend"])
  for (const rule of itemsOf(spec["rules"])) {
    for (const path of itemsOf(fieldsOf(rule["http"])["paths"])) backend(path["backend"])
  }
  return found.all()
}

/** The role and the service accounts of a binding. */
export const bindingDependencies: Dependencies = (object) => {
  const found = referencesOf(object)
  const role = fieldsOf(object["roleRef"])
  const kind = textOf(role["kind"])
  if (!textOf(role["name"]).startsWith("system:")) {
    found.add("rbac.authorization.k8s.io", kind, textOf(role["name"]), kind === "Role")
  }
  for (const subject of itemsOf(object["subjects"])) {
    const [namespace, name] = [textOf(subject["namespace"]), textOf(subject["name"])]
    if (subject["kind"] !== "ServiceAccount" || name === "default" || namespace === "" || name === "") continue
    found.put({ group: "", kind: "ServiceAccount", namespace, name })
  }
  return found.all()
}

/** Services that webhooks call (admission, conversion). */
export const webhookDependencies: Dependencies = (object) => {
  const found = referencesOf(object)
  const service = (part: unknown): void => {
    const { name, namespace } = fieldsOf(fieldsOf(fieldsOf(part)["clientConfig"])["service"])
    if (textOf(name) !== "") found.put({ group: "", kind: "Service", namespace: textOf(namespace), name: textOf(name) })
  }
  for (const webhook of itemsOf(object["webhooks"])) service(webhook)
  service(fieldsOf(fieldsOf(object.spec)["conversion"])["webhook"])
  return found.all()
}

/** The Service behind an aggregated API. */
export const apiServiceDependencies: Dependencies = (object) => {
  const found = referencesOf(object)
  const { name, namespace } = fieldsOf(fieldsOf(object.spec)["service"])
  if (textOf(name) !== "") found.put({ group: "", kind: "Service", namespace: textOf(namespace), name: textOf(name) })
  return found.all()
}

/** The policy of an admission policy's binding. */
export const policyBindingDependencies =
  (kind: string): Dependencies =>
  (object) => {
    const found = referencesOf(object)
    found.add("admissionregistration.k8s.io", kind, textOf(fieldsOf(object.spec)["policyName"]), false)
    return found.all()
  }

/** Classes that a claim for devices asks of. */
export const deviceClaimDependencies =
  (spec: FieldPath): Dependencies =>
  (object) => {
    const found = referencesOf(object)
    for (const request of itemsOf(valueAt(object, [...spec, "devices", "requests"]))) {
      const exactly = fieldsOf(request["exactly"])
      for (const one of [request, exactly, ...itemsOf(request["firstAvailable"])]) {
        found.add("resource.k8s.io", "DeviceClass", textOf(one["deviceClassName"]), false)
      }
    }
    return found.all()
  }

/** The priority level of a flow. */
export const flowDependencies: Dependencies = (object) => {
  const found = referencesOf(object)
  const level = textOf(fieldsOf(fieldsOf(object.spec)["priorityLevelConfiguration"])["name"])
  if (level !== "exempt" && level !== "catch-all") {
    found.add("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", level, false)
  }
  return found.all()
}
