// What a pod needs of a node: resources, and which nodes it may go to.
// Owns reading a pod's spec for the plain binder; refuses pod affinity, topology spread and ports, which a whole scheduler weighs.
import { type Json, type JsonObject, isJsonObject, type KubeObject, Quantity, quantityOf } from "#kube"
import { containersOf, initContainersOf, podSpec } from "../nodes/PodStatus.ts"

export interface PodDemand {
  readonly cpuMilli: number
  /** Bytes. */
  readonly memory: number
  /** Whole units of everything else that it asks for. */
  readonly others: ReadonlyMap<string, number>
}

const objectsOf = (value: Json | undefined): ReadonlyArray<JsonObject> =>
  Array.isArray(value) ? (value as ReadonlyArray<JsonObject>) : []
const fieldsOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {})

/** An amount in an object, as a number of units (CPU: of thousandths); 0 when it is no quantity. */
export const amountOf = (name: string, value: Json | undefined): number => {
  if (typeof value !== "string" && typeof value !== "number") return 0
  const quantity = quantityOf(value)
  if (!(quantity instanceof Quantity)) return 0
  return Number(name === "cpu" ? quantity.milliValue() : quantity.value())
}

const requestsOf = (container: JsonObject): JsonObject => fieldsOf(fieldsOf(container["resources"])["requests"])

const NOTHING_ELSE: ReadonlyMap<string, number> = new Map()

/** Requests of all containers together, or of the largest init container when that is more. */
export const demandOf = (pod: KubeObject): PodDemand => {
  let cpuMilli = 0
  let memory = 0
  let others: Map<string, number> | undefined
  const take = (container: JsonObject, combine: (before: number, amount: number) => number): void => {
    const requests = requestsOf(container)
    for (const name in requests) {
      const amount = amountOf(name, requests[name])
      if (name === "cpu") cpuMilli = combine(cpuMilli, amount)
      else if (name === "memory") memory = combine(memory, amount)
      else (others ??= new Map()).set(name, combine(others.get(name) ?? 0, amount))
    }
  }
  for (const container of containersOf(pod)) take(container, (before, amount) => before + amount)
  for (const container of initContainersOf(pod)) take(container, Math.max)
  // Most pods ask for nothing else, and there are hundreds of thousands of them.
  return { cpuMilli, memory, others: others ?? NOTHING_ELSE }
}

export interface Taint {
  readonly key: string
  readonly value?: string
  readonly effect: string
}

/** Taints that keep pods away which do not tolerate them. */
export const hardTaints = (node: KubeObject): ReadonlyArray<Taint> =>
  objectsOf(fieldsOf(node.spec as Json)["taints"])
    // SAFETY: the API server has validated a taint's fields.
    .map((taint) => taint as unknown as Taint)
    .filter(({ effect }) => effect !== "PreferNoSchedule")

/** The first taint that a pod does not tolerate. */
export const untolerated = (pod: KubeObject, taints: ReadonlyArray<Taint>): Taint | undefined => {
  if (taints.length === 0) return undefined
  const tolerations = objectsOf(podSpec(pod)["tolerations"])
  return taints.find(
    (taint) =>
      !tolerations.some(
        ({ effect, key, operator, value }) =>
          (effect === undefined || effect === "" || effect === taint.effect) &&
          (key === undefined || key === "" ? operator === "Exists" : key === taint.key) &&
          (operator === "Exists" || (value ?? "") === (taint.value ?? ""))
      )
  )
}

/** The only node that a pod may go to, by its affinity to a name (as a DaemonSet's pods have it) or a selector of the host name. */
export const onlyNode = (pod: KubeObject): string | undefined => {
  const host = fieldsOf(podSpec(pod)["nodeSelector"])["kubernetes.io/hostname"]
  if (typeof host === "string") return host
  for (const term of requiredTerms(pod)) {
    for (const { key, operator, values } of objectsOf(term["matchFields"])) {
      const [name] = Array.isArray(values) ? (values as ReadonlyArray<Json>) : []
      if (key === "metadata.name" && operator === "In" && typeof name === "string") return name
    }
  }
  return undefined
}

const requiredTerms = (pod: KubeObject): ReadonlyArray<JsonObject> => {
  const affinity = fieldsOf(fieldsOf(podSpec(pod)["affinity"])["nodeAffinity"])
  return objectsOf(fieldsOf(affinity["requiredDuringSchedulingIgnoredDuringExecution"])["nodeSelectorTerms"])
}

type Labels = Readonly<Record<string, string>>

/**
 * Whether a node's labels are such as a pod asks for, by nodeSelector and required node affinity. What terms say of a node's fields
 * counts when its name is given; a term that says nothing fits no node.
 */
export const labelsFit = (pod: KubeObject, labels: Labels, name?: string): boolean => {
  const { nodeSelector } = podSpec(pod)
  if (isJsonObject(nodeSelector))
    for (const [label, value] of Object.entries(nodeSelector)) if (labels[label] !== value) return false
  const terms = requiredTerms(pod)
  if (terms.length === 0) return true
  const fields = name === undefined ? undefined : { "metadata.name": name }
  return terms.some(({ matchExpressions, matchFields }) => {
    const byLabel = objectsOf(matchExpressions)
    const byField = objectsOf(matchFields)
    if (byLabel.length + byField.length === 0) return false
    if (fields !== undefined && !byField.every((one) => expressionFits(one, fields))) return false
    return byLabel.every((one) => expressionFits(one, labels))
  })
}

const expressionFits = ({ key, operator, values }: JsonObject, labels: Labels): boolean => {
  const value = typeof key === "string" ? labels[key] : undefined
  const listed = Array.isArray(values) && value !== undefined && (values as ReadonlyArray<Json>).includes(value)
  switch (operator) {
    case "In":
      return listed
    case "NotIn":
      return !listed
    case "Exists":
      return value !== undefined
    case "DoesNotExist":
      return value === undefined
    default: {
      const [bound] = Array.isArray(values) ? (values as ReadonlyArray<Json>) : []
      if (value === undefined || typeof bound !== "string") return false
      return operator === "Gt" ? Number(value) > Number(bound) : Number(value) < Number(bound)
    }
  }
}
