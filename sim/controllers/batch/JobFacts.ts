// A Job as its controller reads and writes it: the spec with its defaults, the status as fields that change during one sync.
// Owns the reading and the form in which a status is written; refuses to decide anything.
import type { Json, JsonObject, KubeObject } from "#kube"
import { type Fields, fieldsIn, fieldsOf, itemsOf, numberIn, numberOf, present, textOf, textsOf } from "../Parts.ts"

/** What the API says of a Job's conditions; times are RFC 3339. */
export interface JobCondition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly lastProbeTime: Json
  readonly lastTransitionTime: Json
}

export interface JobSpec {
  readonly parallelism: number
  /** Absent: the first success ends the Job. */
  readonly completions: number | undefined
  readonly isIndexed: boolean
  readonly backoffLimit: number
  readonly backoffLimitPerIndex: number | undefined
  readonly maxFailedIndexes: number | undefined
  readonly activeDeadlineSeconds: number | undefined
  readonly isSuspended: boolean
  readonly failureRules: ReadonlyArray<Fields> | undefined
  readonly successRules: ReadonlyArray<Fields> | undefined
  /** Whether a pod is replaced only when it has ended, not when it is on its way out. */
  readonly replacesOnlyFailed: boolean
  readonly template: Fields
}

/** The status under way. */
export interface JobStatus {
  conditions: Array<JobCondition>
  startTime: string | undefined
  completionTime: string | undefined
  active: number
  succeeded: number
  failed: number
  terminating: number | undefined
  ready: number | undefined
  completedIndexes: string
  failedIndexes: string | undefined
  /** The uids of ended pods that are not counted yet. */
  uncounted: { succeeded: Array<string>; failed: Array<string> }
}

export const TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking"

const CONTROLLER = "kubernetes.io/job-controller"

const rulesOf = (policy: unknown): ReadonlyArray<Fields> | undefined => {
  const found = fieldsIn(policy)
  return found === undefined ? undefined : itemsOf(found["rules"])
}

/** The spec of a Job. */
export const jobSpecOf = ({ spec }: KubeObject): JobSpec => {
  const fields = fieldsOf(spec)
  return {
    parallelism: numberIn(fields["parallelism"]) ?? 1,
    completions: numberIn(fields["completions"]),
    isIndexed: fields["completionMode"] === "Indexed",
    backoffLimit: numberIn(fields["backoffLimit"]) ?? 6,
    backoffLimitPerIndex: numberIn(fields["backoffLimitPerIndex"]),
    maxFailedIndexes: numberIn(fields["maxFailedIndexes"]),
    activeDeadlineSeconds: numberIn(fields["activeDeadlineSeconds"]),
    isSuspended: fields["suspend"] === true,
    failureRules: rulesOf(fields["podFailurePolicy"]),
    successRules: rulesOf(fields["successPolicy"]),
    replacesOnlyFailed: fields["podReplacementPolicy"] === "Failed",
    template: fieldsOf(fields["template"])
  }
}

/** The name of another controller that works on the Job; undefined when it is ours. */
export const managedByOther = ({ spec }: KubeObject): string | undefined => {
  const name = fieldsOf(spec)["managedBy"]
  return typeof name === "string" && name !== CONTROLLER ? name : undefined
}

const jobConditionsOf = (status: Fields): Array<JobCondition> =>
  itemsOf(status["conditions"]).map((one) => ({
    type: textOf(one["type"]),
    status: textOf(one["status"]),
    reason: textOf(one["reason"]),
    message: textOf(one["message"]),
    lastProbeTime: one["lastProbeTime"] ?? null,
    lastTransitionTime: one["lastTransitionTime"] ?? null
  }))

const textIn = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/** A copy of a Job's status, to be changed. */
export const jobStatusOf = (job: KubeObject): JobStatus => {
  const status = fieldsOf(job.status)
  const uncounted = fieldsOf(status["uncountedTerminatedPods"])
  return {
    conditions: jobConditionsOf(status),
    startTime: textIn(status["startTime"]),
    completionTime: textIn(status["completionTime"]),
    active: numberOf(status["active"]),
    succeeded: numberOf(status["succeeded"]),
    failed: numberOf(status["failed"]),
    terminating: numberIn(status["terminating"]),
    ready: numberIn(status["ready"]),
    completedIndexes: textOf(status["completedIndexes"]),
    failedIndexes: textIn(status["failedIndexes"]),
    uncounted: { succeeded: [...textsOf(uncounted["succeeded"])], failed: [...textsOf(uncounted["failed"])] }
  }
}

const orAbsent = (count: number): number | undefined => (count === 0 ? undefined : count)
const listOrAbsent = (list: ReadonlyArray<string>): ReadonlyArray<string> | undefined =>
  list.length === 0 ? undefined : [...list]

/** The status as it is written. */
export const writtenStatus = (status: JobStatus): JsonObject =>
  present({
    conditions:
      status.conditions.length === 0
        ? undefined
        : status.conditions.map((one) => ({
            type: one.type,
            status: one.status,
            lastProbeTime: one.lastProbeTime,
            lastTransitionTime: one.lastTransitionTime,
            ...(one.reason === "" ? {} : { reason: one.reason }),
            ...(one.message === "" ? {} : { message: one.message })
          })),
    startTime: status.startTime,
    completionTime: status.completionTime,
    active: orAbsent(status.active),
    succeeded: orAbsent(status.succeeded),
    failed: orAbsent(status.failed),
    terminating: status.terminating,
    completedIndexes: status.completedIndexes === "" ? undefined : status.completedIndexes,
    failedIndexes: status.failedIndexes,
    uncountedTerminatedPods: present({
      succeeded: listOrAbsent(status.uncounted.succeeded),
      failed: listOrAbsent(status.uncounted.failed)
    }),
    ready: status.ready
  })

/** The condition of this type. */
export const jobCondition = (conditions: ReadonlyArray<JobCondition>, type: string): JobCondition | undefined =>
  conditions.find((one) => one.type === type)

/** The condition by which a Job is over. */
export const finishedCondition = (job: KubeObject): JobCondition | undefined =>
  jobConditionsOf(fieldsOf(job.status)).find(
    ({ status, type }) => (type === "Complete" || type === "Failed") && status === "True"
  )

/** Whether a Job is over. */
export const isJobFinished = (job: KubeObject): boolean => {
  for (const { status, type } of itemsOf(fieldsOf(job.status)["conditions"])) {
    if ((type === "Complete" || type === "Failed") && status === "True") return true
  }
  return false
}

/**
 * Sets a condition, and says whether that changed anything. What was never true is not put down as false.
 */
export const setJobCondition = (
  status: JobStatus,
  wanted: Pick<JobCondition, "type" | "status" | "reason" | "message">,
  now: string
): boolean => {
  const at = status.conditions.findIndex(({ type }) => type === wanted.type)
  const condition = { ...wanted, lastProbeTime: now, lastTransitionTime: now }
  const known = status.conditions[at]
  if (known === undefined) {
    if (wanted.status === "False") return false
    status.conditions.push(condition)
    return true
  }
  const { message, reason, status: state } = known
  if (state === wanted.status && reason === wanted.reason && message === wanted.message) return false
  status.conditions[at] = condition
  return true
}
