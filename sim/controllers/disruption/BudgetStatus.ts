// The status of a disruption budget: how many pods are healthy, how many must be, how many may go.
// Owns the arithmetic and the condition; evictions spend what it allows. Source: kubernetes pkg/controller/disruption,
// component-helpers/apps/poddisruptionbudget.
import { type JsonObject, type KubeObject, parseRfc3339, sameJson } from "#kube"
import { type Fields, fieldsIn, fieldsOf, itemsOf, numberOf, present, textOf } from "../Parts.ts"
import { isReady } from "../PodFacts.ts"

/** Within this time an evicted pod is expected to go; if it has not, it counts again. */
export const DELETION_MS = 120_000

export interface Counts {
  readonly currentHealthy: number
  readonly desiredHealthy: number
  readonly expectedPods: number
  readonly disruptedPods: Readonly<Record<string, string>>
}

/** A number of pods, or a percentage of them rounded up. */
export const scaled = (value: unknown, of: number): number => {
  if (typeof value === "number") return value
  return Math.ceil((Number(textOf(value).replace(/%$/, "")) * of) / 100)
}

/** Pods that are healthy and stay. */
export const countHealthy = (
  pods: ReadonlyArray<KubeObject>,
  disruptedPods: Readonly<Record<string, string>>,
  nowMs: number
): number => {
  let healthy = 0
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp !== undefined) continue
    if (!isReady(pod)) continue
    const disrupted = disruptedPods[pod.metadata.name ?? ""]
    const since = disrupted === undefined ? undefined : parseRfc3339(disrupted)
    if (since === undefined || since + DELETION_MS <= nowMs) healthy++
  }
  return healthy
}

/** Evicted pods that are still expected to go; those that should have gone; and when to look again. */
export const sortDisrupted = (
  budget: KubeObject,
  pods: ReadonlyArray<KubeObject>,
  nowMs: number
): {
  readonly expected: Readonly<Record<string, string>>
  readonly overdue: ReadonlyArray<KubeObject>
  readonly againInMs: number | undefined
} => {
  const known = fieldsIn(fieldsOf(budget.status)["disruptedPods"])
  const expected: Record<string, string> = {}
  const overdue: Array<KubeObject> = []
  let againInMs: number | undefined
  for (const pod of known === undefined ? [] : pods) {
    const name = pod.metadata.name ?? ""
    const since = textOf(known?.[name])
    if (since === "" || pod.metadata.deletionTimestamp !== undefined) continue
    const leftMs = (parseRfc3339(since) ?? 0) + DELETION_MS - nowMs
    if (leftMs < 0) overdue.push(pod)
    else {
      expected[name] = since
      againInMs = Math.min(againInMs ?? Infinity, leftMs)
    }
  }
  return { expected, overdue, againInMs }
}

/** A list of conditions with one set; one that keeps its state keeps its time. */
export const withCondition = (
  conditions: unknown,
  wanted: { readonly type: string; readonly status: string; readonly reason: string; readonly message: string },
  observedGeneration: number,
  now: string
): ReadonlyArray<JsonObject> => {
  const list = itemsOf(conditions)
  const known = list.find(({ type }) => type === wanted.type)
  const condition = present({
    type: wanted.type,
    status: wanted.status,
    observedGeneration: observedGeneration === 0 ? undefined : observedGeneration,
    lastTransitionTime: known?.["status"] === wanted.status ? (known["lastTransitionTime"] ?? now) : now,
    reason: wanted.reason,
    message: wanted.message
  })
  return known === undefined ? [...list, condition] : list.map((one) => (one === known ? condition : one))
}

const allowedCondition = (allowed: number) =>
  allowed > 0
    ? { type: "DisruptionAllowed", status: "True", reason: "SufficientPods", message: "" }
    : { type: "DisruptionAllowed", status: "False", reason: "InsufficientPods", message: "" }

const isUpToDate = (budget: KubeObject, status: Fields, allowed: number): boolean => {
  const { reason, status: state, type } = allowedCondition(allowed)
  const known = itemsOf(status["conditions"]).find((one) => one["type"] === type)
  return (
    known?.["status"] === state &&
    known["reason"] === reason &&
    numberOf(status["observedGeneration"]) === (budget.metadata.generation ?? 0)
  )
}

/** The status that follows from the counts; undefined when the budget has it already. */
export const budgetStatus = (budget: KubeObject, counts: Counts, now: string): JsonObject | undefined => {
  const { currentHealthy, desiredHealthy, disruptedPods, expectedPods } = counts
  // A budget that has no pods yet is not to let the first ones go.
  const disruptionsAllowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy)
  const status = fieldsOf(budget.status)
  const numbers = { currentHealthy, desiredHealthy, expectedPods, disruptionsAllowed }
  const isSame =
    Object.entries(numbers).every(([field, value]) => numberOf(status[field]) === value) &&
    sameJson(fieldsOf(status["disruptedPods"]), disruptedPods) &&
    isUpToDate(budget, status, disruptionsAllowed)
  if (isSame) return undefined
  const generation = budget.metadata.generation ?? 0
  return present({
    observedGeneration: generation === 0 ? undefined : generation,
    disruptedPods: Object.keys(disruptedPods).length === 0 ? undefined : disruptedPods,
    disruptionsAllowed,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    conditions: withCondition(status["conditions"], allowedCondition(disruptionsAllowed), generation, now)
  })
}
