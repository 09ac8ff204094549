// What the selectors of a request ask for, in the words that rules use.
// Owns this reading; refuses matching. Both evaluators use it, so that it is right once.
import { parseFieldSelector, parseLabelSelector, SelectorInvalid } from "#kube"

const NO_SELECTOR: ReadonlyArray<string> = [""]
const UNREADABLE: ReadonlyArray<string> = []

/** The requirements of a label selector: each as its key, and as "key=value" where it asks for one value; [""] for no selector. */
export const labelTerms = (selector: string): ReadonlyArray<string> => {
  if (selector === "") return NO_SELECTOR
  const parsed = parseLabelSelector(selector)
  if (parsed instanceof SelectorInvalid) return UNREADABLE
  const terms = parsed.requirements.flatMap(({ key, operator, values }) =>
    (operator === "in" || operator === "=" || operator === "==") && values.length === 1
      ? [key, `${key}=${values[0] ?? ""}`]
      : [key]
  )
  return terms.length === 0 ? NO_SELECTOR : terms
}

/** The same of a field selector. */
export const fieldTerms = (selector: string): ReadonlyArray<string> => {
  if (selector === "") return NO_SELECTOR
  const parsed = parseFieldSelector(selector)
  if (parsed instanceof SelectorInvalid) return UNREADABLE
  const terms = parsed.requirements.flatMap(({ field, operator, value }) =>
    operator === "=" ? [field, `${field}=${value}`] : [field]
  )
  return terms.length === 0 ? NO_SELECTOR : terms
}
