// What a Job's podFailurePolicy says of a pod that failed: the first rule that fits decides.
// Owns the match; refuses to carry the action out. Source: kubernetes pkg/controller/job/pod_failure_policy.go.
import type { KubeObject } from "#kube"
import { type Fields, fieldsIn, fieldsOf, itemsOf, numberOf, textOf } from "../Parts.ts"

export interface FailureVerdict {
  /** Why the whole Job fails. */
  readonly failsJob?: string
  /** Whether the failure counts towards the limits. */
  readonly counts: boolean
  /** The action of the rule that fits. */
  readonly action?: string
}

const COUNTED: FailureVerdict = { counts: true }

const fits = (code: number, { operator, values }: Fields): boolean => {
  const isListed = Array.isArray(values) && (values as ReadonlyArray<unknown>).includes(code)
  return operator === "In" ? isListed : operator === "NotIn" && !isListed
}

const fittingContainer = (statuses: unknown, codes: Fields): Fields | undefined =>
  itemsOf(statuses).find((status) => {
    const ended = fieldsIn(fieldsOf(status["state"])["terminated"])
    if (ended === undefined) return false
    const wanted = codes["containerName"]
    if (typeof wanted === "string" && wanted !== status["name"]) return false
    const code = numberOf(ended["exitCode"])
    return code !== 0 && fits(code, codes)
  })

const fittingCondition = (status: Fields, patterns: ReadonlyArray<Fields>): Fields | undefined =>
  itemsOf(status["conditions"]).find((condition) =>
    patterns.some(({ status: state, type }) => type === condition["type"] && state === condition["status"])
  )

/** What the rule says of this pod in words; undefined when it does not fit. */
const reasonOf = (rule: Fields, pod: KubeObject): string | undefined => {
  const status = fieldsOf(pod.status)
  const { name = "", namespace = "" } = pod.metadata
  const codes = fieldsIn(rule["onExitCodes"])
  if (codes !== undefined) {
    const found =
      fittingContainer(status["containerStatuses"], codes) ?? fittingContainer(status["initContainerStatuses"], codes)
    if (found === undefined) return undefined
    const code = numberOf(fieldsOf(fieldsOf(found["state"])["terminated"])["exitCode"])
    return `Container ${textOf(found["name"])} for pod ${namespace}/${name} failed with exit code ${code}`
  }
  const condition = fittingCondition(status, itemsOf(rule["onPodConditions"]))
  return condition === undefined ? undefined : `Pod ${namespace}/${name} has condition ${textOf(condition["type"])}`
}

/** The verdict of a policy's rules on a pod that failed; without a policy every failure counts. */
export const judgeFailure = (rules: ReadonlyArray<Fields> | undefined, pod: KubeObject): FailureVerdict => {
  if (rules === undefined) return COUNTED
  for (const [at, rule] of rules.entries()) {
    const reason = reasonOf(rule, pod)
    if (reason === undefined) continue
    const action = textOf(rule["action"])
    if (action === "Ignore") return { counts: false, action }
    if (action === "FailJob") {
      return { counts: true, action, failsJob: `${reason} matching ${action} rule at index ${at}` }
    }
    if (action === "FailIndex" || action === "Count") return { counts: true, action }
  }
  return COUNTED
}
