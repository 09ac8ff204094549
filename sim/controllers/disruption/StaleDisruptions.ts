// Pods that were to be disrupted and are not: after two minutes their DisruptionTarget condition is taken back.
// Owns that wait; conditions of kubelets, and of pods that are over or on their way out, stay. Source: kubernetes
// pkg/controller/disruption/disruption.go.
import { Effect } from "effect"
import {
  type Controller,
  type EffectClient,
  type Informer,
  type JsonObject,
  type KubeObject,
  makeController,
  objectKey,
  parseRfc3339,
  rfc3339
} from "#kube"
import type { Manager } from "../Manager.ts"
import { fieldsOf, itemsOf, present } from "../Parts.ts"
import { podResource } from "../PodControl.ts"
import { conditionOf, isTerminal } from "../PodFacts.ts"

const NAME = "stale-pod-disruption"
const STALE_MS = 120_000
const TYPE = "DisruptionTarget"

/** Milliseconds until a pod's condition is stale; undefined when it has none that can be. */
const staleInMs = (pod: KubeObject, nowMs: number): number | undefined => {
  if (pod.metadata.deletionTimestamp !== undefined || isTerminal(pod)) return undefined
  const condition = conditionOf(pod, TYPE)
  if (condition?.status !== "True" || condition.reason === "TerminationByKubelet") return undefined
  return Math.max(0, (parseRfc3339(condition.lastTransitionTime ?? "") ?? 0) + STALE_MS - nowMs)
}

const takenBack = (pod: KubeObject, nowMs: number): JsonObject => {
  const status = fieldsOf(pod.status)
  const { generation } = pod.metadata
  const condition = present({
    type: TYPE,
    observedGeneration: generation,
    status: "False",
    lastProbeTime: null,
    lastTransitionTime: rfc3339(nowMs)
  })
  return {
    ...status,
    conditions: itemsOf(status["conditions"]).map((one) => (one["type"] === TYPE ? condition : one))
  }
}

/** The controller of stale disruptions. */
export const staleDisruptions = (manager: Manager, client: EffectClient, pods: Informer): Controller => {
  const { clockwork } = manager
  return makeController({
    name: NAME,
    clockwork,
    watches: [
      {
        informer: pods,
        keys: (pod) => (staleInMs(pod, clockwork.now()) === undefined ? undefined : objectKey(pod))
      }
    ],
    onFailure: (key, failure) => manager.failed(NAME, key, failure),
    reconcile: Effect.fnUntraced(function* (key: string) {
      const pod = pods.store.get(key)
      const nowMs = clockwork.now()
      const left = pod === undefined ? undefined : staleInMs(pod, nowMs)
      if (pod === undefined || left === undefined) return undefined
      if (left > 0) return { requeueAfterMs: left }
      const { name = "", namespace = "" } = pod.metadata
      const target = { resource: podResource, namespace, name, subresource: "status" }
      yield* client.update(target, { ...pod, status: takenBack(pod, nowMs) })
      return undefined
    })
  })
}
