// What every Kubernetes object has: type and metadata. An object is a plain JSON value that is never changed in place: it is
// shared by caches, watchers and clients of one process.
// Owns the shapes; refuses to know any kind's spec, which the kinds' own modules read as JSON.
import type { Json, JsonObject } from "./Json.ts"

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

export interface ManagedFieldsEntry {
  readonly manager?: string
  readonly operation?: "Apply" | "Update"
  readonly apiVersion?: string
  /** RFC 3339. */
  readonly time?: string
  readonly fieldsType?: string
  readonly fieldsV1?: JsonObject
  readonly subresource?: string
}

export interface ObjectMeta {
  readonly name?: string
  readonly generateName?: string
  readonly namespace?: string
  readonly uid?: string
  /** Opaque to clients; a decimal revision of the store here. */
  readonly resourceVersion?: string
  readonly generation?: number
  /** RFC 3339, whole seconds. */
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: ReadonlyArray<OwnerReference>
  readonly finalizers?: ReadonlyArray<string>
  readonly managedFields?: ReadonlyArray<ManagedFieldsEntry>
  readonly selfLink?: string
}

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec?: Json
  readonly status?: Json
  readonly [field: string]: unknown
}

/** A page of a collection. */
export interface KubeList {
  readonly apiVersion: string
  /** Of the list, like "PodList". */
  readonly kind: string
  readonly items: ReadonlyArray<KubeObject>
  readonly metadata: {
    readonly resourceVersion: string
    /** Where the next page starts; absent on the last. */
    readonly continue?: string
    readonly remainingItemCount?: number
  }
}

/** "namespace/name", or the name alone for what is in no namespace: the key of caches and queues. */
export const objectKey = ({ metadata: { name, namespace } }: KubeObject): string =>
  namespace === undefined || namespace === "" ? (name ?? "") : `${namespace}/${name ?? ""}`

/** The two halves of an object's key. */
export const splitKey = (key: string): { readonly namespace: string; readonly name: string } => {
  const slash = key.indexOf("/")
  return slash < 0 ? { namespace: "", name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** The owner that manages this object, if one does. */
export const controllerOf = (object: KubeObject): OwnerReference | undefined =>
  object.metadata.ownerReferences?.find(({ controller }) => controller === true)
