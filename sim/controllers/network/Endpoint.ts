// One endpoint of an EndpointSlice, and what makes two of them the same.
// Owns the endpoint made of a pod and the comparison that decides whether a slice must be written; refuses to pack slices.
import { type Json, type JsonObject, type KubeObject, sameJson } from "#kube"
import { fieldsOf, itemsOf, textOf, textsOf } from "#apiserver"
import { isReady, nodeNameOf } from "../PodFacts.ts"
import { VersionFacts } from "../VersionFacts.ts"
import {
  type Family,
  hostnameOf,
  isHeadless,
  isV6,
  podAddresses,
  portNumber,
  publishesNotReady,
  targetRefOf
} from "./EndpointFacts.ts"

export type Endpoint = JsonObject

/** By family: the endpoint of a pod in a zone for a service. */
const known: Readonly<Record<Family, VersionFacts<KubeObject, Endpoint | undefined>>> = {
  IPv4: new VersionFacts(),
  IPv6: new VersionFacts()
}

/** The endpoint that a pod is, in one family of addresses; undefined when it has none of that family. */
export const endpointOf = (
  pod: KubeObject,
  node: KubeObject | undefined,
  service: KubeObject,
  family: Family
): Endpoint | undefined => {
  const zone = node?.metadata.labels?.["topology.kubernetes.io/zone"] ?? ""
  return known[family].of(pod, service, zone, () => endpointIn(pod, zone, service, family))
}

const endpointIn = (pod: KubeObject, zone: string, service: KubeObject, family: Family): Endpoint | undefined => {
  const addresses = podAddresses(pod).filter((address) => isV6(address) === (family === "IPv6"))
  if (addresses.length === 0) return undefined
  const serving = isReady(pod)
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const nodeName = nodeNameOf(pod)
  const hostname = hostnameOf(pod, service)
  return {
    addresses: addresses.toSorted(),
    conditions: { ready: publishesNotReady(service) || (serving && !terminating), serving, terminating },
    targetRef: targetRefOf(pod),
    ...(nodeName === "" ? {} : { nodeName }),
    ...(zone === "" ? {} : { zone }),
    ...(hostname === "" ? {} : { hostname })
  }
}

/** The ports that a service has at a pod. */
export const endpointPorts = (service: KubeObject, pod: KubeObject): ReadonlyArray<JsonObject> => {
  const ports = itemsOf(fieldsOf(service.spec)["ports"])
  if (ports.length === 0 && isHeadless(service)) return []
  return ports.flatMap((port) => {
    const number = portNumber(pod, port)
    if (number === undefined) return []
    const { appProtocol, protocol = "TCP" } = port
    return [
      { name: textOf(port["name"]), port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }
    ]
  })
}

/** One text for each set of ports, whatever their order. */
export const portsKey = (ports: Json | undefined): string =>
  itemsOf(ports)
    .map((port) =>
      JSON.stringify([
        port["name"] ?? null,
        port["port"] ?? null,
        port["protocol"] ?? null,
        port["appProtocol"] ?? null
      ])
    )
    .sort()
    .join()

const keys = new WeakMap<Endpoint, string>()

/** What an endpoint is by: two of the same are one, whatever else they say. */
export const endpointKey = (endpoint: Endpoint): string => {
  const known = keys.get(endpoint)
  if (known !== undefined) return known
  const key = keyOf(endpoint)
  keys.set(endpoint, key)
  return key
}

const keyOf = (endpoint: Endpoint): string => {
  const { name, namespace } = fieldsOf(endpoint["targetRef"])
  const addresses = textsOf(endpoint["addresses"])
  const sorted = addresses.length < 2 ? addresses : addresses.toSorted()
  return `${sorted.join()} ${textOf(endpoint["hostname"])} ${textOf(namespace)}/${textOf(name)}`
}

const sameTarget = (a: Json | undefined, b: Json | undefined): boolean => {
  const { resourceVersion: _, ...left } = fieldsOf(a)
  const { resourceVersion: __, ...right } = fieldsOf(b)
  return sameJson(left, right)
}

/** Whether two endpoints of one key say the same. */
export const saysTheSame = (a: Endpoint, b: Endpoint): boolean =>
  a === b ||
  (a["nodeName"] === b["nodeName"] &&
    a["zone"] === b["zone"] &&
    sameJson(a["conditions"], b["conditions"]) &&
    sameTarget(a["targetRef"], b["targetRef"]))

export const endpointsIn = (slice: KubeObject): ReadonlyArray<Endpoint> => itemsOf(slice["endpoints"])

export const isEndpointReady = (endpoint: Endpoint): boolean => fieldsOf(endpoint["conditions"])["ready"] === true
