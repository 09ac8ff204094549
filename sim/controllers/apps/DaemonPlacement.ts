// Which nodes a DaemonSet's pods should run on, and what their pods have that keeps them there.
// Owns tolerations, affinity and the answer for one node; refuses to count pods. A scheduler binds them: each is told its node's name.
import { isJsonObject, type Json, type JsonObject, type KubeObject } from "#kube"
import { hardTaints, labelsFit, onlyNode, untolerated } from "../../binder/PodDemand.ts"
import type { PodTemplate } from "../PodControl.ts"
import { nodeNameOf } from "../PodFacts.ts"
import type { DaemonSet } from "./Workloads.ts"

const HASH = "controller-revision-hash"
const GENERATION = "pod-template-generation"
const GENERATION_OF_SET = "deprecated.daemonset.template.generation"

type Toleration = JsonObject & { readonly key: string; readonly operator: string; readonly effect: string }

const toleration = (key: string, effect: string): Toleration => ({
  key: `node.kubernetes.io/${key}`,
  operator: "Exists",
  effect
})

/** Daemons stay on nodes that are in trouble. */
const everywhere: ReadonlyArray<Toleration> = [
  toleration("not-ready", "NoExecute"),
  toleration("unreachable", "NoExecute"),
  toleration("disk-pressure", "NoSchedule"),
  toleration("memory-pressure", "NoSchedule"),
  toleration("pid-pressure", "NoSchedule"),
  toleration("unschedulable", "NoSchedule")
]
const onHostNetwork = toleration("network-unavailable", "NoSchedule")

const withTolerations = (spec: JsonObject): JsonObject => {
  const given = Array.isArray(spec["tolerations"]) ? (spec["tolerations"] as ReadonlyArray<JsonObject>) : []
  let tolerations = given
  for (const own of spec["hostNetwork"] === true ? [...everywhere, onHostNetwork] : everywhere) {
    const isSame = (one: JsonObject): boolean =>
      one["key"] === own.key &&
      one["operator"] === own.operator &&
      one["effect"] === own.effect &&
      one["value"] === undefined
    tolerations = tolerations.some(isSame) ? tolerations.map((one) => (isSame(one) ? own : one)) : [...tolerations, own]
  }
  return { ...spec, tolerations }
}

/** The revision that a DaemonSet's template had before there were revisions; kept for old clients. */
const generationOf = ({ metadata }: DaemonSet): string | undefined => {
  const text = metadata.annotations?.[GENERATION_OF_SET]
  return text !== undefined && /^[+-]?\d+$/.test(text) ? String(Number(text)) : undefined
}

/** The template of a set's pods: labelled with its hash, tolerating what daemons tolerate. */
export const daemonTemplate = (set: DaemonSet, hash: string): PodTemplate => {
  const { metadata, spec } = set.spec.template
  const generation = generationOf(set)
  const own = { ...(generation !== undefined && { [GENERATION]: generation }), [HASH]: hash }
  return { metadata: { ...metadata, labels: { ...metadata?.labels, ...own } }, spec: withTolerations(spec ?? {}) }
}

/** A pod of a template that may go to one node alone. */
export const boundTo = (pod: KubeObject, node: string): KubeObject => {
  const spec = pod.spec as JsonObject
  const affinity = isJsonObject(spec["affinity"]) ? spec["affinity"] : {}
  const nodeAffinity = isJsonObject(affinity["nodeAffinity"]) ? affinity["nodeAffinity"] : {}
  const term: Json = { matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }
  const required: Json = { nodeSelectorTerms: [term] }
  return {
    ...pod,
    spec: {
      ...spec,
      affinity: {
        ...affinity,
        nodeAffinity: { ...nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: required }
      }
    }
  }
}

/** The node that a daemon pod runs on, or is meant for; undefined when it says neither. */
export const targetNode = (pod: KubeObject): string | undefined => {
  const node = nodeNameOf(pod)
  return node === "" ? onlyNode(pod) : node
}

/** Whether a pod has the template that its set has now. */
export const isUpdated = (set: DaemonSet, pod: KubeObject, hash: string): boolean => {
  const { labels } = pod.metadata
  const generation = generationOf(set)
  return labels?.[HASH] === hash || (generation !== undefined && labels?.[GENERATION] === generation)
}

/** The hash that a pod is labelled with. */
export const hashOfPod = ({ metadata }: KubeObject): string => metadata.labels?.[HASH] ?? ""

export interface Placement {
  /** A pod that is not there should be made. */
  readonly shouldRun: boolean
  /** A pod that is there may stay. */
  readonly mayStay: boolean
}

const yes: Placement = { shouldRun: true, mayStay: true }
const no: Placement = { shouldRun: false, mayStay: false }
const stay: Placement = { shouldRun: false, mayStay: true }
const noLabels = {}

/** Answers for any node whether a set's pods should run there. */
export const placementOf = (set: DaemonSet): ((node: KubeObject) => Placement) => {
  const spec = withTolerations(set.spec.template.spec ?? {})
  const pod: KubeObject = { apiVersion: "v1", kind: "Pod", metadata: {}, spec }
  const only = spec["nodeName"]
  return (node) => {
    const { labels = noLabels, name = "" } = node.metadata
    if (typeof only === "string" && only !== "" && only !== name) return no
    if (!labelsFit(pod, labels, name)) return no
    const taints = hardTaints(node)
    if (untolerated(pod, taints) === undefined) return yes
    const evicting = taints.filter(({ effect }) => effect === "NoExecute")
    return untolerated(pod, evicting) === undefined ? stay : no
  }
}
