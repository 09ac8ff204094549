// Whether a Job is over, and how: what an earlier sync found, then failures, then successes, in upstream's order.
// Owns the judgement with its reasons and messages; refuses to act on it. Source: kubernetes pkg/controller/job/job_controller.go.
import type { KubeObject } from "#kube"
import { parseRfc3339 } from "#kube"
import { fieldsOf } from "../Parts.ts"
import { phaseOf } from "../PodFacts.ts"
import { type JobCondition, jobCondition } from "./JobFacts.ts"
import { isPodFailed, restartsOf } from "./JobPods.ts"
import type { JobState } from "./JobState.ts"
import { judgeFailure } from "./PodFailurePolicy.ts"
import { successPolicyMet } from "./SuccessPolicy.ts"

const condition = ({ now }: JobState, type: string, reason: string, message: string): JobCondition => ({
  type,
  status: "True",
  reason,
  message,
  lastProbeTime: now,
  lastTransitionTime: now
})

const failing = (state: JobState, reason: string, message: string): JobCondition =>
  condition(state, "FailureTarget", reason, message)

/** The last condition that follows from one on the way to it, with the same reason. */
export const finalCondition = (state: JobState, type: string, { message, reason }: JobCondition): JobCondition =>
  condition(state, type, reason, message)

/** The condition of a Job whose completions are reached. */
export const completed = (state: JobState): JobCondition =>
  condition(state, "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")

const isTrue = (found: JobCondition | undefined): found is JobCondition => found?.status === "True"

const foundBefore = (state: JobState): JobCondition | undefined => {
  const met = jobCondition(state.status.conditions, "SuccessCriteriaMet")
  if (isTrue(met)) return met
  const failure = jobCondition(state.status.conditions, "FailureTarget")
  return isTrue(failure) ? finalCondition(state, "Failed", failure) : undefined
}

const policyFailure = ({ pods, spec }: JobState): string | undefined => {
  if (spec.failureRules === undefined) return undefined
  for (const pod of pods) {
    const reason = isPodFailed(pod, spec) ? judgeFailure(spec.failureRules, pod).failsJob : undefined
    if (reason !== undefined) return reason
  }
  return undefined
}

const isAlive = (pod: KubeObject): boolean => phaseOf(pod) === "Running" || phaseOf(pod) === "Pending"

/** Pods that restart in place count their restarts towards the limit. */
const restartsExceed = ({ pods, spec }: JobState): boolean => {
  if (fieldsOf(spec.template["spec"])["restartPolicy"] !== "OnFailure") return false
  const restarts = pods.filter(isAlive).reduce((sum, pod) => sum + restartsOf(pod), 0)
  return spec.backoffLimit === 0 ? restarts > 0 : restarts >= spec.backoffLimit
}

/** Milliseconds until the Job has been active for too long; undefined when nothing limits it. */
export const deadlineInMs = ({ nowMs, spec, status }: JobState): number | undefined => {
  if (spec.activeDeadlineSeconds === undefined || spec.isSuspended || status.startTime === undefined) return undefined
  return (parseRfc3339(status.startTime) ?? nowMs) + spec.activeDeadlineSeconds * 1000 - nowMs
}

const limitFailure = (state: JobState): JobCondition | undefined => {
  if (state.failed > state.spec.backoffLimit || restartsExceed(state)) {
    return failing(state, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
  }
  const deadline = deadlineInMs(state)
  return deadline !== undefined && deadline <= 0
    ? failing(state, "DeadlineExceeded", "Job was active longer than specified deadline")
    : undefined
}

const indexFailure = (state: JobState): JobCondition | undefined => {
  const { failedIndexes, indexes, spec } = state
  if (failedIndexes === undefined) return undefined
  const failed = failedIndexes.size
  if (spec.maxFailedIndexes !== undefined && failed > spec.maxFailedIndexes) {
    const message = "Job has exceeded the specified maximal number of failed indexes"
    return failing(state, "MaxFailedIndexesExceeded", message)
  }
  return failed > 0 && failed + indexes.size >= (spec.completions ?? 0)
    ? failing(state, "FailedIndexes", "Job has failed indexes")
    : undefined
}

const policySuccess = (state: JobState): JobCondition | undefined => {
  const { indexes, spec } = state
  if (!spec.isIndexed) return undefined
  const message = successPolicyMet(spec.successRules, indexes, spec.completions ?? 0)
  return message === undefined ? undefined : condition(state, "SuccessCriteriaMet", "SuccessPolicy", message)
}

/** How the Job ends, as far as that does not depend on its active pods; undefined while it goes on. */
export const judgeJob = (state: JobState): JobCondition | undefined => {
  const before = foundBefore(state)
  if (before !== undefined) return before
  const failure = policyFailure(state)
  if (failure !== undefined) return failing(state, "PodFailurePolicy", failure)
  return limitFailure(state) ?? indexFailure(state) ?? policySuccess(state)
}
