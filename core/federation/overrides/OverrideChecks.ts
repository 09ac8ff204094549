// What can be said of an override policy before it meets any object: forbidden paths, values that can never be.
// Owns these rules, for admission; refuses those that depend on a template.
import { fieldsOf, itemsOf, forbidden, invalid, required, type Problems, textOf, textsOf } from "#apiserver"
import type { KubeObject } from "#kube"
import { overridePolicyOf } from "../api/OverridePolicy.ts"
import { isForbidden } from "./Overriders.ts"

const pathProblems = (field: string, path: string): Problems => {
  if (!path.startsWith("/")) return [invalid(field, path, "must be a JSON pointer, which starts with /")]
  return isForbidden(path) ? [forbidden(field, `${path} may not be changed`)] : []
}

const patchProblems = (list: unknown, where: string): Problems =>
  itemsOf(list).flatMap(({ from, operator, path, value }, at) => {
    const field = `${where}.jsonpatch[${at}]`
    const moves = operator === "move" || operator === "copy"
    const sets = !moves && operator !== "remove"
    return [
      ...pathProblems(`${field}.path`, textOf(path)),
      ...(moves && from === undefined ? [required(`${field}.from`, "move and copy take a value from somewhere")] : []),
      ...(from === undefined ? [] : pathProblems(`${field}.from`, textOf(from))),
      ...(sets && value === undefined ? [required(`${field}.value`, `${textOf(operator) || "replace"} needs one`)] : [])
    ]
  })

const imageProblems = (list: unknown, where: string): Problems =>
  itemsOf(list).flatMap(({ containerNames, imagePath, operations }, at) => {
    const field = `${where}.image[${at}]`
    const both = textOf(imagePath) !== "" && textsOf(containerNames).length > 0
    return [
      ...(both ? [forbidden(`${field}.containerNames`, "must be absent beside imagePath")] : []),
      ...(textOf(imagePath) === "" ? [] : pathProblems(`${field}.imagePath`, textOf(imagePath))),
      ...itemsOf(operations).flatMap(({ operator, value }, one) =>
        operator !== "delete" && textOf(value) === "" ? [required(`${field}.operations[${one}].value`)] : []
      )
    ]
  })

const wordProblems = (kind: string, list: unknown, where: string): Problems =>
  itemsOf(list).flatMap(({ operator, value }, at) =>
    operator === "append" && textsOf(value).length === 0 ? [required(`${where}.${kind}[${at}].value`)] : []
  )

/** What is wrong with an override policy. */
export const overrideProblems = (object: KubeObject): Problems => [
  ...overridePolicyOf(object).problems,
  ...itemsOf(fieldsOf(object.spec)["overrideRules"]).flatMap((rule, at) => {
    const where = `spec.overrideRules[${at}].overriders`
    const overriders = fieldsOf(rule["overriders"])
    return [
      ...imageProblems(overriders["image"], where),
      ...wordProblems("command", overriders["command"], where),
      ...wordProblems("args", overriders["args"], where),
      ...patchProblems(overriders["jsonpatch"], where)
    ]
  })
]
