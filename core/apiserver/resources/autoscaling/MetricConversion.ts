// One metric of an autoscaler, and its state, between autoscaling/v2 and the form in which autoscaling/v1 keeps it in annotations.
// Owns the fields' places in both; refuses the object around them, which AutoscalerConversion.ts has. Source: kubernetes
// pkg/apis/autoscaling/v1/conversion.go.
import type { Json, JsonObject } from "#kube"
import { type Fields, fieldsIn, fieldsOf } from "../Fields.ts"

type Part = Record<string, Json | undefined>

/** The fields that have a value. */
export const withoutAbsent = (part: Part): JsonObject =>
  Object.fromEntries(Object.entries(part).filter((entry): entry is [string, Json] => entry[1] !== undefined))

const reference = (value: unknown): JsonObject => {
  const { apiVersion, kind, name } = fieldsOf(value)
  return withoutAbsent({ kind: kind ?? "", name: name ?? "", apiVersion })
}

const usageToOlder = (source: Fields): Part => {
  const { averageUtilization, averageValue } = fieldsOf(source["target"])
  return { targetAverageUtilization: averageUtilization, targetAverageValue: averageValue }
}

/** A metric of v2 as v1 keeps it. */
export const sourceToOlder = (metric: Fields): JsonObject => {
  const { containerResource, external, object, pods, resource, type } = metric
  const part = (value: unknown, make: (source: Fields, target: Fields, named: Fields) => Part): Json | undefined => {
    const source = fieldsIn(value)
    if (source === undefined) return undefined
    return withoutAbsent(make(source, fieldsOf(source["target"]), fieldsOf(source["metric"])))
  }
  return withoutAbsent({
    type,
    object: part(object, (source, target, named) => ({
      target: reference(source["describedObject"]),
      metricName: named["name"],
      targetValue: target["value"] ?? "0",
      selector: named["selector"],
      averageValue: target["averageValue"]
    })),
    pods: part(pods, (_source, target, named) => ({
      metricName: named["name"],
      targetAverageValue: target["averageValue"] ?? "0",
      selector: named["selector"]
    })),
    resource: part(resource, (source) => ({ name: source["name"], ...usageToOlder(source) })),
    containerResource: part(containerResource, (source) => ({
      name: source["name"],
      ...usageToOlder(source),
      container: source["container"]
    })),
    external: part(external, (_source, target, named) => ({
      metricName: named["name"],
      metricSelector: named["selector"],
      targetValue: target["value"],
      targetAverageValue: target["averageValue"]
    }))
  })
}

/** The state of a metric of v2 as v1 keeps it. */
export const statusToOlder = (metric: Fields): JsonObject => {
  const { containerResource, external, object, pods, resource, type } = metric
  const part = (value: unknown, make: (source: Fields, current: Fields, named: Fields) => Part): Json | undefined => {
    const source = fieldsIn(value)
    if (source === undefined) return undefined
    return withoutAbsent(make(source, fieldsOf(source["current"]), fieldsOf(source["metric"])))
  }
  const usage = (current: Fields): Part => ({
    currentAverageUtilization: current["averageUtilization"],
    currentAverageValue: current["averageValue"] ?? "0"
  })
  return withoutAbsent({
    type: type ?? "",
    object: part(object, (source, current, named) => ({
      target: reference(source["describedObject"]),
      metricName: named["name"],
      currentValue: current["value"] ?? "0",
      selector: named["selector"],
      averageValue: current["averageValue"]
    })),
    pods: part(pods, (_source, current, named) => ({
      metricName: named["name"],
      currentAverageValue: current["averageValue"] ?? "0",
      selector: named["selector"]
    })),
    resource: part(resource, (source, current) => ({ name: source["name"], ...usage(current) })),
    containerResource: part(containerResource, (source, current) => ({
      name: source["name"],
      ...usage(current),
      container: source["container"]
    })),
    external: part(external, (_source, current, named) => ({
      metricName: named["name"],
      metricSelector: named["selector"],
      currentValue: current["value"] ?? "0",
      currentAverageValue: current["averageValue"]
    }))
  })
}

const named = (name: Json | undefined, selector: Json | undefined): JsonObject => withoutAbsent({ name, selector })

const usageFromOlder = ({ targetAverageUtilization, targetAverageValue }: Fields): JsonObject =>
  withoutAbsent({
    type: targetAverageUtilization === undefined ? "AverageValue" : "Utilization",
    averageValue: targetAverageValue,
    averageUtilization: targetAverageUtilization
  })

const isNothing = (value: Json | undefined): boolean => value === undefined || value === 0 || value === "0"

const objectTargetFromOlder = ({ averageValue, targetValue }: Fields): JsonObject =>
  averageValue === undefined
    ? { type: "Value", value: targetValue ?? "0" }
    : withoutAbsent({ type: "AverageValue", value: isNothing(targetValue) ? undefined : targetValue, averageValue })

/** A metric that v1 keeps, as v2 has it. */
export const sourceFromOlder = (metric: Fields): JsonObject => {
  const { containerResource, external, object, pods, resource, type } = metric
  const part = (value: unknown, make: (source: Fields) => JsonObject): Json | undefined => {
    const source = fieldsIn(value)
    return source === undefined ? undefined : make(source)
  }
  return withoutAbsent({
    type,
    object: part(object, (source) => ({
      describedObject: reference(source["target"]),
      target: objectTargetFromOlder(source),
      metric: named(source["metricName"], source["selector"])
    })),
    pods: part(pods, (source) => ({
      metric: named(source["metricName"], source["selector"]),
      target: { type: "AverageValue", averageValue: source["targetAverageValue"] ?? "0" }
    })),
    resource: part(resource, (source) => ({ name: source["name"] ?? "", target: usageFromOlder(source) })),
    containerResource: part(containerResource, (source) => ({
      name: source["name"] ?? "",
      target: usageFromOlder(source),
      container: source["container"] ?? ""
    })),
    external: part(external, (source) => ({
      metric: named(source["metricName"], source["metricSelector"]),
      target: withoutAbsent({
        type: source["targetValue"] === undefined ? "AverageValue" : "Value",
        value: source["targetValue"],
        averageValue: source["targetAverageValue"]
      })
    }))
  })
}

/** The older version cannot leave the value out: beside an average, none is meant by zero. */
const currentOf = (value: Json | undefined, averageValue: Json | undefined): JsonObject =>
  averageValue !== undefined && isNothing(value)
    ? { averageValue }
    : withoutAbsent({ value: value ?? "0", averageValue })

/** The state of a metric that v1 keeps, as v2 has it. */
export const statusFromOlder = (metric: Fields): JsonObject => {
  const { containerResource, external, object, pods, resource, type } = metric
  const part = (value: unknown, make: (source: Fields) => JsonObject): Json | undefined => {
    const source = fieldsIn(value)
    return source === undefined ? undefined : make(source)
  }
  const usage = ({ currentAverageUtilization, currentAverageValue }: Fields): JsonObject =>
    withoutAbsent({ averageValue: currentAverageValue ?? "0", averageUtilization: currentAverageUtilization })
  return withoutAbsent({
    type,
    object: part(object, (source) => ({
      metric: named(source["metricName"], source["selector"]),
      current: currentOf(source["currentValue"], source["averageValue"]),
      describedObject: reference(source["target"])
    })),
    pods: part(pods, (source) => ({
      metric: named(source["metricName"], source["selector"]),
      current: { averageValue: source["currentAverageValue"] ?? "0" }
    })),
    resource: part(resource, (source) => ({ name: source["name"] ?? "", current: usage(source) })),
    containerResource: part(containerResource, (source) => ({
      name: source["name"] ?? "",
      current: usage(source),
      container: source["container"] ?? ""
    })),
    external: part(external, (source) => ({
      metric: named(source["metricName"], source["metricSelector"]),
      current: currentOf(source["currentValue"], source["currentAverageValue"])
    }))
  })
}
