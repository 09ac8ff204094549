// Evicting a pod: deleting it only if its disruption budget still allows one.
// Owns the budget's arithmetic on an eviction; what the budget allows is its controller's to say. Source: kubernetes
// pkg/registry/core/pod/storage/eviction.go.
import {
  ApiFailure,
  type DeleteOptions,
  Failures,
  gvr,
  type Json,
  type KubeObject,
  type Preconditions,
  rfc3339
} from "#kube"
import type { Api } from "../../Api.ts"
import type { Action } from "../../Definition.ts"
import type { ApiRequest, UserInfo } from "../../Request.ts"
import { type Answer, done201 } from "../Answers.ts"
import { fieldsIn, fieldsOf, itemsOf, numberOf, textOf } from "../Fields.ts"
import { selects } from "../Selectors.ts"
import { withCondition } from "./Assignment.ts"

const PODS = gvr("", "v1", "pods")
const BUDGETS = gvr("policy", "v1", "poddisruptionbudgets")
const VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."

/** Evictions that a budget's controller has not confirmed yet, of one budget. */
const MAX_DISRUPTED_PODS = 2000

/** Rounds when others wrote in between, and the wait before each of them with its jitter: kubernetes' EvictionsRetry. */
const MAX_ROUNDS = 19
const AGAIN_MS = 500
const JITTER = 0.1

/** One eviction on its way. */
interface Course {
  readonly api: Api
  readonly namespace: string
  readonly name: string
  readonly user: UserInfo
  readonly dryRun: boolean
  readonly options: DeleteOptions
  readonly done: Answer
}

const withCause = (failure: ApiFailure, message: string): ApiFailure => {
  const causes = [{ reason: "DisruptionBudget", message }]
  return new ApiFailure({ ...failure.status, details: { ...failure.status.details, causes } })
}

const stillProcessed = (budget: string): ApiFailure =>
  withCause(
    Failures.tooManyRequests(VIOLATES, 10),
    `The disruption budget ${budget} is still being processed by the server.`
  )

const forbiddenBudget = (budget: string, why: string, cause: string): ApiFailure =>
  withCause(
    Failures.forbidden({ group: "policy", resource: "poddisruptionbudget", name: budget }, why),
    `The disruption budget ${budget} does not allow evicting pods currently: ${cause}`
  )

const spent = (name: string, status: ReturnType<typeof fieldsOf>): ApiFailure => {
  const condition = itemsOf(status["conditions"]).find((one) => one["type"] === "DisruptionAllowed")
  const message = condition?.["status"] === "False" ? textOf(condition["message"]) : ""
  const healthy = numberOf(status["currentHealthy"])
  const desired = numberOf(status["desiredHealthy"])
  const prefix = `The disruption budget ${name}`
  let why = `${prefix} does not allow evicting pods currently`
  if (message !== "" && condition?.["reason"] === "SyncFailed") why += ` because it failed sync: ${message}`
  else if (healthy <= desired) why = `${prefix} needs ${desired} healthy pods and has ${healthy} currently`
  else if (message !== "") why += ` (${textOf(condition?.["reason"])}): ${message}`
  const failure = Failures.tooManyRequests(VIOLATES, 0)
  const { details: _retry, ...status429 } = failure.status
  return withCause(new ApiFailure(status429), why)
}

/** Why a budget refuses now, or undefined when one more disruption is allowed. */
const refusal = (budget: KubeObject): ApiFailure | undefined => {
  const name = budget.metadata.name ?? ""
  const status = fieldsOf(budget.status)
  if (numberOf(status["observedGeneration"]) < (budget.metadata.generation ?? 0)) return stillProcessed(name)
  const allowed = numberOf(status["disruptionsAllowed"])
  const negative = "pdb disruptions allowed is negative"
  if (allowed < 0) return forbiddenBudget(name, negative, negative)
  if (Object.keys(fieldsOf(status["disruptedPods"])).length > MAX_DISRUPTED_PODS) {
    const why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
    return forbiddenBudget(name, why, "too many pending evictions not confirmed by PDB controller")
  }
  return allowed === 0 ? spent(name, status) : undefined
}

/** The budget with one disruption taken, for this pod. */
const decremented = (budget: KubeObject, pod: string, nowMs: number): KubeObject => {
  const status = fieldsOf(budget.status)
  const disruptionsAllowed = numberOf(status["disruptionsAllowed"]) - 1
  const conditions =
    disruptionsAllowed > 0
      ? status["conditions"]
      : (withoutProbe(
          withCondition(
            itemsOf(status["conditions"]),
            {
              type: "DisruptionAllowed",
              status: "False",
              reason: "InsufficientPods",
              message: "",
              observedGeneration: numberOf(status["observedGeneration"])
            },
            nowMs
          )
        ) as Json)
  const disruptedPods = { ...fieldsOf(status["disruptedPods"]), [pod]: rfc3339(nowMs) }
  return { ...budget, status: { ...status, conditions, disruptionsAllowed, disruptedPods } }
}

// Conditions of budgets are those of meta/v1, which have no probe time.
const withoutProbe = (conditions: ReadonlyArray<ReturnType<typeof fieldsOf>>) =>
  conditions.map(({ lastProbeTime: _probe, ...condition }) => condition)

const call = (
  { api, dryRun, namespace, user }: Course,
  request: Pick<ApiRequest, "verb" | "resource" | "name"> & Partial<ApiRequest>,
  next: (object: KubeObject) => void,
  failed: (failure: ApiFailure) => void
): void =>
  api.execute({ subresource: "", namespace, user, options: dryRun ? { dryRun } : {}, ...request }, (answer) => {
    if (answer instanceof ApiFailure) failed(answer)
    else if (answer.kind === "object") next(answer.held.object)
  })

/** Lets those who wrote in between come to an end. */
const later = ({ api: { clockwork } }: Course, again: () => void): void =>
  void clockwork.after(AGAIN_MS * (1 + JITTER * clockwork.random()), again)

const isReady = (pod: KubeObject): boolean =>
  itemsOf(fieldsOf(pod.status)["conditions"]).some((one) => one["type"] === "Ready" && one["status"] === "True")

/** Pods that no budget protects: they run no more, or not yet. */
const needsNoBudget = ({ metadata, status }: KubeObject): boolean => {
  const phase = fieldsOf(status)["phase"]
  return phase !== "Running" && phase !== "Unknown" ? true : metadata.deletionTimestamp !== undefined
}

const budgetsOf = ({ api, namespace }: Course, pod: KubeObject): ReadonlyArray<KubeObject> =>
  api
    .view("policy", "poddisruptionbudgets")
    .list(namespace)
    .filter(({ spec }) => selects(fieldsOf(spec)["selector"], pod.metadata.labels ?? {}) === true)

const asDelete = (course: Course, preconditions: Preconditions | undefined): ApiRequest["options"] => ({
  ...course.options,
  ...(course.dryRun ? { dryRun: true } : {}),
  ...(preconditions === undefined ? {} : { preconditions })
})

/** Says on the newest state of the pod why it goes. Who wrote in between is no conflict, as in the store's own updates. */
const mark = (
  course: Course,
  pod: KubeObject,
  next: (marked: KubeObject) => void,
  failed: (failure: ApiFailure) => void,
  onConflict: (failure: ApiFailure) => void
): void => {
  const { api, name } = course
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "EvictionByEvictionAPI",
    message: "Eviction API: evicting"
  }
  const status = fieldsOf(pod.status)
  const conditions = withCondition(itemsOf(status["conditions"]), condition, api.clockwork.now()) as Json
  const body = { ...pod, status: { ...status, conditions } }
  call(course, { verb: "update", resource: PODS, name, subresource: "status", body }, next, (failure) =>
    failure.reason === "Conflict" ? onConflict(failure) : failed(failure)
  )
}

/** Says on the pod why it goes, then deletes it; a conflict over a state that had to be this one starts the course anew. */
const evict = (course: Course, pod: KubeObject, pinned: boolean, round: number, budget?: string): void => {
  const { done, name } = course
  const asked = course.options.preconditions
  const isBound = pinned || asked?.resourceVersion !== undefined
  const failed = (failure: ApiFailure): void => {
    const mayRepeat = failure.reason === "Conflict" && asked?.resourceVersion === undefined
    if (mayRepeat && budget !== undefined) return done(stillProcessed(budget))
    return mayRepeat && round < MAX_ROUNDS ? later(course, () => start(course, round + 1)) : done(failure)
  }
  const remove = (marked: KubeObject): void => {
    const version = isBound ? marked.metadata.resourceVersion : undefined
    const preconditions = version === undefined ? asked : { ...asked, resourceVersion: version }
    const request = { verb: "delete", resource: PODS, name, options: asDelete(course, preconditions) } as const
    call(course, request, () => done(done201), failed)
  }
  if (course.dryRun) return remove(pod)
  if (isBound) return mark(course, pod, remove, failed, failed)
  const read = { verb: "get", resource: PODS, name } as const
  const markNewest = (): void =>
    call(course, read, (newest) => mark(course, newest, remove, failed, markNewest), failed)
  return mark(course, pod, remove, failed, markNewest)
}

const spend = (course: Course, pod: KubeObject, budget: KubeObject, round: number): void => {
  const name = budget.metadata.name ?? ""
  const refused = refusal(budget)
  if (refused !== undefined) return course.done(refused)
  const next = (): void => evict(course, pod, false, round)
  if (course.dryRun) return next()
  const body = decremented(budget, course.name, course.api.clockwork.now())
  const failed = (failure: ApiFailure): void => {
    if (failure.reason !== "Conflict" || round >= MAX_ROUNDS) return course.done(failure)
    const read = { verb: "get", resource: BUDGETS, name } as const
    return later(course, () => call(course, read, (fresh) => spend(course, pod, fresh, round + 1), course.done))
  }
  return call(course, { verb: "update", resource: BUDGETS, name, subresource: "status", body }, next, failed)
}

const judge = (course: Course, pod: KubeObject, round: number): void => {
  const { resourceVersion } = course.options.preconditions ?? {}
  if (resourceVersion !== undefined && resourceVersion !== pod.metadata.resourceVersion) {
    const why = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${pod.metadata.resourceVersion ?? ""}). The object might have been modified`
    return course.done(Failures.conflict({ group: "", resource: "Pod", name: course.name }, why))
  }
  if (needsNoBudget(pod)) {
    const running = pod.metadata.deletionTimestamp === undefined && fieldsOf(pod.status)["phase"] === "Pending"
    return evict(course, pod, running, round)
  }
  const budgets = budgetsOf(course, pod)
  const [budget] = budgets
  if (budgets.length > 1) {
    const why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    return course.done(Failures.generic(500, "", why))
  }
  if (budget === undefined) return evict(course, pod, false, round)
  const status = fieldsOf(budget.status)
  const desired = numberOf(status["desiredHealthy"])
  const enough = desired > 0 && numberOf(status["currentHealthy"]) >= desired
  const always = fieldsOf(budget.spec)["unhealthyPodEvictionPolicy"] === "AlwaysAllow"
  if (!isReady(pod) && (always || enough)) return evict(course, pod, true, round, budget.metadata.name ?? "")
  return spend(course, pod, budget, 0)
}

const start = (course: Course, round: number): void =>
  call(course, { verb: "get", resource: PODS, name: course.name }, (pod) => judge(course, pod, round), course.done)

/** Deletes the pod that the eviction names if its budget allows it, else answers 429. */
export const evictPod: Action = ({ api }, request, done) => {
  const eviction = request.body
  if (eviction === undefined) return done(Failures.badRequest("not a Eviction object: nil"))
  if ((eviction.metadata.name ?? "") !== request.name) {
    return done(Failures.badRequest("name in URL does not match name in Eviction object"))
  }
  const given = fieldsIn(eviction["deleteOptions"]) ?? {}
  const { dryRun: dryRuns, ...options } = given
  const dryRun = request.options.dryRun === true || itemsOf(dryRuns).length > 0
  const { name, namespace, user } = request
  return start({ api, namespace, name, user, dryRun, options: options, done }, 0)
}
