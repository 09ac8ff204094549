// What the controllers of volumes ask of claims, volumes and classes.
// Owns these questions and the annotations that the answers lie in; refuses to bind.
import { type JsonObject, type KubeObject, Quantity, quantityOf } from "#kube"
import { fieldsIn, fieldsOf, textOf, textsOf } from "#apiserver"

export const BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
export const BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
export const PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
export const MIGRATED_TO = "pv.kubernetes.io/migrated-to"
export const SELECTED_NODE = "volume.kubernetes.io/selected-node"
export const STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
export const BETA_STORAGE_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
const BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
const DEFAULTS = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"]

export const hasAnnotation = ({ metadata }: KubeObject, name: string): boolean =>
  metadata.annotations?.[name] !== undefined

export const withAnnotations = (object: KubeObject, more: Readonly<Record<string, string>>): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, ...more } }
})

/** The class of a claim or a volume; empty for none. */
export const classOf = (object: KubeObject): string =>
  object.metadata.annotations?.[BETA_CLASS] ?? textOf(fieldsOf(object.spec)["storageClassName"])

/** Whether a claim says which class it is of, if only that it is of none. */
export const namesClass = (claim: KubeObject): boolean =>
  hasAnnotation(claim, BETA_CLASS) || typeof fieldsOf(claim.spec)["storageClassName"] === "string"

export const modesOf = (object: KubeObject): ReadonlyArray<string> => textsOf(fieldsOf(object.spec)["accessModes"])

export const volumeModeOf = (object: KubeObject): string => {
  const mode = textOf(fieldsOf(object.spec)["volumeMode"])
  return mode === "" ? "Filesystem" : mode
}

export const attributesClassOf = (object: KubeObject): string =>
  textOf(fieldsOf(object.spec)["volumeAttributesClassName"])

const NOTHING = quantityOf(0) as Quantity

const amountOf = (value: unknown): Quantity => {
  if (typeof value !== "string" && typeof value !== "number") return NOTHING
  const quantity = quantityOf(value)
  return quantity instanceof Quantity ? quantity : NOTHING
}

/** What a claim asks for. */
export const requestOf = (claim: KubeObject): Quantity =>
  amountOf(fieldsOf(fieldsOf(fieldsOf(claim.spec)["resources"])["requests"])["storage"])

/** What a volume holds. */
export const capacityOf = (volume: KubeObject): Quantity =>
  amountOf(fieldsOf(fieldsOf(volume.spec)["capacity"])["storage"])

export const claimRefOf = (volume: KubeObject): JsonObject | undefined => fieldsIn(fieldsOf(volume.spec)["claimRef"])

/** "namespace/name" of the claim that a volume is for. */
export const claimKeyOf = (volume: KubeObject): string | undefined => {
  const reference = claimRefOf(volume)
  return reference === undefined ? undefined : `${textOf(reference["namespace"])}/${textOf(reference["name"])}`
}

export const volumeNameOf = (claim: KubeObject): string => textOf(fieldsOf(claim.spec)["volumeName"])

export const statusPhaseOf = (object: KubeObject): string => textOf(fieldsOf(object.status)["phase"])

/** Whether a volume is for this claim: by its name, and by its uid where it says one. */
export const isForClaim = (volume: KubeObject, claim: KubeObject): boolean => {
  const reference = claimRefOf(volume)
  if (reference === undefined) return false
  const { name, namespace, uid } = claim.metadata
  if (reference["name"] !== name || reference["namespace"] !== namespace) return false
  const wanted = textOf(reference["uid"])
  return wanted === "" || wanted === uid
}

/** Whether claims of this class wait until a pod that uses them has a node. */
export const waitsForConsumer = (storageClass: KubeObject | undefined): boolean =>
  storageClass?.["volumeBindingMode"] === "WaitForFirstConsumer"

/** The newest class that is marked as the default; of two of the same second the first by name. */
export const defaultClassOf = (classes: Iterable<KubeObject>): KubeObject | undefined => {
  let found: KubeObject | undefined
  const made = (object: KubeObject): string => object.metadata.creationTimestamp ?? ""
  for (const one of classes) {
    if (!DEFAULTS.some((name) => one.metadata.annotations?.[name] === "true")) continue
    const isBetter =
      found === undefined ||
      made(one) > made(found) ||
      (made(one) === made(found) && (one.metadata.name ?? "") < (found.metadata.name ?? ""))
    if (isBetter) found = one
  }
  return found
}

/** The reference of a volume to its claim. */
export const claimReference = ({ metadata }: KubeObject): JsonObject => ({
  kind: "PersistentVolumeClaim",
  apiVersion: "v1",
  namespace: metadata.namespace ?? "",
  name: metadata.name ?? "",
  uid: metadata.uid ?? "",
  resourceVersion: metadata.resourceVersion ?? ""
})
