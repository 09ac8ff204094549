// What controllers ask of a node: is it ready, where does it stand, what keeps pods off it.
// Owns these questions and taints as values; refuses to write any.
import type { JsonObject, KubeObject } from "#kube"
import { fieldsOf, itemsOf, textOf } from "#apiserver"
import { conditionOf } from "../PodFacts.ts"

export interface Taint {
  readonly key: string
  readonly value?: string
  readonly effect: string
  readonly timeAdded?: string
}

export interface Toleration {
  readonly key?: string
  readonly operator?: string
  readonly value?: string
  readonly effect?: string
  readonly tolerationSeconds?: number
}

export const NOT_READY = "node.kubernetes.io/not-ready"
export const UNREACHABLE = "node.kubernetes.io/unreachable"
export const OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"

export const taintsOf = (node: KubeObject): ReadonlyArray<Taint> =>
  // SAFETY: the server has checked the spec against its schema.
  itemsOf(fieldsOf(node.spec)["taints"]) as unknown as ReadonlyArray<Taint>

/** Taints of one key and effect are one taint. */
export const isSameTaint = (a: Taint, b: Taint): boolean => a.key === b.key && a.effect === b.effect

export const hasTaint = (node: KubeObject, taint: Taint): boolean =>
  taintsOf(node).some((one) => isSameTaint(one, taint))

export const noExecuteTaints = (node: KubeObject): ReadonlyArray<Taint> => {
  const taints = taintsOf(node)
  return taints.length === 0 ? taints : taints.filter(({ effect }) => effect === "NoExecute")
}

export const tolerationsOf = (pod: KubeObject): ReadonlyArray<Toleration> =>
  // SAFETY: the server has checked the spec against its schema.
  itemsOf(fieldsOf(pod.spec)["tolerations"])

const tolerates = (toleration: Toleration, taint: Taint): boolean => {
  const { effect = "", key = "", operator = "", value = "" } = toleration
  if (effect !== "" && effect !== taint.effect) return false
  if (key !== "" && key !== taint.key) return false
  if (operator === "Exists") return true
  return (operator === "" || operator === "Equal") && value === (taint.value ?? "")
}

/** The tolerations that some taint needs; undefined when there is a taint that none of them tolerates. */
export const usedTolerations = (
  taints: ReadonlyArray<Taint>,
  tolerations: ReadonlyArray<Toleration>
): ReadonlyArray<Toleration> | undefined => {
  const used: Array<Toleration> = []
  for (const taint of taints) {
    const matching = tolerations.filter((toleration) => tolerates(toleration, taint))
    if (matching.length === 0) return undefined
    used.push(...matching)
  }
  return used
}

/** Seconds until the first of these tolerations ends; undefined when none of them does. */
export const shortestToleration = (tolerations: ReadonlyArray<Toleration>): number | undefined => {
  if (tolerations.length === 0) return 0
  let shortest: number | undefined
  for (const { tolerationSeconds } of tolerations) {
    if (tolerationSeconds === undefined) continue
    if (tolerationSeconds <= 0) return 0
    if (shortest === undefined || tolerationSeconds < shortest) shortest = tolerationSeconds
  }
  return shortest
}

/** "True", "False", "Unknown", or undefined where nobody has said. */
export const readinessOf = (node: KubeObject): string | undefined => conditionOf(node, "Ready")?.status

export const isNodeReady = (node: KubeObject): boolean => readinessOf(node) === "True"

/** Region and zone as one text; empty where a node has neither. */
export const zoneKeyOf = ({ metadata: { labels = {} } }: KubeObject): string => {
  const region = labels["topology.kubernetes.io/region"] ?? labels["failure-domain.beta.kubernetes.io/region"] ?? ""
  const zone = labels["topology.kubernetes.io/zone"] ?? labels["failure-domain.beta.kubernetes.io/zone"] ?? ""
  return region === "" && zone === "" ? "" : `${region}:\u0000:${zone}`
}

export const isUnschedulable = (node: KubeObject): boolean => fieldsOf(node.spec)["unschedulable"] === true

/** When the kubelet last said that it was ready or not. */
export const heartbeatOf = (node: KubeObject): string => {
  const ready = itemsOf(fieldsOf(node.status)["conditions"]).find(({ type }: JsonObject) => type === "Ready")
  return textOf(ready?.["lastHeartbeatTime"])
}

/** As much of a node as an event about it needs. */
export const nodeReference = ({ metadata: { name = "", uid = "" } }: KubeObject): KubeObject => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, uid }
})
