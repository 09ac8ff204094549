// The objects that a scenario's namespaces and workloads stand for, as steps in the order of time.
// Owns their manifests and names; refuses to send them (the simulator's ChurnPlayer does) and to judge whether they fit.
import { type ChurnStep, type ChurnTarget, podAnnotations } from "#sim"
import { replicasOf } from "./Capacity.ts"
import type { Cluster } from "./Cluster.ts"
import { placementSpec } from "./PlacementSpec.ts"
import type { Namespaces, Workload } from "./Workload.ts"

const apiVersions = {
  Deployment: ["apps/v1", "deployments"],
  ReplicaSet: ["apps/v1", "replicasets"],
  StatefulSet: ["apps/v1", "statefulsets"],
  DaemonSet: ["apps/v1", "daemonsets"],
  Job: ["batch/v1", "jobs"],
  CronJob: ["batch/v1", "cronjobs"],
  Pod: ["v1", "pods"]
} as const

const DEFAULT_NAMESPACE = "default"
/** A namespace's default service account is there by then: pods that come sooner are refused. */
const NAMESPACES_FIRST_MS = 1000

const create = (
  atMs: number,
  of: ChurnTarget,
  kind: string,
  rest: Readonly<Record<string, unknown>>,
  metadata: Readonly<Record<string, unknown>> = {}
): ChurnStep => {
  const { apiVersion, name, namespace } = of
  const own = namespace === "" ? { name } : { name, namespace }
  return { atMs, verb: "create", of, object: { apiVersion, kind, metadata: { ...own, ...metadata }, ...rest } }
}

/** The names of an entry's namespaces. */
export const namespaceNames = ({ count, name }: Namespaces): ReadonlyArray<string> =>
  count === undefined ? [name] : Array.from({ length: count }, (_, index) => `${name}-${index + 1}`)

/** Every namespace that the scenario makes. */
export const allNamespaces = (cluster: Cluster): ReadonlyArray<string> => cluster.namespaces.flatMap(namespaceNames)

const namespacesOf = (cluster: Cluster, { namespace }: Workload): ReadonlyArray<string> => {
  if (cluster.namespaces.length === 0) return [DEFAULT_NAMESPACE]
  return cluster.namespaces.filter(({ name }) => namespace === undefined || name === namespace).flatMap(namespaceNames)
}

/** After its namespace a quota is made this late, so that no network brings it there first. */
const QUOTA_MS = 1000

/** Namespaces at the start, then their quotas. */
export function* namespaceSteps({ namespaces }: Cluster): Generator<ChurnStep> {
  for (const name of namespaces.flatMap(namespaceNames)) {
    yield create(0, { apiVersion: "v1", resource: "namespaces", namespace: "", name }, "Namespace", {})
  }
  for (const entry of namespaces) {
    if (entry.quota === undefined) continue
    const hard = Object.fromEntries(Object.entries(entry.quota).map(([key, amount]) => [key, String(amount)]))
    for (const namespace of namespaceNames(entry)) {
      const of = { apiVersion: "v1", resource: "resourcequotas", namespace, name: "quota" }
      yield create(QUOTA_MS, of, "ResourceQuota", { spec: { hard } })
    }
  }
}

/** Classes of priority, before everything that names them. */
export function* priorityClassSteps({ priorityClasses }: Cluster): Generator<ChurnStep> {
  for (const { name, preempts, value } of priorityClasses) {
    const of = { apiVersion: "scheduling.k8s.io/v1", resource: "priorityclasses", namespace: "", name }
    yield create(0, of, "PriorityClass", { value, ...(preempts ? {} : { preemptionPolicy: "Never" }) })
  }
}

const goDuration = (ms: number): string => `${ms}ms`

const annotationsOf = ({ life }: Workload): Readonly<Record<string, string>> => ({
  ...(life?.start === undefined ? {} : { [podAnnotations.startDelay]: goDuration(life.start) }),
  ...(life?.run === undefined ? {} : { [podAnnotations.runDuration]: goDuration(life.run) }),
  ...(life?.crashAfter === undefined ? {} : { [podAnnotations.crashAfter]: goDuration(life.crashAfter) })
})

const podSpecOf = (workload: Workload, name: string): Readonly<Record<string, unknown>> => {
  const { cpu, extended = {}, kind, memory, nodeSelector, tolerations } = workload
  const limits = Object.fromEntries(Object.entries(extended).map(([key, amount]) => [key, String(amount)]))
  const requests = { cpu: String(cpu), memory: String(memory), ...limits }
  const resources = workload.extended === undefined ? { requests } : { requests, limits }
  return {
    containers: [{ name: "main", image: "registry.k8s.io/pause:3.10", resources }],
    ...placementSpec(workload, { app: name }),
    terminationGracePeriodSeconds: 1,
    restartPolicy: kind === "Job" || kind === "CronJob" ? "Never" : "Always",
    ...(nodeSelector && { nodeSelector }),
    ...(tolerations && { tolerations })
  }
}

const labelsOf = (workload: Workload, name: string): Readonly<Record<string, string>> => ({
  app: name,
  ...workload.labels
})

const templateOf = (workload: Workload, name: string) => ({
  metadata: { labels: labelsOf(workload, name), annotations: annotationsOf(workload) },
  spec: podSpecOf(workload, name)
})

const specOf = (workload: Workload, name: string, replicas: number): Readonly<Record<string, unknown>> => {
  const { kind } = workload
  const template = templateOf(workload, name)
  const selector = { matchLabels: { app: name } }
  switch (kind) {
    case "Job":
      return { completions: replicas, parallelism: replicas, template }
    case "CronJob":
      return {
        schedule: workload.schedule,
        jobTemplate: { spec: { completions: replicas, parallelism: replicas, template } }
      }
    case "DaemonSet":
      return { selector, template }
    case "StatefulSet":
      return { replicas, selector, template, serviceName: name, podManagementPolicy: "Parallel" }
    case "Deployment": {
      const rollingUpdate = { maxSurge: "25%", maxUnavailable: "25%" }
      return { replicas, selector, template, strategy: { type: "RollingUpdate", rollingUpdate } }
    }
    default:
      return { replicas, selector, template }
  }
}

/** An object of a workload: where it stands, and how many pods it asks for. */
export interface WorkloadPlace {
  readonly of: ChurnTarget
  /** Among all of the workload's objects, from 0. */
  readonly at: number
  readonly objects: number
}

/** The objects of a workload in their order: their places, without the objects themselves. */
export function* workloadPlaces(cluster: Cluster, workload: Workload): Generator<WorkloadPlace> {
  const objects = namespacesOf(cluster, workload).length * workload.perNamespace
  let at = 0
  for (const of of targetsOf(cluster, workload)) yield { of, at: at++, objects }
}

/** The pods of a workload of bare pods. */
export function* podTargets(cluster: Cluster, workload: Workload): Generator<ChurnTarget> {
  for (const place of workloadPlaces(cluster, workload)) {
    const pods = replicasOf(cluster, workload, place)
    for (let pod = 0; pod < pods; pod++) yield { ...place.of, name: `${place.of.name}-${pod}` }
  }
}

function* targetsOf(cluster: Cluster, workload: Workload): Generator<ChurnTarget> {
  const [apiVersion, resource] = apiVersions[workload.kind]
  const single = workload.perNamespace === 1
  for (let number = 1; number <= workload.perNamespace; number++) {
    const name = single ? workload.name : `${workload.name}-${number}`
    for (const namespace of namespacesOf(cluster, workload)) yield { apiVersion, resource, namespace, name }
  }
}

const serviceOf = (workload: Workload, { name, namespace }: ChurnTarget, atMs: number): ReadonlyArray<ChurnStep> => {
  const of = { apiVersion: "v1", resource: "services", namespace, name }
  const spec = { selector: { app: name }, ports: [{ port: 80, targetPort: 80 }] }
  return workload.service ? [create(atMs, of, "Service", { spec })] : []
}

const besides = (workload: Workload, of: ChurnTarget, atMs: number): ReadonlyArray<ChurnStep> => {
  const { maxUnavailable } = workload
  const { name, namespace } = of
  const budget = { apiVersion: "policy/v1", resource: "poddisruptionbudgets", namespace, name }
  const spec = { maxUnavailable, selector: { matchLabels: { app: name } } }
  const budgets = maxUnavailable === undefined ? [] : [create(atMs, budget, "PodDisruptionBudget", { spec })]
  return [...serviceOf(workload, of, atMs), ...budgets]
}

const podOf = (workload: Workload, app: string, of: ChurnTarget, atMs: number): ChurnStep => {
  const metadata = { labels: labelsOf(workload, app), annotations: annotationsOf(workload) }
  return create(atMs, of, "Pod", { spec: podSpecOf(workload, app) }, metadata)
}

/** Creations of a workload and of what stands beside it, at its pace. */
export function* workloadSteps(cluster: Cluster, workload: Workload): Generator<ChurnStep> {
  const gapMs = 1000 / workload.perSecond
  let atMs = Math.max(workload.at, NAMESPACES_FIRST_MS)
  for (const place of workloadPlaces(cluster, workload)) {
    const { of } = place
    const replicas = replicasOf(cluster, workload, place)
    yield* besides(workload, of, atMs)
    if (workload.kind !== "Pod") {
      yield create(atMs, of, workload.kind, { spec: specOf(workload, of.name, replicas) })
      atMs += gapMs
      continue
    }
    for (let pod = 0; pod < replicas; pod++) {
      yield podOf(workload, of.name, { ...of, name: `${of.name}-${pod}` }, atMs)
      atMs += gapMs
    }
  }
}

/** One bare pod after the other deleted and made anew, with the Service in front of it, until the end. */
export function* recreateSteps(
  cluster: Cluster,
  workload: Workload,
  { at, every }: { readonly at: number; readonly every: number }
): Generator<ChurnStep> {
  const pods = [...workloadPlaces(cluster, workload)].flatMap((place) =>
    Array.from({ length: replicasOf(cluster, workload, place) }, (_, pod) => ({ of: place.of, pod }))
  )
  if (pods.length === 0) return
  let atMs = Math.max(at, NAMESPACES_FIRST_MS)
  for (let turn = 0; atMs < cluster.duration; turn++, atMs += every) {
    const { of, pod } = pods[turn % pods.length]
    const own = { ...of, name: `${of.name}-${pod}` }
    yield { atMs, verb: "delete", of: own }
    const service = serviceOf(workload, of, atMs + every / 2)
    for (const step of service) yield { atMs, verb: "delete", of: step.of }
    yield* service
    yield podOf(workload, of.name, own, atMs + every / 2)
  }
}
