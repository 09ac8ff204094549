// Namespaces go to all members by themselves, adopting those that are there, so that namespaced objects find theirs.
// Owns which namespaces do and under which rules; refuses to create any.
import type { KubeObject } from "#kube"
import { controlAnnotations, federationAnnotations, SYSTEM_NAMESPACE } from "../api/FederationNames.ts"

/** Namespaces that every cluster has of its own. */
const OWN: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public", "kube-node-lease", SYSTEM_NAMESPACE])

/** Whether a Namespace is one that is never carried anywhere. */
export const isOwnNamespace = (name: string): boolean => OWN.has(name)

/** Whether a namespace goes everywhere without a policy. */
export const propagatesByItself = ({ metadata }: KubeObject): boolean =>
  !isOwnNamespace(metadata.name ?? "") &&
  !(metadata.name ?? "").startsWith("kube-") &&
  metadata.annotations?.[controlAnnotations.noAutoPropagation] !== "true"

/** What a namespace that goes everywhere says of itself: it adopts its like, and leaves those alone when it goes. */
export const namespaceAnnotations: Readonly<Record<string, string>> = {
  [federationAnnotations.internalConflictResolution]: "adopt",
  [federationAnnotations.internalClustersToAdopt]: JSON.stringify({ regexp: ".*" }),
  [federationAnnotations.internalOrphan]: "adopted"
}
