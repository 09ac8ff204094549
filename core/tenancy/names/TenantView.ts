// What a translation must be told about a tenant's surroundings, and the kinds it is asked about.
// Owns these two shapes; refuses to find anything out, which the server does from upstream's objects.

/** One tenant, and what the platform shares with it. Its functions are asked in hot loops: they look up, and never wait. */
export interface TenantView {
  readonly tenant: string
  /** Whether the platform shares an object that stands in no namespace under its real name: ("storageclasses.storage.k8s.io", "fast"). */
  readonly published: (resource: string, name: string) => boolean
  /** Whether a group is everybody's: Kubernetes' own, or that of a CRD which the platform shares. */
  readonly sharedGroup: (group: string) => boolean
  /** Whether a tenant of this id exists: its names are kept out of free text. */
  readonly isTenant: (id: string) => boolean
  /** A custom resource by its group in the tenant's spelling and its kind or plural, as far as it is known. */
  readonly custom: (
    group: string,
    kindOrPlural: string
  ) =>
    | {
        readonly resource: string
        readonly namespaced: boolean
        /** What its CRD declares. */
        readonly references?: ReadonlyArray<CustomReference>
      }
    | undefined
}

/** A field of a custom resource that names something else, as its CRD's annotation declares it. */
export interface CustomReference {
  /** Fields from the object on, split at dots; "[]" after a field enters its items: "spec.targets[].namespace". */
  readonly path: string
  /** What the field holds. */
  readonly is: CustomReferenceKind
}

/** What a declared field of a custom resource may hold. */
export type CustomReferenceKind =
  | "namespace"
  | "namespaceSelector"
  | "group"
  | "apiVersion"
  | "objectReference"
  | "user"
  | "userGroup"
  | `name:${string}`

/** A kind as a request names it, in the tenant's spelling of the group. */
export interface KindShape {
  readonly group: string
  readonly version: string
  readonly kind: string
  /** The plural, like "pods". */
  readonly resource: string
  readonly namespaced: boolean
  /** Of a custom resource, what its CRD declares. */
  readonly references?: ReadonlyArray<CustomReference>
}
