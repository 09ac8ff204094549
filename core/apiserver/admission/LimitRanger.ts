// LimitRanges of a namespace: requests and limits that containers get when they name none, and the least and most that are allowed.
// Owns defaulting and checks in kube-apiserver's words; refuses quotas, which sum over all pods.
import type { Json, KubeObject, Quantity } from "#kube"
import type { AdmissionPlugin, AdmissionRequest } from "../Access.ts"
import type { Api } from "../Api.ts"
import { fieldsOf, itemsOf, textOf } from "../resources/Fields.ts"
import { type Fields, isAbout, refusal, withMetadata, withSpec } from "./Plugin.ts"
import { type Amounts, amountsJson, amountsOf, podAmounts } from "./PodAmounts.ts"

const ANNOTATION = "kubernetes.io/limit-ranger"
const NONE: Amounts = new Map()

const limitsOf = (range: KubeObject, type: string): ReadonlyArray<Fields> =>
  itemsOf(fieldsOf(range.spec)["limits"]).filter((limit) => limit["type"] === type)

interface Added {
  readonly container: Fields
  readonly notes: ReadonlyArray<string>
}

const filled = (container: Fields, requests: Amounts, limits: Amounts, title: string): Added => {
  const resources = fieldsOf(container["resources"])
  const notes: Array<string> = []
  const merge = (field: "requests" | "limits", defaults: Amounts, word: string): Json => {
    const own = fieldsOf(resources[field])
    const missing = new Map([...defaults].filter(([name]) => own[name] === undefined))
    if (missing.size > 0)
      notes.push(`${[...missing.keys()].sort().join(", ")} ${word} for ${title} ${textOf(container["name"])}`)
    return { ...own, ...amountsJson(missing) }
  }
  const merged = { requests: merge("requests", requests, "request"), limits: merge("limits", limits, "limit") }
  if (notes.length === 0) return { container, notes }
  const kept = Object.fromEntries(Object.entries(merged).filter(([, list]) => Object.keys(list as object).length > 0))
  return { container: { ...container, resources: { ...resources, ...kept } }, notes }
}

const withDefaults = (object: KubeObject, range: KubeObject): KubeObject => {
  const requests = new Map<string, Quantity>()
  const limits = new Map<string, Quantity>()
  for (const limit of limitsOf(range, "Container")) {
    for (const [name, amount] of amountsOf(limit["defaultRequest"])) requests.set(name, amount)
    for (const [name, amount] of amountsOf(limit["default"])) limits.set(name, amount)
  }
  const spec = fieldsOf(object.spec)
  const notes: Array<string> = []
  const each = (field: string, title: string): Fields => {
    if (spec[field] === undefined) return {}
    const containers = itemsOf(spec[field]).map((container) => {
      const added = filled(container, requests, limits, title)
      notes.push(...added.notes)
      return added.container
    })
    return { [field]: containers }
  }
  const next = { ...spec, ...each("containers", "container"), ...each("initContainers", "init container") }
  if (notes.length === 0) return object
  const annotations = { ...object.metadata.annotations, [ANNOTATION]: `LimitRanger plugin set: ${notes.join("; ")}` }
  return withMetadata(withSpec(object, next), { annotations })
}

const minimum = (
  type: string,
  name: string,
  least: Quantity,
  requests: Amounts,
  limits: Amounts
): string | undefined => {
  const [request, limit] = [requests.get(name), limits.get(name)]
  const rule = `minimum ${name} usage per ${type} is ${least.toString()}`
  if (request === undefined) return `${rule}.  No request is specified`
  if (request.compare(least) < 0) return `${rule}, but request is ${request.toString()}`
  return limit !== undefined && limit.compare(least) < 0 ? `${rule}, but limit is ${limit.toString()}` : undefined
}

const maximum = (
  type: string,
  name: string,
  most: Quantity,
  requests: Amounts,
  limits: Amounts
): string | undefined => {
  const [request, limit] = [requests.get(name), limits.get(name)]
  const rule = `maximum ${name} usage per ${type} is ${most.toString()}`
  if (limit === undefined) return `${rule}.  No limit is specified`
  if (limit.compare(most) > 0) return `${rule}, but limit is ${limit.toString()}`
  return request !== undefined && request.compare(most) > 0
    ? `${rule}, but request is ${request.toString()}`
    : undefined
}

const maximumRequest = (type: string, name: string, most: Quantity, requests: Amounts): string | undefined => {
  const request = requests.get(name)
  const rule = `maximum ${name} usage per ${type} is ${most.toString()}`
  if (request === undefined) return `${rule}.  No request is specified`
  return request.compare(most) > 0 ? `${rule}, but request is ${request.toString()}` : undefined
}

const ratio = (type: string, name: string, most: Quantity, requests: Amounts, limits: Amounts): string | undefined => {
  const [request, limit] = [requests.get(name), limits.get(name)]
  const rule = `${name} max limit to request ratio per ${type} is ${most.toString()}`
  if (request === undefined || request.isZero) return `${rule}, but no request is specified or request is 0`
  if (limit === undefined || limit.isZero) return `${rule}, but no limit is specified or limit is 0`
  const observed = Number(limit.milliValue()) / Number(request.milliValue())
  return observed * 1000 > Number(most.milliValue())
    ? `${rule}, but provided ratio is ${observed.toFixed(6)}`
    : undefined
}

type Check = (type: string, name: string, bound: Quantity, requests: Amounts, limits: Amounts) => string | undefined

const problemsOf = (
  limit: Fields,
  checks: ReadonlyArray<readonly [string, Check]>,
  requests: Amounts,
  limits: Amounts
): ReadonlyArray<string> =>
  checks.flatMap(([field, check]) =>
    [...amountsOf(limit[field])].flatMap(([name, bound]) => {
      const problem = check(textOf(limit["type"]), name, bound, requests, limits)
      return problem === undefined ? [] : [problem]
    })
  )

const ALL: ReadonlyArray<readonly [string, Check]> = [
  ["min", minimum],
  ["max", maximum],
  ["maxLimitRequestRatio", ratio]
]
const OF_CLAIMS: ReadonlyArray<readonly [string, Check]> = [
  ["min", minimum],
  ["max", maximumRequest]
]

const podProblems = (object: KubeObject, range: KubeObject): ReadonlyArray<string> => {
  const spec = fieldsOf(object.spec)
  const containers = [...itemsOf(spec["containers"]), ...itemsOf(spec["initContainers"])]
  const ofContainers = limitsOf(range, "Container").flatMap((limit) =>
    containers.flatMap((container) => {
      const resources = fieldsOf(container["resources"])
      return problemsOf(limit, ALL, amountsOf(resources["requests"]), amountsOf(resources["limits"]))
    })
  )
  const ofPod = limitsOf(range, "Pod").flatMap((limit) =>
    problemsOf(limit, ALL, podAmounts(spec, "requests", false), podAmounts(spec, "limits", false))
  )
  return [...ofContainers, ...ofPod]
}

const claimProblems = (object: KubeObject, range: KubeObject): ReadonlyArray<string> => {
  const requests = amountsOf(fieldsOf(fieldsOf(object.spec)["resources"])["requests"])
  return limitsOf(range, "PersistentVolumeClaim").flatMap((limit) => problemsOf(limit, OF_CLAIMS, requests, NONE))
}

/** Problems joined as Kubernetes joins errors: each once, several in brackets. */
const joined = (problems: ReadonlyArray<string>): string => {
  const once = [...new Set(problems)]
  return once.length === 1 ? (once[0] ?? "") : `[${once.join(", ")}]`
}

const isPodCreate = (admission: AdmissionRequest): boolean =>
  admission.operation === "CREATE" && isAbout(admission, "", "pods")

/** LimitRanger. */
export const limitRanger = (api: Api): AdmissionPlugin => {
  const ranges = api.view("", "limitranges")
  const claims = (admission: AdmissionRequest): boolean => isAbout(admission, "", "persistentvolumeclaims")
  return {
    name: "LimitRanger",
    handles: (admission) => {
      const { operation, oldObject } = admission
      if (oldObject?.metadata.deletionTimestamp !== undefined) return false
      if (operation === "CREATE") return isAbout(admission, "", "pods") || claims(admission)
      return operation === "UPDATE" && (isAbout(admission, "", "pods", "resize") || claims(admission))
    },
    mutate: (admission, done) => {
      const { object, request } = admission
      if (object === undefined || !isPodCreate(admission)) return done({ object })
      done({ object: ranges.list(request.namespace).reduce(withDefaults, object) })
    },
    validate: (admission, done) => {
      const { object, request } = admission
      if (object === undefined) return done(undefined)
      const check = request.resource.resource === "pods" ? podProblems : claimProblems
      for (const range of ranges.list(request.namespace)) {
        const problems = check(object, range)
        if (problems.length > 0) return done(refusal(admission, joined(problems)))
      }
      done(undefined)
    }
  }
}
