// Metrics that a server serves: of resources by metrics.k8s.io, of pods and objects by custom.metrics.k8s.io, of anything else by
// external.metrics.k8s.io; each a list of the Client port.
// Owns these calls and how their answers are read; refuses to measure. What the port cannot say (labels of a custom metric) is a
// problem that says so. Source: kubernetes pkg/controller/podautoscaler/metrics/client.go.
import { Effect } from "effect"
import {
  type ApiFailure,
  type Client,
  type Collection,
  effectClient,
  gvr,
  type KubeObject,
  labelSelectorOf,
  parseRfc3339,
  SelectorInvalid
} from "#kube"
import { parseGoDuration } from "../../nodes/GoDuration.ts"
import { groupOf, type KindResources } from "../KindResources.ts"
import { type Fields, fieldsOf, itemsOf, numberIn, textOf, milliIn } from "../Parts.ts"
import { MetricProblem, type Measured, type MetricSource, type PodMetric, type PodMetrics } from "./MetricSource.ts"

const podMetrics = gvr("metrics.k8s.io", "v1beta1", "pods")
const CUSTOM = { group: "custom.metrics.k8s.io", version: "v1beta2" }
const EXTERNAL = { group: "external.metrics.k8s.io", version: "v1beta1" }
const WINDOW_MS = 60_000

/** The failure of a call; a server that does not have the API at all answers as client-go's callers tell it. */
const wordsOf = ({ code, message, status }: ApiFailure, unserved: string): string =>
  code === 404 && status.details?.name === undefined ? unserved : message

const unserved = (what: string): string => `the server could not find the requested resource (get ${what})`

const timesOf = (metric: KubeObject): Pick<PodMetric, "atMs" | "windowMs"> => ({
  atMs: parseRfc3339(textOf(metric["timestamp"])) ?? 0,
  windowMs: parseGoDuration(textOf(metric["window"])) ?? WINDOW_MS
})

/** What a pod's containers use together, or one of them; undefined when that is not known of all. */
const usageOf = (metric: KubeObject, resource: string, container: string): number | undefined => {
  const all = itemsOf(metric["containers"])
  const containers = container === "" ? all : all.filter(({ name }) => name === container)
  if (containers.length === 0) return undefined
  let sum = 0
  for (const { usage } of containers) {
    const own = milliIn(fieldsOf(usage)[resource])
    if (own === undefined) return undefined
    sum += own
  }
  return sum
}

const usagesOf = (items: ReadonlyArray<KubeObject>, resource: string, container: string): PodMetrics => {
  const found = new Map<string, PodMetric>()
  for (const item of items) {
    const value = usageOf(item, resource, container)
    if (value !== undefined) found.set(item.metadata.name ?? "", { value, ...timesOf(item) })
  }
  return found
}

const customOf = (items: ReadonlyArray<KubeObject>): PodMetrics => {
  const found = new Map<string, PodMetric>()
  for (const item of items) {
    const seconds = numberIn(item["windowSeconds"])
    const windowMs = seconds === undefined ? WINDOW_MS : seconds * 1000
    const name = textOf(fieldsOf(item["describedObject"])["name"])
    found.set(name, { ...timesOf(item), windowMs, value: milliIn(item["value"]) ?? 0 })
  }
  return found
}

const labelText = (labels: Fields | undefined): string | MetricProblem => {
  const read = labelSelectorOf(labels)
  if (read instanceof SelectorInvalid) return new MetricProblem(read.message)
  return labels === undefined ? "" : read.toString()
}

const noCustomLabels = new MetricProblem("labels of a custom metric cannot be asked for through the client's port")

/** The metrics that a server serves. */
export const servedMetrics = (client: Client, kinds: KindResources): MetricSource => {
  const calls = effectClient(client)
  const listed = (
    collection: Collection,
    labelSelector: string,
    api: string,
    absent: string
  ): Measured<ReadonlyArray<KubeObject>> =>
    calls.list(collection, labelSelector === "" ? {} : { labelSelector }).pipe(
      Effect.mapError(
        (failure) => new MetricProblem(`unable to fetch metrics from ${api} metrics API: ${wordsOf(failure, absent)}`)
      ),
      Effect.flatMap(({ items }) =>
        items.length === 0
          ? Effect.fail(new MetricProblem(`no metrics returned from ${api} metrics API`))
          : Effect.succeed(items)
      )
    )

  const custom = (namespace: string, path: string, selector: string, labels: Fields | undefined) => {
    if (labels !== undefined) return Effect.fail(noCustomLabels)
    const collection = { resource: gvr(CUSTOM.group, CUSTOM.version, path), namespace }
    return listed(collection, selector, "custom", `no custom metrics API (${CUSTOM.group}) registered`)
  }

  return {
    resource: ({ namespace, selector }, resource, container) =>
      Effect.map(
        listed({ resource: podMetrics, namespace }, selector.toString(), "resource", unserved("pods.metrics.k8s.io")),
        (items) => usagesOf(items, resource, container)
      ),
    pods: ({ namespace, selector }, metric, labels) =>
      Effect.map(custom(namespace, `pods/*/${metric}`, selector.toString(), labels), customOf),
    object: (namespace, reference, metric, labels) => {
      const [group, kind] = [groupOf(textOf(reference["apiVersion"])), textOf(reference["kind"])]
      const isNamespace = group === "" && kind === "Namespace"
      const resource = kinds.find(group, kind)
      if (resource === undefined) {
        return Effect.fail(
          new MetricProblem(`no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(group)}`)
        )
      }
      const plural = resource.group === "" ? resource.resource : `${resource.resource}.${resource.group}`
      const path = `${plural}/${isNamespace ? namespace : textOf(reference["name"])}/${metric}`
      const items = custom(isNamespace ? "" : namespace, path, "", labels)
      return Effect.map(items, ([first]) => milliIn(first?.["value"]) ?? 0)
    },
    external: (namespace, metric, labels) => {
      const text = labelText(labels)
      if (text instanceof MetricProblem) return Effect.fail(text)
      const collection = { resource: gvr(EXTERNAL.group, EXTERNAL.version, metric), namespace }
      return Effect.map(listed(collection, text, "external", unserved(`${metric}.${EXTERNAL.group}`)), (items) =>
        items.map((item) => milliIn(item["value"]) ?? 0)
      )
    }
  }
}
