// What an API server answers about autoscalers, in both versions: good ones, bad ones, changed ones.
// Owns the calls; what must be equal is the caller's to say.
import { Effect } from "effect"
import { type ApiFailure, gvr, type Json, type KubeObject } from "#kube"
import type { Stage } from "./Stage.ts"

const older = gvr("autoscaling", "v1", "horizontalpodautoscalers")
const newer = gvr("autoscaling", "v2", "horizontalpodautoscalers")

type Spec = { [field: string]: Json }

const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "d" }
const named = {
  name: "m",
  selector: { matchLabels: { a: "b<c" }, matchExpressions: [{ key: "k", operator: "In", values: ["v"] }] }
}
const service = { apiVersion: "v1", kind: "Service", name: "s" }

const metrics: ReadonlyArray<Json> = [
  { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } } },
  { type: "Resource", resource: { name: "cpu", target: { type: "AverageValue", averageValue: "1500m" } } },
  { type: "Resource", resource: { name: "memory", target: { type: "AverageValue", averageValue: "1.5Gi" } } },
  {
    type: "ContainerResource",
    containerResource: { name: "cpu", container: "c", target: { type: "Utilization", averageUtilization: 30 } }
  },
  { type: "Pods", pods: { metric: named, target: { type: "AverageValue", averageValue: "10" } } },
  {
    type: "Object",
    object: { describedObject: service, metric: { name: "m" }, target: { type: "Value", value: "2k" } }
  },
  {
    type: "Object",
    object: { describedObject: service, metric: named, target: { type: "AverageValue", averageValue: "500m" } }
  },
  { type: "External", external: { metric: named, target: { type: "AverageValue", averageValue: "4" } } },
  { type: "External", external: { metric: { name: "q" }, target: { type: "Value", value: "100" } } }
]

const behavior: Json = {
  scaleUp: {
    stabilizationWindowSeconds: 30,
    policies: [{ type: "Pods", value: 2, periodSeconds: 60 }],
    tolerance: "50m"
  },
  scaleDown: { selectPolicy: "Disabled" }
}

const good: ReadonlyArray<readonly [version: "v1" | "v2", spec: Spec]> = [
  ["v1", { maxReplicas: 5 }],
  ["v1", { maxReplicas: 5, minReplicas: 2, targetCPUUtilizationPercentage: 55 }],
  ["v2", { maxReplicas: 5 }],
  ["v2", { maxReplicas: 5, metrics: [...metrics] }],
  ["v2", { maxReplicas: 5, minReplicas: 0, metrics: metrics.slice(7) }],
  ["v2", { maxReplicas: 5, behavior: { scaleDown: {} } }],
  ["v2", { maxReplicas: 5, metrics: metrics.slice(2, 4), behavior }]
]

const bad: ReadonlyArray<readonly [version: "v1" | "v2", spec: Spec]> = [
  ["v1", {}],
  ["v1", { maxReplicas: -1, targetCPUUtilizationPercentage: 0 }],
  ["v2", { maxReplicas: 1, minReplicas: 3 }],
  ["v2", { maxReplicas: 1, minReplicas: 0 }],
  ["v2", { maxReplicas: 1, scaleTargetRef: { kind: "Deployment", name: "d" } }],
  ["v2", { maxReplicas: 1, scaleTargetRef: { apiVersion: "a/b/c", kind: "D/x", name: "" } }],
  ["v2", { maxReplicas: 1, metrics: [{ type: "Odd" }] }],
  ["v2", { maxReplicas: 1, metrics: [{ type: "Pods" }] }],
  ["v2", { maxReplicas: 1, metrics: [{ type: "Pods", resource: { name: "", target: { type: "Utilization" } } }] }],
  [
    "v2",
    {
      maxReplicas: 1,
      metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Value", value: "0" } } }]
    }
  ],
  [
    "v2",
    {
      maxReplicas: 1,
      metrics: [
        {
          type: "External",
          external: {
            metric: { name: "a/b" },
            target: { type: "Value", value: "-1", averageValue: "1", averageUtilization: 0 }
          }
        }
      ]
    }
  ],
  [
    "v2",
    {
      maxReplicas: 1,
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 3601,
          selectPolicy: "Odd",
          policies: [{ type: "Odd", value: 0, periodSeconds: 1801 }]
        },
        scaleDown: { stabilizationWindowSeconds: -1, tolerance: "-1" }
      }
    }
  ]
]

const autoscaler = (version: "v1" | "v2", name: string, spec: Spec): KubeObject => ({
  apiVersion: `autoscaling/${version}`,
  kind: "HorizontalPodAutoscaler",
  metadata: { name, annotations: { own: "kept" } },
  spec: { scaleTargetRef, ...spec }
})

const status: Json = {
  currentReplicas: 3,
  desiredReplicas: 4,
  lastScaleTime: "2026-01-02T03:04:05Z",
  observedGeneration: 1,
  currentMetrics: [
    { type: "Resource", resource: { name: "cpu", current: { averageUtilization: 12, averageValue: "120m" } } },
    { type: "Pods", pods: { metric: { name: "m" }, current: { averageValue: "7" } } },
    { type: "Object", object: { metric: { name: "m" }, describedObject: service, current: { value: "5" } } },
    { type: "External", external: { metric: { name: "q" }, current: { averageValue: "3" } } },
    { type: "" }
  ],
  conditions: [
    {
      type: "AbleToScale",
      status: "True",
      lastTransitionTime: "2026-01-02T03:04:05Z",
      reason: "R",
      message: "a <b> & c"
    }
  ]
}

/** An answer as it is compared: the object, or the failure's texts and causes in any order. */
const answered = <A>(call: Effect.Effect<A, ApiFailure>): Effect.Effect<unknown> =>
  call.pipe(
    Effect.match({
      onSuccess: (object) => object as unknown,
      onFailure: ({ code, reason, status: { details } }) => ({
        code,
        reason,
        causes: (details?.causes ?? [])
          .map(({ field, message, reason: why }) => `${field ?? ""} ${why ?? ""} ${message ?? ""}`)
          .sort()
      })
    })
  )

/** Every call with its answer, in order. */
export const askAboutAutoscalers = Effect.fnUntraced(function* (stage: Stage) {
  const answers: Array<readonly [call: string, answer: unknown]> = []
  const resourceOf = (version: string) => (version === "v1" ? older : newer)
  for (const [at, [version, spec]] of good.entries()) {
    const name = `good-${at}`
    answers.push([
      `create ${name}`,
      yield* answered(stage.create(resourceOf(version), autoscaler(version, name, spec)))
    ])
    for (const resource of [older, newer])
      answers.push([`get ${name} ${resource.version}`, yield* answered(stage.get(resource, name))])
  }
  const name = "good-3"
  answers.push(["status", yield* answered(stage.merge(newer, name, { status }, "status"))])
  answers.push(["status in v1", yield* answered(stage.get(older, name))])
  const cpu = { spec: { targetCPUUtilizationPercentage: 20 } }
  answers.push(["cpu by v1", yield* answered(stage.merge(older, name, cpu))])
  answers.push(["cpu in v2", yield* answered(stage.get(newer, name))])
  const without = { metadata: { annotations: { "autoscaling.alpha.kubernetes.io/metrics": null } } }
  answers.push(["metrics by v1", yield* answered(stage.merge(older, name, without))])
  answers.push(["metrics in v2", yield* answered(stage.get(newer, name))])
  const forged = { metadata: { annotations: { "autoscaling.alpha.kubernetes.io/conditions": "[]" } } }
  answers.push(["forged conditions", yield* answered(stage.merge(older, name, forged))])
  answers.push(["bad status", yield* answered(stage.merge(newer, name, { status: { desiredReplicas: -1 } }, "status"))])
  for (const [at, [version, spec]] of bad.entries()) {
    answers.push([
      `bad ${at}`,
      yield* answered(stage.create(resourceOf(version), autoscaler(version, `bad-${at}`, spec)))
    ])
  }
  return answers
})
