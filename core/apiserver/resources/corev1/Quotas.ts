// ResourceQuotas and LimitRanges: what a namespace may use, and what each of its objects may.
// Owns their rules; refuses to count, which admission and a controller do. Source: kubernetes pkg/apis/core/validation.
import { type KubeObject, Names, Quantity } from "#kube"
import type { Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import { type Fields, fieldsOf, itemsOf, textOf, textsOf, withItems } from "../Fields.ts"
import { duplicate, forbidden, invalid, invalidEach, type Problems, required } from "../Problems.ts"
import { amountOf, checkAmount, checkContainerResource, checkQuotaResource, checkResourceName } from "../Resources.ts"

const checkAmounts = (amounts: Fields, path: string, problems: Problems): void => {
  for (const name in amounts) {
    checkQuotaResource(name, `${path}[${name}]`, problems)
    checkAmount(name, amounts[name], `${path}[${name}]`, problems)
  }
}

const POD_SCOPES: ReadonlySet<string> = new Set(["BestEffort", "NotBestEffort", "Terminating", "NotTerminating"])
const SCOPES: ReadonlySet<string> = new Set([
  ...POD_SCOPES,
  "PriorityClass",
  "CrossNamespacePodAffinity",
  "VolumeAttributesClass"
])

const PAIRS = [
  ["BestEffort", "NotBestEffort"],
  ["Terminating", "NotTerminating"]
] as const

/** Whether a scope says anything about a resource. */
const fitsScope = (scope: string, name: string): boolean => {
  if (scope === "BestEffort") return name === "pods"
  if (scope === "VolumeAttributesClass") return name === "persistentvolumeclaims" || name === "requests.storage"
  return /^(pods|(requests\.|limits\.)?(cpu|memory|ephemeral-storage)|requests\.hugepages-.*|hugepages-.*)$/.test(name)
}

const checkScopes = (spec: Fields, problems: Problems): void => {
  const scopes = textsOf(spec["scopes"])
  const names = Object.keys(fieldsOf(spec["hard"])).sort()
  const path = "spec.scopes"
  for (const scope of scopes) {
    if (!SCOPES.has(scope)) problems.push(invalid(path, scopes, "unsupported scope"))
    for (const name of names) {
      if (!name.includes("/") && !fitsScope(scope, name)) {
        problems.push(invalid(path, scopes, "unsupported scope applied to resource"))
      }
    }
  }
  for (const [one, other] of PAIRS) {
    if (scopes.includes(one) && scopes.includes(other)) problems.push(invalid(path, scopes, "conflicting scopes"))
  }
}

const MUST_EXIST =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"

const checkScopeSelector = (spec: Fields, problems: Problems): void => {
  const path = "spec.scopeSelector.matchExpressions"
  for (const one of itemsOf(fieldsOf(spec["scopeSelector"])["matchExpressions"])) {
    const scope = textOf(one["scopeName"])
    const operator = textOf(one["operator"])
    const values = textsOf(one["values"])
    if (!SCOPES.has(scope)) problems.push(invalid(`${path}.scopeName`, scope, "unsupported scope"))
    if ((POD_SCOPES.has(scope) || scope === "CrossNamespacePodAffinity") && operator !== "Exists") {
      problems.push(invalid(`${path}.operator`, operator, MUST_EXIST))
    }
    if (operator === "In" || operator === "NotIn") {
      const why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
      if (values.length === 0) problems.push(required(`${path}.values`, why))
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
      if (values.length > 0) problems.push(invalid(`${path}.values`, values, why))
    } else problems.push(invalid(`${path}.operator`, operator, "not a valid selector operator"))
  }
}

const checkQuota = (quota: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(quota.spec)
  checkAmounts(fieldsOf(spec["hard"]), "spec.hard", problems)
  checkScopes(spec, problems)
  checkScopeSelector(spec, problems)
}

const usageText = (quota: KubeObject, limits: boolean): string => {
  const hard = fieldsOf(fieldsOf(quota.status)["hard"])
  const used = fieldsOf(fieldsOf(quota.status)["used"])
  return Object.keys(hard)
    .sort()
    .filter((name) => name.startsWith("limits.") === limits)
    .map((name) => `${name}: ${amountOf(used[name]).toString()}/${amountOf(hard[name]).toString()}`)
    .join(", ")
}

/** The definition of resource quotas. */
export const resourceQuotas = (): Definition =>
  define("", "v1", "ResourceQuota", {
    check: checkQuota,
    checkUpdate: (quota, old, problems) => {
      const now = textsOf(fieldsOf(quota.spec)["scopes"])
      const before = textsOf(fieldsOf(old.spec)["scopes"])
      if ([...new Set(now)].sort().join() !== [...new Set(before)].sort().join()) {
        problems.push(invalid("spec.scopes", now.length === 0 ? null : now, "field is immutable"))
      }
    },
    status: {
      check: ({ status }, _old, problems) => {
        checkAmounts(fieldsOf(fieldsOf(status)["hard"]), "status.hard", problems)
        checkAmounts(fieldsOf(fieldsOf(status)["used"]), "status.used", problems)
      }
    },
    strategy: { returnsDeleted: true },
    columns: [
      nameColumn,
      column("Request", (quota) => usageText(quota, false)),
      column("Limit", (quota) => usageText(quota, true)),
      ageColumn
    ]
  })

const withLimitDefaults = (limit: Fields): Fields => {
  if (limit["type"] !== "Container") return limit
  const defaults = { ...fieldsOf(limit["max"]), ...fieldsOf(limit["default"]) }
  const requests = { ...fieldsOf(limit["min"]), ...defaults, ...fieldsOf(limit["defaultRequest"]) }
  return {
    ...limit,
    ...(Object.keys(defaults).length === 0 ? {} : { default: defaults }),
    ...(Object.keys(requests).length === 0 ? {} : { defaultRequest: requests })
  }
}

const limitDefaults = (draft: Draft): void => {
  const spec = withItems(fieldsOf(draft.spec), "limits", withLimitDefaults)
  if (spec !== draft.spec) draft.spec = spec
}

/** Bounds of which the first must not be greater than the second; the words stand in messages. */
const ORDERS = [
  ["min", "max", "min", "min value", "max value"],
  ["min", "defaultRequest", "defaultRequest", "min value", "default request value"],
  ["defaultRequest", "max", "defaultRequest", "default request value", "max value"],
  ["defaultRequest", "default", "defaultRequest", "default request value", "default limit value"],
  ["min", "default", "default", "min value", "default value"],
  ["default", "max", "default", "default value", "max value"]
] as const

const checkOrders = (limit: Fields, name: string, path: string, problems: Problems): void => {
  const amount = (kind: string): Quantity | undefined => {
    const value = fieldsOf(limit[kind])[name]
    return value === undefined ? undefined : amountOf(value)
  }
  for (const [low, high, at, lowWord, highWord] of ORDERS) {
    const less = amount(low)
    const more = amount(high)
    if (less === undefined || more === undefined || less.compare(more) <= 0) continue
    const shown = at === "default" && high === "max" ? more : at === "default" ? less : (amount(at) ?? less)
    const why = `${lowWord} ${less.toString()} is greater than ${highWord} ${more.toString()}`
    problems.push(invalid(`${path}.${at}[${name}]`, shown.toString(), why))
  }
  const ratio = amount("maxLimitRequestRatio")
  if (ratio !== undefined && ratio.compare(amountOf("1")) < 0) {
    const why = `ratio ${ratio.toString()} is less than 1`
    problems.push(invalid(`${path}.maxLimitRequestRatio[${name}]`, ratio.toString(), why))
  }
}

const KINDS = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] as const

const checkLimit = (limit: Fields, path: string, problems: Problems): void => {
  const type = textOf(limit["type"])
  const names = new Set<string>()
  for (const kind of KINDS) {
    const amounts = fieldsOf(limit[kind])
    if (type === "Pod" && kind.startsWith("default")) {
      if (Object.keys(amounts).length > 0) {
        problems.push(forbidden(`${path}.${kind}`, "may not be specified when `type` is 'Pod'"))
      }
      continue
    }
    for (const name in amounts) {
      names.add(name)
      const place = `${path}.${kind}[${name}]`
      if (type === "Pod" || type === "Container") checkContainerResource(name, place, problems)
      else checkResourceName(name, place, problems)
    }
  }
  const bounds = [fieldsOf(limit["min"])["storage"], fieldsOf(limit["max"])["storage"]]
  if (type === "PersistentVolumeClaim" && bounds.every((one) => one === undefined)) {
    const why = "either minimum or maximum storage value is required, but neither was provided"
    problems.push(required(`${path}.limits`, why))
  }
  for (const name of names) checkOrders(limit, name, path, problems)
}

const LIMIT_TYPES: ReadonlySet<string> = new Set(["Container", "PersistentVolumeClaim", "Pod"])

const checkLimitType = (type: string, path: string, problems: Problems): void => {
  const messages = Names.qualifiedName(type)
  invalidEach(path, type, messages, problems)
  if (messages.length === 0 && !type.includes("/") && !LIMIT_TYPES.has(type)) {
    problems.push(invalid(path, type, "must be a standard limit type or fully qualified"))
  }
}

/** The definition of limit ranges. */
export const limitRanges = (): Definition =>
  define("", "v1", "LimitRange", {
    defaults: limitDefaults,
    check: (range, problems) => {
      const seen = new Set<string>()
      itemsOf(fieldsOf(range.spec)["limits"]).forEach((limit, at) => {
        const path = `spec.limits[${at}]`
        const type = textOf(limit["type"])
        checkLimitType(type, `${path}.type`, problems)
        if (seen.has(type)) problems.push(duplicate(`${path}.type`, type))
        seen.add(type)
        checkLimit(limit, path, problems)
      })
    },
    strategy: { createOnUpdate: true },
    columns: [nameColumn, column("Created At", ({ metadata }) => metadata.creationTimestamp ?? "", "date")]
  })
