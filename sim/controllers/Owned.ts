// Objects by the controller that owns them, so that nobody who looks for a few goes through all.
// Owns the index and the references; who may own what, and how it is claimed, is Ownership.ts's.
import { controllerOf, type Informer, type KubeObject, type OwnerReference } from "#kube"

const INDEX = "controller"

/** How a kind refers to its own objects as owners. */
export interface OwnerKind {
  readonly apiVersion: string
  readonly kind: string
}

const orphansKey = (namespace: string): string => `${namespace}/`

const byController = (object: KubeObject): ReadonlyArray<string> => {
  const owner = controllerOf(object)
  return [owner === undefined ? orphansKey(object.metadata.namespace ?? "") : owner.uid]
}

/** Indexes what an informer holds by controlling owner; once is enough, however many ask. */
export const indexByOwner = (informer: Informer): void => informer.store.addIndex(INDEX, byController)

/** What an owner controls. */
export const ownedBy = (informer: Informer, owner: KubeObject): ReadonlyArray<KubeObject> =>
  ownedByUid(informer, owner.metadata.uid ?? "")

/** What the owner of this uid controls. */
export const ownedByUid = (informer: Informer, uid: string): ReadonlyArray<KubeObject> =>
  informer.store.byIndex(INDEX, uid)

/** How many objects a uid controls. */
export const countOwnedBy = (informer: Informer, uid: string): number => informer.store.countByIndex(INDEX, uid)

/** What nobody controls, in a namespace. */
export const orphansIn = (informer: Informer, namespace: string): ReadonlyArray<KubeObject> =>
  informer.store.byIndex(INDEX, orphansKey(namespace))

/** The reference of what a controller makes to its owner. */
export const ownerReference = (owner: KubeObject, { apiVersion, kind }: OwnerKind): OwnerReference => ({
  apiVersion,
  kind,
  name: owner.metadata.name ?? "",
  uid: owner.metadata.uid ?? "",
  controller: true,
  blockOwnerDeletion: true
})

/** Whether an object is controlled by this very owner. */
export const isControlledBy = (object: KubeObject, owner: KubeObject): boolean =>
  controllerOf(object)?.uid === owner.metadata.uid

/** The key of the owner of this kind that controls an object; undefined when there is none. It may be gone, or another of that name. */
export const ownerKeyOf = (object: KubeObject, { apiVersion, kind }: OwnerKind): string | undefined => {
  const owner = controllerOf(object)
  // The version may differ, the group may not.
  if (owner?.kind !== kind || groupOf(owner.apiVersion) !== groupOf(apiVersion)) return undefined
  return `${object.metadata.namespace ?? ""}/${owner.name}`
}

const groupOf = (apiVersion: string): string => apiVersion.slice(0, Math.max(0, apiVersion.indexOf("/")))
