// The load that ClusterLoader2's load test puts on a cluster: deployments of three sizes in each namespace, with their services,
// configmaps and secrets, created, scaled, updated and deleted.
// Owns the proportions and the pace; refuses to carry the steps out. Everything is decided by the stream of chance it is given.
// Source: kubernetes/perf-tests, clusterloader2/testing/load: 30 pods a node, 100 nodes a namespace; a quarter of the pods in
// groups of 250, a quarter in groups of 30, half in groups of 5; half as many services as deployments.
import type { RandomStream } from "../time/RandomStream.ts"
import type { ChurnStep, ChurnTarget } from "./ChurnStep.ts"

export interface LoadTestOptions {
  readonly nodes: number
  readonly podsPerNode?: number
  readonly nodesPerNamespace?: number
  /** Deployments that are touched in one second. */
  readonly perSecond?: number
  /** Milliseconds since the world began. */
  readonly startMs?: number
  /** Rounds of scaling and updating between creation and deletion. */
  readonly rounds?: number
  /** Whether everything is deleted in the end. */
  readonly cleanUp?: boolean
}

interface Group {
  readonly namespace: string
  readonly name: string
  readonly size: number
  readonly index: number
}

const PODS_PER_NODE = 30
const NODES_PER_NAMESPACE = 100
const PER_SECOND = 10
const SIZES = [
  { name: "big", size: 250, share: 4 },
  { name: "medium", size: 30, share: 4 },
  { name: "small", size: 5, share: 2 }
] as const

/** Namespaces and their deployments for a cluster of this size. */
export const loadTestGroups = (options: LoadTestOptions): ReadonlyArray<Group> => {
  const { nodes, nodesPerNamespace = NODES_PER_NAMESPACE, podsPerNode = PODS_PER_NODE } = options
  const namespaces = Math.max(1, Math.floor(nodes / nodesPerNamespace))
  const podsEach = Math.floor((nodes * podsPerNode) / namespaces)
  return Array.from({ length: namespaces }, (_, number) =>
    SIZES.flatMap(({ name, share, size }) =>
      Array.from({ length: Math.floor(podsEach / (share * size)) }, (_, index) => ({
        namespace: `load-${number + 1}`,
        name: `${name}-deployment-${index}`,
        size,
        index
      }))
    )
  ).flat()
}

/** The steps of the whole test, in the order of time; made as they are asked for. */
export function* loadTest(options: LoadTestOptions, random: RandomStream): Generator<ChurnStep> {
  const { cleanUp = true, perSecond = PER_SECOND, rounds = 1, startMs = 0 } = options
  const groups = loadTestGroups(options)
  const gapMs = 1000 / perSecond
  let atMs = startMs
  const tick = (): number => (atMs += gapMs * random.between(0.5, 1.5))
  for (const namespace of new Set(groups.map((group) => group.namespace)))
    yield {
      atMs,
      verb: "create",
      of: ref("v1", "namespaces", "", namespace),
      object: object("v1", "Namespace", "", namespace)
    }
  for (const group of random.shuffled(groups)) yield* create(group, tick())
  for (let round = 0; round < rounds; round++) {
    for (const group of random.shuffled(groups)) {
      const replicas = Math.max(1, Math.round(group.size * random.between(0.5, 1.5)))
      yield { atMs: tick(), verb: "scale", of: deploymentOf(group), replicas }
    }
    for (const group of random.shuffled(groups)) {
      const patch = {
        spec: { replicas: group.size, template: { metadata: { annotations: { round: String(round) } } } }
      }
      yield { atMs: tick(), verb: "patch", of: deploymentOf(group), patch }
    }
  }
  if (!cleanUp) return
  for (const group of random.shuffled(groups)) yield* remove(group, tick())
}

const ref = (apiVersion: string, resource: string, namespace: string, name: string): ChurnTarget => ({
  apiVersion,
  resource,
  namespace,
  name
})

const deploymentOf = ({ name, namespace }: Group): ChurnTarget => ref("apps/v1", "deployments", namespace, name)

const object = (apiVersion: string, kind: string, namespace: string, name: string, rest: object = {}) => ({
  apiVersion,
  kind,
  metadata: namespace === "" ? { name } : { name, namespace },
  ...rest
})

/** A deployment's pods carry nothing of their own: one container that asks for little and mounts a configmap and a secret. */
export const loadTestPodSpec = (configName: string) => ({
  containers: [
    {
      name: "pause",
      image: "registry.k8s.io/pause:3.10",
      resources: { requests: { cpu: "10m", memory: "10M" } },
      volumeMounts: [
        { name: "configmap", mountPath: "/var/configmap" },
        { name: "secret", mountPath: "/var/secret" }
      ]
    }
  ],
  volumes: [
    { name: "configmap", configMap: { name: configName } },
    { name: "secret", secret: { secretName: configName } }
  ],
  terminationGracePeriodSeconds: 1,
  dnsPolicy: "Default",
  restartPolicy: "Always"
})

function* create(group: Group, atMs: number): Generator<ChurnStep> {
  const { index, name, namespace, size } = group
  const make = (apiVersion: string, kind: string, resource: string, rest: object): ChurnStep => ({
    atMs,
    verb: "create",
    of: ref(apiVersion, resource, namespace, name),
    object: object(apiVersion, kind, namespace, name, rest)
  })
  const labels = { group: "load", name }
  yield make("v1", "ConfigMap", "configmaps", { data: { "data.yaml": "a: 1\nb: 2\nc: 3\n" } })
  yield make("v1", "Secret", "secrets", { type: "Opaque", data: { password: "c2NhbGFiaWxpdHkK" } })
  if (index % 2 === 0)
    yield make("v1", "Service", "services", { spec: { selector: { name }, ports: [{ port: 80, targetPort: 80 }] } })
  yield make("apps/v1", "Deployment", "deployments", {
    spec: {
      replicas: size,
      selector: { matchLabels: { name } },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "10%", maxUnavailable: "10%" } },
      template: { metadata: { labels }, spec: loadTestPodSpec(name) }
    }
  })
}

function* remove(group: Group, atMs: number): Generator<ChurnStep> {
  const { index, name, namespace } = group
  const resources = ["deployments", ...(index % 2 === 0 ? ["services"] : []), "configmaps", "secrets"]
  for (const resource of resources) {
    const apiVersion = resource === "deployments" ? "apps/v1" : "v1"
    yield { atMs, verb: "delete", of: ref(apiVersion, resource, namespace, name) }
  }
}
