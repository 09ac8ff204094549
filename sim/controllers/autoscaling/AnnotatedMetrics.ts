// Custom and external metrics that annotations give, where no server serves any: how simulated workloads are measured.
// Owns the look-up on pods, objects and namespaces; refuses to invent what no annotation says.
import { Effect } from "effect"
import { type Client, type Clockwork, effectClient, gvr, type KubeObject } from "#kube"
import { groupOf, type KindResources } from "../KindResources.ts"
import { type Fields, textOf } from "../Parts.ts"
import { annotatedMetric } from "./LoadProfile.ts"
import { MetricProblem, type Measured, type MetricSource, type PodMetric } from "./MetricSource.ts"

const namespaces = gvr("", "v1", "namespaces")
const nothing = new MetricProblem("no annotation gives this metric")

/** A source that asks another one when the first has no answer; the first one's words stay when both have none. */
export const otherwise = (first: MetricSource, second: MetricSource): MetricSource => {
  const either = <A>(one: Measured<A>, other: () => Measured<A>): Measured<A> =>
    Effect.catch(one, (problem) => Effect.mapError(Effect.suspend(other), () => problem))
  return {
    resource: (...asked) => either(first.resource(...asked), () => second.resource(...asked)),
    pods: (...asked) => either(first.pods(...asked), () => second.pods(...asked)),
    object: (...asked) => either(first.object(...asked), () => second.object(...asked)),
    external: (...asked) => either(first.external(...asked), () => second.external(...asked))
  }
}

/** The metrics of annotations. Steps in them count from when this was made. */
export const annotatedMetrics = (client: Client, clockwork: Clockwork, kinds: KindResources): MetricSource => {
  const calls = effectClient(client)
  const beganMs = clockwork.now()
  const valueOf = (object: KubeObject, metric: string): number | undefined =>
    annotatedMetric(object, metric, clockwork.now() - beganMs)
  const told = (object: KubeObject, metric: string): Measured<number> => {
    const value = valueOf(object, metric)
    return value === undefined ? Effect.fail(nothing) : Effect.succeed(value)
  }
  const read = (reference: Fields, namespace: string): Measured<KubeObject> => {
    const resource = kinds.find(groupOf(textOf(reference["apiVersion"])), textOf(reference["kind"]))
    if (resource === undefined) return Effect.fail(nothing)
    const isNamespace = resource.group === "" && resource.resource === "namespaces"
    const target = isNamespace
      ? { resource, namespace: "", name: namespace }
      : { resource, namespace, name: textOf(reference["name"]) }
    return Effect.mapError(calls.get(target), () => nothing)
  }
  return {
    resource: () => Effect.fail(nothing),
    pods: ({ pods }, metric) => {
      const found = new Map<string, PodMetric>()
      for (const pod of pods) {
        const value = valueOf(pod, metric)
        if (value !== undefined) found.set(pod.metadata.name ?? "", { value, atMs: clockwork.now(), windowMs: 0 })
      }
      return found.size === 0 ? Effect.fail(nothing) : Effect.succeed(found)
    },
    object: (namespace, reference, metric) =>
      Effect.flatMap(read(reference, namespace), (object) => told(object, metric)),
    external: (namespace, metric) =>
      Effect.flatMap(
        Effect.mapError(calls.get({ resource: namespaces, namespace: "", name: namespace }), () => nothing),
        (object) => Effect.map(told(object, metric), (value) => [value])
      )
  }
}
