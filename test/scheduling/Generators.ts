// Random small clusters and pods that use every plugin often enough to matter: few labels, few values, little room.
import * as fc from "fast-check"
import type { JsonObject, KubeObject } from "#kube"
import { node, pod } from "./Objects.ts"

const ZONE = "topology.kubernetes.io/zone"
const HOST = "kubernetes.io/hostname"

/** Undefined once in so many times. */
const maybe = <A>(value: fc.Arbitrary<A>, oneIn = 2): fc.Arbitrary<A | undefined> =>
  fc.option(value, { nil: undefined, freq: oneIn })

const rarely = <A>(value: fc.Arbitrary<A>, oneIn: number): fc.Arbitrary<A | undefined> =>
  fc.nat({ max: oneIn - 1 }).chain((draw) => (draw === 0 ? value : fc.constant(undefined)))

const defined = (fields: Record<string, unknown>): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as JsonObject

const taint = fc.record({
  key: fc.constantFrom("t", "u"),
  value: fc.constantFrom("", "x"),
  effect: fc.constantFrom("NoSchedule", "PreferNoSchedule", "NoExecute")
})

const image = fc.constantFrom("small", "large:v1", "huge")
const imageSizes: Readonly<Record<string, number>> = { small: 30e6, "large:v1": 500e6, huge: 3e9 }

/** A node's parts without its name. */
export const nodeParts = fc.record({
  zone: maybe(fc.constantFrom("a", "b", "c"), 8),
  disk: maybe(fc.constantFrom("ssd", "hdd")),
  rank: maybe(fc.constantFrom("1", "2", "10")),
  hostless: rarely(fc.constant(true), 12),
  cpu: fc.constantFrom("1", "2", "4", "3500m"),
  memory: fc.constantFrom("1Gi", "4Gi", "6000Mi"),
  pods: fc.constantFrom("2", "5", "110"),
  gpu: maybe(fc.constantFrom("1", "2"), 3),
  unschedulable: rarely(fc.constant(true), 8),
  taints: rarely(fc.array(taint, { minLength: 1, maxLength: 2 }), 3),
  images: fc.uniqueArray(image, { maxLength: 2 })
})

export type NodeParts = typeof nodeParts extends fc.Arbitrary<infer A> ? A : never

export const nodeOf = (name: string, parts: NodeParts): KubeObject => {
  const { cpu, disk, gpu, hostless, images, memory, pods, rank, taints, unschedulable, zone } = parts
  const made = node(name, {
    labels: defined({ [ZONE]: zone, disk, rank }) as Record<string, string>,
    spec: defined({ taints, unschedulable }),
    allocatable: defined({ cpu, memory, pods, "example.com/gpu": gpu }) as Record<string, string>,
    status: {
      images: images.map((one) => ({
        names: [one.includes(":") ? one : `${one}:latest`],
        sizeBytes: imageSizes[one]
      }))
    }
  })
  if (hostless !== true) return made
  const { [HOST]: _, ...labels } = made.metadata.labels ?? {}
  return { ...made, metadata: { ...made.metadata, labels } }
}

const selector = fc.oneof(
  fc.constantFrom("x", "y").map((app) => ({ matchLabels: { app } })),
  fc.constantFrom("x", "y").map((app) => ({ matchExpressions: [{ key: "app", operator: "In", values: [app, "z"] }] })),
  fc.constant({ matchExpressions: [{ key: "app", operator: "Exists" }] }),
  fc.constant({ matchExpressions: [{ key: "tier", operator: "NotIn", values: ["1"] }] })
)

const namespaces = fc.oneof(
  { weight: 4, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.constant({ namespaces: ["other"] }) },
  { weight: 1, arbitrary: fc.constant({ namespaceSelector: { matchLabels: { team: "a" } } }) },
  { weight: 1, arbitrary: fc.constant({ namespaceSelector: {} }) }
)

const topologyKey = fc.constantFrom(ZONE, HOST, HOST, "disk")

const term = fc
  .tuple(selector, namespaces, topologyKey)
  .map(([labelSelector, near, key]) => ({ labelSelector, topologyKey: key, ...near }))

const podTerms = fc
  .record({
    hard: rarely(fc.array(term, { minLength: 1, maxLength: 2 }), 2),
    soft: rarely(
      fc.array(fc.record({ weight: fc.integer({ min: 1, max: 100 }), podAffinityTerm: term }), {
        minLength: 1,
        maxLength: 2
      }),
      2
    )
  })
  .map(({ hard, soft }) =>
    defined({
      requiredDuringSchedulingIgnoredDuringExecution: hard,
      preferredDuringSchedulingIgnoredDuringExecution: soft
    })
  )

const requirement = fc.oneof(
  fc.constantFrom("ssd", "hdd").map((value) => ({ key: "disk", operator: "In", values: [value] })),
  fc.constant({ key: "disk", operator: "NotIn", values: ["hdd"] }),
  fc.constantFrom("Exists", "DoesNotExist").map((operator) => ({ key: "rank", operator })),
  fc.constantFrom("Gt", "Lt").map((operator) => ({ key: "rank", operator, values: ["2"] }))
)

const nodeTerm = fc.array(requirement, { minLength: 1, maxLength: 2 }).map((matchExpressions) => ({ matchExpressions }))

const nodeAffinity = fc
  .record({
    hard: rarely(fc.array(nodeTerm, { minLength: 1, maxLength: 2 }), 2),
    soft: rarely(
      fc.array(fc.record({ weight: fc.integer({ min: 1, max: 100 }), preference: nodeTerm }), {
        minLength: 1,
        maxLength: 3
      }),
      2
    )
  })
  .map(({ hard, soft }) =>
    defined({
      requiredDuringSchedulingIgnoredDuringExecution: hard === undefined ? undefined : { nodeSelectorTerms: hard },
      preferredDuringSchedulingIgnoredDuringExecution: soft
    })
  )

/** A topology spread constraint, hard or soft. */
export const spreadConstraint = fc
  .record({
    maxSkew: fc.integer({ min: 1, max: 2 }),
    topologyKey,
    whenUnsatisfiable: fc.constantFrom("DoNotSchedule", "ScheduleAnyway"),
    labelSelector: selector,
    minDomains: rarely(fc.integer({ min: 1, max: 4 }), 3),
    matchLabelKeys: rarely(fc.constant(["hash"]), 4),
    nodeAffinityPolicy: rarely(fc.constantFrom("Honor", "Ignore"), 3),
    nodeTaintsPolicy: rarely(fc.constantFrom("Honor", "Ignore"), 3)
  })
  .map((fields) =>
    defined({ ...fields, minDomains: fields.whenUnsatisfiable === "DoNotSchedule" ? fields.minDomains : undefined })
  )

const toleration = fc
  .record({
    key: fc.constantFrom("t", "u"),
    operator: fc.constantFrom("Exists", "Equal"),
    value: fc.constantFrom("", "x"),
    effect: maybe(fc.constantFrom("NoSchedule", "PreferNoSchedule", "NoExecute"))
  })
  .map(({ effect, key, operator, value }) =>
    defined({ key, operator, value: operator === "Exists" ? undefined : value, effect })
  )

const requests = fc
  .record({
    cpu: maybe(fc.constantFrom("0", "100m", "500m", "1"), 4),
    memory: maybe(fc.constantFrom("100Mi", "1Gi"), 4),
    gpu: rarely(fc.constantFrom("1", "2"), 6)
  })
  .map(({ cpu, gpu, memory }) => defined({ cpu, memory, "example.com/gpu": gpu }))

const port = fc
  .record({
    hostPort: fc.constantFrom(80, 81),
    protocol: maybe(fc.constantFrom("TCP", "UDP"), 3),
    hostIP: maybe(fc.constantFrom("10.0.0.1", "0.0.0.0"), 3)
  })
  .map((fields) => defined(fields))

const container = fc
  .record({ image, resources: requests, ports: rarely(fc.array(port, { minLength: 1, maxLength: 1 }), 6) })
  .map((fields) =>
    defined({ name: "c", image: fields.image, resources: { requests: fields.resources }, ports: fields.ports })
  )

const initContainer = fc
  .record({ resources: requests, restartPolicy: rarely(fc.constant("Always"), 2) })
  .map((fields) =>
    defined({
      name: "i",
      image: "small",
      resources: { requests: fields.resources },
      restartPolicy: fields.restartPolicy
    })
  )

/** A pod's parts without its name; `richness` is how many in ten pods use a feature that not every pod has. */
export const podParts = fc.record({
  namespace: fc.constantFrom("default", "default", "other"),
  labels: fc
    .record({
      app: maybe(fc.constantFrom("x", "y", "z"), 5),
      hash: maybe(fc.constantFrom("1", "2"), 3),
      tier: maybe(fc.constantFrom("1", "2"))
    })
    .map((fields) => defined(fields) as Record<string, string>),
  containers: fc.array(container, { minLength: 1, maxLength: 2 }),
  initContainers: rarely(fc.array(initContainer, { minLength: 1, maxLength: 3 }), 6),
  overhead: rarely(fc.constant({ cpu: "50m", memory: "64Mi" }), 10),
  podRequests: rarely(fc.constant({ cpu: "700m", memory: "512Mi" }), 12),
  nodeSelector: rarely(
    fc.constantFrom("ssd", "hdd").map((disk) => ({ disk })),
    8
  ),
  nodeAffinity: rarely(nodeAffinity, 4),
  podAffinity: rarely(podTerms, 4),
  podAntiAffinity: rarely(podTerms, 4),
  spread: rarely(fc.array(spreadConstraint, { minLength: 1, maxLength: 2 }), 3),
  tolerations: rarely(fc.array(toleration, { minLength: 1, maxLength: 2 }), 3),
  priority: fc.constantFrom(0, 0, 1, 5)
})

export type PodParts = typeof podParts extends fc.Arbitrary<infer A> ? A : never

export const podOf = (name: string, parts: PodParts): KubeObject => {
  const { labels, namespace, nodeAffinity: near, podAffinity, podAntiAffinity, podRequests, spread, ...rest } = parts
  const affinity = defined({ nodeAffinity: near, podAffinity, podAntiAffinity })
  return pod(name, {
    namespace,
    // A label of its own, as a StatefulSet's pods have it: no selector asks about it.
    labels: { ...labels, name },
    spec: defined({
      ...rest,
      affinity: Object.keys(affinity).length === 0 ? undefined : affinity,
      topologySpreadConstraints: spread,
      resources: podRequests === undefined ? undefined : { requests: podRequests }
    })
  })
}

/** Runs of properties: hundreds by default, or as many as SCHEDULING_RUNS says. */
export const runs = (byDefault: number): number => Number(process.env["SCHEDULING_RUNS"] ?? byDefault)

/** The seed of a run, printed with each failure; SCHEDULING_SEED repeats one. */
export const parameters = (byDefault: number): fc.Parameters<unknown> => ({
  numRuns: runs(byDefault),
  ...(process.env["SCHEDULING_SEED"] === undefined ? {} : { seed: Number(process.env["SCHEDULING_SEED"]) })
})
