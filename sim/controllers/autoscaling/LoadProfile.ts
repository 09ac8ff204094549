// What simulated pods use: by their annotations, or else a share of what they request that rises and falls with the hours.
// Owns these rules; the same seed, pod and time give the same usage. Refuses to serve it, which MetricsApi.ts does.
import { type KubeObject } from "#kube"
import { hashText } from "../../time/RandomStream.ts"
import { parseGoDuration } from "../../nodes/GoDuration.ts"
import { type Fields, fieldsOf, itemsOf, textOf, milliIn } from "../Parts.ts"

/** Annotations that say what a pod, or what all pods of its owner together, use. */
export const usageAnnotations = {
  /** A quantity: what each pod uses, shared out over its containers by what they request. */
  cpu: "sim.kubewharf.io/cpu-usage",
  memory: "sim.kubewharf.io/memory-usage",
  /** A quantity, or steps like "0s=500m,10m=4,1h=1" since the world began: what the running pods of one owner share. */
  cpuDemand: "sim.kubewharf.io/cpu-demand",
  /** Followed by a metric's name: the value of a custom metric of the object that carries it, or, on a namespace, an external one. */
  metric: "sim.kubewharf.io/metric."
} as const

const DAY_MS = 86_400_000
/** Shares of the request at night and by day, and how far single pods and minutes depart from them. */
const NIGHT = 0.25
const SWING = 0.35
const OWN = 0.15
const SHAKE = 0.05
/** Of pods that request nothing. */
const CPU_MILLI = 10
const MEMORY_MILLI = 32 * 1024 * 1024 * 1000
const MINUTE_MS = 60_000

/** A number in [0, 1) that belongs to a text. */
const drawn = (seed: number, text: string): number => (hashText(text, seed) >>> 0) / 4_294_967_296

/** The value of steps at a time since the world began; undefined when the text is neither steps nor a quantity. */
export const steppedValue = (text: string, sinceMs: number): number | undefined => {
  if (!text.includes("=")) return milliIn(text)
  let value: number | undefined
  for (const step of text.split(",")) {
    const [from = "", amount = ""] = step.trim().split("=")
    const atMs = parseGoDuration(from)
    if (atMs === undefined) return undefined
    if (atMs <= sinceMs) value = milliIn(amount) ?? value
  }
  return value ?? 0
}

export interface ProfileSettings {
  readonly seed: number
  /** Milliseconds since the epoch at which the world began. */
  readonly epochMs: number
}

/** What one container uses, in thousandths. */
export interface ContainerUsage {
  readonly name: string
  readonly cpu: number
  readonly memory: number
}

const requestIn = (container: Fields, resource: string): number | undefined =>
  milliIn(fieldsOf(fieldsOf(container["resources"])["requests"])[resource])

/** The share of its request that a pod uses at a time. */
const shareAt = ({ seed }: ProfileSettings, uid: string, nowMs: number): number => {
  // Low at midnight, high at noon.
  const wave = (1 - Math.cos((2 * Math.PI * (nowMs % DAY_MS)) / DAY_MS)) / 2
  const shake = drawn(seed, `${uid} ${Math.floor(nowMs / MINUTE_MS)}`) - 0.5
  return NIGHT + SWING * wave + OWN * (drawn(seed, uid) - 0.5) + SHAKE * shake
}

/**
 * What a pod's containers use at a time. `sharers` counts the running pods of the pod's owner, which share a demand.
 */
export const podUsage = (
  pod: KubeObject,
  sharers: number,
  settings: ProfileSettings,
  nowMs: number
): ReadonlyArray<ContainerUsage> => {
  const { annotations = {}, uid = "" } = pod.metadata
  const containers = itemsOf(fieldsOf(pod.spec)["containers"])
  const demand = annotations[usageAnnotations.cpuDemand]
  const share = demand === undefined ? undefined : steppedValue(demand, nowMs - settings.epochMs)
  const cpu = share === undefined ? milliIn(annotations[usageAnnotations.cpu]) : share / Math.max(1, sharers)
  const memory = milliIn(annotations[usageAnnotations.memory])
  const natural = shareAt(settings, uid, nowMs)
  const used = (resource: "cpu" | "memory", whole: number | undefined, least: number): ReadonlyArray<number> => {
    const requests = containers.map((container) => requestIn(container, resource) ?? least)
    const total = requests.reduce((sum, one) => sum + one, 0)
    return requests.map((one) => Math.round(whole === undefined ? one * natural : (whole * one) / total))
  }
  const [ofCpu, ofMemory] = [used("cpu", cpu, CPU_MILLI), used("memory", memory, MEMORY_MILLI)]
  return containers.map(({ name }, at) => ({ name: textOf(name), cpu: ofCpu[at] ?? 0, memory: ofMemory[at] ?? 0 }))
}

/** The value of a metric that an object's annotations give, in thousandths. */
export const annotatedMetric = ({ metadata }: KubeObject, metric: string, sinceMs: number): number | undefined => {
  const text = metadata.annotations?.[usageAnnotations.metric + metric]
  return text === undefined ? undefined : steppedValue(text, sinceMs)
}
