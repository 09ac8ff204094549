// Which resource a kind is served as: what references to owners and targets name is a kind.
// Owns the look-up among the built-in kinds and the custom ones that the server has now; refuses to ask discovery, which the
// Client port has not.
import { builtInResources, type GroupVersionResource, gvr, type Informer } from "#kube"
import type { Manager } from "./Manager.ts"
import { fieldsOf, itemsOf, textOf } from "./Parts.ts"

const crds = gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions")

/** The group of an apiVersion. */
export const groupOf = (apiVersion: string): string => apiVersion.slice(0, Math.max(0, apiVersion.indexOf("/")))

export class KindResources {
  /** To be synced before anything is asked. */
  readonly informer: Informer

  constructor({ informers }: Manager) {
    this.informer = informers.informer(crds)
  }

  /** The resource of a kind, in the version that is served first; undefined when the server has no such kind. */
  find(group: string, kind: string): GroupVersionResource | undefined {
    const known = builtIns().get(`${group}/${kind}`)
    if (known !== undefined) return known
    for (const { spec } of this.informer.store.all()) {
      const { group: of, names, versions } = fieldsOf(spec)
      if (of !== group || fieldsOf(names)["kind"] !== kind) continue
      const served = itemsOf(versions).find((version) => version["served"] === true)
      if (served !== undefined) return gvr(group, textOf(served["name"]), textOf(fieldsOf(names)["plural"]))
    }
    return undefined
  }
}

let found: ReadonlyMap<string, GroupVersionResource> | undefined

/** Stable versions only: others are off by default. */
const builtIns = (): ReadonlyMap<string, GroupVersionResource> => {
  if (found !== undefined) return found
  const map = new Map<string, GroupVersionResource>()
  for (const { group, kind, resource, version } of builtInResources())
    if (/^v\d+$/.test(version)) map.set(`${group}/${kind}`, gvr(group, version, resource))
  return (found = map)
}
