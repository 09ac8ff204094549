// When a Job has succeeded before all its indexes have.
// Owns the match of successPolicy; refuses to end the Job. Source: kubernetes pkg/controller/job/success_policy.go.
import { type Fields, numberIn } from "../Parts.ts"
import { IndexSet } from "./IndexSet.ts"

const meets = (rule: Fields, succeeded: IndexSet, completions: number): boolean => {
  const count = numberIn(rule["succeededCount"])
  const text = rule["succeededIndexes"]
  if (typeof text !== "string") return count !== undefined && succeeded.size >= count
  const wanted = IndexSet.parse(text, completions)
  if (wanted.size === 0) return false
  const shared = wanted.shared(succeeded)
  return shared === wanted.size || (count !== undefined && shared >= count)
}

/** The message of the first rule that is met; undefined when none is. */
export const successPolicyMet = (
  rules: ReadonlyArray<Fields> | undefined,
  succeeded: IndexSet,
  completions: number
): string | undefined => {
  if (rules === undefined || succeeded.size === 0) return undefined
  const at = rules.findIndex((rule) => meets(rule, succeeded, completions))
  return at < 0 ? undefined : `Matched rules at index ${at}`
}
