// The status of a bare Pod that stands in several clusters.
// Owns which phase stands for all, and container statuses told apart by cluster; one member's status is taken as it is.
import { itemsOf, textOf } from "#apiserver"
import type { JsonObject } from "#kube"
import { mergedConditions, mergedText } from "./Conditions.ts"
import { agreed, given, known, listed, observedGeneration, statusOf, time } from "./MemberStatus.ts"
import type { Aggregate, MemberState } from "./TypeSemantics.ts"

/** The phase of which one member suffices comes first. */
const PHASES = ["Failed", "Pending", "Unknown", "Running", "Succeeded"]

const CONTAINER_LISTS = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"]

/** The first phase of an order that any member is in; undefined when none says. */
export const firstPhase = (members: ReadonlyArray<MemberState>, order: ReadonlyArray<string>): string | undefined => {
  const phases = new Set(members.map((member) => textOf(statusOf(member)["phase"])))
  return order.find((phase) => phases.has(phase)) ?? [...phases].find((phase) => phase !== "")
}

const containers = (members: ReadonlyArray<MemberState>, name: string): JsonObject =>
  listed(
    name,
    members.flatMap((member) =>
      itemsOf(statusOf(member)[name]).map((status) => ({
        ...status,
        name: `${textOf(status["name"])} (${member.cluster})`
      }))
    )
  )

const said = (members: ReadonlyArray<MemberState>, name: string): string | undefined => {
  const texts = members
    .map((member) => [member.cluster, textOf(statusOf(member)[name])] as const)
    .filter(([, text]) => text !== "")
  return texts.length === 0 ? undefined : mergedText(texts)
}

/** The Pod's status, of one member or of many. */
export const aggregatePod: Aggregate = (input) => {
  const members = known(input.members)
  const [only] = members
  if (only === undefined) return undefined
  const seen = members.some((member) => statusOf(member)["observedGeneration"] !== undefined)
  const observed = seen ? observedGeneration(input) : {}
  if (members.length === 1) {
    const { observedGeneration: _members, ...status } = statusOf(only)
    return { ...observed, ...status }
  }
  const reason = said(members, "reason")
  return {
    ...observed,
    ...given("phase", firstPhase(members, PHASES)),
    ...listed("conditions", mergedConditions({ ...input, members })),
    ...given("message", said(members, "message")),
    ...given("reason", reason === undefined || /^\w+$/.test(reason) ? reason : "DiffersByCluster"),
    ...given("startTime", time(members, "startTime", "first")),
    ...agreed(members, "qosClass"),
    ...Object.assign({}, ...CONTAINER_LISTS.map((name) => containers(members, name)))
  }
}
