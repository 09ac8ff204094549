// Amounts of resources: which names they may have, and what limits and requests must satisfy together.
// Owns these rules for containers, pods, claims and quotas; refuses quantities' arithmetic, which #kube has.
// Source: kubernetes pkg/apis/core/validation and pkg/apis/core/helper.
import { Names, Quantity, quantityOf } from "#kube"
import { type Fields, fieldsIn, fieldsOf, itemsOf, textOf } from "./Fields.ts"
import {
  duplicate,
  forbidden,
  invalid,
  invalidEach,
  NOT_NEGATIVE,
  notFound,
  type Problems,
  required
} from "./Problems.ts"

const CONTAINER_RESOURCES: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"])

const COUNTED: ReadonlyArray<string> = [
  "pods",
  "services",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers"
]

const QUOTA_RESOURCES: ReadonlySet<string> = new Set([
  "cpu",
  "memory",
  "ephemeral-storage",
  "requests.cpu",
  "requests.memory",
  "requests.storage",
  "requests.ephemeral-storage",
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage",
  ...COUNTED
])

const STANDARD_RESOURCES: ReadonlySet<string> = new Set([...QUOTA_RESOURCES, "storage"])

/** Those that are counted in whole units only. */
const WHOLE: ReadonlySet<string> = new Set(COUNTED)

const HUGE_PAGES = "hugepages-"

/** Whether a resource is of huge pages. */
export const isHugePages = (name: string): boolean => name.startsWith(HUGE_PAGES)

/** Whether a resource is Kubernetes' own: without a domain, or in one of kubernetes.io. */
export const isNative = (name: string): boolean => !name.includes("/") || name.includes("kubernetes.io/")

/** Whether a resource is of a vendor, like "example.com/gpu". */
export const isExtended = (name: string): boolean =>
  !isNative(name) && !name.startsWith("requests.") && Names.qualifiedName(`requests.${name}`).length === 0

/** A value as a quantity; zero when it is none, which the schema's check has said already. */
export const amountOf = (value: unknown): Quantity => {
  const read = typeof value === "string" || typeof value === "number" ? quantityOf(value) : undefined
  return read instanceof Quantity ? read : ZERO
}

const ZERO = new Quantity(0, 0, "DecimalSI")

/** Checks the name of a resource: a standard one, or one with a domain. */
export const checkResourceName = (name: string, path: string, problems: Problems): boolean => {
  const messages = Names.qualifiedName(name)
  invalidEach(path, name, messages, problems)
  if (messages.length > 0) return false
  if (!name.includes("/") && !STANDARD_RESOURCES.has(name) && !isHugePages(name)) {
    problems.push(invalid(path, name, "must be a standard resource type or fully qualified"))
    return false
  }
  return true
}

/** Checks the name of a resource of a container. */
export const checkContainerResource = (name: string, path: string, problems: Problems): void => {
  checkResourceName(name, path, problems)
  if (!name.includes("/")) {
    if (!CONTAINER_RESOURCES.has(name) && !isHugePages(name)) {
      problems.push(invalid(path, name, "must be a standard resource for containers"))
    }
  } else if (!isNative(name) && !isExtended(name)) {
    problems.push(invalid(path, name, "doesn't follow extended resource name standard"))
  }
}

const isObjectCount = (name: string): boolean => name.startsWith("count/")

/** Checks the name of a resource of a quota. */
export const checkQuotaResource = (name: string, path: string, problems: Problems): void => {
  checkResourceName(name, path, problems)
  if (
    !name.includes("/") &&
    !QUOTA_RESOURCES.has(name) &&
    !isHugePages(name) &&
    !name.startsWith("requests.hugepages-")
  ) {
    problems.push(invalid(path, name, "must be a standard resource for quota"))
  }
}

/** Checks an amount: not negative, and whole where it is counted. */
export const checkAmount = (name: string, value: unknown, path: string, problems: Problems): void => {
  const amount = amountOf(value)
  if (amount.sign < 0) problems.push(invalid(path, amount.toString(), NOT_NEGATIVE))
  if (isWhole(name) && Number(amount.milliValue()) % 1000 !== 0) {
    problems.push(invalid(path, amount.toString(), "must be an integer"))
  }
}

const isWhole = (name: string): boolean => WHOLE.has(name) || isObjectCount(name) || isExtended(name)

const mayOvercommit = (name: string): boolean => isNative(name) && !isHugePages(name)

const isCompute = (name: string): boolean => name === "cpu" || name === "memory"

const checkHugePages = (name: string, value: unknown, path: string, problems: Problems): void => {
  if (!isHugePages(name)) return
  const page = amountOf(name.slice(HUGE_PAGES.length))
  const amount = amountOf(value)
  if (page.isZero || BigInt(amount.value()) % BigInt(page.value()) !== 0n) {
    problems.push(invalid(path, amount.toString(), `${amount.toString()} is not positive integer multiple of ${name}`))
  }
}

const checkRequest = (name: string, request: unknown, limits: Fields, path: string, problems: Problems): void => {
  const limit = limits[name]
  if (limit === undefined) {
    if (!mayOvercommit(name)) {
      problems.push(required(`${path}.limits`, "Limit must be set for non overcommitable resources"))
    }
    return
  }
  if (limit === request) return
  const asked = amountOf(request)
  const most = amountOf(limit)
  const order = asked.compare(most)
  if (order !== 0 && !mayOvercommit(name)) {
    const why = `must be equal to ${name} limit of ${most.toString()}`
    problems.push(invalid(`${path}.requests`, asked.toString(), why))
  } else if (order > 0) {
    const why = `must be less than or equal to ${name} limit of ${most.toString()}`
    problems.push(invalid(`${path}.requests`, asked.toString(), why))
  }
}

/** Checks the names of the claims that a container uses against those of its pod. */
const checkClaims = (claims: ReadonlyArray<Fields>, ofPod: ReadonlySet<string>, path: string, problems: Problems) => {
  const seen = new Set<string>()
  claims.forEach((claim, at) => {
    const name = textOf(claim["name"])
    const request = textOf(claim["request"])
    const key = request === "" ? name : `${name}/${request}`
    if (name === "") return problems.push(required(`${path}[${at}]`))
    if (seen.has(name) || seen.has(key)) problems.push(duplicate(`${path}[${at}]`, seen.has(name) ? name : key))
    seen.add(key)
    if (ofPod.has(name)) return undefined
    const names = ofPod.size === 0 ? " which is empty" : `: ${[...ofPod].sort().join(", ")}`
    return problems.push(
      notFound(`${path}[${at}]`, name, `must be one of the names in pod.spec.resourceClaims${names}`)
    )
  })
}

/** Checks the limits and requests of a container. */
export const checkRequirements = (
  resources: Fields,
  claimsOfPod: ReadonlySet<string>,
  path: string,
  problems: Problems
): void => {
  const limits = fieldsOf(resources["limits"])
  const requests = fieldsOf(resources["requests"])
  let compute = false
  let huge = false
  for (const name in limits) {
    const at = `${path}.limits[${name}]`
    checkContainerResource(name, at, problems)
    checkAmount(name, limits[name], at, problems)
    checkHugePages(name, limits[name], at, problems)
    compute ||= isCompute(name)
    huge ||= isHugePages(name)
  }
  for (const name in requests) {
    const at = `${path}.requests[${name}]`
    checkContainerResource(name, at, problems)
    checkAmount(name, requests[name], at, problems)
    checkRequest(name, requests[name], limits, path, problems)
    checkHugePages(name, requests[name], at, problems)
    compute ||= isCompute(name)
    huge ||= isHugePages(name)
  }
  if (huge && !compute) problems.push(forbidden(path, "HugePages require cpu or memory"))
  if (resources["claims"] !== undefined)
    checkClaims(itemsOf(resources["claims"]), claimsOfPod, `${path}.claims`, problems)
}

/** The quality of service of a pod: from its own resources where it has them, else from all its containers. */
export const qosClassOf = (spec: Fields): "Guaranteed" | "Burstable" | "BestEffort" => {
  const own = fieldsIn(spec["resources"])
  const holders =
    own !== undefined && Object.keys({ ...fieldsOf(own["limits"]), ...fieldsOf(own["requests"]) }).length > 0
      ? [own]
      : [...itemsOf(spec["containers"]), ...itemsOf(spec["initContainers"])].map((one) => fieldsOf(one["resources"]))
  let any = false
  let guaranteed = true
  for (const { limits, requests } of holders) {
    for (const name of ["cpu", "memory"]) {
      const limit = fieldsOf(limits)[name]
      const request = fieldsOf(requests)[name]
      const hasLimit = limit !== undefined && amountOf(limit).sign > 0
      const hasRequest = request !== undefined && amountOf(request).sign > 0
      any ||= hasLimit || hasRequest
      if (!hasLimit || (hasRequest && limit !== request && amountOf(limit).compare(amountOf(request)) !== 0)) {
        guaranteed = false
      }
    }
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable"
}
