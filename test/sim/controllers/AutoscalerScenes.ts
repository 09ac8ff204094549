// What autoscalers go through when two controllers are compared: metrics that are served, those that are not, bounds and behaviour.
// Owns the stories. Metrics are custom resources of metrics.k8s.io, which is all that an autoscaler sees of a metrics server.
import { Effect } from "effect"
import { type ApiFailure, type Json, type KubeObject, rfc3339 } from "#kube"
import { Kinds, type Stage } from "./Stage.ts"

type Scene = (stage: Stage) => Effect.Effect<void, ApiFailure>

const podMetrics = { group: "metrics.k8s.io", version: "v1beta1", resource: "pods" }

/** Serves pods' metrics as custom resources. */
export const serveMetrics = (stage: Stage): Effect.Effect<void, ApiFailure> => {
  const openAPIV3Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true }
  return stage.serveKind({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: "pods.metrics.k8s.io",
      annotations: { "api-approved.kubernetes.io": "unapproved, for a test" }
    },
    spec: {
      group: "metrics.k8s.io",
      scope: "Namespaced",
      names: { plural: "pods", kind: "PodMetrics" },
      versions: [{ name: "v1beta1", served: true, storage: true, schema: { openAPIV3Schema } }]
    }
  })
}

interface Load {
  /** What each pod uses; undefined where nobody knows. */
  readonly uses: ReadonlyArray<{ readonly cpu?: string; readonly memory?: string } | undefined>
  readonly requests?: { readonly [resource: string]: string }
  readonly phase?: (at: number) => string
}

const labels = (name: string) => ({ app: name })

const workload = (stage: Stage, name: string, replicas: number): Effect.Effect<KubeObject, ApiFailure> =>
  Effect.gen(function* () {
    const template = { metadata: { labels: labels(name) }, spec: { containers: [{ name: "c", image: "i" }] } }
    yield* stage.create(Kinds.deployments, {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name },
      spec: { replicas, selector: { matchLabels: labels(name) }, template }
    })
    return yield* stage.merge(Kinds.deployments, name, { status: { replicas } }, "status")
  })

const loaded = (stage: Stage, name: string, { phase, requests = { cpu: "100m" }, uses }: Load, nowMs: number) =>
  Effect.forEach(
    uses,
    (usage, at) =>
      Effect.gen(function* () {
        const pod = `${name}-${at}`
        const metadata = { name: pod, labels: labels(name) }
        const containers = [
          { name: "c", image: "i", resources: { requests } },
          { name: "d", image: "i", resources: { requests } }
        ]
        yield* stage.create(Kinds.pods, {
          apiVersion: "v1",
          kind: "Pod",
          metadata,
          spec: { containers }
        })
        const long = rfc3339(nowMs - 3_600_000)
        const conditions = [{ type: "Ready", status: "True", lastTransitionTime: long }]
        const status = { phase: phase?.(at) ?? "Running", startTime: long, conditions }
        yield* stage.merge(Kinds.pods, pod, { status }, "status")
        if (usage === undefined) return
        yield* stage.create(podMetrics, {
          apiVersion: "metrics.k8s.io/v1beta1",
          kind: "PodMetrics",
          metadata,
          timestamp: rfc3339(nowMs),
          window: "15s",
          containers: [
            { name: "c", usage },
            { name: "d", usage }
          ]
        })
      }),
    { discard: true, concurrency: 4 }
  )

const autoscaler = (name: string, spec: { [field: string]: Json }, kind = "Deployment"): KubeObject => ({
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { name },
  spec: { maxReplicas: 10, scaleTargetRef: { apiVersion: "apps/v1", kind, name }, ...spec }
})

const resource = (name: string, target: { [field: string]: Json }): Json => ({
  type: "Resource",
  resource: { name, target }
})

const cpu = (averageUtilization: number): Json => resource("cpu", { type: "Utilization", averageUtilization })

/** Whether the newest condition of a type has this reason. */
const because =
  (type: string, reason: string) =>
  ({ status }: KubeObject): boolean =>
    ((status as { conditions?: ReadonlyArray<{ type: string; reason: string }> }).conditions ?? []).some(
      (one) => one.type === type && one.reason === reason
    )

interface Story {
  readonly name: string
  readonly replicas: number
  readonly load?: Load
  readonly spec: { [field: string]: Json }
  /** The condition that ends the scene, and the replicas that there are then. */
  readonly ends: readonly [type: string, reason: string]
  readonly at?: number
}

const told =
  ({ at, ends, load, name, replicas, spec }: Story, nowMs: number): Scene =>
  (stage) =>
    Effect.gen(function* () {
      yield* workload(stage, name, replicas)
      if (load !== undefined) yield* loaded(stage, name, load, nowMs)
      // The controllers' informers learn of the pods first.
      yield* Effect.sleep(1000)
      yield* stage.create(Kinds.autoscalers, autoscaler(name, spec))
      if (at !== undefined) {
        const isThere = ({ spec: now }: KubeObject): boolean => (now as { replicas?: number }).replicas === at
        yield* stage.untilObject(Kinds.deployments, name, `has ${at} replicas`, isThere)
      }
      yield* stage.untilObject(Kinds.autoscalers, name, `says ${ends.join(" ")}`, because(...ends))
    })

const busy = { uses: [{ cpu: "100m" }, { cpu: "100m" }] }
const idle = { uses: [{ cpu: "1m" }, { cpu: "1m" }] }
const custom = { metric: { name: "requests" }, target: { type: "AverageValue", averageValue: "10" } }
const labelled = {
  name: "queue",
  selector: { matchLabels: { q: "a" }, matchExpressions: [{ key: "z", operator: "Exists" }] }
}

const stories: ReadonlyArray<Story> = [
  {
    name: "doubles",
    replicas: 2,
    load: busy,
    spec: { metrics: [cpu(50)] },
    at: 4,
    ends: ["ScalingActive", "ValidMetricFound"]
  },
  {
    name: "as-it-is",
    replicas: 2,
    load: { uses: [{ cpu: "52m" }, { cpu: "52m" }] },
    spec: { metrics: [cpu(50)] },
    ends: ["ScalingLimited", "DesiredWithinRange"]
  },
  {
    name: "too-many",
    replicas: 3,
    load: { uses: [{ cpu: "1" }] },
    spec: { metrics: [cpu(50)], maxReplicas: 4 },
    at: 4,
    ends: ["ScalingLimited", "TooManyReplicas"]
  },
  {
    name: "too-fast",
    replicas: 3,
    load: { uses: [{ cpu: "1" }, { cpu: "1" }, { cpu: "1" }] },
    spec: { metrics: [cpu(50)], maxReplicas: 40 },
    at: 40,
    ends: ["ScalingLimited", "TooManyReplicas"]
  },
  {
    name: "goes-down",
    replicas: 6,
    load: idle,
    spec: { metrics: [cpu(50)], minReplicas: 2 },
    at: 2,
    ends: ["ScalingLimited", "TooFewReplicas"]
  },
  {
    name: "above",
    replicas: 12,
    load: busy,
    spec: { metrics: [cpu(50)] },
    at: 4,
    ends: ["ScalingActive", "ValidMetricFound"]
  },
  {
    name: "below",
    replicas: 1,
    load: { uses: [{ cpu: "50m" }, { cpu: "50m" }, { cpu: "50m" }] },
    spec: { metrics: [cpu(50)], minReplicas: 3 },
    at: 3,
    ends: ["ScalingActive", "ValidMetricFound"]
  },
  { name: "asleep", replicas: 0, spec: { metrics: [cpu(50)] }, ends: ["ScalingActive", "ScalingDisabled"] },
  {
    name: "memory",
    replicas: 2,
    load: { uses: [{ memory: "64Mi" }, { memory: "32Mi" }], requests: { memory: "1Gi" } },
    spec: { metrics: [resource("memory", { type: "AverageValue", averageValue: "32Mi" })] },
    at: 6,
    ends: ["ScalingActive", "ValidMetricFound"]
  },
  {
    name: "container",
    replicas: 2,
    load: busy,
    spec: {
      metrics: [
        {
          type: "ContainerResource",
          containerResource: { name: "cpu", container: "d", target: { type: "Utilization", averageUtilization: 80 } }
        }
      ]
    },
    at: 3,
    ends: ["ScalingActive", "ValidMetricFound"]
  },
  {
    name: "no-request",
    replicas: 2,
    load: { uses: [{ cpu: "100m" }], requests: { memory: "1Gi" } },
    spec: { metrics: [cpu(50)] },
    ends: ["ScalingActive", "FailedGetResourceMetric"]
  },
  {
    name: "no-metrics",
    replicas: 2,
    load: { uses: [undefined, undefined] },
    spec: { metrics: [cpu(50)] },
    ends: ["ScalingActive", "FailedGetResourceMetric"]
  },
  {
    name: "missing",
    replicas: 3,
    load: { uses: [{ cpu: "200m" }, undefined, undefined] },
    spec: { metrics: [cpu(50)] },
    at: 4,
    ends: ["ScalingActive", "ValidMetricFound"]
  },
  {
    name: "pending",
    replicas: 3,
    load: { ...busy, uses: [...busy.uses, { cpu: "1m" }], phase: (at) => (at === 2 ? "Pending" : "Running") },
    spec: { metrics: [cpu(50)] },
    at: 4,
    ends: ["ScalingActive", "ValidMetricFound"]
  },
  {
    name: "failed-pod",
    replicas: 2,
    load: { uses: [{ cpu: "100m" }, { cpu: "1m" }], phase: (at) => (at === 1 ? "Failed" : "Running") },
    spec: { metrics: [cpu(50)] },
    ends: ["ScalingActive", "ValidMetricFound"]
  },
  {
    name: "no-pods-api",
    replicas: 2,
    load: busy,
    spec: { metrics: [{ type: "Pods", pods: custom }] },
    ends: ["ScalingActive", "FailedGetPodsMetric"]
  },
  {
    name: "no-object-api",
    replicas: 2,
    load: busy,
    spec: {
      metrics: [
        { type: "Object", object: { ...custom, describedObject: { apiVersion: "v1", kind: "Service", name: "s" } } }
      ]
    },
    ends: ["ScalingActive", "FailedGetObjectMetric"]
  },
  {
    name: "no-external-api",
    replicas: 2,
    load: busy,
    spec: { metrics: [{ type: "External", external: { metric: labelled, target: { type: "Value", value: "10" } } }] },
    ends: ["ScalingActive", "FailedGetExternalMetric"]
  },
  {
    name: "one-of-two",
    replicas: 2,
    load: busy,
    spec: { metrics: [{ type: "Pods", pods: custom }, cpu(50)] },
    at: 4,
    ends: ["ScalingActive", "ValidMetricFound"]
  },
  {
    name: "one-of-two-down",
    replicas: 2,
    load: idle,
    spec: {
      metrics: [
        cpu(50),
        { type: "External", external: { metric: labelled, target: { type: "AverageValue", averageValue: "3" } } }
      ]
    },
    ends: ["ScalingActive", "FailedGetExternalMetric"]
  },
  {
    name: "slowly",
    replicas: 2,
    load: busy,
    spec: { metrics: [cpu(20)], behavior: { scaleUp: { policies: [{ type: "Pods", value: 1, periodSeconds: 600 }] } } },
    at: 3,
    ends: ["ScalingLimited", "ScaleUpLimit"]
  },
  {
    name: "never-down",
    replicas: 5,
    load: idle,
    spec: { metrics: [cpu(50)], behavior: { scaleDown: { selectPolicy: "Disabled", stabilizationWindowSeconds: 0 } } },
    ends: ["ScalingLimited", "ScaleDownLimit"]
  },
  {
    name: "held-back",
    replicas: 5,
    load: idle,
    spec: { metrics: [cpu(50)], behavior: { scaleDown: { stabilizationWindowSeconds: 600 } } },
    ends: ["AbleToScale", "ScaleDownStabilized"]
  },
  {
    name: "half-down",
    replicas: 8,
    load: idle,
    spec: {
      metrics: [cpu(50)],
      behavior: {
        scaleDown: {
          stabilizationWindowSeconds: 0,
          selectPolicy: "Min",
          policies: [
            { type: "Percent", value: 50, periodSeconds: 600 },
            { type: "Pods", value: 3, periodSeconds: 600 }
          ]
        }
      }
    },
    at: 5,
    ends: ["ScalingLimited", "ScaleDownLimit"]
  },
  {
    name: "tolerant",
    replicas: 2,
    load: { uses: [{ cpu: "60m" }, { cpu: "60m" }] },
    spec: { metrics: [cpu(50)], behavior: { scaleUp: { tolerance: "300m" } } },
    ends: ["ScalingLimited", "DesiredWithinRange"]
  }
]

const noTarget: Scene = (stage) =>
  Effect.gen(function* () {
    yield* stage.create(Kinds.autoscalers, autoscaler("nowhere", { metrics: [cpu(50)] }))
    yield* stage.create(Kinds.autoscalers, autoscaler("no-kind", { metrics: [cpu(50)] }, "Balloon"))
    for (const name of ["nowhere", "no-kind"])
      yield* stage.untilObject(Kinds.autoscalers, name, "fails", because("AbleToScale", "FailedGetScale"))
  })

/** All scenes, for a control plane whose clock shows this. */
export const autoscalerScenes = (nowMs: number): ReadonlyArray<Scene> => [
  ...stories.map((story) => told(story, nowMs)),
  noTarget
]
