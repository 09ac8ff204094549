// Between autoscaling/v1 and autoscaling/v2: the older version has one CPU target, and keeps all else in annotations.
// Owns both ways and the annotations' texts; refuses rules and defaults. Source: kubernetes pkg/apis/autoscaling/v1/conversion.go.
import { isJsonObject, type Json, type JsonObject, type KubeObject } from "#kube"
import { type Fields, fieldsIn, fieldsOf, itemsOf, withoutField } from "../Fields.ts"
import { sourceFromOlder, sourceToOlder, statusFromOlder, statusToOlder, withoutAbsent } from "./MetricConversion.ts"

const ANNOTATIONS = {
  metrics: "autoscaling.alpha.kubernetes.io/metrics",
  statuses: "autoscaling.alpha.kubernetes.io/current-metrics",
  conditions: "autoscaling.alpha.kubernetes.io/conditions",
  behavior: "autoscaling.alpha.kubernetes.io/behavior",
  downTolerance: "autoscaling.alpha.kubernetes.io/scale-down-tolerance",
  upTolerance: "autoscaling.alpha.kubernetes.io/scale-up-tolerance"
} as const

/** What v1 means by saying nothing of any metric. */
export const DEFAULT_CPU_UTILIZATION = 80

/** As Go's encoder writes it. */
const goJson = (value: Json): string =>
  JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`)

const cpuTarget = (metric: Fields): Json | undefined => {
  const resource = fieldsOf(metric["resource"])
  return metric["type"] === "Resource" && resource["name"] === "cpu"
    ? fieldsOf(resource["target"])["averageUtilization"]
    : undefined
}

// The annotation holds Kubernetes' internal type, which spells fields as Go does.
const rulesToOlder = (value: unknown): Json => {
  const rules = fieldsIn(value)
  if (rules === undefined) return null
  const policies = itemsOf(rules["policies"]).map(({ periodSeconds, type, value: amount }) => ({
    Type: type ?? "",
    Value: amount ?? 0,
    PeriodSeconds: periodSeconds ?? 0
  }))
  return {
    StabilizationWindowSeconds: rules["stabilizationWindowSeconds"] ?? null,
    SelectPolicy: rules["selectPolicy"] ?? null,
    Policies: rules["policies"] === undefined ? null : policies,
    Tolerance: rules["tolerance"] ?? null
  }
}

const rulesFromOlder = (value: unknown): Json | undefined => {
  const rules = fieldsIn(value)
  if (rules === undefined) return undefined
  const { Policies, SelectPolicy, StabilizationWindowSeconds, Tolerance } = rules
  return withoutAbsent({
    stabilizationWindowSeconds: StabilizationWindowSeconds ?? undefined,
    selectPolicy: SelectPolicy ?? undefined,
    policies: Array.isArray(Policies)
      ? itemsOf(Policies).map((policy) => ({
          type: policy["Type"] ?? "",
          value: policy["Value"] ?? 0,
          periodSeconds: policy["PeriodSeconds"] ?? 0
        }))
      : undefined,
    tolerance: Tolerance ?? undefined
  })
}

const conditionToOlder = (condition: Fields): JsonObject => {
  const { lastTransitionTime, message, observedGeneration, reason, status, type } = condition
  const first = { type, status, lastTransitionTime: lastTransitionTime ?? null }
  return withoutAbsent({ ...first, reason: reason || undefined, message: message || undefined, observedGeneration })
}

const withoutOurs = (annotations: Readonly<Record<string, string>> = {}): Record<string, string> => {
  const others: Record<string, string> = { ...annotations }
  for (const name of Object.values(ANNOTATIONS)) delete others[name]
  return others
}

const withAnnotations = (object: KubeObject, annotations: Record<string, string>): KubeObject => {
  const { annotations: _dropped, ...metadata } = object.metadata
  const none = Object.keys(annotations).length === 0
  return { ...object, metadata: none ? metadata : { ...metadata, annotations } }
}

const statusOfOlder = (status: Fields): JsonObject => {
  const cpu = itemsOf(status["currentMetrics"])
    .filter(({ resource, type }) => type === "Resource" && fieldsOf(resource)["name"] === "cpu")
    .map(({ resource }) => fieldsOf(fieldsOf(resource)["current"])["averageUtilization"])
    .findLast((one) => one !== undefined)
  const { currentReplicas, desiredReplicas, lastScaleTime, observedGeneration } = status
  return withoutAbsent({
    observedGeneration,
    lastScaleTime,
    currentReplicas: currentReplicas ?? 0,
    desiredReplicas: desiredReplicas ?? 0,
    currentCPUUtilizationPercentage: cpu
  })
}

/** An autoscaler of v2 as v1 shows it. */
export const autoscalerToOlder = (newer: KubeObject): KubeObject => {
  const spec = fieldsOf(newer.spec)
  const status = fieldsOf(newer.status)
  const metrics = itemsOf(spec["metrics"])
  const annotations = withoutOurs(newer.metadata.annotations)
  const others = metrics.filter((metric) => cpuTarget(metric) === undefined)
  if (others.length > 0) annotations[ANNOTATIONS.metrics] = goJson(others.map(sourceToOlder))
  const statuses = itemsOf(status["currentMetrics"])
  if (statuses.length > 0) annotations[ANNOTATIONS.statuses] = goJson(statuses.map(statusToOlder))
  const behavior = fieldsIn(spec["behavior"])
  if (behavior !== undefined) {
    const both = { ScaleUp: rulesToOlder(behavior["scaleUp"]), ScaleDown: rulesToOlder(behavior["scaleDown"]) }
    annotations[ANNOTATIONS.behavior] = goJson(both)
  }
  const conditions = itemsOf(status["conditions"])
  if (conditions.length > 0) annotations[ANNOTATIONS.conditions] = goJson(conditions.map(conditionToOlder))
  const { maxReplicas, minReplicas, scaleTargetRef } = spec
  const targetCPUUtilizationPercentage = metrics.map(cpuTarget).find((one) => one !== undefined)
  return withAnnotations(
    {
      ...newer,
      spec: withoutAbsent({ scaleTargetRef, minReplicas, maxReplicas, targetCPUUtilizationPercentage }),
      ...(newer.status === undefined ? {} : { status: statusOfOlder(status) })
    },
    annotations
  )
}

const parsed = (text: string | undefined): Json | undefined => {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

const cpuMetric = (averageUtilization: Json): JsonObject => ({
  type: "Resource",
  resource: { name: "cpu", target: { type: "Utilization", averageUtilization } }
})

const metricsFromOlder = (older: KubeObject): ReadonlyArray<JsonObject> => {
  const cpu = fieldsOf(older.spec)["targetCPUUtilizationPercentage"]
  const own = cpu === undefined ? [] : [cpuMetric(cpu)]
  const others = parsed(older.metadata.annotations?.[ANNOTATIONS.metrics])
  const all = [...itemsOf(others).map(sourceFromOlder), ...own]
  return all.length === 0 ? [cpuMetric(DEFAULT_CPU_UTILIZATION)] : all
}

const behaviorFromOlder = (older: KubeObject): Json | undefined => {
  const read = parsed(older.metadata.annotations?.[ANNOTATIONS.behavior])
  if (!isJsonObject(read)) return undefined
  const both = { scaleUp: rulesFromOlder(read["ScaleUp"]), scaleDown: rulesFromOlder(read["ScaleDown"]) }
  return both.scaleUp === undefined && both.scaleDown === undefined ? undefined : withoutAbsent(both)
}

const newerStatus = (older: KubeObject): JsonObject => {
  const { currentCPUUtilizationPercentage: cpu, ...rest } = fieldsOf(older.status)
  const { annotations = {} } = older.metadata
  const statuses = parsed(annotations[ANNOTATIONS.statuses])
  const conditions = parsed(annotations[ANNOTATIONS.conditions])
  const own: JsonObject = { type: "Resource", resource: { name: "cpu", current: { averageUtilization: cpu ?? null } } }
  const currentMetrics = Array.isArray(statuses)
    ? itemsOf(statuses).map(statusFromOlder)
    : cpu === undefined
      ? undefined
      : [own]
  return withoutAbsent({
    ...rest,
    currentReplicas: rest["currentReplicas"] === 0 ? undefined : rest["currentReplicas"],
    desiredReplicas: rest["desiredReplicas"] ?? 0,
    currentMetrics: currentMetrics ?? null,
    conditions: Array.isArray(conditions) ? conditions : undefined
  })
}

/** An autoscaler of v1 as v2 has it. */
export const autoscalerFromOlder = (older: KubeObject): KubeObject => {
  const spec = withoutField(fieldsOf(older.spec), "targetCPUUtilizationPercentage")
  return withAnnotations(
    {
      ...older,
      apiVersion: "autoscaling/v2",
      spec: withoutAbsent({ ...spec, metrics: metricsFromOlder(older), behavior: behaviorFromOlder(older) }),
      ...(older.status === undefined ? {} : { status: newerStatus(older) })
    },
    withoutOurs(older.metadata.annotations)
  )
}

const STATUS_ANNOTATIONS = [ANNOTATIONS.statuses, ANNOTATIONS.conditions]
const SPEC_ANNOTATIONS = [ANNOTATIONS.metrics, ANNOTATIONS.behavior]

/** The annotations of a write in v1, where those that stand for the other half of the object stay what they were. */
export const annotationsWithout = (
  half: "spec" | "status",
  annotations: Readonly<Record<string, string>> = {},
  old: Readonly<Record<string, string>> = {}
): Record<string, string> => {
  const kept: Record<string, string> = { ...annotations }
  for (const name of half === "spec" ? SPEC_ANNOTATIONS : STATUS_ANNOTATIONS) {
    delete kept[name]
    const before = old[name]
    if (before !== undefined) kept[name] = before
  }
  return kept
}
