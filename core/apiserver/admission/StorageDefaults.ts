// Claims, volumes and ingresses: the class of those that name none, finalizers that keep what is in use, and growth of claims.
// Owns these plugins; binding and protection themselves are controllers'.
import { type KubeObject, Quantity, quantityOf } from "#kube"
import type { AdmissionPlugin, AdmissionRequest } from "../Access.ts"
import type { Api, ResourceView } from "../Api.ts"
import { fieldsOf, textOf } from "../resources/Fields.ts"
import { isAbout, mutator, validator, withMetadata, withSpec } from "./Plugin.ts"

const isCreateOf =
  (group: string, resource: string) =>
  (admission: AdmissionRequest): boolean =>
    admission.operation === "CREATE" && isAbout(admission, group, resource)

/** The newest class that an annotation marks as the default; of two of the same second the first by name. */
const defaultClass = (classes: ResourceView, annotations: ReadonlyArray<string>): KubeObject | undefined => {
  let found: KubeObject | undefined
  // RFC 3339 times in UTC compare as texts; the list is ordered by name.
  const made = (object: KubeObject): string => object.metadata.creationTimestamp ?? ""
  for (const one of classes.list(""))
    if (annotations.some((key) => one.metadata.annotations?.[key] === "true"))
      if (found === undefined || made(one) > made(found)) found = one
  return found
}

/** DefaultStorageClass. */
export const defaultStorageClass = (api: Api): AdmissionPlugin => {
  const classes = api.view("storage.k8s.io", "storageclasses")
  const marks = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"]
  return mutator("DefaultStorageClass", isCreateOf("", "persistentvolumeclaims"), (_admission, object) => {
    const spec = fieldsOf(object.spec)
    if (object.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] !== undefined) return object
    if (spec["storageClassName"] !== undefined && spec["storageClassName"] !== null) return object
    const found = defaultClass(classes, marks)
    return found === undefined ? object : withSpec(object, { ...spec, storageClassName: found.metadata.name })
  })
}

/** DefaultIngressClass. */
export const defaultIngressClass = (api: Api): AdmissionPlugin => {
  const classes = api.view("networking.k8s.io", "ingressclasses")
  return mutator("DefaultIngressClass", isCreateOf("networking.k8s.io", "ingresses"), (_admission, object) => {
    const spec = fieldsOf(object.spec)
    if (spec["ingressClassName"] !== undefined && spec["ingressClassName"] !== null) return object
    if (object.metadata.annotations?.["kubernetes.io/ingress.class"] !== undefined) return object
    const found = defaultClass(classes, ["ingressclass.kubernetes.io/is-default-class"])
    return found === undefined ? object : withSpec(object, { ...spec, ingressClassName: found.metadata.name })
  })
}

const PROTECTION: Readonly<Record<string, string>> = {
  persistentvolumes: "kubernetes.io/pv-protection",
  persistentvolumeclaims: "kubernetes.io/pvc-protection",
  volumeattributesclasses: "kubernetes.io/vac-protection"
}

const PROTECTED = [
  isCreateOf("", "persistentvolumeclaims"),
  isCreateOf("", "persistentvolumes"),
  isCreateOf("storage.k8s.io", "volumeattributesclasses")
]

/** StorageObjectInUseProtection. */
export const storageObjectInUseProtection: AdmissionPlugin = mutator(
  "StorageObjectInUseProtection",
  (admission) => PROTECTED.some((isCreate) => isCreate(admission)),
  ({ request }, object) => {
    const finalizer = PROTECTION[request.resource.resource]
    const held = object.metadata.finalizers ?? []
    if (finalizer === undefined || held.includes(finalizer)) return object
    return withMetadata(object, { finalizers: [...held, finalizer] })
  }
)

const storageOf = (object: KubeObject | undefined): Quantity | undefined => {
  const asked = fieldsOf(fieldsOf(fieldsOf(object?.spec)["resources"])["requests"])["storage"]
  const read = typeof asked === "string" || typeof asked === "number" ? quantityOf(asked) : undefined
  return read instanceof Quantity ? read : undefined
}

const classOf = (object: KubeObject | undefined): string =>
  object?.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ??
  textOf(fieldsOf(object?.spec)["storageClassName"])

/** PersistentVolumeClaimResize. */
export const persistentVolumeClaimResize = (api: Api): AdmissionPlugin => {
  const classes = api.view("storage.k8s.io", "storageclasses")
  return validator(
    "PersistentVolumeClaimResize",
    (admission) => admission.operation === "UPDATE" && isAbout(admission, "", "persistentvolumeclaims"),
    ({ object, oldObject }) => {
      const [size, old] = [storageOf(object), storageOf(oldObject)]
      if (size === undefined || old === undefined || size.compare(old) <= 0) return undefined
      if (fieldsOf(oldObject?.status)["phase"] !== "Bound") return "Only bound persistent volume claims can be expanded"
      const name = classOf(object)
      const allowed =
        name !== "" && name === classOf(oldObject) && classes.get("", name)?.["allowVolumeExpansion"] === true
      return allowed
        ? undefined
        : "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
    }
  )
}
