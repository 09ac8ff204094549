// What an API server says that it serves: aggregated discovery (apidiscovery.k8s.io/v2), read into types.
// Owns the reading; refuses to ask, which connections do. Subresources are none of ours.
import { fieldsOf, itemsOf, textOf } from "#apiserver"
import type { Json } from "#kube"
import type { ServedType } from "./MemberConnection.ts"

/** What is asked for on /api and /apis. */
export const DISCOVERY_ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"

/** The types of one answer; undefined when it is no aggregated discovery. */
export const typesOfDiscovery = (text: string): ReadonlyArray<ServedType> | undefined => {
  const document = fieldsOf(JSON.parse(text) as Json)
  if (document["kind"] !== "APIGroupDiscoveryList") return undefined
  const types: Array<ServedType> = []
  for (const item of itemsOf(document["items"])) {
    const group = textOf(fieldsOf(item["metadata"])["name"])
    for (const served of itemsOf(item["versions"])) {
      for (const resource of itemsOf(served["resources"])) {
        const kind = fieldsOf(resource["responseKind"])
        types.push({
          group: textOf(kind["group"]) || group,
          version: textOf(kind["version"]) || textOf(served["version"]),
          kind: textOf(kind["kind"]),
          pluralName: textOf(resource["resource"]),
          scope: resource["scope"] === "Cluster" ? "Cluster" : "Namespaced"
        })
      }
    }
  }
  return types
}

const order = (type: ServedType): string => `${type.group}/${type.version}/${type.pluralName}`

/** The same types in an order of their own, each once. */
export const sortedTypes = (types: ReadonlyArray<ServedType>): ReadonlyArray<ServedType> => {
  const known = new Map(types.map((type) => [order(type), type]))
  return [...known].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, type]) => type)
}
