// What a Deployment's status says: its counts, whether it is available, whether it makes progress, and when that ends.
// Owns these sentences and conditions, in upstream's words; refuses to write them.
import { type JsonObject, parseRfc3339, rfc3339 } from "#kube"
import type { Condition } from "../PodFacts.ts"
import { findCondition, withCondition, withoutCondition } from "./Conditions.ts"
import { maxUnavailableOf, statusSum, wantedReplicas } from "./RolloutMath.ts"
import { counted, type Deployment, type DeploymentStatus, type ReplicaSet, replicasOf } from "./Workloads.ts"

const NO_DEADLINE = 2_147_483_647

const noStatus: DeploymentStatus = {}
const noConditions: ReadonlyArray<Condition> = []

/** Whether a rollout that makes no progress is ever given up. */
export const hasDeadline = ({ spec }: Deployment): boolean =>
  spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds !== NO_DEADLINE

export const statusOfDeployment = ({ status }: Deployment): DeploymentStatus => status ?? noStatus

export const conditionsOfDeployment = ({ status }: Deployment): ReadonlyArray<Condition> =>
  status?.conditions ?? noConditions

/** A condition that begins now. */
export const deploymentCondition = (
  nowMs: number,
  type: "Progressing" | "Available",
  status: "True" | "False" | "Unknown",
  reason: string,
  message: string
): Condition => {
  const now = rfc3339(nowMs)
  return { type, status, lastUpdateTime: now, lastTransitionTime: now, reason, message }
}

/** Deleted pods that still run, of all sets; undefined as long as one of them does not say. */
const terminatingReplicas = (sets: ReadonlyArray<ReplicaSet>): number | undefined => {
  let sum = 0
  for (const { status } of sets) {
    if (status?.terminatingReplicas !== undefined) sum += status.terminatingReplicas
    else if ((status?.observedGeneration ?? 0) !== 0) return undefined
  }
  return sum
}

type Defined<A> = { readonly [Field in keyof A]?: Exclude<A[Field], undefined> }

/** Fields that have a value, as JSON. */
export const definedFields = <A extends object>(fields: A): Defined<A> & JsonObject =>
  // SAFETY: the fields are JSON values; undefined ones are left out.
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<A> & JsonObject

/** The status as the sets are now, with the Available condition. */
export const countedStatus = (
  deployment: Deployment,
  sets: ReadonlyArray<ReplicaSet>,
  fresh: ReplicaSet | undefined,
  nowMs: number
): DeploymentStatus & JsonObject => {
  const available = statusSum(sets, "availableReplicas")
  const isAvailable = available >= replicasOf(deployment) - maxUnavailableOf(deployment)
  const conditions = withCondition(
    conditionsOfDeployment(deployment),
    isAvailable
      ? deploymentCondition(
          nowMs,
          "Available",
          "True",
          "MinimumReplicasAvailable",
          "Deployment has minimum availability."
        )
      : deploymentCondition(
          nowMs,
          "Available",
          "False",
          "MinimumReplicasUnavailable",
          "Deployment does not have minimum availability."
        )
  )
  return definedFields({
    observedGeneration: counted(deployment.metadata.generation ?? 0),
    replicas: counted(statusSum(sets, "replicas")),
    updatedReplicas: counted(fresh?.status?.replicas ?? 0),
    readyReplicas: counted(statusSum(sets, "readyReplicas")),
    availableReplicas: counted(available),
    unavailableReplicas: counted(Math.max(0, wantedReplicas(sets) - available)),
    terminatingReplicas: terminatingReplicas(sets),
    collisionCount: deployment.status?.collisionCount,
    conditions
  })
}

/** Whether a rollout is over: all replicas are new and available, and no old ones run. */
export const isComplete = (deployment: Deployment, status: DeploymentStatus): boolean => {
  const replicas = replicasOf(deployment)
  const { availableReplicas = 0, observedGeneration = 0, replicas: all = 0, updatedReplicas = 0 } = status
  return (
    updatedReplicas === replicas &&
    all === replicas &&
    availableReplicas === replicas &&
    observedGeneration >= (deployment.metadata.generation ?? 0)
  )
}

/** Whether more is new, ready or available than before, or less is old. */
const isProgressing = (deployment: Deployment, status: DeploymentStatus): boolean => {
  const before = statusOfDeployment(deployment)
  const old = ({ replicas = 0, updatedReplicas = 0 }: DeploymentStatus): number => replicas - updatedReplicas
  return (
    (status.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(status) < old(before) ||
    (status.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  )
}

const deadlineMs = ({ spec }: Deployment, { lastUpdateTime = "" }: Condition): number =>
  (parseRfc3339(lastUpdateTime) ?? 0) + (spec.progressDeadlineSeconds ?? 0) * 1000

const isTimedOut = (deployment: Deployment, condition: Condition | undefined, nowMs: number): boolean => {
  if (condition === undefined || condition.reason === "NewReplicaSetAvailable") return false
  return condition.reason === "ProgressDeadlineExceeded" || deadlineMs(deployment, condition) < nowMs
}

const progressConditions = (
  deployment: Deployment,
  status: DeploymentStatus,
  fresh: ReplicaSet | undefined,
  nowMs: number
): ReadonlyArray<Condition> => {
  const { conditions = noConditions } = status
  const current = findCondition(conditionsOfDeployment(deployment), "Progressing")
  const subject =
    fresh === undefined ? `Deployment "${deployment.metadata.name ?? ""}"` : `ReplicaSet "${fresh.metadata.name ?? ""}"`
  const progressing = (state: "True" | "False", reason: string, message: string): Condition =>
    deploymentCondition(nowMs, "Progressing", state, reason, message)
  if (isComplete(deployment, status)) {
    return withCondition(
      conditions,
      progressing("True", "NewReplicaSetAvailable", `${subject} has successfully progressed.`)
    )
  }
  if (isProgressing(deployment, status)) {
    const condition = progressing("True", "ReplicaSetUpdated", `${subject} is progressing.`)
    if (current === undefined) return withCondition(conditions, condition)
    // The same reason again: the time of the last progress moves on, and that is what the deadline counts from.
    const since = current.status === "True" && current.lastTransitionTime !== undefined
    return [
      ...withoutCondition(conditions, "Progressing"),
      since ? { ...condition, lastTransitionTime: current.lastTransitionTime } : condition
    ]
  }
  return isTimedOut(deployment, findCondition(conditions, "Progressing"), nowMs)
    ? withCondition(
        conditions,
        progressing("False", "ProgressDeadlineExceeded", `${subject} has timed out progressing.`)
      )
    : conditions
}

/** The failure that a set reports, the newest set's before others'. */
const replicaFailure = (sets: ReadonlyArray<ReplicaSet>, fresh: ReplicaSet | undefined): Condition | undefined => {
  for (const set of fresh === undefined ? sets : [fresh, ...sets]) {
    const failure = findCondition(set.status?.conditions ?? noConditions, "ReplicaFailure")
    if (failure === undefined) continue
    const { lastTransitionTime } = failure
    return lastTransitionTime === undefined ? failure : { ...failure, lastUpdateTime: lastTransitionTime }
  }
  return undefined
}

/** The status during a rollout: the counts, its progress, and the failure of its sets. */
export const rolloutStatus = (
  deployment: Deployment,
  sets: ReadonlyArray<ReplicaSet>,
  fresh: ReplicaSet | undefined,
  nowMs: number
): DeploymentStatus & JsonObject => {
  const status = countedStatus(deployment, sets, fresh, nowMs)
  const { replicas, updatedReplicas } = status
  const current = findCondition(conditionsOfDeployment(deployment), "Progressing")
  const wasComplete = replicas === updatedReplicas && current?.reason === "NewReplicaSetAvailable"
  let conditions = status.conditions ?? noConditions
  if (!hasDeadline(deployment)) conditions = withoutCondition(conditions, "Progressing")
  else if (!wasComplete) conditions = progressConditions(deployment, status, fresh, nowMs)
  const failure = replicaFailure(sets, fresh)
  conditions =
    failure === undefined ? withoutCondition(conditions, "ReplicaFailure") : withCondition(conditions, failure)
  return { ...status, conditions }
}

/** Milliseconds until a rollout that stands still must be looked at again, for its deadline; undefined when it need not be. */
export const recheckInMs = (deployment: Deployment, status: DeploymentStatus, nowMs: number): number | undefined => {
  const current = findCondition(conditionsOfDeployment(deployment), "Progressing")
  if (!hasDeadline(deployment) || current === undefined) return undefined
  if (isComplete(deployment, status) || current.reason === "ProgressDeadlineExceeded") return undefined
  // A rollout that was complete never times out: its pods may be away with their zone, and no second look would say otherwise.
  if (current.reason === "NewReplicaSetAvailable") return undefined
  return Math.max(0, deadlineMs(deployment, current) - nowMs) + 1000
}
