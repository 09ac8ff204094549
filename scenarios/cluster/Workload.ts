// What runs on a scenario's cluster: namespaces with their quotas, and workloads whose controllers make the pods.
// Owns names, defaults and bounds of these fields; the objects that follow from them are WorkloadObjects.ts's.
import { Effect, Schema } from "effect"
import { Count, Name, Rate, Span } from "../Quantity.ts"
import { Quantity, Resources, Texts } from "./ClusterNodes.ts"
import { placementFields } from "./Placement.ts"

/** One namespace, or `count` of them, numbered from 1. */
export const Namespaces = Schema.Struct({
  name: Name,
  count: Schema.optionalKey(Count(10_000)).annotate({ description: "So many of them, named name-1, name-2, …" }),
  quota: Schema.optionalKey(Resources).annotate({ description: "A ResourceQuota in each, for example { pods: 100 }" })
})
export type Namespaces = typeof Namespaces.Type

/** The kinds of workloads; Pod makes bare pods, which need no controller. */
export const workloadKinds = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"] as const

const Toleration = Schema.Struct({
  key: Schema.optionalKey(Schema.String),
  operator: Schema.optionalKey(Schema.Literals(["Exists", "Equal"])),
  value: Schema.optionalKey(Schema.String),
  effect: Schema.optionalKey(Schema.Literals(["NoSchedule", "PreferNoSchedule", "NoExecute"])),
  tolerationSeconds: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 86_400 }))).annotate({
    description: "Of the effect NoExecute: how long a pod stays on a node that has such a taint; without it for ever"
  })
})
export type Toleration = typeof Toleration.Type

/** How a workload's pods live; without it as a kubelet's pods do: started within seconds, running until they are ended. */
const Life = Schema.Struct({
  start: Schema.optionalKey(Span).annotate({ description: "How long images are pulled and containers made" }),
  run: Schema.optionalKey(Span).annotate({ description: "How long a Job's pod runs" }),
  crashAfter: Schema.optionalKey(Span).annotate({
    description: "How long containers run before they crash, every time"
  })
})

/** Pods for each node of the cluster. */
export const PerNode = Schema.Finite.check(
  Schema.isBetween(
    { minimum: 0, maximum: 500, exclusiveMinimum: true },
    { expected: "pods for each node, above 0 and at most 500" }
  )
)

/** Equal workloads: `perNamespace` of them in each namespace. */
export const Workload = Schema.Struct({
  name: Name,
  kind: Schema.Literals(workloadKinds).pipe(Schema.withDecodingDefaultKey(Effect.succeed("Deployment" as const))),
  namespace: Schema.optionalKey(Name).annotate({
    description: "One of the cluster's namespaces; without it all of them, or the namespace default"
  }),
  perNamespace: Count(10_000).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  replicas: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 500_000 }))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
    .annotate({ description: "Pods of each; a DaemonSet has one on each node instead" }),
  perNode: Schema.optionalKey(PerNode).annotate({
    description:
      "Pods of all of them together for each node of the cluster, instead of replicas: 0.5 is one on two nodes"
  }),
  cpu: Quantity.pipe(Schema.withDecodingDefaultKey(Effect.succeed("10m"))),
  memory: Quantity.pipe(Schema.withDecodingDefaultKey(Effect.succeed("10M"))),
  extended: Schema.optionalKey(Resources).annotate({
    description: "Other resources of each pod in whole units, for example { nvidia.com/gpu: 1 }"
  }),
  labels: Schema.optionalKey(Texts),
  ...placementFields,
  nodeSelector: Schema.optionalKey(Texts),
  tolerations: Schema.optionalKey(Schema.Array(Toleration)),
  service: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))).annotate({
    description: "A Service in front of each"
  }),
  maxUnavailable: Schema.optionalKey(Schema.Union([Count(500_000), Schema.String])).annotate({
    description: "A PodDisruptionBudget of so many, or of a share such as 10%, for each"
  }),
  schedule: Schema.optionalKey(Schema.NonEmptyString).annotate({
    description: "Of a CronJob, for example */5 * * * *"
  }),
  life: Schema.optionalKey(Life),
  at: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("0s"))).annotate({ description: "When they are created" }),
  perSecond: Rate.pipe(Schema.withDecodingDefaultKey(Effect.succeed(100))).annotate({
    description: "Workloads created in a second of virtual time"
  })
})
export type Workload = typeof Workload.Type
