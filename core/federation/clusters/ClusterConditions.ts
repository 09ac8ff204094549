// What is thought of a member as its FederatedCluster says it: the conditions Ready and Offline, and taints of ours.
// Owns these words in both directions; refuses to judge, which failover does from what probes find, and to touch taints of users.
import { fieldsOf, itemsOf, textOf } from "#apiserver"
import { type JsonObject, type KubeObject, rfc3339 } from "#kube"
import { clusterTaints } from "../api/FederationNames.ts"
import type { ClusterTaint } from "../api/Taints.ts"
import type { ClusterHealth, Seen } from "../failover/ClusterHealth.ts"

/** What one probe found. */
export type Probe = "ready" | "not-ready" | "offline"

/** What the conditions of an object say was thought, for a controller that has just started. */
export const thoughtOf = (cluster: KubeObject): Probe | undefined => {
  const conditions = itemsOf(fieldsOf(cluster.status)["conditions"])
  const status = (type: string): string => textOf(conditions.find((one) => one["type"] === type)?.["status"])
  if (status("Ready") === "True") return "ready"
  if (status("Offline") === "True") return "offline"
  return status("Ready") === "" ? undefined : "not-ready"
}

interface Said {
  readonly status: "True" | "False" | "Unknown"
  readonly reason: string
  readonly message: string
}

const READY: Record<Probe, Said> = {
  ready: { status: "True", reason: "ClusterReady", message: "/readyz responded with ok" },
  "not-ready": { status: "False", reason: "ClusterNotReady", message: "/readyz responded without ok" },
  offline: { status: "Unknown", reason: "ClusterNotReachable", message: "the API server does not respond" }
}

const OFFLINE: Record<Probe, Said> = {
  ready: { status: "False", reason: "ClusterReachable", message: "the API server responds" },
  "not-ready": { status: "False", reason: "ClusterReachable", message: "the API server responds" },
  offline: { status: "True", reason: "ClusterNotReachable", message: "the API server does not respond" }
}

/** A list of conditions with one set; the list itself when that says nothing new. */
const withCondition = (
  conditions: ReadonlyArray<JsonObject>,
  type: string,
  said: Said,
  nowMs: number
): ReadonlyArray<JsonObject> => {
  const before = conditions.find((one) => one["type"] === type)
  const { message, reason, status } = said
  if (before?.["status"] === status && before["reason"] === reason && before["message"] === message) return conditions
  const now = rfc3339(nowMs)
  const turned = before?.["status"] === status ? textOf(before["lastTransitionTime"]) || now : now
  const after: JsonObject = { type, status, reason, message, lastProbeTime: now, lastTransitionTime: turned }
  return [...conditions.filter((one) => one["type"] !== type), after]
}

/** The conditions that a thought makes. */
export const healthConditions = (
  conditions: ReadonlyArray<JsonObject>,
  probe: Probe,
  nowMs: number
): ReadonlyArray<JsonObject> =>
  withCondition(withCondition(conditions, "Ready", READY[probe], nowMs), "Offline", OFFLINE[probe], nowMs)

const OURS: ReadonlySet<string> = new Set(Object.values(clusterTaints))

/** The taints of an object with ours as they are planned; its users' stay as they stand. */
export const withPlannedTaints = (
  taints: ReadonlyArray<JsonObject>,
  planned: ReadonlyArray<ClusterTaint>
): ReadonlyArray<JsonObject> => [
  ...taints.filter((taint) => !OURS.has(textOf(taint["key"]))),
  ...planned
    .filter(({ key }) => OURS.has(key))
    .map(({ addedMs, effect, key }): JsonObject => ({ key, effect, timeAdded: rfc3339(addedMs) }))
]

/** How a probe is called where losses are judged. */
export const seenOf = (probe: Probe): Seen =>
  probe === "ready" ? "ready" : probe === "offline" ? "unreachable" : "notReady"

/** What conditions say of a cluster that is judged so; one that was never well is what was seen. */
export const thoughtBy = ({ lost, seen }: ClusterHealth, before: Probe | undefined): Probe => {
  const shown = seen === "ready" ? "ready" : seen === "unreachable" ? "offline" : "not-ready"
  if (!lost) return before === "ready" || shown === "ready" ? "ready" : shown
  return shown === "ready" ? (before === "ready" || before === undefined ? "not-ready" : before) : shown
}

/** How a cluster is judged at the start, by what its conditions say. */
export const healthAtStart = (thought: Probe | undefined, nowMs: number): ClusterHealth | undefined =>
  thought === undefined
    ? undefined
    : { seen: seenOf(thought), sinceMs: nowMs, lost: thought !== "ready", lossesMs: thought === "ready" ? [] : [nowMs] }

/** The status of a cluster that has joined. */
export const joinedNow = (status: JsonObject, nowMs: number): JsonObject => ({
  ...status,
  joinPerformed: true,
  conditions: withCondition(
    itemsOf(status["conditions"]),
    "Joined",
    { status: "True", reason: "ClusterJoined", message: "cluster successfully joined" },
    nowMs
  )
})

/** The status of one that has not, with why; of one that had joined before it stays. */
export const notJoined = (status: JsonObject, reason: string, message: string, nowMs: number): JsonObject =>
  itemsOf(status["conditions"]).some((one) => one["type"] === "Joined" && one["status"] === "True")
    ? status
    : {
        ...status,
        conditions: withCondition(itemsOf(status["conditions"]), "Joined", { status: "False", reason, message }, nowMs)
      }
