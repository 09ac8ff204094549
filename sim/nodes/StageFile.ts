// Reads kwok's Stage files (kwok.x-k8s.io/v1alpha1) into stages: selectors, delays, weights and steps as they stand there.
// Owns the file's shape and its faults; refuses CEL expressions, `apply` steps and impersonation with an error that names them.
// Source: sigs.k8s.io/kwok, pkg/apis/v1alpha1/stage_types.go and pkg/utils/lifecycle.
import { Result, Schema } from "effect"
import { parseAllDocuments, parse, stringify } from "yaml"
import { isJsonObject, type Json, type KubeObject, parseRfc3339, rfc3339 } from "#kube"
import { GoTemplate, printed, type TemplateFunctions } from "./GoTemplate.ts"
import { parseGoDuration } from "./GoDuration.ts"
import { parseKeyPath } from "./KeyPath.ts"
import { nodeConditions } from "./NodeStatus.ts"
import type { Stage, StageDelay, StagePlace, StageStep } from "./Stage.ts"

const From = Schema.Struct({
  expressionFrom: Schema.optionalKey(Schema.String),
  jq: Schema.optionalKey(Schema.Struct({ expression: Schema.String }))
})
const Jq = Schema.Struct({
  key: Schema.String,
  operator: Schema.String,
  values: Schema.optionalKey(Schema.Array(Schema.String))
})
const MatchExpression = Schema.Union([Jq, Schema.Struct({ jq: Jq })])
const FinalizerItems = Schema.Array(Schema.Struct({ value: Schema.String }))
const Patch = Schema.Struct({
  subresource: Schema.optionalKey(Schema.String),
  root: Schema.optionalKey(Schema.String),
  template: Schema.String,
  type: Schema.optionalKey(Schema.Literals(["json", "merge", "strategic"]))
})
const stepFields = {
  event: Schema.optionalKey(
    Schema.Struct({ type: Schema.String, reason: Schema.String, message: Schema.optionalKey(Schema.String) })
  ),
  finalizers: Schema.optionalKey(
    Schema.Struct({
      add: Schema.optionalKey(FinalizerItems),
      remove: Schema.optionalKey(FinalizerItems),
      empty: Schema.optionalKey(Schema.Boolean)
    })
  ),
  delete: Schema.optionalKey(Schema.Boolean)
}
const StageDocument = Schema.Struct({
  apiVersion: Schema.Literal("kwok.x-k8s.io/v1alpha1"),
  kind: Schema.Literal("Stage"),
  metadata: Schema.StructWithRest(Schema.Struct({ name: Schema.String }), [
    Schema.Record(Schema.String, Schema.Unknown)
  ]),
  spec: Schema.Struct({
    resourceRef: Schema.Struct({ apiGroup: Schema.optionalKey(Schema.String), kind: Schema.String }),
    selector: Schema.optionalKey(
      Schema.Struct({
        matchLabels: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
        matchAnnotations: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
        matchExpressions: Schema.optionalKey(Schema.Array(MatchExpression))
      })
    ),
    weight: Schema.optionalKey(Schema.Finite),
    weightFrom: Schema.optionalKey(From),
    delay: Schema.optionalKey(
      Schema.Struct({
        durationMilliseconds: Schema.optionalKey(Schema.Finite),
        durationFrom: Schema.optionalKey(From),
        jitterDurationMilliseconds: Schema.optionalKey(Schema.Finite),
        jitterDurationFrom: Schema.optionalKey(From)
      })
    ),
    next: Schema.optionalKey(
      Schema.Struct({
        ...stepFields,
        statusTemplate: Schema.optionalKey(Schema.String),
        statusSubresource: Schema.optionalKey(Schema.String),
        patches: Schema.optionalKey(Schema.Array(Patch))
      })
    ),
    steps: Schema.optionalKey(Schema.Array(Schema.Struct({ ...stepFields, patch: Schema.optionalKey(Patch) }))),
    immediateNextStage: Schema.optionalKey(Schema.Boolean)
  })
})
type StageDocument = typeof StageDocument.Type
type Next = NonNullable<StageDocument["spec"]["next"]>

/** A Stage file that cannot be used; `message` names the stage, the field and the rule. */
export class StageInvalid extends Schema.TaggedError<StageInvalid>()("StageInvalid", { message: Schema.String }) {}

/** A stage of a file, with the kind of object that it is about. */
export interface FileStage {
  /** Like "v1" or "apps/v1". */
  readonly apiVersion: string
  readonly kind: string
  readonly stage: Stage
}

/** Values that templates take from the place; tests give their own. */
export type PlaceFunctions = (place: StagePlace) => TemplateFunctions

const quote = (value: unknown): string => {
  const text = JSON.stringify(value ?? null)
  return text.startsWith('"') ? text : JSON.stringify(text)
}

const yaml = (value: unknown, indent: unknown = 0): string => {
  const text = stringify(value, { sortMapEntries: true })
  const pad = "  ".repeat(Number(indent))
  return Number(indent) > 0 ? `\n${text}`.replaceAll("\n", `\n${pad}`) : text
}

/** What templates of a Stage file may call, beside Go's own functions. */
export const placeFunctions: PlaceFunctions = (place) => ({
  Now: () => place.now,
  now: () => place.now,
  Version: () => "v0.8.0",
  NodeIP: () => place.nodeIp,
  NodeName: () => place.nodeName,
  NodePort: () => place.nodePort,
  NodeIPWith: () => place.nodeIp,
  NodeIPsWith: () => [place.nodeIp],
  PodIP: () => place.nodeIp,
  PodIPWith: (_node, hostNetwork, uid, name, namespace) => podAddress(place, hostNetwork, uid, name, namespace),
  PodIPsWith: (_node, hostNetwork, uid, name, namespace) => [podAddress(place, hostNetwork, uid, name, namespace)]
})

const podAddress = (place: StagePlace, hostNetwork: unknown, uid: unknown, name: unknown, namespace: unknown): string =>
  hostNetwork === true
    ? place.nodeIp
    : place.podIp({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { uid: String(uid), name: String(name), namespace: String(namespace) }
      })

const constants: TemplateFunctions = {
  Quote: quote,
  YAML: yaml,
  NodeConditions: () => nodeConditions
}

/** Reads the stages of a YAML file with one or more documents; throws StageInvalid. */
export const parseStages = (text: string, functions: PlaceFunctions = placeFunctions): ReadonlyArray<FileStage> =>
  parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors
    if (error !== undefined) throw new StageInvalid({ message: error.message.split("\n")[0] })
    const data: unknown = document.toJS()
    if (data === null) return []
    const decoded = Schema.decodeUnknownResult(StageDocument)(data, { onExcessProperty: "error" })
    if (Result.isFailure(decoded)) throw new StageInvalid({ message: String(decoded.failure) })
    return [compile(decoded.success, functions)]
  })

const compile = ({ metadata, spec }: StageDocument, functions: PlaceFunctions): FileStage => {
  const { name } = metadata
  try {
    const weightPath = pathOf(spec.weightFrom)
    return {
      apiVersion: spec.resourceRef.apiGroup ?? "v1",
      kind: spec.resourceRef.kind,
      stage: {
        name,
        matches: selectorOf(spec.selector),
        weight: (object) => {
          const [found] = weightPath?.(objectJson(object)) ?? []
          return typeof found === "string" || typeof found === "number" ? Number(found) : (spec.weight ?? 0)
        },
        delay: delayOf(spec.delay),
        steps: [...nextSteps(spec.next, functions), ...(spec.steps ?? []).flatMap((step) => stepsOf(step, functions))],
        immediateNextStage: spec.immediateNextStage === true
      }
    }
  } catch (error) {
    throw new StageInvalid({ message: `stage ${name}: ${error instanceof Error ? error.message : String(error)}` })
  }
}

// SAFETY: a KubeObject is JSON; its index signature says unknown so that kinds may narrow it.
const objectJson = (object: KubeObject): Json => object as unknown as Json

const pathOf = (from: typeof From.Type | undefined) => {
  const source = from?.expressionFrom ?? from?.jq?.expression
  return source === undefined ? undefined : parseKeyPath(source)
}

const selectorOf = (selector: StageDocument["spec"]["selector"]): ((object: KubeObject) => boolean) => {
  if (selector === undefined) return () => false
  const labels = Object.entries(selector.matchLabels ?? {})
  const annotations = Object.entries(selector.matchAnnotations ?? {})
  const requirements = (selector.matchExpressions ?? []).map((expression) =>
    requirementOf("jq" in expression ? expression.jq : expression)
  )
  return (object) =>
    labels.every(([name, value]) => object.metadata.labels?.[name] === value) &&
    annotations.every(([name, value]) => object.metadata.annotations?.[name] === value) &&
    requirements.every((holds) => holds(objectJson(object)))
}

const requirementOf = ({ key, operator, values = [] }: typeof Jq.Type): ((value: Json) => boolean) => {
  const path = parseKeyPath(key)
  const isListed = (found: Json): boolean =>
    (typeof found === "string" && values.includes(found)) ||
    ((typeof found === "boolean" || Number.isInteger(found)) && values.includes(JSON.stringify(found)))
  const needsValues = operator === "In" || operator === "NotIn"
  if (needsValues === (values.length === 0))
    throw new StageInvalid({ message: `${operator} of ${key} ${needsValues ? "needs values" : "takes no values"}` })
  switch (operator) {
    case "In":
      return (value) => path(value)?.some(isListed) ?? false
    case "NotIn":
      return (value) => !(path(value)?.some(isListed) ?? false)
    case "Exists":
      return (value) => (path(value)?.length ?? 0) > 0
    case "DoesNotExist":
      return (value) => (path(value)?.length ?? 0) === 0
    default:
      throw new StageInvalid({ message: `operator ${operator} is none of In, NotIn, Exists, DoesNotExist` })
  }
}

type DurationOf = (object: KubeObject, nowMs: number) => number | undefined

const durationOf = (standard: number | undefined, from: typeof From.Type | undefined): DurationOf | undefined => {
  if (standard === undefined && from === undefined) return undefined
  const path = pathOf(from)
  return (object, nowMs) => {
    const [found] = path?.(objectJson(object)) ?? []
    if (typeof found !== "string" || found === "") return found === "" ? undefined : standard
    const time = parseRfc3339(found)
    return time === undefined ? (parseGoDuration(found) ?? standard) : time - nowMs
  }
}

const delayOf = (delay: StageDocument["spec"]["delay"]): Stage["delay"] => {
  if (delay === undefined) return () => undefined
  const duration = durationOf(delay.durationMilliseconds ?? 0, delay.durationFrom)
  const jitter = durationOf(delay.jitterDurationMilliseconds, delay.jitterDurationFrom)
  return (object, nowMs): StageDelay | undefined => {
    const fromMs = duration?.(object, nowMs)
    if (fromMs === undefined) return undefined
    return { fromMs, toMs: jitter?.(object, nowMs) ?? fromMs }
  }
}

const nextSteps = (next: Next | undefined, functions: PlaceFunctions): ReadonlyArray<StageStep> => {
  if (next === undefined) return []
  const { patches = [], statusSubresource = "status", statusTemplate } = next
  const status =
    statusTemplate === undefined ? [] : [{ root: "status", subresource: statusSubresource, template: statusTemplate }]
  return [...stepsOf(next, functions), ...[...status, ...patches].map((patch) => patchStep(patch, functions))]
}

const stepsOf = (
  step: Omit<NonNullable<StageDocument["spec"]["steps"]>[number], "patch"> & { readonly patch?: typeof Patch.Type },
  functions: PlaceFunctions
): ReadonlyArray<StageStep> => {
  const { event, finalizers, patch } = step
  return [
    ...(event === undefined ? [] : [{ kind: "event" as const, event: { message: "", ...event } }]),
    ...(finalizers === undefined ? [] : [{ kind: "finalizers" as const, change: finalizersOf(finalizers) }]),
    ...(step.delete === true ? [{ kind: "delete" as const }] : []),
    ...(patch === undefined ? [] : [patchStep(patch, functions)])
  ]
}

const finalizersOf = ({ add = [], empty, remove = [] }: NonNullable<Next["finalizers"]>) => {
  const removed = new Set(remove.map(({ value }) => value))
  return (finalizers: ReadonlyArray<string>): ReadonlyArray<string> => {
    const left = empty === true ? [] : finalizers.filter((value) => !removed.has(value))
    return [...left, ...add.map(({ value }) => value).filter((value) => !left.includes(value))]
  }
}

const patchStep = (
  { root = "", subresource = "", template, type = "strategic" }: typeof Patch.Type,
  functions: PlaceFunctions
): StageStep => {
  let place: StagePlace | undefined
  const late = Object.fromEntries(
    Object.keys(functions(nowhere)).map((name) => [
      name,
      (...args: ReadonlyArray<unknown>) => functions(place ?? nowhere)[name](...args)
    ])
  )
  const compiled = new GoTemplate(template, { ...constants, ...late })
  return {
    kind: "patch",
    type,
    subresource,
    body: (object, at) => {
      place = at
      const data: Json = parse(compiled.render(object))
      if (root === "") return data
      return Array.isArray(data)
        ? data.map((operation: Json) =>
            isJsonObject(operation) ? { ...operation, path: `/${root}${printed(operation["path"])}` } : operation
          )
        : { [root]: data }
    }
  }
}

const nowhere: StagePlace = {
  nowMs: 0,
  now: rfc3339(0),
  nodeName: "",
  nodeIp: "",
  nodeIps: [],
  nodePort: 0,
  podIp: () => ""
}
