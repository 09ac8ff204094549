// Conditions of several members as one: who decides, what is said, and since when.
// Owns the rule, which depends on neither the order of members nor the time of asking; refuses to know any kind.
import { fieldsOf, type Fields, itemsOf, textOf } from "#apiserver"
import type { JsonObject } from "#kube"
import type { AggregationInput, MemberState } from "./TypeSemantics.ts"

/** Types of condition of which True is the news that one member suffices for. */
const BAD_WHEN_TRUE: ReadonlySet<string> = new Set([
  "ReplicaFailure",
  "Failed",
  "FailureTarget",
  "Suspended",
  "ScalingLimited",
  "DisruptionTarget",
  "Resizing",
  "FileSystemResizePending",
  "ControllerResizeError",
  "NodeResizeError",
  "ModifyVolumeError",
  "ModifyingVolume",
  "PodResizePending",
  "PodResizeInProgress",
  "Stalled",
  "Degraded",
  "NonStructuralSchema",
  "Terminating",
  "NamespaceDeletionDiscoveryFailure",
  "NamespaceDeletionContentFailure",
  "NamespaceContentRemaining",
  "NamespaceFinalizersRemaining",
  "Dangling",
  "Conflict"
])

/** Clusters that a message names; the rest is counted. */
const NAMED_MAX = 10

const MESSAGE_CHARACTERS_MAX = 1024

/** A condition as one member has it. */
export interface MemberCondition {
  readonly cluster: string
  readonly condition: Fields
}

export const conditionsOf = (member: MemberState): ReadonlyArray<Fields> =>
  itemsOf(fieldsOf(member.object?.["status"])["conditions"])

/** The condition of a type, of each member that has it. */
export const membersWith = (members: ReadonlyArray<MemberState>, type: string): ReadonlyArray<MemberCondition> =>
  members.flatMap((member) => {
    const condition = conditionsOf(member).find((found) => found["type"] === type)
    return condition === undefined ? [] : [{ cluster: member.cluster, condition }]
  })

/** One status of many: the bad one wins, then the unknown one. */
export const mergedStatus = (type: string, statuses: ReadonlyArray<string>): string => {
  const first = BAD_WHEN_TRUE.has(type) ? "True" : "False"
  if (statuses.includes(first)) return first
  return statuses.includes("Unknown") ? "Unknown" : first === "True" ? "False" : "True"
}

const byCluster = (a: MemberCondition, b: MemberCondition): number =>
  a.cluster < b.cluster ? -1 : a.cluster > b.cluster ? 1 : 0

/** What several members say, each once: the same text stays itself, different ones are told apart by cluster. */
export const mergedText = (said: ReadonlyArray<readonly [cluster: string, text: string]>): string => {
  const texts = new Set(said.map(([, text]) => text))
  if (texts.size <= 1) return said[0]?.[1] ?? ""
  const named = said.filter(([, text]) => text !== "").map(([cluster, text]) => `${cluster}: ${text}`)
  const more = named.length > NAMED_MAX ? `; and ${named.length - NAMED_MAX} more` : ""
  return (named.slice(0, NAMED_MAX).join("; ") + more).slice(0, MESSAGE_CHARACTERS_MAX)
}

const latest = (times: ReadonlyArray<string>): string | undefined => {
  let found: string | undefined
  for (const time of times) if (time !== "" && (found === undefined || time > found)) found = time
  return found
}

/** Since when: as its deciders date it, else as it was known before, else now. */
export const transitionTime = (
  { now, source }: Pick<AggregationInput, "now" | "source">,
  { status, type }: { readonly type: string; readonly status: string },
  deciders: ReadonlyArray<MemberCondition>
): string => {
  const dated = latest(deciders.map(({ condition }) => textOf(condition["lastTransitionTime"])))
  if (dated !== undefined) return dated
  const before = itemsOf(fieldsOf(source.status)["conditions"]).find((found) => found["type"] === type)
  const time = before?.["status"] === status ? textOf(before["lastTransitionTime"]) : ""
  return time === "" ? now : time
}

const TIMES = ["lastUpdateTime", "lastProbeTime", "lastHeartbeatTime"]

/** One condition of the members' ones; itself when only one member has it. */
export const mergedCondition = (
  input: Pick<AggregationInput, "now" | "source">,
  type: string,
  found: ReadonlyArray<MemberCondition>
): Fields => {
  const [only] = found
  if (only !== undefined && found.length === 1) return only.condition
  const sorted = [...found].sort(byCluster)
  const status = mergedStatus(
    type,
    sorted.map(({ condition }) => textOf(condition["status"]))
  )
  const deciders = sorted.filter(({ condition }) => condition["status"] === status)
  const reasons = new Set(deciders.map(({ condition }) => textOf(condition["reason"])))
  const times = TIMES.flatMap((name) => {
    const time = latest(deciders.map(({ condition }) => textOf(condition[name])))
    return time === undefined ? [] : [[name, time] as const]
  })
  const reason = reasons.size === 1 ? (textOf(deciders[0]?.condition["reason"]) ?? "") : "DiffersByCluster"
  const message = mergedText(deciders.map(({ cluster, condition }) => [cluster, textOf(condition["message"])] as const))
  return {
    type,
    status,
    lastTransitionTime: transitionTime(input, { type, status }, deciders),
    ...Object.fromEntries(times),
    ...(reason === "" ? {} : { reason }),
    ...(message === "" && deciders.every(({ condition }) => condition["message"] === undefined) ? {} : { message })
  }
}

/** All conditions of all members, merged by type, in the order in which the types first come by cluster. */
export const mergedConditions = ({ members, ...input }: AggregationInput): ReadonlyArray<JsonObject> => {
  const byType = new Map<string, Array<MemberCondition>>()
  for (const member of [...members].sort((a, b) => (a.cluster < b.cluster ? -1 : 1))) {
    for (const condition of conditionsOf(member)) {
      const type = textOf(condition["type"])
      const found = byType.get(type)
      if (found === undefined) byType.set(type, [{ cluster: member.cluster, condition }])
      else found.push({ cluster: member.cluster, condition })
    }
  }
  return [...byType].map(([type, found]) => mergedCondition(input, type, found))
}
