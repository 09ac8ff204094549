// The object that a request means, by its parts, with the few that people leave out filled in.
// Owns names and defaults; refuses to say whether the object exists.
import type { ObjectKey } from "../model/ObjectKey.ts"
import type { SpanStore } from "../store/SpanStore.ts"
import { BadParameter } from "./Answering.ts"

/** Groups of resources that people name without one, and the short names that kubectl knows. */
const resources: Readonly<Record<string, readonly [resource: string, group: string]>> = Object.fromEntries(
  [
    ["pods", "", "pod", "po"],
    ["services", "", "service", "svc"],
    ["nodes", "", "node", "no"],
    ["namespaces", "", "namespace", "ns"],
    ["configmaps", "", "configmap", "cm"],
    ["secrets", "", "secret"],
    ["persistentvolumeclaims", "", "persistentvolumeclaim", "pvc"],
    ["persistentvolumes", "", "persistentvolume", "pv"],
    ["serviceaccounts", "", "serviceaccount", "sa"],
    ["deployments", "apps", "deployment", "deploy"],
    ["replicasets", "apps", "replicaset", "rs"],
    ["statefulsets", "apps", "statefulset", "sts"],
    ["daemonsets", "apps", "daemonset", "ds"],
    ["jobs", "batch", "job"],
    ["cronjobs", "batch", "cronjob", "cj"],
    ["horizontalpodautoscalers", "autoscaling", "horizontalpodautoscaler", "hpa"],
    ["endpointslices", "discovery.k8s.io", "endpointslice"],
    ["ingresses", "networking.k8s.io", "ingress", "ing"]
  ].flatMap(([resource, group, ...shorts]) =>
    [resource, ...shorts].map((name) => [name, [resource, group] as const] as const)
  )
)

const clusterScoped = new Set(["nodes", "namespaces", "persistentvolumes"])

/** "resource", "resource.group" or a short name, as kubectl takes them. */
export const resourceOf = (text: string): { readonly resource: string; readonly group: string } => {
  const known = resources[text.toLowerCase()]
  if (known !== undefined) return { resource: known[0], group: known[1] }
  const dot = text.indexOf(".")
  return dot < 0 ? { resource: text, group: "" } : { resource: text.slice(0, dot), group: text.slice(dot + 1) }
}

/** The object of `cluster`, `group`, `resource`, `namespace` and `name`; throws BadParameter. */
export const objectParameter = (query: URLSearchParams, store: Pick<SpanStore, "clusters">): ObjectKey => {
  const of = (name: string): string => query.get(name) ?? ""
  if (of("resource") === "") throw new BadParameter("resource", "is required, like pods or deployments.apps")
  if (of("name") === "") throw new BadParameter("name", "is required")
  const { group, resource } = resourceOf(of("resource"))
  const fallback = clusterScoped.has(resource) && group === "" ? "" : "default"
  return {
    cluster: clusterParameter(of("cluster"), store),
    group: query.has("group") ? of("group") : group,
    resource,
    namespace: query.has("namespace") ? of("namespace") : fallback,
    name: of("name")
  }
}

/** The only cluster may be left out; one that was never heard of is refused. */
export const clusterParameter = (given: string, store: Pick<SpanStore, "clusters">): string => {
  const clusters = store.clusters()
  if (given !== "") {
    if (clusters.includes(given)) return given
    throw new BadParameter("cluster", `nothing came from ${given}; known are: ${clusters.join(", ") || "none"}`)
  }
  if (clusters.length > 1) throw new BadParameter("cluster", `is required, one of: ${clusters.join(", ")}`)
  return clusters[0] ?? ""
}
