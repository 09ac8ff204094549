// The API of resource metrics (metrics.k8s.io) in a simulated cluster, as a metrics server would serve it: for kubectl top and for
// autoscalers.
// Owns the two resources' definitions and answers; what pods use is LoadProfile.ts's to say. A node uses what its pods use.
import type { Action, ApiRequest, Definition, HeldObject, Verb } from "#apiserver"
import {
  controllerOf,
  Failures,
  type JsonObject,
  type KubeObject,
  milliQuantity,
  parseFieldSelector,
  parseLabelSelector,
  rfc3339,
  SelectorInvalid
} from "#kube"
import { nodeNameOf, phaseOf } from "../PodFacts.ts"
import { type ContainerUsage, podUsage, type ProfileSettings } from "./LoadProfile.ts"

const GROUP = { group: "metrics.k8s.io", version: "v1beta1" } as const
const WINDOW_MS = 15_000
/** What a node's own programs use, in thousandths: a tenth of a core and 200 MiB. */
const NODE = { cpu: 100, memory: 200 * 1024 * 1024 * 1000 } as const

type Context = Parameters<Action>[0]

const encoder = new TextEncoder()

const held = (object: KubeObject): HeldObject => ({
  object,
  revision: 0,
  encoded: () => encoder.encode(JSON.stringify(object))
})

/** As metrics servers write it: nanocores would be n, our thousandths are m. */
const usageText = ({ cpu, memory }: Omit<ContainerUsage, "name">): JsonObject => ({
  cpu: milliQuantity(cpu).toString(),
  memory: `${Math.round(memory / 1000 / 1024)}Ki`
})

const isMeasured = (pod: KubeObject): boolean => phaseOf(pod) === "Running" && nodeNameOf(pod) !== ""

/** What each measured pod of a namespace uses now, by its object. */
const usages = (
  { api }: Context,
  settings: ProfileSettings,
  namespace: string,
  nowMs: number
): ReadonlyMap<KubeObject, ReadonlyArray<ContainerUsage>> => {
  const pods = api.view("", "pods").list(namespace).filter(isMeasured)
  const sharers = new Map<string, number>()
  for (const pod of pods) {
    const owner = controllerOf(pod)?.uid
    if (owner !== undefined) sharers.set(owner, (sharers.get(owner) ?? 0) + 1)
  }
  return new Map(
    pods.map((pod) => [pod, podUsage(pod, sharers.get(controllerOf(pod)?.uid ?? "") ?? 1, settings, nowMs)])
  )
}

const metricOf = (kind: string, { metadata }: KubeObject, nowMs: number, more: JsonObject): KubeObject => ({
  kind,
  apiVersion: "metrics.k8s.io/v1beta1",
  metadata: {
    name: metadata.name ?? "",
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    creationTimestamp: rfc3339(nowMs),
    ...(metadata.labels === undefined ? {} : { labels: metadata.labels })
  },
  timestamp: rfc3339(nowMs),
  window: `${WINDOW_MS / 1000}s`,
  ...more
})

const podMetric = (pod: KubeObject, containers: ReadonlyArray<ContainerUsage>, nowMs: number): KubeObject =>
  metricOf("PodMetrics", pod, nowMs, {
    containers: containers.map(({ name, ...usage }) => ({ name, usage: usageText(usage) }))
  })

type Measure = (context: Context, request: ApiRequest, nowMs: number) => ReadonlyArray<KubeObject>

const measurePods =
  (settings: ProfileSettings): Measure =>
  (context, { namespace }, nowMs) =>
    Array.from(usages(context, settings, namespace, nowMs), ([pod, used]) => podMetric(pod, used, nowMs))

const measureNodes =
  (settings: ProfileSettings): Measure =>
  (context, _request, nowMs) => {
    const sums = new Map<string, { cpu: number; memory: number }>()
    for (const [pod, used] of usages(context, settings, "", nowMs)) {
      const sum = sums.get(nodeNameOf(pod)) ?? { ...NODE }
      for (const { cpu, memory } of used) {
        sum.cpu += cpu
        sum.memory += memory
      }
      sums.set(nodeNameOf(pod), sum)
    }
    const nodes = context.api.view("", "nodes").list("")
    return nodes.map((node) =>
      metricOf("NodeMetrics", node, nowMs, { usage: usageText(sums.get(node.metadata.name ?? "") ?? NODE) })
    )
  }

const answer =
  (kind: string, plural: string, measure: Measure): Action =>
  (context, request, done) => {
    const nowMs = context.clockwork.now()
    const { fieldSelector = "", labelSelector = "" } = request.options
    const labels = parseLabelSelector(labelSelector)
    const fields = parseFieldSelector(fieldSelector)
    if (labels instanceof SelectorInvalid) return done(Failures.badRequest(labels.message))
    if (fields instanceof SelectorInvalid) return done(Failures.badRequest(fields.message))
    const all = measure(context, request, nowMs)
    if (request.verb === "get") {
      const found = all.find(({ metadata }) => metadata.name === request.name)
      const about = { group: GROUP.group, resource: plural, name: request.name }
      if (found === undefined) return done(Failures.notFound(about))
      return done({ kind: "object", code: 200, held: held(found), warnings: [] })
    }
    const items = all.filter(
      ({ metadata }) =>
        labels.matches(metadata.labels ?? {}) &&
        fields.matches((name) => (name === "metadata.name" ? metadata.name : metadata.namespace) ?? "")
    )
    const definition = context.api.definitions.find(GROUP.group, GROUP.version, plural)
    if (definition === undefined) return done(Failures.internal(`${kind} is no longer served`))
    return done({ kind: "list", definition, items: items.map(held), resourceVersion: "" })
  }

const READS: ReadonlyArray<Verb> = ["get", "list"]

const definition = (kind: string, resource: string, namespaced: boolean, measure: Measure): Definition => ({
  ...GROUP,
  kind,
  listKind: `${kind}List`,
  resource,
  singular: "",
  shortNames: [],
  categories: [],
  namespaced,
  verbs: READS,
  schema: { type: "object" },
  strategy: {},
  columns: [],
  selectableFields: {},
  subresources: new Map(),
  action: answer(kind, resource, measure)
})

/** The definitions of metrics.k8s.io/v1beta1: pods and nodes. */
export const metricsDefinitions = (settings: ProfileSettings): ReadonlyArray<Definition> => [
  definition("NodeMetrics", "nodes", false, measureNodes(settings)),
  definition("PodMetrics", "pods", true, measurePods(settings))
]
