// What probes say of a member, held against what was thought of it: a flip counts only when it lasts.
// Owns the conditions Ready and Offline and the taints that go with them; refuses to probe, and to touch taints of users.
import { fieldsOf, itemsOf, textOf } from "#apiserver"
import { type JsonObject, type KubeObject, rfc3339 } from "#kube"
import { clusterTaints } from "../api/FederationNames.ts"

/** What one probe found. */
export type Probe = "ready" | "not-ready" | "offline"

/** How long a member must be otherwise than thought before that counts, in milliseconds. */
export interface HealthDelays {
  readonly lostMs: number
  readonly backMs: number
}

/** What is thought of a member, and what was seen of late that speaks against it. */
export interface HealthView {
  readonly thought: Probe | undefined
  readonly seen: Probe | undefined
  readonly sinceMs: number
}

/** Nothing is known yet. */
export const unknownHealth: HealthView = { thought: undefined, seen: undefined, sinceMs: 0 }

/** What to think after one more probe. The first one counts at once. */
export const afterProbe = (view: HealthView, probe: Probe, nowMs: number, delays: HealthDelays): HealthView => {
  if (view.thought === undefined || view.thought === probe) return { thought: probe, seen: probe, sinceMs: nowMs }
  // Which way it is ill may change while one waits; that it is ill, or well again, is what must last.
  const sameSide =
    view.seen !== undefined && (view.seen === "ready") === (probe === "ready") && view.seen !== view.thought
  const sinceMs = sameSide ? view.sinceMs : nowMs
  const delay = probe === "ready" ? delays.backMs : delays.lostMs
  const ill = view.thought !== "ready" && probe !== "ready"
  return ill || nowMs - sinceMs >= delay
    ? { thought: probe, seen: probe, sinceMs: nowMs }
    : { thought: view.thought, seen: probe, sinceMs }
}

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
export const withCondition = (
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

/** What keeps workloads from a member, and what drives them out of it unless they tolerate it for a time. */
const taintFor = (probe: Probe, driving: boolean, timeAdded: string): ReadonlyArray<JsonObject> => {
  if (probe === "ready") return []
  const key = probe === "offline" ? clusterTaints.unreachable : clusterTaints.notReady
  const keeping: JsonObject = { key, effect: "NoSchedule" }
  return driving ? [keeping, { key, effect: "NoExecute", timeAdded }] : [keeping]
}

/** The taints of a member with ours as they must be; undefined when they are. A NoExecute taint keeps the time of its making. */
export const healthTaints = (
  taints: ReadonlyArray<JsonObject>,
  probe: Probe,
  driving: boolean,
  nowMs: number
): ReadonlyArray<JsonObject> | undefined => {
  const before = taints.filter((taint) => OURS.has(textOf(taint["key"])))
  const since = textOf(before.find((taint) => taint["effect"] === "NoExecute")?.["timeAdded"]) || rfc3339(nowMs)
  const after = taintFor(probe, driving, since)
  const told = (list: ReadonlyArray<JsonObject>): string =>
    list.map(({ effect, key }) => `${textOf(key)}:${textOf(effect)}`).join()
  return told(before) === told(after)
    ? undefined
    : [...taints.filter((taint) => !OURS.has(textOf(taint["key"]))), ...after]
}

/** Of so many clusters that are lost, no more workloads are driven out: then it is more likely that we are the ones who are cut off. */
const LOST_SHARE_MAX = 0.5
const LOST_FEW = 1

/** Whether workloads may be driven out of lost clusters. */
export const mayDriveOut = (lost: number, joined: number): boolean =>
  lost <= LOST_FEW ? joined > LOST_FEW || lost === 0 : lost <= joined * LOST_SHARE_MAX
