// What all kinds that make pods from a template share: selector and template fit, counts are counts, statuses add up.
// Owns these rules; source: kubernetes pkg/apis/apps/validation.
import { type Json, Names } from "#kube"
import { type Fields, fieldsIn, fieldsOf, mapOf, numberOf, textOf } from "../Fields.ts"
import { checkTemplate } from "../corev1/PodRules.ts"
import {
  forbidden,
  invalid,
  NOT_NEGATIVE,
  notAbove,
  notNegative,
  notSupported,
  type Problems,
  required
} from "../Problems.ts"
import { checkSelector, isEmptySelector, selects } from "../Selectors.ts"

/** How a kind's pods may be. */
export interface TemplateRule {
  /** In messages, like "StatefulSet". */
  readonly kind: string
  /** In the message about an empty selector, like "deployment". */
  readonly emptyFor: string
}

/** Checks the selector of a workload; a broken one is not matched any further. */
export const checkWorkloadSelector = (spec: Fields, { emptyFor, kind }: TemplateRule, problems: Problems): boolean => {
  const selector = fieldsIn(spec["selector"])
  if (selector === undefined) {
    problems.push(required("spec.selector"))
    return true
  }
  checkSelector(selector, "spec.selector", problems)
  if (isEmptySelector(selector)) {
    problems.push(invalid("spec.selector", selector, `empty selector is invalid for ${emptyFor}`))
  }
  if (selects(selector, {}) !== undefined) return true
  problems.push(invalid("spec.selector", selector, kind === "StatefulSet" ? "" : "invalid label selector"))
  return false
}

/** Checks that the template's labels are what the selector selects. */
export const checkSelected = (spec: Fields, path: string, problems: Problems): void => {
  const labels = mapOf(fieldsOf(fieldsOf(spec["template"])["metadata"])["labels"])
  const selector = fieldsIn(spec["selector"])
  if (selector !== undefined && isEmptySelector(selector)) return
  if (selects(selector, labels) === false) {
    const shown = Object.keys(labels).length === 0 ? null : { ...labels }
    problems.push(invalid(path, shown, "`selector` does not match template `labels`"))
  }
}

/** Checks a template whose pods run for ever. */
export const checkLastingTemplate = (spec: Fields, { kind }: TemplateRule, problems: Problems): void => {
  const template = fieldsOf(spec["template"])
  checkSelected(spec, "spec.template.metadata.labels", problems)
  checkTemplate(template, "spec.template", problems)
  const pod = fieldsOf(template["spec"])
  const policy = textOf(pod["restartPolicy"])
  if (policy !== "Always") problems.push(notSupported("spec.template.spec.restartPolicy", policy, ["Always"]))
  if (pod["activeDeadlineSeconds"] !== undefined) {
    const why = `activeDeadlineSeconds in ${kind} is not Supported`
    problems.push(forbidden("spec.template.spec.activeDeadlineSeconds", why))
  }
}

/** Checks fields of a part that count something. */
export const checkCounts = (part: Fields, path: string, names: ReadonlyArray<string>, problems: Problems): void => {
  for (const name of names) notNegative(`${path}.${name}`, part[name], problems)
}

/** Checks a number of pods or a percentage of them. */
export const checkAmountOrPercent = (value: unknown, path: string, problems: Problems): void => {
  if (typeof value === "string") {
    for (const message of Names.percent(value)) problems.push(invalid(path, value, message))
  } else if (numberOf(value) < 0) problems.push(invalid(path, numberOf(value), NOT_NEGATIVE))
}

const percentOf = (value: unknown): number | undefined =>
  typeof value === "string" && Names.percent(value).length === 0 ? Number(value.slice(0, -1)) : undefined

/** Checks that a percentage is of at most all pods. */
export const checkAtMostAll = (value: unknown, path: string, problems: Problems): void => {
  if ((percentOf(value) ?? 0) > 100) problems.push(invalid(path, value as Json, "must not be greater than 100%"))
}

/** The number, or the percentage as a number. */
export const magnitude = (value: unknown): number => percentOf(value) ?? numberOf(value)

const REPLICA_COUNTS = [
  "replicas",
  "readyReplicas",
  "availableReplicas",
  "updatedReplicas",
  "currentReplicas",
  "fullyLabeledReplicas",
  "unavailableReplicas",
  "observedGeneration",
  "collisionCount"
]

/** Checks that the parts of a status are no more than its whole. */
export const checkReplicaStatus = (status: Fields, readyBound: string, problems: Problems): void => {
  checkCounts(status, "status", REPLICA_COUNTS, problems)
  const whole = "cannot be greater than status.replicas"
  for (const field of [
    "updatedReplicas",
    "currentReplicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas"
  ]) {
    notAbove("status", status, field, "replicas", whole, problems)
  }
  notAbove("status", status, "availableReplicas", "readyReplicas", `cannot be greater than ${readyBound}`, problems)
}

/** Checks that collisions are not forgotten. */
export const checkCollisions = (status: Fields, old: Fields, problems: Problems): void => {
  const now = numberOf(status["collisionCount"])
  if (now < numberOf(old["collisionCount"])) {
    problems.push(invalid("status.collisionCount", now, "cannot be decremented"))
  }
}
