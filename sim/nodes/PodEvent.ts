// Events about pods, as kubelet and scheduler write them.
// Owns their shape and names; refuses to count repetitions, which clients of a real cluster fold into one event.
import { type KubeObject, rfc3339 } from "#kube"
import type { StageEvent } from "./Stage.ts"

export interface EventSource {
  readonly component: string
  /** The machine, where one speaks. */
  readonly host?: string
}

/** An event about a pod at a time (milliseconds since the epoch), named as client-go names it: by the time, in nanoseconds. */
export const podEvent = (
  { apiVersion, kind, metadata }: KubeObject,
  { message, reason, type }: StageEvent,
  nowMs: number,
  source: EventSource
): KubeObject => {
  const { name = "", namespace = "", resourceVersion = "", uid = "" } = metadata
  const now = rfc3339(nowMs)
  const nanoseconds = (BigInt(Math.floor(nowMs)) * 1_000_000n).toString(16)
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${name}.${nanoseconds}`, namespace },
    involvedObject: { apiVersion, kind, name, namespace, resourceVersion, uid },
    reason,
    message,
    type,
    count: 1,
    firstTimestamp: now,
    lastTimestamp: now,
    source,
    reportingComponent: source.component,
    reportingInstance: source.host ?? ""
  }
}
