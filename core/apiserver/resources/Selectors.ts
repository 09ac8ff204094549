// Label selectors as parts of objects: their rules, and whether they select what they must.
// Owns the checks; refuses matching itself, which #kube has.
import { labelSelectorOf, Names, type LabelSelectorObject, SelectorInvalid } from "#kube"
import { type Fields, fieldsIn, isZero, itemsOf, mapOf, textOf, textsOf } from "./Fields.ts"
import { checkLabels } from "./Meta.ts"
import { forbidden, invalid, invalidEach, type Problems, required } from "./Problems.ts"

const checkRequirement = (requirement: Fields, path: string, problems: Problems): void => {
  const operator = textOf(requirement["operator"])
  const values = textsOf(requirement["values"])
  if (operator === "In" || operator === "NotIn") {
    if (values.length === 0) {
      problems.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
    }
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    if (values.length > 0) {
      problems.push(forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    }
  } else problems.push(invalid(`${path}.operator`, operator, "not a valid selector operator"))
  const key = textOf(requirement["key"])
  invalidEach(`${path}.key`, key, Names.qualifiedName(key), problems)
  values.forEach((value, at) => invalidEach(`${path}.values[${at}]`, value, Names.labelValue(value), problems))
}

/** Checks a LabelSelector; absent passes. */
export const checkSelector = (selector: unknown, path: string, problems: Problems): void => {
  const given = fieldsIn(selector)
  if (given === undefined) return
  if (given["matchLabels"] !== undefined) checkLabels(mapOf(given["matchLabels"]), `${path}.matchLabels`, problems)
  itemsOf(given["matchExpressions"]).forEach((one, at) =>
    checkRequirement(one, `${path}.matchExpressions[${at}]`, problems)
  )
}

/** Whether a selector says nothing. */
export const isEmptySelector = (selector: unknown): boolean => {
  const given = fieldsIn(selector)
  return given === undefined || (isZero(given["matchLabels"]) && isZero(given["matchExpressions"]))
}

/** Whether a selector takes these labels; undefined when it is broken. */
export const selects = (selector: unknown, labels: Readonly<Record<string, string>>): boolean | undefined => {
  const read = labelSelectorOf(fieldsIn(selector) as LabelSelectorObject | undefined)
  return read instanceof SelectorInvalid ? undefined : read.matches(labels)
}

/** A selector as columns show it; `none` is what an empty one is shown as. */
export const selectorText = (selector: unknown, none: string): string => {
  const read = labelSelectorOf(fieldsIn(selector) as LabelSelectorObject | undefined)
  if (read instanceof SelectorInvalid) return none === "" ? "<invalid>" : "<error>"
  return read.toString() || none
}
