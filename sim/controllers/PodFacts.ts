// What controllers ask of a pod: is it ready, available, over, going away.
// Owns these questions, by upstream's rules; refuses to decide what follows from the answers.
import { isJsonObject, type JsonObject, type KubeObject, parseRfc3339 } from "#kube"

/** A condition of a pod's status, or of any other. */
export type Condition = {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
  readonly lastUpdateTime?: string
  readonly lastProbeTime?: string | null
}

const nothing: JsonObject = {}
const noConditions: ReadonlyArray<Condition> = []

const specOf = ({ spec }: KubeObject): JsonObject => (isJsonObject(spec) ? spec : nothing)
const statusOf = ({ status }: KubeObject): JsonObject => (isJsonObject(status) ? status : nothing)

/** The conditions of any object's status. */
export const conditionsOf = (object: KubeObject): ReadonlyArray<Condition> => {
  const { conditions } = statusOf(object)
  // SAFETY: the server has checked the status against its schema.
  return Array.isArray(conditions) ? (conditions as ReadonlyArray<Condition>) : noConditions
}

/** The condition of this type, if the status has one. */
export const conditionOf = (object: KubeObject, type: string): Condition | undefined => {
  for (const condition of conditionsOf(object)) if (condition.type === type) return condition
  return undefined
}

/** "Pending", "Running", "Succeeded", "Failed" or "Unknown"; empty when nobody has said. */
export const phaseOf = (pod: KubeObject): string => {
  const { phase } = statusOf(pod)
  return typeof phase === "string" ? phase : ""
}

/** The node that a pod is bound to; empty when there is none yet. */
export const nodeNameOf = (pod: KubeObject): string => {
  const { nodeName } = specOf(pod)
  return typeof nodeName === "string" ? nodeName : ""
}

/** Whether all its containers have ended for good. */
export const isTerminal = (pod: KubeObject): boolean => {
  const phase = phaseOf(pod)
  return phase === "Succeeded" || phase === "Failed"
}

/** Whether it was deleted and is not over yet. */
export const isTerminating = (pod: KubeObject): boolean =>
  pod.metadata.deletionTimestamp !== undefined && !isTerminal(pod)

/** Whether it runs or will run: neither over nor deleted. */
export const isActive = (pod: KubeObject): boolean => pod.metadata.deletionTimestamp === undefined && !isTerminal(pod)

/** Whether its Ready condition is true. */
export const isReady = (pod: KubeObject): boolean => conditionOf(pod, "Ready")?.status === "True"

/** Since when it is ready, in milliseconds since the epoch; undefined when it is not, or nobody says since when. */
export const readySinceMs = (pod: KubeObject): number | undefined => {
  const ready = conditionOf(pod, "Ready")
  return ready?.status === "True" && typeof ready.lastTransitionTime === "string"
    ? parseRfc3339(ready.lastTransitionTime)
    : undefined
}

/** Whether it has been ready for so many seconds. */
export const isAvailable = (pod: KubeObject, minReadySeconds: number, nowMs: number): boolean => {
  if (!isReady(pod)) return false
  if (minReadySeconds === 0) return true
  const since = readySinceMs(pod)
  return since !== undefined && since + minReadySeconds * 1000 <= nowMs
}

/** Milliseconds until a ready pod becomes available; undefined when it is, or when it is not ready. */
export const availableInMs = (pod: KubeObject, minReadySeconds: number, nowMs: number): number | undefined => {
  if (minReadySeconds <= 0) return undefined
  const since = readySinceMs(pod)
  if (since === undefined) return undefined
  const leftMs = since + minReadySeconds * 1000 - nowMs
  return leftMs > 0 ? leftMs : undefined
}

/** The most restarts of any container, of the ordinary ones and of the sidecars among the init containers. */
export const maxRestarts = (pod: KubeObject): { readonly regular: number; readonly sidecar: number } => {
  const { containerStatuses, initContainerStatuses } = statusOf(pod)
  const { initContainers } = specOf(pod)
  const sidecars = new Set<unknown>()
  if (Array.isArray(initContainers)) {
    for (const container of initContainers as ReadonlyArray<JsonObject>)
      if (container["restartPolicy"] === "Always") sidecars.add(container["name"])
  }
  return {
    regular: mostRestarts(containerStatuses, () => true),
    sidecar: sidecars.size === 0 ? 0 : mostRestarts(initContainerStatuses, (name) => sidecars.has(name))
  }
}

const mostRestarts = (statuses: unknown, counts: (name: unknown) => boolean): number => {
  let most = 0
  if (!Array.isArray(statuses)) return most
  for (const { name, restartCount } of statuses as ReadonlyArray<JsonObject>)
    if (typeof restartCount === "number" && restartCount > most && counts(name)) most = restartCount
  return most
}
