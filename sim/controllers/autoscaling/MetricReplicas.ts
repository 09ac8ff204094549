// One metric of an autoscaler: what it asks for, and what the status then tells of it.
// Owns the five types of metrics with their messages; the arithmetic is ReplicaCalculator.ts's. Source: kubernetes
// pkg/controller/podautoscaler/horizontal.go.
import { Effect } from "effect"
import { labelSelectorOf, milliQuantity, SelectorInvalid } from "#kube"
import { goSelector } from "../GoSelector.ts"
import { type Fields, fieldsIn, fieldsOf, numberIn, present, textOf, milliIn } from "../Parts.ts"
import { MetricProblem, type Measured, type MetricSource, type PodQuery } from "./MetricSource.ts"
import {
  averageReplicas,
  type Calculation,
  type CalculatorSettings,
  type Proposal,
  sharedReplicas,
  spreadReplicas,
  type Tolerances,
  utilizationReplicas
} from "./ReplicaCalculator.ts"

/** What metrics are asked with. */
export interface MetricAsk {
  readonly source: MetricSource
  readonly query: PodQuery
  readonly specReplicas: number
  readonly statusReplicas: number
  readonly tolerances: Tolerances
  readonly settings: CalculatorSettings
  readonly nowMs: number
}

/** A metric that could be had. */
export interface MetricAnswer {
  readonly replicas: number
  /** In messages. */
  readonly name: string
  readonly status: Fields
}

/** A metric that could not: the reason of condition and event, their message, and the message of the whole. */
export class MetricFailure {
  readonly reason: string
  readonly message: string
  readonly whole: string
  constructor(reason: string, message: string, whole: string) {
    this.reason = reason
    this.message = message
    this.whole = whole
  }
}

const quantityText = (milli: number, resource = ""): string =>
  milliQuantity(milli, resource === "memory" ? "BinarySI" : "DecimalSI").toString()

const settled = <A>(value: A | MetricProblem): Measured<A> =>
  value instanceof MetricProblem ? Effect.fail(value) : Effect.succeed(value)

const within =
  (prefix: string) =>
  <A>(measured: Measured<A>): Measured<A> =>
    Effect.mapError(measured, (problem) => problem.within(prefix))

const calculation = (ask: MetricAsk, metrics: Calculation["metrics"]): Calculation => {
  const { nowMs, query, settings, specReplicas, tolerances } = ask
  return { pods: query.pods, metrics, current: specReplicas, tolerances, settings, nowMs }
}

/** The identifier of a metric as the status repeats it. */
const identifier = (metric: Fields): Fields => present({ name: metric["name"], selector: metric["selector"] })

const selectorProblem = (labels: Fields | undefined): MetricProblem | undefined => {
  const read = labelSelectorOf(labels)
  return read instanceof SelectorInvalid ? new MetricProblem(read.message) : undefined
}

const podsMetric = (ask: MetricAsk, { metric, target }: Fields): Measured<MetricAnswer> => {
  const { name, selector } = fieldsOf(metric)
  const wanted = milliIn(fieldsOf(target)["averageValue"]) ?? 0
  const labels = fieldsIn(selector)
  return Effect.gen(function* () {
    yield* settled(selectorProblem(labels) ?? true)
    const metrics = yield* ask.source
      .pods(ask.query, textOf(name), labels)
      .pipe(within(`unable to get metric ${textOf(name)}`))
    const { replicas, usage } = yield* settled(averageReplicas(calculation(ask, metrics), wanted))
    const current = { averageValue: quantityText(usage) }
    return {
      replicas,
      name: `pods metric ${textOf(name)}`,
      status: { type: "Pods", pods: { metric: identifier(fieldsOf(metric)), current } }
    }
  })
}

const resourceUsage = (ask: MetricAsk, source: Fields, container: string): Measured<Proposal & { unit: string }> => {
  const resource = textOf(source["name"])
  const { averageUtilization, averageValue } = fieldsOf(source["target"])
  const value = milliIn(averageValue)
  const utilization = numberIn(averageUtilization)
  const unit = value === undefined ? "utilization" : "usage"
  if (value === undefined && utilization === undefined) {
    const why = "neither an average utilization target nor an average value (usage) target was set"
    return Effect.fail(new MetricProblem(`invalid resource metric source: ${why}`))
  }
  return ask.source.resource(ask.query, resource, container).pipe(
    within(`unable to get metrics for resource ${resource}`),
    Effect.flatMap((metrics) => {
      const about = calculation(ask, metrics)
      const proposal =
        value === undefined
          ? utilizationReplicas(about, utilization ?? 0, resource, container)
          : averageReplicas(about, value, resource)
      return settled(proposal instanceof MetricProblem ? proposal : { ...proposal, unit })
    }),
    within(`failed to get ${resource} ${unit}`)
  )
}

const resourceMetric = (ask: MetricAsk, source: Fields, container: string): Measured<MetricAnswer> =>
  Effect.map(resourceUsage(ask, source, container), ({ replicas, unit, usage, utilization }) => {
    const resource = textOf(source["name"])
    const kind = container === "" ? "resource" : "container resource"
    const current = present({ averageUtilization: utilization, averageValue: quantityText(usage, resource) })
    const name = unit === "usage" ? `${resource} resource` : `${resource} ${kind} utilization (percentage of request)`
    return {
      replicas,
      name,
      status:
        container === ""
          ? { type: "Resource", resource: { name: resource, current } }
          : { type: "ContainerResource", containerResource: { name: resource, container, current } }
    }
  })

const isSpread = (source: Fields): boolean => fieldsOf(source["target"])["averageValue"] !== undefined

/** A value that all pods share, or that is spread over them. */
const valueReplicas = (ask: MetricAsk, usage: number, target: Fields, spread: boolean): Proposal | MetricProblem => {
  const { query, specReplicas, statusReplicas, tolerances } = ask
  if (spread) return spreadReplicas(usage, milliIn(target["averageValue"]) ?? 0, statusReplicas, tolerances)
  const ratio = usage / (milliIn(target["value"]) ?? 0)
  const replicas = sharedReplicas(query.pods, specReplicas, ratio, tolerances)
  return replicas instanceof MetricProblem ? replicas : { replicas, usage }
}

const objectMetric = (ask: MetricAsk, source: Fields): Measured<MetricAnswer> => {
  const metric = fieldsOf(source["metric"])
  const target = fieldsOf(source["target"])
  const reference = fieldsOf(source["describedObject"])
  const [name, kind] = [textOf(metric["name"]), textOf(reference["kind"])]
  const { namespace } = ask.query
  const isShared = target["type"] === "Value" && target["value"] !== undefined
  const spread = target["type"] === "AverageValue" && target["averageValue"] !== undefined
  const labels = fieldsIn(metric["selector"])
  return Effect.gen(function* () {
    yield* settled(selectorProblem(labels) ?? true)
    if (!isShared && !spread) {
      const why = "invalid object metric source: neither a value target nor an average value target was set"
      return yield* Effect.fail(new MetricProblem(why))
    }
    const usage = yield* ask.source
      .object(namespace, reference, name, labels)
      .pipe(within(`unable to get metric ${name} on ${kind} ${namespace}/${textOf(reference["name"])}`))
    const proposal = yield* settled(valueReplicas(ask, usage, target, spread))
    const text = quantityText(proposal.usage)
    const status = {
      metric: identifier(metric),
      current: spread ? { averageValue: text } : { value: text },
      describedObject: reference
    }
    return {
      replicas: proposal.replicas,
      name: spread ? `external metric ${name}(${goSelector(labels)})` : `${kind} metric ${name}`,
      status: { type: "Object", object: status }
    }
  })
}

const externalMetric = (ask: MetricAsk, source: Fields): Measured<MetricAnswer> => {
  const metric = fieldsOf(source["metric"])
  const target = fieldsOf(source["target"])
  const name = textOf(metric["name"])
  const labels = fieldsIn(metric["selector"])
  const { namespace } = ask.query
  const spread = isSpread(source)
  if (!spread && target["value"] === undefined) {
    const why = "invalid external metric source: neither a value target nor an average value target was set"
    return Effect.fail(new MetricProblem(why))
  }
  return Effect.gen(function* () {
    yield* settled(selectorProblem(labels) ?? true)
    const values = yield* ask.source
      .external(namespace, name, labels)
      .pipe(within(`unable to get external metric ${namespace}/${name}/${goSelector(labels)}`))
    const usage = values.reduce((sum, value) => sum + value, 0)
    const proposal = yield* settled(valueReplicas(ask, usage, target, spread))
    const text = quantityText(proposal.usage)
    const current = spread ? { averageValue: text } : { value: text }
    return {
      replicas: proposal.replicas,
      name: `external metric ${name}(${goSelector(labels)})`,
      status: { type: "External", external: { metric: identifier(metric), current } }
    }
  })
}

interface Asking {
  readonly reason: string
  /** What upstream's error has before the message that event and condition show. */
  readonly prefix: string
  readonly measured: Measured<MetricAnswer>
}

const objectAsking = (ask: MetricAsk, source: Fields): Asking => {
  const name = textOf(fieldsOf(source["metric"])["name"])
  const inner = isSpread(source) ? `: failed to get ${name} object metric` : ""
  return {
    reason: "FailedGetObjectMetric",
    prefix: `failed to get object metric value${inner}`,
    measured: objectMetric(ask, source)
  }
}

const externalAsking = (ask: MetricAsk, source: Fields): Asking => {
  const name = textOf(fieldsOf(source["metric"])["name"])
  const inner = isSpread(source) ? `failed to get ${name} external metric` : `failed to get external metric ${name}`
  return {
    reason: "FailedGetExternalMetric",
    prefix: `failed to get ${name} external metric value: ${inner}`,
    measured: externalMetric(ask, source)
  }
}

const asking = (ask: MetricAsk, spec: Fields): Asking => {
  const part = (field: string): Fields => fieldsOf(spec[field])
  switch (spec["type"]) {
    case "Object":
      return objectAsking(ask, part("object"))
    case "External":
      return externalAsking(ask, part("external"))
    case "Pods":
      return {
        reason: "FailedGetPodsMetric",
        prefix: "failed to get pods metric value",
        measured: podsMetric(ask, part("pods"))
      }
    case "Resource": {
      const source = part("resource")
      const prefix = `failed to get ${textOf(source["name"])} resource metric value`
      return { reason: "FailedGetResourceMetric", prefix, measured: resourceMetric(ask, source, "") }
    }
    case "ContainerResource": {
      const source = part("containerResource")
      const container = textOf(source["container"])
      const prefix = `failed to get ${container} container metric value`
      return { reason: "FailedGetContainerResourceMetric", prefix, measured: resourceMetric(ask, source, container) }
    }
    default: {
      const problem = new MetricProblem(`unknown metric source type ${JSON.stringify(textOf(spec["type"]))}`)
      return { reason: "InvalidMetricSourceType", prefix: "", measured: Effect.fail(problem) }
    }
  }
}

/** Asks for one metric. */
export const askMetric = (ask: MetricAsk, spec: Fields): Effect.Effect<MetricAnswer, MetricFailure> => {
  const { measured, prefix, reason } = asking(ask, spec)
  return Effect.mapError(
    measured,
    ({ message }) => new MetricFailure(reason, message, prefix === "" ? message : `${prefix}: ${message}`)
  )
}
