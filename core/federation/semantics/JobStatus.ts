// The status of Jobs and CronJobs over several clusters.
// Owns what is finished and how it ended; keeps to what an API server lets a Job's status do: counters of ended pods never fall,
// times and ends once told stay. Source: pkg/registry/batch/job/strategy.go of Kubernetes.
import { fieldsOf, type Fields, itemsOf, numberOf, textOf, textsOf } from "#apiserver"
import type { JsonObject } from "#kube"
import { conditionsOf, mergedCondition, mergedText, membersWith } from "./Conditions.ts"
import { agreed, given, known, listed, statusOf, summed, time } from "./MemberStatus.ts"
import type { Aggregate, AggregationInput, MemberState } from "./TypeSemantics.ts"

const TERMINAL: ReadonlySet<string> = new Set(["SuccessCriteriaMet", "FailureTarget", "Complete", "Failed"])

const isTrue = (member: MemberState, type: string): boolean =>
  conditionsOf(member).some((found) => found["type"] === type && found["status"] === "True")

const isFinished = (member: MemberState): boolean => isTrue(member, "Complete") || isTrue(member, "Failed")

const ended = (source: Fields): ReadonlyArray<Fields> =>
  itemsOf(source["conditions"]).filter((found) => TERMINAL.has(textOf(found["type"])) && found["status"] === "True")

/** The end of all, once every member has ended: complete when all are, failed when one is. */
const endConditions = (input: AggregationInput, members: ReadonlyArray<MemberState>): ReadonlyArray<JsonObject> => {
  const failed = members.filter((member) => isTrue(member, "Failed"))
  const types = failed.length === 0 ? ["SuccessCriteriaMet", "Complete"] : ["FailureTarget", "Failed"]
  const deciding = failed.length === 0 ? members : failed
  return types.flatMap((type) => {
    const found = membersWith(deciding, type).filter(({ condition }) => condition["status"] === "True")
    if (found.length > 0) return [endCondition(input, type, found, members.length)]
    // Members of before 1.31 set no such condition, but the host may ask for it.
    const end = membersWith(deciding, types[1] ?? "")
    return end.length === 0 ? [] : [{ ...endCondition(input, type, end, members.length), type }]
  })
}

const endCondition = (
  input: AggregationInput,
  type: string,
  found: ReadonlyArray<{ readonly cluster: string; readonly condition: Fields }>,
  members: number
): JsonObject => {
  const merged = mergedCondition(input, type, found)
  if (type !== "Failed" || found.length === members) return merged
  const message = mergedText(found.map(({ cluster, condition }) => [cluster, textOf(condition["message"])] as const))
  return { ...merged, message: `${found.length} of ${members} clusters failed: ${message}`.slice(0, 1024) }
}

/** Suspended only where all are. */
const suspended = (input: AggregationInput, members: ReadonlyArray<MemberState>): ReadonlyArray<JsonObject> => {
  const found = membersWith(members, "Suspended")
  if (found.length === 0) return []
  const all = members.every((member) => isTrue(member, "Suspended"))
  const deciders = found.filter(({ condition }) => (condition["status"] === "True") === all)
  const merged = mergedCondition(input, "Suspended", deciders.length === 0 ? found : deciders)
  return [all ? merged : { ...merged, status: "False" }]
}

const others = (input: AggregationInput, members: ReadonlyArray<MemberState>): ReadonlyArray<JsonObject> => {
  const types = new Set(members.flatMap((member) => conditionsOf(member).map((found) => textOf(found["type"]))))
  return [...types]
    .filter((type) => !TERMINAL.has(type) && type !== "Suspended")
    .map((type) => mergedCondition(input, type, membersWith(members, type)))
}

/** Pods that ended and are counted nowhere yet, of all members. */
const uncounted = (members: ReadonlyArray<MemberState>): JsonObject => {
  const lists = ["succeeded", "failed"].flatMap((name) => {
    const all = members.flatMap((member) => textsOf(fieldsOf(statusOf(member)["uncountedTerminatedPods"])[name]))
    return all.length === 0 ? [] : [[name, all] as const]
  })
  const some = members.some((member) => statusOf(member)["uncountedTerminatedPods"] !== undefined)
  return some ? { uncountedTerminatedPods: Object.fromEntries(lists) } : {}
}

const never = (before: Fields, sums: JsonObject, name: string): JsonObject => {
  const most = Math.max(numberOf(before[name]), numberOf(sums[name]))
  return most === 0 && sums[name] === undefined ? {} : { [name]: most }
}

/** A Job that is divided or repeated over clusters, as one Job. */
export const aggregateJob: Aggregate = (input) => {
  const members = known(input.members)
  if (members.length === 0) return undefined
  const before = fieldsOf(input.source.status)
  const finished = members.length === input.members.length && members.every(isFinished)
  const told = ended(before)
  const isEnded = told.some((found) => found["type"] === "Complete" || found["type"] === "Failed")
  const sums = summed(members, ["active", "ready", "terminating", "succeeded", "failed"])
  const ends = isEnded ? told : finished ? endConditions(input, members) : []
  const complete = ends.some((found) => found["type"] === "Complete")
  const startTime =
    before["startTime"] === undefined ? time(members, "startTime", "first") : textOf(before["startTime"])
  const completed = before["completionTime"] === undefined ? time(members, "completionTime", "last") : undefined
  const running = isEnded ? {} : { ...sums, ...uncounted(members) }
  return {
    ...running,
    ...never(before, sums, "succeeded"),
    ...never(before, sums, "failed"),
    ...given("startTime", startTime),
    ...(complete ? given("completionTime", completed ?? textOf(before["completionTime"])) : {}),
    ...agreed(members, "completedIndexes"),
    ...agreed(members, "failedIndexes"),
    ...listed("conditions", [...others(input, members), ...suspended(input, members), ...ends])
  }
}

/** Active runs of all, and the last times of any. */
export const aggregateCronJob: Aggregate = ({ members: all }) => {
  const members = known(all)
  if (members.length === 0) return undefined
  return {
    ...listed(
      "active",
      members.flatMap((member) => itemsOf(statusOf(member)["active"]))
    ),
    ...given("lastScheduleTime", time(members, "lastScheduleTime", "last")),
    ...given("lastSuccessfulTime", time(members, "lastSuccessfulTime", "last"))
  }
}
