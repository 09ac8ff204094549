// Every object that a pod template names: ConfigMaps, Secrets, claims, its service account, its classes.
// Owns all places of a PodSpec in which a name stands; refuses whether that object exists.
import { fieldsIn, fieldsOf, type Fields, itemsOf, textOf } from "#apiserver"
import type { Reference } from "./TypeSemantics.ts"

/** Gathers references of one namespace, each once. */
export class References {
  readonly #namespace: string
  readonly #found = new Map<string, Reference>()

  constructor(namespace: string) {
    this.#namespace = namespace
  }

  /** Notes an object of this namespace, or of none; an empty name is no reference. */
  add(group: string, kind: string, name: string, namespaced = true): void {
    if (name !== "") this.put({ group, kind, namespace: namespaced ? this.#namespace : "", name })
  }

  put(reference: Reference): void {
    this.#found.set(referenceKey(reference), reference)
  }

  all(): ReadonlyArray<Reference> {
    return [...this.#found.values()]
  }
}

/** The text by which a reference is told from others. */
export const referenceKey = ({ group, kind, name, namespace }: Reference): string =>
  `${group}/${kind}/${namespace}/${name}`

const secret = (found: References, part: unknown, field = "name"): void =>
  found.add("", "Secret", textOf(fieldsOf(part)[field]))

const configMap = (found: References, part: unknown): void => found.add("", "ConfigMap", textOf(fieldsOf(part)["name"]))

/** Volumes that name a Secret, and in which field below them. */
const SECRET_VOLUMES: ReadonlyArray<readonly [volume: string, part: string]> = [
  ["azureFile", "secretName"],
  ["cephfs", "secretRef"],
  ["cinder", "secretRef"],
  ["csi", "nodePublishSecretRef"],
  ["flexVolume", "secretRef"],
  ["iscsi", "secretRef"],
  ["rbd", "secretRef"],
  ["scaleIO", "secretRef"],
  ["storageos", "secretRef"],
  ["secret", "secretName"]
]

const ofVolume = (found: References, volume: Fields): void => {
  for (const [type, field] of SECRET_VOLUMES) {
    const named = fieldsOf(volume[type])[field]
    if (typeof named === "string") found.add("", "Secret", named)
    else secret(found, named)
  }
  configMap(found, volume["configMap"])
  found.add("", "PersistentVolumeClaim", textOf(fieldsOf(volume["persistentVolumeClaim"])["claimName"]))
  const claim = fieldsIn(fieldsOf(fieldsOf(fieldsOf(volume["ephemeral"])["volumeClaimTemplate"])["spec"]))
  found.add("storage.k8s.io", "StorageClass", textOf(fieldsOf(claim)["storageClassName"]), false)
  for (const source of itemsOf(fieldsOf(volume["projected"])["sources"])) {
    secret(found, source["secret"])
    configMap(found, source["configMap"])
    found.add(
      "certificates.k8s.io",
      "ClusterTrustBundle",
      textOf(fieldsOf(source["clusterTrustBundle"])["name"]),
      false
    )
  }
}

const ofContainer = (found: References, container: Fields): void => {
  for (const variable of itemsOf(container["env"])) {
    const from = fieldsOf(variable["valueFrom"])
    secret(found, from["secretKeyRef"])
    configMap(found, from["configMapKeyRef"])
  }
  for (const from of itemsOf(container["envFrom"])) {
    secret(found, from["secretRef"])
    configMap(found, from["configMapRef"])
  }
}

/** Service accounts and classes that every cluster has by itself. */
const isOfEveryCluster = (kind: string, name: string): boolean =>
  kind === "ServiceAccount" ? name === "default" : name.startsWith("system-")

/** Adds what a pod's spec names. */
export const addPodReferences = (found: References, spec: Fields): void => {
  for (const pull of itemsOf(spec["imagePullSecrets"])) secret(found, pull)
  for (const volume of itemsOf(spec["volumes"])) ofVolume(found, volume)
  for (const list of ["initContainers", "containers", "ephemeralContainers"]) {
    for (const container of itemsOf(spec[list])) ofContainer(found, container)
  }
  const account = textOf(spec["serviceAccountName"]) || textOf(spec["serviceAccount"])
  if (!isOfEveryCluster("ServiceAccount", account)) found.add("", "ServiceAccount", account)
  const priority = textOf(spec["priorityClassName"])
  if (!isOfEveryCluster("PriorityClass", priority)) found.add("scheduling.k8s.io", "PriorityClass", priority, false)
  found.add("node.k8s.io", "RuntimeClass", textOf(spec["runtimeClassName"]), false)
  for (const claim of itemsOf(spec["resourceClaims"])) {
    found.add("resource.k8s.io", "ResourceClaim", textOf(claim["resourceClaimName"]))
    found.add("resource.k8s.io", "ResourceClaimTemplate", textOf(claim["resourceClaimTemplateName"]))
  }
}
