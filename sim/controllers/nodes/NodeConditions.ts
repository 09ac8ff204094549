// What a silent node's status says, written in its kubelet's stead: nobody knows.
// Owns these conditions, in upstream's words; refuses to decide that a node is silent. NetworkUnavailable is not the kubelet's.
import { type Json, type JsonObject, type KubeObject, rfc3339 } from "#kube"
import { fieldsOf, itemsOf } from "#apiserver"

const TYPES = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"]

/** The node with every condition of its kubelet unknown; undefined when its readiness is unknown already. */
export const silenced = (node: KubeObject, nowMs: number): KubeObject | undefined => {
  const status = fieldsOf(node.status)
  const now = rfc3339(nowMs)
  const conditions: Array<JsonObject> = [...itemsOf(status["conditions"])]
  let changed = false
  for (const type of TYPES) {
    const at = conditions.findIndex((one) => one["type"] === type)
    const old = conditions[at]
    if (old === undefined) {
      conditions.push({
        type,
        status: "Unknown",
        reason: "NodeStatusNeverUpdated",
        message: "Kubelet never posted node status.",
        lastHeartbeatTime: node.metadata.creationTimestamp ?? null,
        lastTransitionTime: now
      })
    } else if (old["status"] !== "Unknown") {
      conditions[at] = {
        ...old,
        status: "Unknown",
        reason: "NodeStatusUnknown",
        message: "Kubelet stopped posting node status.",
        lastTransitionTime: now
      }
    } else continue
    if (type === "Ready") changed = true
  }
  return changed ? { ...node, status: { ...status, conditions: conditions as unknown as Json } } : undefined
}
