// The resources that a simulated cluster serves, by the names that scenarios use: plural and group, as kubectl has them.
// Owns that list, made once on first use; the resources themselves are the API server's.
import { builtInDefinitions, defaultResourcesContext } from "#apiserver"
import { groupResource } from "#kube"

let names: ReadonlyArray<string> | undefined

/** Like pods or endpointslices.discovery.k8s.io. */
export const servedResources = (): ReadonlyArray<string> => {
  names ??= [
    ...new Set(
      builtInDefinitions(defaultResourcesContext)
        .filter(({ storage }) => storage !== undefined)
        .map(({ group, resource }) => groupResource({ group, resource }))
    )
  ]
  return names
}
