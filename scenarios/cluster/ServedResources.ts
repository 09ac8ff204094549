// The resources that a cluster serves, by the names that scenarios use: plural and group, as kubectl has them.
// Owns that list, made once on first use; the resources themselves are the API server's.
import { builtInDefinitions, defaultResourcesContext } from "#apiserver"
import { gvr, groupResource, type GroupVersionResource } from "#kube"

let resources: ReadonlyMap<string, GroupVersionResource> | undefined

const all = (): ReadonlyMap<string, GroupVersionResource> => {
  resources ??= new Map(
    builtInDefinitions(defaultResourcesContext)
      .filter(({ storage }) => storage !== undefined)
      // The first version of a resource is the one that a server prefers.
      .toReversed()
      .map(({ group, resource, version }) => [groupResource({ group, resource }), gvr(group, version, resource)])
  )
  return resources
}

/** Like pods or endpointslices.discovery.k8s.io. */
export const servedResources = (): ReadonlyArray<string> => [...all().keys()].toReversed()

/** The resource of such a name. */
export const servedResource = (name: string): GroupVersionResource | undefined => all().get(name)
