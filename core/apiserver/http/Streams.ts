// What reaches through the server to a node: logs, exec, attach, port-forward and proxy of pods, nodes and services.
// Owns the port that somebody who has nodes fills, which subresources go through it, and the failure when nobody does.
import { type ApiFailure, Failures, isJsonObject, type Json, type KubeObject } from "#kube"
import type { HttpExchange } from "#net"
import type { Definition } from "../Definition.ts"
import type { UserInfo } from "../Request.ts"
import type { Query } from "./RequestUrl.ts"

/** A request that is to be carried to a node. */
export interface StreamRequest {
  readonly definition: Definition
  /** The pod, node or service. */
  readonly object: KubeObject
  /** "log", "exec", "attach", "portforward" or "proxy". */
  readonly subresource: string
  /** What follows "proxy" in the path; empty otherwise. */
  readonly path: string
  readonly query: Query
  readonly user: UserInfo
}

/** Answers such requests. */
export interface Streams {
  /**
   * Answers the exchange by itself and calls `finished` at its end, or answers a failure and leaves the exchange alone.
   * Undefined from `serve` means that it took the exchange.
   */
  readonly serve: (request: StreamRequest, exchange: HttpExchange, finished: () => void) => ApiFailure | undefined
}

interface ConnectSubresource {
  readonly name: string
  readonly kind: string
  readonly verbs: ReadonlyArray<string>
}

const proxyVerbs = ["create", "delete", "get", "patch", "update"]

const connects: Readonly<Record<string, ReadonlyArray<ConnectSubresource>>> = {
  pods: [
    { name: "attach", kind: "PodAttachOptions", verbs: ["create", "get"] },
    { name: "exec", kind: "PodExecOptions", verbs: ["create", "get"] },
    { name: "log", kind: "Pod", verbs: ["get"] },
    { name: "portforward", kind: "PodPortForwardOptions", verbs: ["create", "get"] },
    { name: "proxy", kind: "PodProxyOptions", verbs: proxyVerbs }
  ],
  nodes: [{ name: "proxy", kind: "NodeProxyOptions", verbs: proxyVerbs }],
  services: [{ name: "proxy", kind: "ServiceProxyOptions", verbs: proxyVerbs }]
}

/** The subresources of a definition that lead to nodes. */
export const connectSubresources = ({ group, resource }: Definition): ReadonlyArray<ConnectSubresource> =>
  group === "" ? (connects[resource] ?? []) : []

/** Whether a subresource of a definition leads to a node, and takes the verb. */
export const connectVerb = (definition: Definition, subresource: string, verb: string): boolean | undefined =>
  connectSubresources(definition)
    .find(({ name }) => name === subresource)
    ?.verbs.includes(verb)

const stringAt = (object: KubeObject, ...path: ReadonlyArray<string>): string => {
  let value: Json | undefined = object as unknown as Json
  for (const name of path) value = isJsonObject(value) ? value[name] : undefined
  return typeof value === "string" ? value : ""
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.")

/** What kube-apiserver answers when no kubelet can be reached. */
export const unreachable = ({ definition, object, path, subresource }: StreamRequest): ApiFailure => {
  const name = object.metadata.name ?? ""
  if (definition.resource === "services") {
    return Failures.unavailable(`no endpoints available for service ${JSON.stringify(name)}`)
  }
  const host =
    definition.resource === "nodes"
      ? name
      : stringAt(object, "status", "hostIP") || stringAt(object, "spec", "nodeName")
  if (subresource === "proxy") {
    const address = definition.resource === "nodes" ? host : stringAt(object, "status", "podIP")
    if (address === "" || isLoopback(address)) return Failures.badRequest("address not allowed")
    return Failures.unavailable(`error trying to reach service: dial tcp ${address}: connect: connection refused`)
  }
  const { namespace = "" } = object.metadata
  const paths: Readonly<Record<string, string>> = {
    log: "containerLogs",
    exec: "exec",
    attach: "attach",
    portforward: "portForward"
  }
  const url = `https://${host}:10250/${paths[subresource] ?? path}/${namespace}/${name}`
  return Failures.generic(500, "", `Get ${JSON.stringify(url)}: dial tcp ${host}:10250: connect: connection refused`)
}

/** Nodes that nobody can reach. */
export const noStreams: Streams = { serve: unreachable }

const containersOf = (pod: KubeObject): ReadonlyArray<string> => {
  const { spec } = pod
  if (!isJsonObject(spec)) return []
  return ["containers", "initContainers", "ephemeralContainers"].flatMap((field) => {
    const list = spec[field]
    return Array.isArray(list)
      ? list.flatMap((each) => (isJsonObject(each) && typeof each["name"] === "string" ? [each["name"]] : []))
      : []
  })
}

/** What is wrong with a request to a pod before any node is asked, in the order of kube-apiserver's checks. */
export const podProblem = (
  { object, query, subresource }: StreamRequest,
  upgrades: boolean
): ApiFailure | "empty" | undefined => {
  const name = object.metadata.name ?? ""
  const scheduled = stringAt(object, "spec", "nodeName") !== ""
  if (subresource === "proxy") return undefined
  if (subresource !== "portforward") {
    const containers = containersOf(object)
    const container = query.get("container")
    const { spec } = object
    const main = isJsonObject(spec) && Array.isArray(spec["containers"]) ? spec["containers"].length : 0
    if (container === "" && main > 1) {
      return Failures.badRequest(
        `a container name must be specified for pod ${name}, choose one of: [${containers.join(" ")}]`
      )
    }
    if (container !== "" && !containers.includes(container)) {
      return Failures.badRequest(`container ${container} is not valid for pod ${name}`)
    }
  }
  if (!scheduled) {
    return subresource === "log" ? "empty" : Failures.badRequest(`pod ${name} does not have a host assigned`)
  }
  return subresource === "log" || upgrades ? undefined : Failures.badRequest("Upgrade request required")
}
