// Which zones, and which nodes, an endpoint is meant for when a service wants its traffic to stay close.
// Owns the hints of spec.trafficDistribution; the older annotation, which weighs zones by their size, is ZoneHints.ts's.
import { type JsonObject, type KubeObject, sameJson } from "#kube"
import { fieldsOf, textOf } from "#apiserver"
import { type Endpoint, endpointsIn, isEndpointReady } from "./Endpoint.ts"

const CLOSE: ReadonlySet<string> = new Set(["PreferClose", "PreferSameZone", "PreferSameNode"])

/** The traffic distribution of a service that is to have hints; undefined for all others. */
export const closeDistribution = (service: KubeObject): string | undefined => {
  const distribution = textOf(fieldsOf(service.spec)["trafficDistribution"])
  return CLOSE.has(distribution) ? distribution : undefined
}

const hintsOf = (endpoint: Endpoint, nodesToo: boolean): JsonObject | undefined => {
  const [zone, node] = [textOf(endpoint["zone"]), nodesToo ? textOf(endpoint["nodeName"]) : ""]
  if (zone === "" && node === "") return undefined
  return {
    ...(zone === "" ? {} : { forZones: [{ name: zone }] }),
    ...(node === "" ? {} : { forNodes: [{ name: node }] })
  }
}

const withHints = (endpoint: Endpoint, hints: JsonObject | undefined): Endpoint => {
  const { hints: _, ...rest } = endpoint
  return hints === undefined ? rest : { ...rest, hints }
}

/** A slice with the hints that each ready endpoint must have; the slice itself when it has them. */
export const hinted = (slice: KubeObject, distribution: string): KubeObject => {
  const nodesToo = distribution === "PreferSameNode"
  let changed = false
  const endpoints = endpointsIn(slice).map((endpoint) => {
    if (!isEndpointReady(endpoint)) return endpoint
    const hints = hintsOf(endpoint, nodesToo)
    if (sameJson(hints, endpoint["hints"])) return endpoint
    changed = true
    return withHints(endpoint, hints)
  })
  return changed ? { ...slice, endpoints } : slice
}

/** A slice without any hints; the slice itself when it has none. */
export const unhinted = (slice: KubeObject): KubeObject => {
  const endpoints = endpointsIn(slice)
  if (endpoints.every((endpoint) => endpoint["hints"] === undefined)) return slice
  return { ...slice, endpoints: endpoints.map((endpoint) => withHints(endpoint, undefined)) }
}
