// What a pod is worth as an endpoint of a service: its addresses, its ports, and whether it may be asked.
// Owns these answers, which EndpointSlices and Endpoints are both made of; refuses to gather pods.
import { type JsonObject, type KubeObject, sameJson } from "#kube"
import { fieldsOf, itemsOf, numberOf, textOf } from "#apiserver"
import { isReady, isTerminal, nodeNameOf } from "../PodFacts.ts"

export type Family = "IPv4" | "IPv6"

export const isV6 = (address: string): boolean => address.includes(":")

/** The addresses of a pod, in its own order. */
export const podAddresses = (pod: KubeObject): ReadonlyArray<string> =>
  itemsOf(fieldsOf(pod.status)["podIPs"]).map(({ ip }) => textOf(ip))

/** Whether a pod is an endpoint at all; one that is going away only where that is asked for. */
export const isEndpoint = (pod: KubeObject, terminatingToo: boolean): boolean => {
  if (isTerminal(pod)) return false
  const { podIP, podIPs } = fieldsOf(pod.status)
  if (textOf(podIP) === "" && itemsOf(podIPs).length === 0) return false
  return terminatingToo || pod.metadata.deletionTimestamp === undefined
}

/** The name under which a pod is found below a headless service; empty for most. */
export const hostnameOf = (pod: KubeObject, service: KubeObject): string => {
  const { hostname, subdomain } = fieldsOf(pod.spec)
  const { name, namespace } = service.metadata
  return subdomain === name && namespace === pod.metadata.namespace ? textOf(hostname) : ""
}

/** The number of the port of a pod that a service's port means; undefined when the pod has none of that name. */
export const portNumber = (pod: KubeObject, port: JsonObject): number | undefined => {
  const { protocol, targetPort } = port
  if (typeof targetPort === "number") return targetPort
  const spec = fieldsOf(pod.spec)
  const sidecars = itemsOf(spec["initContainers"]).filter(({ restartPolicy }) => restartPolicy === "Always")
  for (const container of [...itemsOf(spec["containers"]), ...sidecars]) {
    for (const own of itemsOf(container["ports"])) {
      if (own["name"] === targetPort && (own["protocol"] ?? "TCP") === (protocol ?? "TCP"))
        return numberOf(own["containerPort"])
    }
  }
  return undefined
}

export const selectorOf = (service: KubeObject): Readonly<Record<string, string>> | undefined => {
  const selector = fieldsOf(service.spec)["selector"]
  if (typeof selector !== "object" || selector === null || Object.keys(selector).length === 0) return undefined
  // SAFETY: a selector is a map of texts.
  return selector as Readonly<Record<string, string>>
}

export const clusterIpOf = (service: KubeObject): string => textOf(fieldsOf(service.spec)["clusterIP"])

/** Whether a service has no address of its own. */
export const isHeadless = (service: KubeObject): boolean => {
  const ip = clusterIpOf(service)
  return ip === "" || ip === "None"
}

export const publishesNotReady = (service: KubeObject): boolean =>
  fieldsOf(service.spec)["publishNotReadyAddresses"] === true

/** A reference to the pod behind an endpoint. */
export const targetRefOf = ({ metadata: { name = "", namespace = "", uid = "" } }: KubeObject): JsonObject => ({
  kind: "Pod",
  namespace,
  name,
  uid
})

/** How a change of a pod concerns services: by what it is (`itself`), by which select it (`labels`). */
export const endpointChanges = (
  before: KubeObject,
  after: KubeObject
): { readonly itself: boolean; readonly labels: boolean } => {
  const [old, now] = [fieldsOf(before.spec), fieldsOf(after.spec)]
  const labels =
    !sameJson(before.metadata.labels, after.metadata.labels) ||
    old["hostname"] !== now["hostname"] ||
    old["subdomain"] !== now["subdomain"]
  const itself =
    before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
    before.metadata.uid !== after.metadata.uid ||
    isReady(before) !== isReady(after) ||
    isTerminal(before) !== isTerminal(after) ||
    nodeNameOf(before) !== nodeNameOf(after) ||
    !sameJson(podAddresses(before), podAddresses(after))
  return { itself, labels }
}
