// The status of an UpstreamCluster: what became of its manifest, and how its servers do.
// Owns what it says and when a time in it moves; refuses to write it. Bounds: one entry for each server, messages cut at 256 characters.
// Several gateways on one control plane each have an entry of their own, and what is said of all follows from the entries alone, so
// that every one of them says the same.
import { fieldsOf, itemsOf, textOf } from "#apiserver"
import { type Json, type JsonObject, rfc3339 } from "#kube"
import type { Verdict } from "../config/ConfigStore.ts"
import type { EndpointState } from "../config/Snapshot.ts"
import { type EndpointLine, seenByAll, type SeenBy, seenEntries } from "./SeenEndpoints.ts"

const MESSAGE_MAX = 256

interface Condition {
  readonly type: "Accepted" | "Programmed" | "Ready"
  readonly status: "True" | "False" | "Unknown"
  readonly reason: string
  readonly message: string
}

const accepted = ({ message, reason }: Verdict): Condition => ({
  type: "Accepted",
  status: reason === "Accepted" ? "True" : "False",
  reason,
  message
})

const programmed = ({ reason, serving }: Verdict): Condition => {
  const type = "Programmed"
  if (serving === undefined) return { type, status: "False", reason: "NothingServes", message: "" }
  if (reason === "Accepted") return { type, status: "True", reason: "Programmed", message: "" }
  const message = `generation ${serving.generation} serves, the last that was accepted`
  return { type, status: "False", reason: "LastGoodServes", message }
}

const linesOf = (verdict: Verdict, states: ReadonlyMap<string, EndpointState>): ReadonlyArray<EndpointLine> =>
  (verdict.serving?.endpoints ?? []).map(({ disabled, url }) => {
    const state = states.get(url)
    if (disabled) return { endpoint: url, healthy: false, reason: "Disabled", message: "" }
    if (state === undefined) return { endpoint: url, healthy: false, reason: "NotChecked", message: "" }
    return {
      endpoint: url,
      healthy: state.healthy,
      reason: state.healthy ? "" : state.reason,
      message: state.healthy ? "" : state.message.slice(0, MESSAGE_MAX)
    }
  })

const ready = (verdict: Verdict, lines: ReadonlyArray<EndpointLine>): Condition => {
  const type = "Ready"
  if (verdict.serving === undefined) return { type, status: "False", reason: "NothingServes", message: "" }
  if (lines.some(({ healthy }) => healthy)) return { type, status: "True", reason: "EndpointHealthy", message: "" }
  const isUnknown = lines.some(({ reason }) => reason === "NotChecked")
  return isUnknown
    ? { type, status: "Unknown", reason: "NotChecked", message: "" }
    : { type, status: "False", reason: "NoHealthyEndpoint", message: "" }
}

/** A line with the time of its last change: that of the last status, when it said the same. */
const timed = (line: JsonObject, field: string, last: JsonObject | undefined, now: string): JsonObject => ({
  ...line,
  lastTransitionTime: last !== undefined && last[field] === line[field] ? (last["lastTransitionTime"] ?? now) : now
})

const withoutEmpty = (line: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(line).filter(([, value]) => value !== ""))

const entryOf = ({ lines, seenTime }: SeenBy): JsonObject => ({
  seenTime,
  endpoints: lines.map((line): Json => withoutEmpty({ ...line }))
})

/** The status that a cluster should have now, as this gateway says it; what did not change in it keeps its time. */
export const clusterStatusOf = (
  verdict: Verdict,
  states: ReadonlyMap<string, EndpointState>,
  nowMs: number,
  gateway: string
): JsonObject => {
  const now = rfc3339(nowMs)
  const last = fieldsOf(verdict.object.status)
  const generation = verdict.object.metadata.generation ?? 0
  const seen = seenEntries(last["gateways"], { gateway, lines: linesOf(verdict, states), nowMs })
  const lines = seenByAll(linesOf(verdict, states), seen)
  const conditions = [accepted(verdict), programmed(verdict), ready(verdict, lines)].map((condition): Json => {
    const before = itemsOf(last["conditions"]).find(({ type }) => textOf(type) === condition.type)
    return timed({ ...condition, observedGeneration: generation }, "status", before, now)
  })
  const endpoints = lines.map((line): Json => {
    const before = itemsOf(last["endpoints"]).find(({ endpoint }) => textOf(endpoint) === line.endpoint)
    return timed(withoutEmpty({ ...line }), "healthy", before, now)
  })
  const usable = lines.filter(({ reason }) => reason !== "Disabled").length
  return {
    observedGeneration: generation,
    hosts: [...(verdict.serving?.hosts ?? [])],
    conditions,
    healthyEndpoints: `${lines.filter(({ healthy }) => healthy).length}/${usable}`,
    endpoints,
    gateways: Object.fromEntries(Array.from(seen, ([name, entry]) => [name, entryOf(entry)]))
  }
}
