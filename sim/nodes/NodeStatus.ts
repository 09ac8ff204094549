// What a kubelet says of its machine: conditions, addresses, capacity, and the facts of the system.
// Owns that text, as a real kubelet writes it; refuses to send it. Parts that do not change are shared between nodes.
import type { Json, JsonObject } from "#kube"

export interface NodeCondition {
  readonly type: string
  readonly status: "True" | "False" | "Unknown"
  readonly reason: string
  readonly message: string
  readonly [field: string]: Json
}

const condition = (type: string, status: NodeCondition["status"], reason: string, message: string): NodeCondition => ({
  type,
  status,
  reason,
  message
})

/** The conditions of a healthy machine, in kwok's order; the reasons and messages are the kubelet's. */
export const nodeConditions: ReadonlyArray<NodeCondition> = [
  condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
  condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
  condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
  condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
  condition("NetworkUnavailable", "False", "RouteCreated", "RouteController created a route")
]

/** Those that the kubelet itself reports, in its order. */
const kubeletConditions: ReadonlyArray<NodeCondition> = [
  "MemoryPressure",
  "DiskPressure",
  "PIDPressure",
  "Ready"
].flatMap((type) => nodeConditions.filter((one) => one.type === type))

/** The facts of a machine that its status tells. */
export interface MachineFacts {
  readonly name: string
  readonly ip: string
  /** The same as a pod's status lists it: one list for all pods of the machine. */
  readonly ips: ReadonlyArray<JsonObject>
  readonly capacity: JsonObject
  readonly allocatable: JsonObject
  /** Shared between the nodes of a group but for the ids. */
  readonly nodeInfo: JsonObject
}

const KUBELET_PORT = 10_250
const daemonEndpoints: JsonObject = { kubeletEndpoint: { Port: KUBELET_PORT } }

/** The status of a machine that is well, reported at a time (RFC 3339); `since` is when its conditions last changed. */
export const nodeStatus = (
  { allocatable, capacity, ip, name, nodeInfo }: MachineFacts,
  now: string,
  since: string
): JsonObject => ({
  capacity,
  allocatable,
  conditions: kubeletConditions.map(({ message, reason, status, type }) => ({
    type,
    status,
    lastHeartbeatTime: now,
    lastTransitionTime: since,
    reason,
    message
  })),
  addresses: [
    { type: "InternalIP", address: ip },
    { type: "Hostname", address: name }
  ],
  daemonEndpoints,
  nodeInfo
})

/** A status with its heartbeats set to a time; a kubelet that was held for silent says that it is well. */
export const withHeartbeat = (status: JsonObject, now: string): JsonObject => {
  const { conditions } = status
  if (!Array.isArray(conditions)) return status
  return {
    ...status,
    conditions: (conditions as ReadonlyArray<JsonObject>).map((one) => {
      const own = kubeletConditions.find(({ type }) => type === one["type"])
      if (own === undefined) return one
      // Unknown is what others say of a kubelet that was silent; anything else this kubelet or a stage of it has said.
      if (one["status"] !== "Unknown") return { ...one, lastHeartbeatTime: now }
      return { ...own, lastHeartbeatTime: now, lastTransitionTime: now }
    })
  }
}
