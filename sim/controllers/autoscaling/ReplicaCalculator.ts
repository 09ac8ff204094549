// How many replicas a metric asks for: the ratio of what is used to what is wanted, with care for pods that are not ready or of which
// nothing is known.
// Owns this arithmetic; refuses to fetch metrics and to scale. Source: kubernetes
// pkg/controller/podautoscaler/replica_calculator.go, metrics/utilization.go.
import { type KubeObject, parseRfc3339 } from "#kube"
import { fieldsIn, fieldsOf, itemsOf, textOf, milliIn } from "../Parts.ts"
import { conditionOf, isReady, phaseOf } from "../PodFacts.ts"
import { type PodMetric, type PodMetrics, MetricProblem } from "./MetricSource.ts"

/** By how much usage may differ from the target before anything is scaled, as fractions. */
export interface Tolerances {
  readonly down: number
  readonly up: number
}

export interface CalculatorSettings {
  /** After a pod's start, its CPU usage counts only when it is ready and was measured since. */
  readonly cpuInitializationMs: number
  /** A pod that becomes unready within this time after its start has never been ready. */
  readonly initialReadinessMs: number
}

/** The defaults of kube-controller-manager. */
export const usualCalculator: CalculatorSettings = { cpuInitializationMs: 300_000, initialReadinessMs: 30_000 }

export interface Proposal {
  readonly replicas: number
  /** The average over pods, in thousandths. */
  readonly usage: number
  /** In percent of the requests. */
  readonly utilization?: number
}

const MAX_INT32 = 2_147_483_647

const isWithin = ({ down, up }: Tolerances, ratio: number): boolean => 1 - down <= ratio && ratio <= 1 + up

const timeIn = (value: unknown): number => parseRfc3339(textOf(value)) ?? 0

const isCpuUnready = (pod: KubeObject, metric: PodMetric, settings: CalculatorSettings, nowMs: number): boolean => {
  const ready = conditionOf(pod, "Ready")
  const started = parseRfc3339(textOf(fieldsOf(pod.status)["startTime"]))
  if (ready === undefined || started === undefined) return true
  const since = timeIn(ready.lastTransitionTime)
  if (started + settings.cpuInitializationMs > nowMs) {
    return ready.status === "False" || metric.atMs < since + metric.windowMs
  }
  return ready.status === "False" && started + settings.initialReadinessMs > since
}

interface Groups {
  readonly readyCount: number
  readonly unready: ReadonlySet<string>
  readonly missing: ReadonlySet<string>
  readonly ignored: ReadonlySet<string>
}

const groupPods = (
  pods: ReadonlyArray<KubeObject>,
  metrics: PodMetrics,
  resource: string,
  settings: CalculatorSettings,
  nowMs: number
): Groups => {
  const [unready, missing, ignored] = [new Set<string>(), new Set<string>(), new Set<string>()]
  let readyCount = 0
  for (const pod of pods) {
    const name = pod.metadata.name ?? ""
    const phase = phaseOf(pod)
    const metric = metrics.get(name)
    if (pod.metadata.deletionTimestamp !== undefined || phase === "Failed") ignored.add(name)
    else if (phase === "Pending") unready.add(name)
    else if (metric === undefined) missing.add(name)
    else if (resource === "cpu" && isCpuUnready(pod, metric, settings, nowMs)) unready.add(name)
    else readyCount++
  }
  return { readyCount, unready, missing, ignored }
}

/** How usage compares with the target: the ratio and what is told of it. */
interface Usage {
  readonly ratio: number
  readonly usage: number
  readonly utilization?: number
}

const totalOf = (values: ReadonlyMap<string, number>): number => {
  let total = 0
  for (const value of values.values()) total += value
  return total
}

const plainUsage = (values: ReadonlyMap<string, number>, target: number): Usage => {
  const usage = Math.trunc(totalOf(values) / values.size)
  return { ratio: usage / target, usage }
}

const utilizationOf = (
  values: ReadonlyMap<string, number>,
  requests: ReadonlyMap<string, number>,
  target: number
): Usage | MetricProblem => {
  let [used, requested, count] = [0, 0, 0]
  for (const [name, value] of values) {
    const request = requests.get(name)
    if (request === undefined) continue
    used += value
    requested += request
    count++
  }
  if (requested === 0) return new MetricProblem("no metrics returned matched known pods")
  const utilization = Math.trunc((used * 100) / requested)
  return { ratio: utilization / target, utilization, usage: Math.trunc(used / count) }
}

/** What a calculation is about. */
export interface Calculation {
  readonly pods: ReadonlyArray<KubeObject>
  readonly metrics: PodMetrics
  readonly current: number
  readonly tolerances: Tolerances
  readonly settings: CalculatorSettings
  readonly nowMs: number
}

const none = "no pods returned by selector while calculating replica count"
const nothingOfPods = "did not receive metrics for targeted pods (pods might be unready)"

/** Ratio first without, then with what has to be assumed of pods that say nothing. */
const propose = (
  { current, metrics, nowMs, pods, settings, tolerances }: Calculation,
  resource: string,
  usageOf: (values: ReadonlyMap<string, number>) => Usage | MetricProblem,
  assumed: (name: string) => number
): Proposal | MetricProblem => {
  if (pods.length === 0) return new MetricProblem(none)
  const { ignored, missing, readyCount, unready } = groupPods(pods, metrics, resource, settings, nowMs)
  const values = new Map<string, number>()
  for (const [name, { value }] of metrics) if (!ignored.has(name) && !unready.has(name)) values.set(name, value)
  if (values.size === 0) return new MetricProblem(nothingOfPods)
  const first = usageOf(values)
  if (first instanceof MetricProblem) return first
  const { ratio, ...told } = first
  const wakesUnready = unready.size > 0 && ratio > 1
  if (!wakesUnready && missing.size === 0) {
    return { ...told, replicas: isWithin(tolerances, ratio) ? current : Math.ceil(ratio * readyCount) }
  }
  // Pods that are not known are taken to use what makes the change smaller.
  if (ratio < 1) for (const name of missing) values.set(name, assumed(name))
  else if (ratio > 1) for (const name of missing) values.set(name, 0)
  if (wakesUnready) for (const name of unready) values.set(name, 0)
  const second = usageOf(values)
  if (second instanceof MetricProblem) return second
  const again = second.ratio
  const turned = (ratio < 1 && again > 1) || (ratio > 1 && again < 1)
  if (isWithin(tolerances, again) || turned) return { ...told, replicas: current }
  const replicas = Math.ceil(again * values.size)
  const backwards = (again < 1 && replicas > current) || (again > 1 && replicas < current)
  return { ...told, replicas: backwards ? current : replicas }
}

/** For an average value of a metric, or of a resource, per pod. */
export const averageReplicas = (calculation: Calculation, target: number, resource = ""): Proposal | MetricProblem =>
  propose(
    calculation,
    resource,
    (values) => plainUsage(values, target),
    () => target
  )

/** For a utilization in percent of what the pods request. */
export const utilizationReplicas = (
  calculation: Calculation,
  target: number,
  resource: string,
  container: string
): Proposal | MetricProblem => {
  if (calculation.pods.length === 0) return new MetricProblem(none)
  const requests = new Map<string, number>()
  let problem: MetricProblem | undefined
  for (const pod of calculation.pods) {
    const request = requestOf(pod, resource, container)
    if (request instanceof MetricProblem) problem ??= request
    else requests.set(pod.metadata.name ?? "", request)
  }
  // Upstream looks at the requests after it has found anything measured at all.
  const usageOf = (values: ReadonlyMap<string, number>): Usage | MetricProblem =>
    problem ?? utilizationOf(values, requests, target)
  return propose(calculation, resource, usageOf, (name) =>
    Math.trunc(((requests.get(name) ?? 0) * Math.max(100, target)) / 100)
  )
}

const requestOf = (pod: KubeObject, resource: string, container: string): number | MetricProblem => {
  const spec = fieldsOf(pod.spec)
  const name = pod.metadata.name ?? ""
  const ofPod = fieldsIn(fieldsOf(spec["resources"])["requests"])
  const whole = container === "" && ofPod !== undefined ? milliIn(ofPod[resource]) : undefined
  if (whole !== undefined) return whole
  const sidecars = itemsOf(spec["initContainers"]).filter((one) => one["restartPolicy"] === "Always")
  let request = 0
  for (const one of [...itemsOf(spec["containers"]), ...sidecars]) {
    if (container !== "" && container !== one["name"]) continue
    const own = milliIn(fieldsOf(fieldsOf(one["resources"])["requests"])[resource])
    if (own === undefined) {
      return new MetricProblem(
        container === "" && ofPod !== undefined
          ? `missing pod-level request for ${resource} in Pod ${name}`
          : `missing request for ${resource} in container ${textOf(one["name"])} of Pod ${name}`
      )
    }
    request += own
    if (container !== "") return request
  }
  return container === "" ? request : new MetricProblem(`container ${container} not found in Pod ${name}`)
}

/** For a value of something that all pods share; a workload of no pods is woken by any value. */
export const sharedReplicas = (
  pods: ReadonlyArray<KubeObject>,
  current: number,
  ratio: number,
  tolerances: Tolerances
): number | MetricProblem => {
  if (current === 0) return Math.ceil(ratio)
  if (isWithin(tolerances, ratio)) return current
  if (pods.length === 0) return new MetricProblem(`unable to calculate ready pods: ${none}`)
  const ready = pods.filter((pod) => phaseOf(pod) === "Running" && isReady(pod)).length
  return Math.min(MAX_INT32, Math.ceil(ratio * ready))
}

/** For a value that is to be spread over the pods so that each gets the target. */
export const spreadReplicas = (
  usage: number,
  target: number,
  statusReplicas: number,
  tolerances: Tolerances
): Proposal => ({
  replicas: isWithin(tolerances, usage / (target * statusReplicas))
    ? statusReplicas
    : Math.min(MAX_INT32, Math.ceil(usage / target)),
  // Without a replica there is no average; upstream tells what Go makes of infinity.
  usage: statusReplicas === 0 ? 0 : Math.ceil(usage / statusReplicas)
})
