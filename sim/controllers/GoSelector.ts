// A label selector as Go prints the type: some messages of controllers contain it.
// Owns that text only; refuses to match anything.
import { fieldsIn, fieldsOf, itemsOf, textOf, textsOf } from "./Parts.ts"

/** The text of a LabelSelector, like "&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]…{},}". */
export const goSelector = (value: unknown): string => {
  const selector = fieldsIn(value)
  if (selector === undefined) return "nil"
  const labels = fieldsOf(selector["matchLabels"])
  const pairs = Object.keys(labels)
    .sort()
    .map((name) => `${name}: ${textOf(labels[name])},`)
  const expressions = itemsOf(selector["matchExpressions"]).map(
    ({ key, operator, values }) =>
      `LabelSelectorRequirement{Key:${textOf(key)},Operator:${textOf(operator)},Values:[${textsOf(values).join(" ")}],},`
  )
  return (
    `&LabelSelector{MatchLabels:map[string]string{${pairs.join("")}},` +
    `MatchExpressions:[]LabelSelectorRequirement{${expressions.join("")}},}`
  )
}
