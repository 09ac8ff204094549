// Runtime classes: which runtime of a node runs a pod, where it may run and what that costs beside the containers.
// Owns their rules and columns; pods get their part at admission. Source: kubernetes pkg/apis/node/validation.
import { type KubeObject, Names } from "#kube"
import type { Definition } from "../../Definition.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { checkTolerations } from "../corev1/SchedulingRules.ts"
import { define } from "../Define.ts"
import { type Fields, fieldsIn, fieldsOf, itemsOf, mapOf, textOf } from "../Fields.ts"
import { checkKept, checkLabels, deprecatedNodeLabel } from "../Meta.ts"
import { duplicate, invalidEach, type Problems, required } from "../Problems.ts"
import { checkRequirements } from "../Resources.ts"

const NO_CLAIMS: ReadonlySet<string> = new Set()

const checkScheduling = (scheduling: Fields, problems: Problems): void => {
  checkLabels(mapOf(scheduling["nodeSelector"]), "scheduling.nodeSelector", problems)
  const tolerations = itemsOf(scheduling["tolerations"])
  const path = "scheduling.tolerations"
  checkTolerations(tolerations, path, problems)
  const seen = new Set<string>()
  tolerations.forEach((one, at) => {
    const key = JSON.stringify(["key", "operator", "value", "effect"].map((field) => textOf(one[field])))
    if (seen.has(key)) problems.push(duplicate(`${path}[${at}]`, one))
    seen.add(key)
  })
}

const check = (object: KubeObject, problems: Problems): void => {
  const overhead = fieldsIn(object["overhead"])
  if (overhead !== undefined) {
    checkRequirements({ limits: fieldsOf(overhead["podFixed"]) }, NO_CLAIMS, "overhead", problems)
  }
  const scheduling = fieldsIn(object["scheduling"])
  if (scheduling !== undefined) checkScheduling(scheduling, problems)
  const handler = textOf(object["handler"])
  if (handler === "") problems.push(required("handler"))
  else invalidEach("handler", handler, Names.dnsLabel(handler), problems)
}

const warnings = (object: KubeObject): ReadonlyArray<string> =>
  Object.keys(mapOf(fieldsOf(object["scheduling"])["nodeSelector"])).flatMap((key) => {
    const why = deprecatedNodeLabel(key)
    return why === undefined ? [] : [`scheduling.nodeSelector: ${why}`]
  })

/** The definition of runtime classes. */
export const runtimeClasses = (): Definition =>
  define("node.k8s.io", "v1", "RuntimeClass", {
    check,
    checkUpdate: (now, old, problems) => checkKept("handler", now["handler"], old["handler"], problems),
    strategy: { createOnUpdate: true, unconditionalUpdate: false, warnings },
    columns: [nameColumn, column("Handler", (object) => textOf(object["handler"])), ageColumn]
  })
