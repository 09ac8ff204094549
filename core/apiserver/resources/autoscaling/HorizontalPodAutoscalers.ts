// HorizontalPodAutoscalers: how many replicas a workload shall have, by what is measured. Two versions, stored as the newer one.
// Owns their defaults, strategies and columns; refuses to scale anything. Source: kubernetes pkg/apis/autoscaling,
// pkg/registry/autoscaling.
import { type Json, type KubeObject, quantityOf, QuantityInvalid, sameJson } from "#kube"
import type { Column, Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import {
  defaulted,
  type Fields,
  fieldsIn,
  fieldsOf,
  itemsOf,
  numberOf,
  textOf,
  withField,
  withItems,
  withPart
} from "../Fields.ts"
import type { Problems } from "../Problems.ts"
import {
  annotationsWithout,
  autoscalerFromOlder,
  autoscalerToOlder,
  DEFAULT_CPU_UTILIZATION
} from "./AutoscalerConversion.ts"
import { checkAutoscaler, checkAutoscalerStatus } from "./AutoscalerRules.ts"

const percent = { type: "Percent", value: 100, periodSeconds: 15 }
const UP: Fields = {
  stabilizationWindowSeconds: 0,
  selectPolicy: "Max",
  policies: [{ type: "Pods", value: 4, periodSeconds: 15 }, percent]
}
/** The window is the controller's to say. */
const DOWN: Fields = { selectPolicy: "Max", policies: [percent] }

const CPU: Json = [
  {
    type: "Resource",
    resource: { name: "cpu", target: { type: "Utilization", averageUtilization: DEFAULT_CPU_UTILIZATION } }
  }
]

const canonical = (fields: Fields, names: ReadonlyArray<string>): Fields => {
  let changed = fields
  for (const name of names) {
    const value = fields[name]
    if (typeof value === "string" || typeof value === "number") changed = withField(changed, name, amount(value))
  }
  return changed
}

/** Metrics with their quantities as Kubernetes writes them; these stand in a part of that name in each metric's source. */
const withQuantities =
  (part: "target" | "current") =>
  (metric: Fields): Fields => {
    let changed = metric
    for (const field of Object.values(FIELDS)) {
      changed = withPart(changed, field, (source) => withPart(source, part, (amounts) => canonical(amounts, AMOUNTS)))
    }
    return changed
  }

const AMOUNTS = ["value", "averageValue"]

const rulesOf = (rules: Json | undefined, usual: Fields): Fields =>
  canonical(defaulted(fieldsOf(rules), usual), ["tolerance"])

const withBehavior = (spec: Fields): Fields => {
  const behavior = fieldsIn(spec["behavior"])
  if (behavior === undefined) return spec
  const scaleUp = rulesOf(behavior["scaleUp"], UP)
  const scaleDown = rulesOf(behavior["scaleDown"], DOWN)
  return withField(spec, "behavior", withField(withField(behavior, "scaleUp", scaleUp), "scaleDown", scaleDown))
}

const withDefaults = (spec: Fields): Fields => {
  const bounded = defaulted(spec, { minReplicas: 1 })
  const measured = itemsOf(bounded["metrics"]).length === 0 ? withField(bounded, "metrics", CPU) : bounded
  return withBehavior(withItems(measured, "metrics", withQuantities("target")))
}

const defaults = (draft: Draft): void => {
  draft.spec = withDefaults(fieldsOf(draft.spec))
}

/** Where the older version keeps what it has no fields for. */
const METRICS_ANNOTATION = "autoscaling.alpha.kubernetes.io/metrics"

const olderDefaults = (draft: Draft): void => {
  const measured = draft.metadata.annotations?.[METRICS_ANNOTATION] !== undefined
  draft.spec = defaulted(fieldsOf(draft.spec), {
    minReplicas: 1,
    ...(measured ? {} : { targetCPUUtilizationPercentage: 80 })
  })
}

const fromOlder = (older: KubeObject): KubeObject => {
  const newer = autoscalerFromOlder(older)
  return { ...newer, spec: withDefaults(fieldsOf(newer.spec)) }
}

const amount = (value: unknown): string => {
  if (typeof value !== "string" && typeof value !== "number") return ""
  const read = quantityOf(value)
  return read instanceof QuantityInvalid ? String(value) : read.toString()
}

const UNKNOWN = "<unknown>"

/** Of a metric that counts: the value, or the average over pods where that is the target. */
const countedText = (target: Fields, state: Fields | undefined, field: string): string => {
  const wanted = target[field]
  const found = state === undefined ? undefined : fieldsOf(state["current"])[field]
  return `${found === undefined ? UNKNOWN : amount(found)}/${amount(wanted)}`
}

const valueText = (target: Fields, state: Fields | undefined): string =>
  target["averageValue"] === undefined
    ? countedText(target, state, "value")
    : `${countedText(target, state, "averageValue")} (avg)`

const usageText = (source: Fields, state: Fields | undefined): string => {
  const target = fieldsOf(source["target"])
  const name = textOf(source["name"])
  if (target["averageValue"] !== undefined) return `${name}: ${countedText(target, state, "averageValue")}`
  const found = fieldsOf(state?.["current"])["averageUtilization"]
  const wanted = target["averageUtilization"]
  const current = found === undefined ? UNKNOWN : `${numberOf(found)}%`
  return `${name}: ${current}/${wanted === undefined ? "<auto>" : `${numberOf(wanted)}%`}`
}

const FIELDS: Readonly<Record<string, string>> = {
  External: "external",
  Pods: "pods",
  Object: "object",
  Resource: "resource",
  ContainerResource: "containerResource"
}

const metricText = (metric: Fields, state: Fields | undefined): string => {
  const type = textOf(metric["type"])
  const field = FIELDS[type]
  if (field === undefined) return "<unknown type>"
  const source = fieldsOf(metric[field])
  const found = fieldsIn(state?.[field])
  const target = fieldsOf(source["target"])
  if (type === "External" || type === "Object") return valueText(target, found)
  return type === "Pods" ? countedText(target, found, "averageValue") : usageText(source, found)
}

const SHOWN = 2

const targetsText = ({ spec, status }: KubeObject): string => {
  const metrics = itemsOf(fieldsOf(spec)["metrics"])
  if (metrics.length === 0) return "<none>"
  const states = itemsOf(fieldsOf(status)["currentMetrics"])
  const texts = metrics.map((metric, at) => metricText(metric, states[at]))
  const more = texts.length > SHOWN ? ` + ${texts.length - SHOWN} more...` : ""
  return texts.slice(0, SHOWN).join(", ") + more
}

const referenceText = ({ spec }: KubeObject): string => {
  const { kind, name } = fieldsOf(fieldsOf(spec)["scaleTargetRef"])
  return `${textOf(kind)}/${textOf(name)}`
}

const minText = ({ spec }: KubeObject): string => {
  const least = fieldsOf(spec)["minReplicas"]
  return least === undefined ? "<unset>" : String(numberOf(least))
}

const columns: ReadonlyArray<Column> = [
  nameColumn,
  column("Reference", referenceText),
  column("Targets", targetsText),
  column("MinPods", minText),
  column("MaxPods", ({ spec }) => numberOf(fieldsOf(spec)["maxReplicas"])),
  column("Replicas", ({ status }) => numberOf(fieldsOf(status)["currentReplicas"])),
  ageColumn
]

const statusDefaults = (draft: Draft): void => {
  const status = defaulted(fieldsOf(draft.status), { desiredReplicas: 0, currentMetrics: null })
  draft.status = { ...withItems(status, "currentMetrics", withQuantities("current")) }
}

const olderStatusDefaults = (draft: Draft): void => {
  draft.status = { ...draft.status, ...defaulted(fieldsOf(draft.status), { currentReplicas: 0, desiredReplicas: 0 }) }
}

/** The definition of autoscalers in autoscaling/v2. */
export const horizontalPodAutoscalers = (): Definition =>
  define("autoscaling", "v2", "HorizontalPodAutoscaler", {
    defaults,
    initialStatus: () => ({ desiredReplicas: 0, currentMetrics: null }),
    check: (one, problems) => {
      if (one.metadata.resourceVersion === undefined) checkAutoscaler(one, undefined, problems)
    },
    checkUpdate: checkAutoscaler,
    generation: ["spec"],
    status: { defaults: statusDefaults, check: (one, _old, problems) => checkAutoscalerStatus(one, problems) },
    columns
  })

const checkOlder = (older: KubeObject, old: KubeObject | undefined, problems: Problems): void =>
  checkAutoscaler(fromOlder(older), old === undefined ? undefined : fromOlder(old), problems)

/** Half of an object of v1 stands in annotations: what may not be written must not be written there either. */
const keepHalf = (half: "spec" | "status", draft: Draft, old?: KubeObject): undefined => {
  const { annotations } = draft.metadata
  if (annotations === undefined && old?.metadata.annotations === undefined) return undefined
  const kept = annotationsWithout(half, annotations, old?.metadata.annotations)
  if (Object.keys(kept).length > 0) draft.metadata.annotations = kept
  else delete draft.metadata.annotations
  return undefined
}

/** A metric in an annotation is part of what is asked for, though it does not stand in the spec. */
const raiseForAnnotations = (draft: Draft, old: KubeObject): undefined => {
  keepHalf("status", draft, old)
  const now = fromOlder(draft)
  const before = fromOlder(old)
  const isInSpec = !sameJson(draft.spec, old.spec)
  if (!isInSpec && !sameJson(now.spec, before.spec)) {
    draft.metadata.generation = (old.metadata.generation ?? 0) + 1
  }
  return undefined
}

/** The definition of autoscalers in autoscaling/v1, stored as v2. */
export const olderHorizontalPodAutoscalers = (): Definition =>
  define("autoscaling", "v1", "HorizontalPodAutoscaler", {
    defaults: olderDefaults,
    initialStatus: () => ({ currentReplicas: 0, desiredReplicas: 0 }),
    prepareForCreate: (draft) => keepHalf("status", draft),
    prepareForUpdate: raiseForAnnotations,
    check: (one, problems) => {
      if (one.metadata.resourceVersion === undefined) checkOlder(one, undefined, problems)
    },
    checkUpdate: checkOlder,
    generation: ["spec"],
    status: {
      defaults: olderStatusDefaults,
      prepare: (draft, old) => keepHalf("spec", draft, old),
      check: (one, _old, problems) => checkAutoscalerStatus(one, problems)
    },
    columns: columns.map((one) => ({ ...one, value: (older, nowMs) => one.value(fromOlder(older), nowMs) })),
    storage: { version: "v2", convert: { toStored: fromOlder, fromStored: autoscalerToOlder } }
  })
