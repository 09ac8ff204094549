// Names of types: group, version, kind and resource, and the texts that stand for them.
// Owns these names only; which resources exist is the API server's to say.

export interface GroupVersion {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
}

export interface GroupVersionKind extends GroupVersion {
  readonly kind: string
}

export interface GroupVersionResource extends GroupVersion {
  /** The plural, like "pods". */
  readonly resource: string
}

/** "apps/v1", or "v1" for the core group. */
export const apiVersionOf = ({ group, version }: GroupVersion): string =>
  group === "" ? version : `${group}/${version}`

/** The two halves of an `apiVersion`. */
export const parseApiVersion = (apiVersion: string): GroupVersion => {
  const slash = apiVersion.indexOf("/")
  return slash < 0
    ? { group: "", version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}

/** "pods" or "deployments.apps": how messages and RBAC name a resource. */
export const groupResource = ({ group, resource }: Pick<GroupVersionResource, "group" | "resource">): string =>
  group === "" ? resource : `${resource}.${group}`

/** A resource by group, version and plural. */
export const gvr = (group: string, version: string, resource: string): GroupVersionResource => ({
  group,
  version,
  resource
})
