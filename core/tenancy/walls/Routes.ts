// What a tenant may ask for at all: everything that is not named here is refused, whatever upstream would say.
// Owns the tables of subresources and of kinds that only the platform changes; refuses to rewrite anything.
import { clusterNaming } from "../names/ClusterNames.ts"
import { withheldNamespaced } from "../names/ClusterNames.ts"
import type { ServedResource } from "../discovery/Catalog.ts"

/** How a subresource is answered. */
export type SubresourceForm = "object" | "text" | "upgrade" | "proxy"

const everyKind = new Map<string, SubresourceForm>([
  ["status", "object"],
  ["scale", "object"]
])

const byResource = new Map<string, ReadonlyMap<string, SubresourceForm>>([
  [
    "pods",
    new Map<string, SubresourceForm>([
      ["eviction", "object"],
      ["binding", "object"],
      ["ephemeralcontainers", "object"],
      ["resize", "object"],
      ["log", "text"],
      ["exec", "upgrade"],
      ["attach", "upgrade"],
      ["portforward", "upgrade"],
      ["proxy", "proxy"]
    ])
  ],
  ["services", new Map<string, SubresourceForm>([["proxy", "proxy"]])],
  ["serviceaccounts", new Map<string, SubresourceForm>([["token", "object"]])],
  ["namespaces", new Map<string, SubresourceForm>([["finalize", "object"]])]
])

/** How a subresource of a kind is answered; undefined: never. */
export const subresourceForm = (served: ServedResource, subresource: string): SubresourceForm | undefined => {
  if (!served.subresources.has(subresource)) return undefined
  return (
    everyKind.get(subresource) ?? (served.group === "" ? byResource.get(served.resource)?.get(subresource) : undefined)
  )
}

/** "storageclasses.storage.k8s.io"; of the core group the plural alone. */
export const resourceName = (resource: string, group: string): string =>
  group === "" ? resource : `${resource}.${group}`

/** Kinds whose objects reach past a tenant's namespaces, so that only the platform makes and changes them. */
const platformWrites: ReadonlySet<string> = new Set([
  "nodes",
  "persistentvolumes",
  "storageclasses.storage.k8s.io",
  "volumeattributesclasses.storage.k8s.io",
  "csidrivers.storage.k8s.io",
  "priorityclasses.scheduling.k8s.io",
  "deviceclasses.resource.k8s.io"
])

/** Whether a kind is served to tenants at all. */
export const isServed = ({ group, namespaced, resource }: ServedResource): boolean => {
  if (group === "tenant.kubezoo.io") return false
  const name = resourceName(resource, group)
  return namespaced ? !withheldNamespaced.has(name) : clusterNaming(name) !== "withheld"
}

/** Whether tenants only read a kind. */
export const isReadOnly = ({ group, namespaced, resource }: ServedResource): boolean =>
  !namespaced && platformWrites.has(resourceName(resource, group))

const changing: ReadonlySet<string> = new Set(["create", "update", "patch", "delete", "deletecollection"])

/** Whether a verb changes something. */
export const isChange = (verb: string): boolean => changing.has(verb)

/** Namespaces that every cluster has for as long as it lives. */
export const IMMORTAL: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public", "kube-node-lease"])

/** Reviews change nothing, though they are created: a tenant that may only read may ask them. */
export const isReview = ({ group, resource }: ServedResource): boolean =>
  (group === "authorization.k8s.io" || group === "authentication.k8s.io") && resource.endsWith("reviews")
