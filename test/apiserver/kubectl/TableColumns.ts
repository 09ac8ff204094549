// How a server says that the tables of its resources look.
// Owns the asking; refuses to compare.
import type { RealApiServer } from "../../kube/RealApiServer.ts"

export interface ColumnDefinition {
  readonly name: string
  readonly type: string
  readonly format: string
  readonly priority: number
}

interface Discovered {
  readonly items: ReadonlyArray<{
    readonly metadata: { readonly name?: string }
    readonly versions: ReadonlyArray<{
      readonly version: string
      readonly resources?: ReadonlyArray<{ readonly resource: string; readonly verbs: ReadonlyArray<string> }>
    }>
  }>
}

type Call = RealApiServer["call"]

const DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"

/** Paths of all lists, by "group/version/resource". */
const listedResources = async (call: Call): Promise<ReadonlyMap<string, string>> => {
  const paths = new Map<string, string>()
  for (const root of ["/api", "/apis"]) {
    const { body } = await call("GET", root, { headers: { accept: DISCOVERY } })
    for (const { metadata, versions } of (JSON.parse(body) as Discovered).items) {
      const { name: group = "" } = metadata
      for (const { resources = [], version } of versions) {
        for (const { resource, verbs } of resources) {
          const base = group === "" ? `/api/${version}` : `/apis/${group}/${version}`
          if (verbs.includes("list")) paths.set(`${group}/${version}/${resource}`, `${base}/${resource}`)
        }
      }
    }
  }
  return paths
}

/** The columns of every resource that can be listed, as a server tells them. */
export const columnsOf = async (call: Call): Promise<ReadonlyMap<string, ReadonlyArray<ColumnDefinition>>> => {
  const found = new Map<string, ReadonlyArray<ColumnDefinition>>()
  for (const [name, path] of await listedResources(call)) {
    const { body } = await call("GET", `${path}?limit=1`, { headers: { accept: TABLE } })
    found.set(name, (JSON.parse(body) as { columnDefinitions: ReadonlyArray<ColumnDefinition> }).columnDefinitions)
  }
  return found
}
