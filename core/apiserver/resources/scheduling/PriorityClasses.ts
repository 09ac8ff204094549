// Priority classes: what pods are worth to the scheduler.
// Owns their rules and columns; pods get their number at admission. Source: kubernetes pkg/apis/scheduling/validation.
import type { KubeObject } from "#kube"
import type { Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import { numberOf, textOf } from "../Fields.ts"
import { checkImmutable } from "../Meta.ts"
import { forbidden, oneOf, type Problems } from "../Problems.ts"

const HIGHEST_OF_USERS = 1_000_000_000
const SYSTEM_PREFIX = "system-"
const SYSTEM: ReadonlyMap<string, number> = new Map([
  ["system-node-critical", 2 * HIGHEST_OF_USERS + 1000],
  ["system-cluster-critical", 2 * HIGHEST_OF_USERS]
])

const policyDefault = (draft: Draft): void => {
  draft["preemptionPolicy"] ??= "PreemptLowerPriority"
}

/** Why a class is none of the system's own. */
const notTheSystems = (object: KubeObject): string | undefined => {
  const name = object.metadata.name ?? ""
  const value = SYSTEM.get(name)
  if (value === undefined) return `${name} is not a known system priority class`
  if (object["value"] !== value) return `value of ${name} PriorityClass must be ${value}`
  return object["globalDefault"] === true ? `globalDefault of ${name} PriorityClass must be false` : undefined
}

const check = (object: KubeObject, problems: Problems): void => {
  // What may change of one that was admitted is nothing that these rules are about.
  if (object.metadata.resourceVersion !== undefined) return
  const reserved = (object.metadata.name ?? "").startsWith(SYSTEM_PREFIX)
  const why = reserved ? notTheSystems(object) : undefined
  if (why !== undefined) {
    const rule = `priority class names with '${SYSTEM_PREFIX}' prefix are reserved for system use only. error: ${why}`
    problems.push(forbidden("metadata.name", rule))
  }
  if (!reserved && numberOf(object["value"]) > HIGHEST_OF_USERS) {
    problems.push(forbidden("value", `maximum allowed value of a user defined priority is ${HIGHEST_OF_USERS}`))
  }
  oneOf("preemptionPolicy", object["preemptionPolicy"], ["PreemptLowerPriority", "Never"], problems)
}

const checkUpdate = (object: KubeObject, old: KubeObject, problems: Problems): void => {
  if (numberOf(object["value"]) !== numberOf(old["value"])) {
    problems.push(forbidden("value", "may not be changed in an update."))
  }
  checkImmutable("preemptionPolicy", object["preemptionPolicy"], old["preemptionPolicy"], problems)
}

/** The definition of priority classes. */
export const priorityClasses = (): Definition =>
  define("scheduling.k8s.io", "v1", "PriorityClass", {
    defaults: policyDefault,
    prepareForCreate: (draft) => {
      draft.metadata.generation = 1
      return undefined
    },
    check,
    checkUpdate,
    columns: [
      nameColumn,
      column("Value", (object) => numberOf(object["value"]), "integer"),
      column("Global-Default", (object) => object["globalDefault"] === true, "boolean"),
      ageColumn,
      column("PreemptionPolicy", (object) => textOf(object["preemptionPolicy"]))
    ]
  })
