// The objects that a scenario's namespaces and workloads stand for, as steps in the order of time.
// Owns their manifests and names; refuses to send them (the simulator's ChurnPlayer does) and to judge whether they fit.
import { type ChurnStep, type ChurnTarget, podAnnotations } from "#sim"
import type { Cluster } from "./Cluster.ts"
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

/** Namespaces with their quotas, all at the start. */
export function* namespaceSteps({ namespaces }: Cluster): Generator<ChurnStep> {
  for (const entry of namespaces) {
    for (const name of namespaceNames(entry)) {
      yield create(0, { apiVersion: "v1", resource: "namespaces", namespace: "", name }, "Namespace", {})
      if (entry.quota === undefined) continue
      const hard = Object.fromEntries(Object.entries(entry.quota).map(([key, amount]) => [key, String(amount)]))
      const of = { apiVersion: "v1", resource: "resourcequotas", namespace: name, name: "quota" }
      yield create(0, of, "ResourceQuota", { spec: { hard } })
    }
  }
}

const goDuration = (ms: number): string => `${ms}ms`

const annotationsOf = ({ life }: Workload): Readonly<Record<string, string>> => ({
  ...(life?.start === undefined ? {} : { [podAnnotations.startDelay]: goDuration(life.start) }),
  ...(life?.run === undefined ? {} : { [podAnnotations.runDuration]: goDuration(life.run) }),
  ...(life?.crashAfter === undefined ? {} : { [podAnnotations.crashAfter]: goDuration(life.crashAfter) })
})

const podSpecOf = (workload: Workload): Readonly<Record<string, unknown>> => {
  const { cpu, kind, memory, nodeSelector, tolerations } = workload
  const requests = { cpu: String(cpu), memory: String(memory) }
  return {
    containers: [{ name: "main", image: "registry.k8s.io/pause:3.10", resources: { requests } }],
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
  spec: podSpecOf(workload)
})

const specOf = (workload: Workload, name: string): Readonly<Record<string, unknown>> => {
  const { kind, replicas } = workload
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

/** The objects of a workload: their places, without the objects themselves. */
export function* workloadTargets(cluster: Cluster, workload: Workload): Generator<ChurnTarget> {
  const [apiVersion, resource] = apiVersions[workload.kind]
  const single = workload.perNamespace === 1
  for (let number = 1; number <= workload.perNamespace; number++) {
    const name = single ? workload.name : `${workload.name}-${number}`
    for (const namespace of namespacesOf(cluster, workload)) yield { apiVersion, resource, namespace, name }
  }
}

const besides = (workload: Workload, { name, namespace }: ChurnTarget, atMs: number): ReadonlyArray<ChurnStep> => {
  const selector = { app: name }
  const service = { apiVersion: "v1", resource: "services", namespace, name }
  const budget = { apiVersion: "policy/v1", resource: "poddisruptionbudgets", namespace, name }
  const { maxUnavailable } = workload
  return [
    ...(workload.service
      ? [create(atMs, service, "Service", { spec: { selector, ports: [{ port: 80, targetPort: 80 }] } })]
      : []),
    ...(maxUnavailable === undefined
      ? []
      : [
          create(atMs, budget, "PodDisruptionBudget", { spec: { maxUnavailable, selector: { matchLabels: selector } } })
        ])
  ]
}

/** Creations of a workload and of what stands beside it, at its pace. */
export function* workloadSteps(cluster: Cluster, workload: Workload): Generator<ChurnStep> {
  const gapMs = 1000 / workload.perSecond
  let atMs = Math.max(workload.at, NAMESPACES_FIRST_MS)
  for (const of of workloadTargets(cluster, workload)) {
    yield* besides(workload, of, atMs)
    if (workload.kind !== "Pod") yield create(atMs, of, workload.kind, { spec: specOf(workload, of.name) })
    else {
      const metadata = { labels: labelsOf(workload, of.name), annotations: annotationsOf(workload) }
      for (let pod = 0; pod < workload.replicas; pod++) {
        const one = { ...of, name: `${of.name}-${pod}` }
        yield create(atMs, one, "Pod", { spec: podSpecOf(workload) }, metadata)
        atMs += gapMs
      }
      continue
    }
    atMs += gapMs
  }
}
