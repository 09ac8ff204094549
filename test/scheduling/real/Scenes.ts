// Random small clusters for the comparison with the real scheduler: the generators of the other properties, made such that an API server
// takes them, and volumes, services and budgets besides.
// Owns what a scene holds; refuses to play it.
import * as fc from "fast-check"
import type { JsonObject, KubeObject } from "#kube"
import { nodeOf, nodeParts, type NodeParts, podOf, podParts, type PodParts } from "../Generators.ts"
import { pod } from "../Objects.ts"
import { claimParts, type ClaimParts, volumeParts, type VolumeParts } from "./SceneVolumes.ts"

const budgetParts = fc.record({ app: fc.constantFrom("x", "y"), allowed: fc.nat({ max: 2 }) })

const podSteps = fc.record({
  parts: podParts,
  /** Copies after the first: alike pods are where results are kept. */
  copies: fc.constantFrom(0, 0, 0, 1, 3),
  claim: fc.option(fc.nat({ max: 4 }), { freq: 2 }),
  disk: fc.nat({ max: 5 }).map((draw) => ["gce", "iscsi", "rbd"].at(draw) ?? null),
  /** Nodes that the pod names, as a DaemonSet's do; two that differ contradict each other. */
  named: fc
    .nat({ max: 11 })
    .chain((draw) => fc.array(fc.nat({ max: 6 }), { minLength: 0, maxLength: draw === 0 ? 2 : 0 })),
  /** Whether victims of preemption linger on their node. */
  lingers: fc.boolean(),
  never: fc.nat({ max: 9 })
})

export interface Scene {
  readonly nodes: ReadonlyArray<NodeParts>
  readonly steps: ReadonlyArray<typeof podSteps extends fc.Arbitrary<infer A> ? A : never>
  readonly services: ReadonlyArray<string>
  readonly budgets: ReadonlyArray<{ readonly app: string; readonly allowed: number }>
  readonly hasVolumes: boolean
  readonly claims: ReadonlyArray<ClaimParts>
  readonly volumes: ReadonlyArray<VolumeParts>
  /** Volumes of the driver that a node takes; without, as many as come. */
  readonly limits: ReadonlyArray<number | null>
}

/** What a scene is about: anything; nodes that take most pods, so that scores and domains matter; too little room, so that pods must go. */
type Mood = "any" | "calm" | "crowded"

const nodeIn = (mood: Mood, parts: NodeParts): NodeParts => {
  if (mood === "any") return parts
  const open = {
    ...parts,
    unschedulable: undefined,
    taints: parts.taints?.filter(({ effect }) => effect === "PreferNoSchedule")
  }
  return mood === "calm" ? { ...open, memory: "6000Mi", pods: "110" } : { ...open, cpu: "1", pods: "2" }
}

/** Where room is short, pods matter more the later they come. */
const priorityIn = (mood: Mood, at: number, priority: PodParts["priority"]): PodParts["priority"] => {
  if (mood !== "crowded") return priority
  return at < 3 ? 0 : at < 6 ? 1 : 5
}

interface Drawn extends Scene {
  readonly mood: Mood
}

const inMood = ({ mood, nodes, steps, ...rest }: Drawn): Scene => ({
  ...rest,
  nodes: nodes.map((parts) => nodeIn(mood, parts)),
  steps: steps.map((step, at) => ({
    ...step,
    parts: { ...step.parts, priority: priorityIn(mood, at, step.parts.priority) }
  }))
})

const scene: fc.Arbitrary<Scene> = fc
  .record<Drawn>({
    mood: fc.constantFrom("any", "calm", "crowded"),
    nodes: fc.array(nodeParts, { minLength: 2, maxLength: 7 }),
    steps: fc.array(podSteps, { minLength: 6, maxLength: 10 }),
    services: fc.uniqueArray(fc.constantFrom("x", "y"), { maxLength: 2 }),
    budgets: fc.uniqueArray(budgetParts, { maxLength: 2, selector: ({ app }) => app }),
    hasVolumes: fc.nat({ max: 2 }).map((draw) => draw === 0),
    claims: fc.array(claimParts, { minLength: 3, maxLength: 5 }),
    volumes: fc.array(volumeParts, { minLength: 1, maxLength: 4 }),
    limits: fc.array(fc.constantFrom(null, 1, 1, 2), { minLength: 7, maxLength: 7 })
  })
  .map(inMood)

/** The scene of a seed. */
export const sceneOf = (seed: number): Scene => fc.sample(scene, { seed, numRuns: 1 })[0]

interface Resources {
  readonly requests?: Readonly<Record<string, string>>
}

interface Container {
  readonly name: string
  readonly resources?: Resources
  readonly ports?: ReadonlyArray<{ readonly hostPort: number }>
}

const GPU = "example.com/gpu"

/** Extended resources are limited to what is asked for. */
const limited = ({ requests = {} }: Resources): JsonObject =>
  GPU in requests ? { requests, limits: { [GPU]: requests[GPU] } } : { requests }

const containers = (list: ReadonlyArray<Container>, usesPorts: boolean): ReadonlyArray<JsonObject> =>
  list.map(({ ports, resources = {}, ...rest }, at) => ({
    ...rest,
    name: `${rest.name}${at}`,
    resources: limited(resources),
    ...(ports === undefined || !usesPorts || at > 0
      ? {}
      : { ports: ports.map((port) => ({ ...port, containerPort: port.hostPort })) })
  }))

const distinct = <A>(list: ReadonlyArray<A>, key: (item: A) => string): ReadonlyArray<A> => [
  ...new Map(list.map((item) => [key(item), item])).values()
]

interface Constraint {
  readonly topologyKey: string
  readonly whenUnsatisfiable: string
}

interface PodSpec {
  readonly containers: ReadonlyArray<Container>
  readonly initContainers?: ReadonlyArray<Container>
  readonly topologySpreadConstraints?: ReadonlyArray<Constraint>
  readonly priority: number
  readonly overhead?: JsonObject
  readonly resources?: JsonObject
}

/** A pod that an API server takes: names and ports differ, priorities have classes, overhead comes from a runtime class. */
export const admissiblePod = (name: string, parts: PodParts): KubeObject => {
  const made = podOf(name, parts)
  // SAFETY: podOf makes these fields.
  const spec = made.spec as unknown as PodSpec
  const { overhead, priority, topologySpreadConstraints: spread, ...rest } = spec
  const admissible = {
    ...rest,
    containers: containers(spec.containers, true),
    ...(spec.initContainers === undefined ? {} : { initContainers: containers(spec.initContainers, false) }),
    ...(spread === undefined
      ? {}
      : {
          topologySpreadConstraints: distinct(spread, (one) => `${one.topologyKey} ${one.whenUnsatisfiable}`)
        }),
    ...(overhead === undefined ? {} : { runtimeClassName: "heavy" }),
    ...(priority === 0 ? {} : { priorityClassName: `class-${priority}` })
  }
  const { uid: _, ...metadata } = made.metadata
  // SAFETY: all of it is JSON.
  return { ...made, metadata, spec: admissible as unknown as JsonObject }
}

/** A node that an API server takes: one taint of a key and effect. */
export const admissibleNode = (name: string, parts: NodeParts): KubeObject => {
  const taints =
    parts.taints === undefined ? undefined : distinct(parts.taints, ({ effect, key }) => `${key} ${effect}`)
  const made = nodeOf(name, { ...parts, ...(taints === undefined ? {} : { taints: [...taints] }) })
  const { uid: _, ...metadata } = made.metadata
  return { ...made, metadata }
}

/** Objects of every scene. */
export const lasting: ReadonlyArray<KubeObject> = [
  ...[1, 5].map((value): KubeObject => ({
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name: `class-${value}` },
    value
  })),
  {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name: "class-never" },
    value: 5,
    preemptionPolicy: "Never"
  },
  {
    apiVersion: "node.k8s.io/v1",
    kind: "RuntimeClass",
    metadata: { name: "heavy" },
    handler: "heavy",
    overhead: { podFixed: { cpu: "50m", memory: "64Mi" } }
  },
  ...(
    [
      ["local", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"],
      ["csi", "csi.example.com", "WaitForFirstConsumer"],
      ["now", "csi.example.com", "Immediate"]
    ] as const
  ).map(([name, provisioner, volumeBindingMode]): KubeObject => ({
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name },
    provisioner,
    volumeBindingMode,
    ...(name === "csi"
      ? {
          allowedTopologies: [{ matchLabelExpressions: [{ key: "topology.kubernetes.io/zone", values: ["a", "b"] }] }]
        }
      : {})
  }))
]

export const service = (app: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: `s-${app}`, namespace: "default" },
  spec: { selector: { app }, clusterIP: "None" }
})

export const budget = (app: string): KubeObject => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name: `b-${app}`, namespace: "default" },
  spec: { selector: { matchLabels: { app } } }
})

/** A pod that no node takes: what is said of it tells how many nodes the scheduler knows. */
export const canary = (name: string): KubeObject => {
  const made = pod(name, { spec: { nodeSelector: { nowhere: "true" } } })
  const { uid: _, ...metadata } = made.metadata
  return { ...made, metadata }
}
