// Conditions of workloads' statuses: set, replaced and removed as upstream's controllers do.
// Owns the order and which times move; refuses to know reasons and messages, which the controllers have.
import type { Condition } from "../PodFacts.ts"

/** The condition of this type. */
export const findCondition = (conditions: ReadonlyArray<Condition>, type: string): Condition | undefined =>
  conditions.find((condition) => condition.type === type)

/** Conditions without those of this type. */
export const withoutCondition = (conditions: ReadonlyArray<Condition>, type: string): ReadonlyArray<Condition> =>
  conditions.some((condition) => condition.type === type)
    ? conditions.filter((condition) => condition.type !== type)
    : conditions

/**
 * Conditions with this one at the end, in place of an older one of its type; one that says the same status for the same reason stays
 * as it is, and while the status stays, so does the time since when it has been so.
 */
export const withCondition = (conditions: ReadonlyArray<Condition>, condition: Condition): ReadonlyArray<Condition> => {
  const known = findCondition(conditions, condition.type)
  if (known?.status === condition.status && known.reason === condition.reason) return conditions
  const { lastTransitionTime } = known ?? {}
  const isSince = known?.status === condition.status && lastTransitionTime !== undefined
  return [...withoutCondition(conditions, condition.type), isSince ? { ...condition, lastTransitionTime } : condition]
}
