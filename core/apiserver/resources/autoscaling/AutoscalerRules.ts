// What a HorizontalPodAutoscaler may say: bounds, the reference to what it scales, metrics and behaviour.
// Owns these rules on the form of autoscaling/v2; refuses defaults and conversion. Source: kubernetes
// pkg/apis/autoscaling/validation.
import { type KubeObject, Names, quantityOf, QuantityInvalid } from "#kube"
import { type Fields, fieldsIn, fieldsOf, isZero, itemsOf, numberIn, numberOf, textOf } from "../Fields.ts"
import { forbidden, invalid, invalidEach, notNegative, notSupported, type Problems, required } from "../Problems.ts"

const MAX_PERIOD_SECONDS = 1800
const MAX_WINDOW_SECONDS = 3600

/** How strict the reference to another object is about its API version. */
interface ReferenceRule {
  readonly anyVersion: boolean
  readonly coreGroup: boolean
}

const pathSegment = (field: string, value: unknown, missing: string, problems: Problems): void => {
  const text = textOf(value)
  if (text === "") problems.push(required(field, missing))
  else invalidEach(field, text, Names.pathSegment(text), problems)
}

const versionProblem = (version: string, { anyVersion, coreGroup }: ReferenceRule): string | undefined => {
  if (anyVersion) return undefined
  const slashes = version.split("/").length - 1
  if (slashes > 1) return `unexpected GroupVersion string: ${version}`
  const isCore = slashes === 0 || version.startsWith("/")
  return isCore && !coreGroup ? "apiVersion must specify API group" : undefined
}

const checkReference = (reference: Fields, path: string, rule: ReferenceRule, problems: Problems): void => {
  pathSegment(`${path}.kind`, reference["kind"], "", problems)
  pathSegment(`${path}.name`, reference["name"], "", problems)
  const version = textOf(reference["apiVersion"])
  const why = versionProblem(version, rule)
  if (why !== undefined) problems.push(invalid(`${path}.apiVersion`, version, why))
}

const checkPositive = (value: unknown, path: string, problems: Problems): void => {
  if (typeof value !== "string" && typeof value !== "number") return
  const quantity = quantityOf(value)
  if (quantity instanceof QuantityInvalid || quantity.sign === 1) return
  problems.push(invalid(path, quantity.toString(), "must be positive"))
}

const TARGET_TYPES: ReadonlySet<string> = new Set(["Utilization", "Value", "AverageValue"])

const checkTarget = (target: Fields, path: string, problems: Problems): void => {
  const type = textOf(target["type"])
  if (type === "") problems.push(required(`${path}.type`, "must specify a metric target type"))
  if (!TARGET_TYPES.has(type)) {
    problems.push(invalid(`${path}.type`, type, "must be either Utilization, Value, or AverageValue"))
  }
  checkPositive(target["value"], `${path}.value`, problems)
  checkPositive(target["averageValue"], `${path}.averageValue`, problems)
  const utilization = numberIn(target["averageUtilization"])
  if (utilization !== undefined && utilization < 1) {
    problems.push(invalid(`${path}.averageUtilization`, utilization, "must be greater than 0"))
  }
}

const checkIdentifier = (metric: Fields, path: string, problems: Problems): void =>
  pathSegment(`${path}.name`, metric["name"], "must specify a metric name", problems)

const checkNamedTarget = (source: Fields, path: string, problems: Problems): void => {
  checkIdentifier(fieldsOf(source["metric"]), `${path}.metric`, problems)
  checkTarget(fieldsOf(source["target"]), `${path}.target`, problems)
}

type SourceCheck = (source: Fields, path: string, objectRule: ReferenceRule, problems: Problems) => void

const checkObjectSource: SourceCheck = (source, path, rule, problems) => {
  checkReference(fieldsOf(source["describedObject"]), `${path}.describedObject`, rule, problems)
  checkNamedTarget(source, path, problems)
  const target = fieldsOf(source["target"])
  if (target["value"] === undefined && target["averageValue"] === undefined) {
    problems.push(required(`${path}.target.averageValue`, "must set either a target value or averageValue"))
  }
}

const checkExternalSource: SourceCheck = (source, path, _rule, problems) => {
  checkNamedTarget(source, path, problems)
  const { averageValue, value } = fieldsOf(source["target"])
  if (value === undefined && averageValue === undefined) {
    const why = "must set either a target value for metric or a per-pod target"
    problems.push(required(`${path}.target.averageValue`, why))
  }
  if (value !== undefined && averageValue !== undefined) {
    const why = "may not set both a target value for metric and a per-pod target"
    problems.push(forbidden(`${path}.target.value`, why))
  }
}

const checkPodsSource: SourceCheck = (source, path, _rule, problems) => {
  checkNamedTarget(source, path, problems)
  if (fieldsOf(source["target"])["averageValue"] === undefined) {
    problems.push(required(`${path}.target.averageValue`, "must specify a positive target averageValue"))
  }
}

const checkUsage = (source: Fields, path: string, problems: Problems): void => {
  const target = fieldsOf(source["target"])
  checkTarget(target, `${path}.target`, problems)
  const { averageUtilization, averageValue } = target
  if (averageUtilization === undefined && averageValue === undefined) {
    const why = "must set either a target raw value or a target utilization"
    problems.push(required(`${path}.target.averageUtilization`, why))
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    const why = "may not set both a target raw value and a target utilization"
    problems.push(forbidden(`${path}.target.averageValue`, why))
  }
}

const checkResourceSource: SourceCheck = (source, path, _rule, problems) => {
  if (textOf(source["name"]) === "") problems.push(required(`${path}.name`, "must specify a resource name"))
  checkUsage(source, path, problems)
}

const checkContainerSource: SourceCheck = (source, path, _rule, problems) => {
  if (textOf(source["name"]) === "") problems.push(required(`${path}.name`, "must specify a resource name"))
  const container = textOf(source["container"])
  if (container === "") problems.push(required(`${path}.container`, "must specify a container"))
  else invalidEach(`${path}.container`, container, Names.dnsLabel(container), problems)
  checkUsage(source, path, problems)
}

/** The types of metrics, with the field where each keeps its source, in the order in which they are looked at. */
const SOURCES: ReadonlyArray<readonly [type: string, field: string, check: SourceCheck]> = [
  ["Object", "object", checkObjectSource],
  ["External", "external", checkExternalSource],
  ["Pods", "pods", checkPodsSource],
  ["Resource", "resource", checkResourceSource],
  ["ContainerResource", "containerResource", checkContainerSource]
]

const TYPES = ["ContainerResource", "External", "Object", "Pods", "Resource"]

const checkMetric = (metric: Fields, path: string, rule: ReferenceRule, problems: Problems): void => {
  const type = textOf(metric["type"])
  if (type === "") problems.push(required(`${path}.type`, "must specify a metric source type"))
  if (!TYPES.includes(type)) problems.push(notSupported(`${path}.type`, type, TYPES))
  const present = SOURCES.filter(([, field]) => fieldsIn(metric[field]) !== undefined)
  const [first] = present
  if (first !== undefined) first[2](fieldsOf(metric[first[1]]), `${path}.${first[1]}`, rule, problems)
  const expected = SOURCES.find(([known]) => known === type)?.[1]
  if (expected !== undefined && fieldsIn(metric[expected]) === undefined) {
    problems.push(required(`${path}.${expected}`, "must populate information for the given metric source"))
  }
  if (present.length === 1) return
  for (const [, field] of present) {
    if (field !== expected) {
      problems.push(forbidden(`${path}.${field}`, "must populate the given metric source only"))
    }
  }
}

const checkPolicy = (policy: Fields, path: string, problems: Problems): void => {
  const type = textOf(policy["type"])
  if (type !== "Pods" && type !== "Percent") problems.push(notSupported(`${path}.type`, type, ["Percent", "Pods"]))
  for (const field of ["value", "periodSeconds"]) {
    const value = numberOf(policy[field])
    if (value <= 0) problems.push(invalid(`${path}.${field}`, value, "must be greater than zero"))
  }
  const period = numberOf(policy["periodSeconds"])
  if (period > MAX_PERIOD_SECONDS) {
    problems.push(invalid(`${path}.periodSeconds`, period, `must be less than or equal to ${MAX_PERIOD_SECONDS}`))
  }
}

const checkRules = (value: unknown, path: string, problems: Problems): void => {
  const rules = fieldsIn(value)
  if (rules === undefined) return
  const window = numberIn(rules["stabilizationWindowSeconds"])
  const field = `${path}.stabilizationWindowSeconds`
  if (window !== undefined && window < 0) {
    problems.push(invalid(field, window, "must be greater than or equal to zero"))
  } else if (window !== undefined && window > MAX_WINDOW_SECONDS) {
    problems.push(invalid(field, window, `must be less than or equal to ${MAX_WINDOW_SECONDS}`))
  }
  const select = rules["selectPolicy"]
  const choices = ["Disabled", "Max", "Min"]
  if (select !== undefined && !choices.includes(textOf(select))) {
    problems.push(notSupported(`${path}.selectPolicy`, textOf(select), choices))
  }
  const policies = itemsOf(rules["policies"])
  if (policies.length === 0) problems.push(required(`${path}.policies`, "must specify at least one Policy"))
  policies.forEach((policy, at) => checkPolicy(policy, `${path}.policies[${at}]`, problems))
  const tolerance = rules["tolerance"]
  const read = typeof tolerance === "string" || typeof tolerance === "number" ? quantityOf(tolerance) : undefined
  if (read !== undefined && !(read instanceof QuantityInvalid) && read.sign < 0) {
    problems.push(invalid(`${path}.tolerance`, read.toString(), "must be greater than or equal to 0"))
  }
}

const checkBounds = (spec: Fields, problems: Problems): void => {
  const least = numberIn(spec["minReplicas"])
  const most = numberOf(spec["maxReplicas"])
  notNegative("spec.minReplicas", least, problems)
  if (most < 0) problems.push(invalid("spec.maxReplicas", most, "must be greater than or equal to 1"))
  if (least !== undefined && most < least) {
    problems.push(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
  }
}

const targetRule = (spec: Fields, old: Fields | undefined): ReferenceRule => {
  const reference = fieldsOf(spec["scaleTargetRef"])
  const before = fieldsOf(old?.["scaleTargetRef"])
  const isKept =
    old !== undefined &&
    textOf(reference["apiVersion"]) === textOf(before["apiVersion"]) &&
    reference["kind"] === before["kind"]
  return { anyVersion: isKept, coreGroup: reference["kind"] === "ReplicationController" }
}

/** What was already admitted with a broken version may stay. */
const objectRule = (old: Fields | undefined): ReferenceRule => {
  const rule = { anyVersion: false, coreGroup: true }
  const isBroken = ({ object, type }: Fields): boolean =>
    type === "Object" &&
    versionProblem(textOf(fieldsOf(fieldsOf(object)["describedObject"])["apiVersion"]), rule) !== undefined
  return { ...rule, anyVersion: old !== undefined && itemsOf(old["metrics"]).some(isBroken) }
}

/** Checks a HorizontalPodAutoscaler of autoscaling/v2, against the one it replaces where there is one. */
export const checkAutoscaler = (autoscaler: KubeObject, old: KubeObject | undefined, problems: Problems): void => {
  const spec = fieldsOf(autoscaler.spec)
  const before = old === undefined ? undefined : fieldsOf(old.spec)
  checkBounds(spec, problems)
  checkReference(fieldsOf(spec["scaleTargetRef"]), "spec.scaleTargetRef", targetRule(spec, before), problems)
  const metrics = itemsOf(spec["metrics"])
  const rule = objectRule(before)
  metrics.forEach((metric, at) => checkMetric(metric, `spec.metrics[${at}]`, rule, problems))
  const wakes = metrics.some(({ type }) => type === "Object" || type === "External")
  if (spec["minReplicas"] === 0 && !wakes) {
    const why = "must specify at least one Object or External metric to support scaling to zero replicas"
    problems.push(forbidden("spec.metrics", why))
  }
  const behavior = fieldsOf(spec["behavior"])
  checkRules(behavior["scaleUp"], "spec.behavior.scaleUp", problems)
  checkRules(behavior["scaleDown"], "spec.behavior.scaleDown", problems)
  if (numberOf(spec["maxReplicas"]) === 0) problems.push(required("spec.maxReplicas"))
}

/** Checks the status of a HorizontalPodAutoscaler. */
export const checkAutoscalerStatus = ({ status }: KubeObject, problems: Problems): void => {
  const given = fieldsOf(status)
  itemsOf(given["conditions"]).forEach((condition, at) => {
    if (isZero(condition["observedGeneration"])) return
    notNegative(`status.conditions[${at}].observedGeneration`, condition["observedGeneration"], problems)
  })
  for (const field of ["currentReplicas", "desiredReplicas"]) notNegative(`status.${field}`, given[field], problems)
}
