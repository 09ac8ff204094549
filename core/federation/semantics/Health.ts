// Whether an object does what it is there for, as far as its own status tells.
// Owns the rules per kind; refuses to wait or to act, which rollout and failover do.
import { fieldsOf, type Fields, itemsOf, numberIn, numberOf, textOf } from "#apiserver"
import type { JsonObject } from "#kube"
import type { Health, HealthState } from "./TypeSemantics.ts"

export const healthy: Health = { state: "Healthy", message: "" }

const health = (state: HealthState, message: string): Health => ({ state, message })

const conditionIn = (object: JsonObject, type: string): Fields | undefined =>
  itemsOf(fieldsOf(object["status"])["conditions"]).find((found) => found["type"] === type)

const lags = (object: JsonObject): Health | undefined => {
  const generation = numberOf(fieldsOf(object["metadata"])["generation"])
  const observed = numberIn(fieldsOf(object["status"])["observedGeneration"])
  return observed === undefined || observed < generation
    ? health("Progressing", `generation ${generation} is not observed yet`)
    : undefined
}

/** Kinds that are there as soon as they exist. */
export const existing = (): Health => healthy

const wantedOf = (object: JsonObject): number => numberIn(fieldsOf(object["spec"])["replicas"]) ?? 1

const counts = (object: JsonObject, want: number, names: ReadonlyArray<string>): Health => {
  const status = fieldsOf(object["status"])
  for (const name of names) {
    const there = numberOf(status[name])
    if (there < want) return health("Progressing", `${name} ${there} of ${want}`)
  }
  return healthy
}

export const deploymentHealth = (object: JsonObject): Health => {
  const progressing = conditionIn(object, "Progressing")
  if (progressing?.["reason"] === "ProgressDeadlineExceeded") {
    return health("Degraded", textOf(progressing["message"]))
  }
  return lags(object) ?? counts(object, wantedOf(object), ["updatedReplicas", "availableReplicas"])
}

export const replicaSetHealth = (object: JsonObject): Health => {
  const failure = conditionIn(object, "ReplicaFailure")
  if (failure?.["status"] === "True") return health("Degraded", textOf(failure["message"]))
  return lags(object) ?? counts(object, wantedOf(object), ["availableReplicas"])
}

export const statefulSetHealth = (object: JsonObject): Health => {
  const late = lags(object)
  if (late !== undefined) return late
  const strategy = fieldsOf(fieldsOf(object["spec"])["updateStrategy"])
  const want = wantedOf(object)
  const partition = numberOf(fieldsOf(strategy["rollingUpdate"])["partition"])
  const ready = counts(object, want, ["readyReplicas"])
  if (ready !== healthy || strategy["type"] === "OnDelete") return ready
  return counts(object, Math.max(0, want - partition), ["updatedReplicas"])
}

export const daemonSetHealth = (object: JsonObject): Health => {
  const want = numberOf(fieldsOf(object["status"])["desiredNumberScheduled"])
  const onDelete = fieldsOf(fieldsOf(object["spec"])["updateStrategy"])["type"] === "OnDelete"
  return (
    lags(object) ?? counts(object, want, onDelete ? ["numberReady"] : ["updatedNumberScheduled", "numberAvailable"])
  )
}

export const jobHealth = (object: JsonObject): Health => {
  const failed = conditionIn(object, "Failed")
  if (failed?.["status"] === "True") return health("Degraded", textOf(failed["message"]))
  if (conditionIn(object, "Complete")?.["status"] === "True") return healthy
  if (conditionIn(object, "Suspended")?.["status"] === "True") return healthy
  return health("Progressing", `${numberOf(fieldsOf(object["status"])["active"])} active`)
}

export const podHealth = (object: JsonObject): Health => {
  const status = fieldsOf(object["status"])
  const phase = textOf(status["phase"])
  if (phase === "Succeeded") return healthy
  if (phase === "Failed") return health("Degraded", textOf(status["message"]) || textOf(status["reason"]))
  const ready = conditionIn(object, "Ready")
  if (phase === "Running" && ready?.["status"] === "True") return healthy
  return health(phase === "Unknown" || phase === "" ? "Unknown" : "Progressing", textOf(ready?.["message"]) || phase)
}

/** Kinds with a phase: the good ones, and the bad ones; every other is under way. */
export const phaseHealth =
  (good: ReadonlyArray<string>, bad: ReadonlyArray<string>) =>
  (object: JsonObject): Health => {
    const phase = textOf(fieldsOf(object["status"])["phase"])
    if (good.includes(phase)) return healthy
    if (phase === "") return health("Unknown", "no phase yet")
    return health(bad.includes(phase) ? "Degraded" : "Progressing", `phase ${phase}`)
  }

/** A load balancer has an address, or none is wanted. */
export const serviceHealth = (object: JsonObject): Health => {
  if (fieldsOf(object["spec"])["type"] !== "LoadBalancer") return healthy
  return addressHealth(object)
}

export const addressHealth = (object: JsonObject): Health =>
  itemsOf(fieldsOf(fieldsOf(object["status"])["loadBalancer"])["ingress"]).length > 0
    ? healthy
    : health("Progressing", "no address yet")

/** Health by one condition; without it not yet known. */
export const conditionHealth =
  (type: string) =>
  (object: JsonObject): Health => {
    const found = conditionIn(object, type)
    if (found === undefined) return health("Unknown", `no condition ${type} yet`)
    return found["status"] === "True" ? healthy : health("Degraded", textOf(found["message"]))
  }

/** Of kinds that nobody described: their condition Ready, Available or Healthy decides; with none of them existing suffices. */
export const conventionalHealth = (object: JsonObject): Health => {
  const generation = numberOf(fieldsOf(object["metadata"])["generation"])
  const observed = numberIn(fieldsOf(object["status"])["observedGeneration"])
  if (observed !== undefined && observed < generation) {
    return health("Progressing", `generation ${generation} is not observed yet`)
  }
  for (const type of ["Ready", "Available", "Healthy"]) {
    const found = conditionIn(object, type)
    if (found === undefined) continue
    if (found["status"] === "True") return healthy
    return health(found["status"] === "False" ? "Degraded" : "Unknown", textOf(found["message"]))
  }
  return healthy
}
