// What an object uses of a ResourceQuota, and which quotas an object falls under.
// Owns the counting for pods, services, claims and anything that is only counted; the admission plugin and the quota controller
// both count by it. Refuses to add up: a quota's `used` is theirs.
import {
  type KubeObject,
  LabelSelector,
  labelSelectorOf,
  type LabelSelectorObject,
  parseRfc3339,
  type Quantity,
  wholeQuantity
} from "#kube"
import { fieldsIn, fieldsOf, itemsOf, textOf, textsOf } from "../resources/Fields.ts"
import { amountOf, isExtended, qosClassOf } from "../resources/Resources.ts"
import type { Fields } from "./Plugin.ts"
import { type Amounts, podAmounts } from "./PodAmounts.ts"

const ONE = wholeQuantity(1)

/** The name under which objects of a resource are counted: "count/pods", "count/deployments.apps". */
const countName = (group: string, resource: string): string =>
  group === "" ? `count/${resource}` : `count/${resource}.${group}`

const ALIASES: ReadonlySet<string> = new Set(["configmaps", "resourcequotas", "replicationcontrollers", "secrets"])
const POD_NAMES: ReadonlySet<string> = new Set([
  "pods",
  "cpu",
  "memory",
  "ephemeral-storage",
  "requests.cpu",
  "requests.memory",
  "requests.ephemeral-storage",
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage"
])
const SERVICE_NAMES: ReadonlySet<string> = new Set(["services", "services.nodeports", "services.loadbalancers"])
const STORAGE_CLASS = ".storageclass.storage.k8s.io/"

/** Whether a quota's resource name is about objects of a resource. */
export const isCountedBy = (name: string, group: string, resource: string): boolean => {
  if (name === countName(group, resource)) return true
  if (group !== "") return false
  switch (resource) {
    case "pods":
      return (
        POD_NAMES.has(name) ||
        name.startsWith("hugepages-") ||
        name.startsWith("requests.hugepages-") ||
        (name.startsWith("requests.") && name.includes("/"))
      )
    case "services":
      return SERVICE_NAMES.has(name)
    case "persistentvolumeclaims":
      return name === "persistentvolumeclaims" || name === "requests.storage" || name.includes(STORAGE_CLASS)
    default:
      return ALIASES.has(resource) && name === resource
  }
}

/** Requests and limits by the names of quotas. */
const computeUsage = (requests: Amounts, limits: Amounts): Map<string, Quantity> => {
  const usage = new Map<string, Quantity>([["pods", ONE]])
  for (const name of ["cpu", "memory", "ephemeral-storage"]) {
    const [request, limit] = [requests.get(name), limits.get(name)]
    if (request !== undefined) usage.set(name, request).set(`requests.${name}`, request)
    if (limit !== undefined) usage.set(`limits.${name}`, limit)
  }
  for (const [name, request] of requests) {
    if (name.startsWith("hugepages-")) usage.set(name, request).set(`requests.${name}`, request)
    else if (isExtended(name)) usage.set(`requests.${name}`, request)
  }
  return usage
}

const endedPod = ({ metadata, status }: KubeObject, nowMs: number): boolean => {
  const { phase } = fieldsOf(status)
  if (phase === "Failed" || phase === "Succeeded") return true
  const { deletionGracePeriodSeconds: grace, deletionTimestamp } = metadata
  // A pod that should be gone by now, its node perhaps lost, is nobody's charge.
  return (
    deletionTimestamp !== undefined &&
    grace !== undefined &&
    nowMs > (parseRfc3339(deletionTimestamp) ?? 0) + grace * 1000
  )
}

const podUsage = (pod: KubeObject, nowMs: number): Amounts => {
  if (endedPod(pod, nowMs)) return new Map([["count/pods", ONE]])
  const spec = fieldsOf(pod.spec)
  return computeUsage(podAmounts(spec, "requests", true), podAmounts(spec, "limits", true)).set("count/pods", ONE)
}

const serviceUsage = ({ spec }: KubeObject): Amounts => {
  const fields = fieldsOf(spec)
  const ports = itemsOf(fields["ports"])
  const type = fields["type"]
  const balanced = type === "LoadBalancer"
  const explicit = balanced && fields["allocateLoadBalancerNodePorts"] === false
  const nodePorts = explicit
    ? ports.filter(({ nodePort }) => nodePort !== undefined && nodePort !== 0).length
    : type === "NodePort" || balanced
      ? ports.length
      : 0
  return new Map([
    ["count/services", ONE],
    ["services", ONE],
    ["services.loadbalancers", wholeQuantity(balanced ? 1 : 0)],
    ["services.nodeports", wholeQuantity(nodePorts)]
  ])
}

const claimUsage = (claim: KubeObject): Amounts => {
  const spec = fieldsOf(claim.spec)
  const usage = new Map<string, Quantity>([
    ["count/persistentvolumeclaims", ONE],
    ["persistentvolumeclaims", ONE]
  ])
  const annotated = claim.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"]
  const storageClass = annotated ?? textOf(spec["storageClassName"])
  if (storageClass !== "") usage.set(`${storageClass}${STORAGE_CLASS}persistentvolumeclaims`, ONE)
  const asked = fieldsOf(fieldsOf(spec["resources"])["requests"])["storage"]
  if (asked === undefined) return usage
  const allocated = amountOf(fieldsOf(fieldsOf(claim.status)["allocatedResources"])["storage"] ?? 0)
  const request = amountOf(asked)
  const storage = allocated.compare(request) > 0 ? allocated : request
  usage.set("requests.storage", storage)
  if (storageClass !== "") usage.set(`${storageClass}${STORAGE_CLASS}requests.storage`, storage)
  return usage
}

/** What one object uses, by the resource names of quotas; `nowMs` in milliseconds since the epoch. */
export const quotaUsage = (group: string, resource: string, object: KubeObject, nowMs: number): Amounts => {
  if (group === "" && resource === "pods") return podUsage(object, nowMs)
  if (group === "" && resource === "services") return serviceUsage(object)
  if (group === "" && resource === "persistentvolumeclaims") return claimUsage(object)
  const counted = new Map([[countName(group, resource), ONE]])
  return group === "" && ALIASES.has(resource) ? counted.set(resource, ONE) : counted
}

const isTerminating = (spec: Fields): boolean => typeof spec["activeDeadlineSeconds"] === "number"

const crossesNamespaces = (spec: Fields): boolean => {
  const affinity = fieldsOf(spec["affinity"])
  return [affinity["podAffinity"], affinity["podAntiAffinity"]].map(fieldsOf).some((rules) => {
    const required = itemsOf(rules["requiredDuringSchedulingIgnoredDuringExecution"])
    const preferred = itemsOf(rules["preferredDuringSchedulingIgnoredDuringExecution"]).map((one) =>
      fieldsOf(one["podAffinityTerm"])
    )
    return [...required, ...preferred].some(
      (term) => textsOf(term["namespaces"]).length > 0 || fieldsIn(term["namespaceSelector"]) !== undefined
    )
  })
}

const priorityMatches = (spec: Fields, requirement: Fields): boolean => {
  const name = textOf(spec["priorityClassName"])
  if (requirement["operator"] === "Exists") return name !== ""
  const expression = { key: "PriorityClass", operator: requirement["operator"], values: requirement["values"] }
  // SAFETY: a requirement of a scope selector has the shape of one of a label selector.
  const selector = labelSelectorOf({ matchExpressions: [expression] } as unknown as LabelSelectorObject)
  return selector instanceof LabelSelector && selector.matches(name === "" ? {} : { PriorityClass: name })
}

const podInScope = (spec: Fields, requirement: Fields): boolean => {
  switch (requirement["scopeName"]) {
    case "Terminating":
      return isTerminating(spec)
    case "NotTerminating":
      return !isTerminating(spec)
    case "BestEffort":
      return qosClassOf(spec) === "BestEffort"
    case "NotBestEffort":
      return qosClassOf(spec) !== "BestEffort"
    case "PriorityClass":
      return priorityMatches(spec, requirement)
    case "CrossNamespacePodAffinity":
      return crossesNamespaces(spec)
    default:
      return false
  }
}

/** Whether an object lies in every scope of a quota; quotas with scopes are about pods alone. */
export const isInScopes = (quota: KubeObject, group: string, resource: string, object: KubeObject): boolean => {
  const spec = fieldsOf(quota.spec)
  const requirements = [
    ...textsOf(spec["scopes"]).map((scopeName): Fields => ({ scopeName, operator: "Exists" })),
    ...itemsOf(fieldsOf(spec["scopeSelector"])["matchExpressions"])
  ]
  if (requirements.length === 0) return true
  if (group !== "" || resource !== "pods") return false
  const pod = fieldsOf(object.spec)
  return requirements.every((requirement) => podInScope(pod, requirement))
}

const MUST_ASK: ReadonlySet<string> = new Set([
  "cpu",
  "memory",
  "requests.cpu",
  "requests.memory",
  "limits.cpu",
  "limits.memory"
])

/** Which amounts a pod's containers must name because a quota counts them; undefined when none is missing. */
export const missingAmounts = (pod: KubeObject, names: ReadonlyArray<string>): string | undefined => {
  const spec = fieldsOf(pod.spec)
  const ofPod = fieldsOf(spec["resources"])
  if (ofPod["requests"] !== undefined || ofPod["limits"] !== undefined) return undefined
  const required = names.filter((name) => MUST_ASK.has(name)).sort()
  if (required.length === 0) return undefined
  const missing = new Map<string, Set<string>>()
  for (const container of [...itemsOf(spec["containers"]), ...itemsOf(spec["initContainers"])]) {
    const alone = { containers: [container] } as unknown as Fields
    const has = computeUsage(podAmounts(alone, "requests", false), podAmounts(alone, "limits", false))
    for (const name of required)
      if (!has.has(name)) missing.set(name, (missing.get(name) ?? new Set()).add(textOf(container["name"])))
  }
  if (missing.size === 0) return undefined
  const lines = [...missing]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, of]) => `${name} for: ${[...of].sort().join()}`)
  return `must specify ${lines.join("; ")}`
}
