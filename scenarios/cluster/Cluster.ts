// The simulated cluster of a scenario as a schema: what it is made of, what happens to it, how long it lives in virtual time.
// Owns the cluster's own fields and their defaults; its parts have files of their own. Knows nothing of the simulator.
import { Effect, Schema } from "effect"
import { Count, Rate, Span } from "../Quantity.ts"
import { ClusterFault } from "./ClusterFault.ts"
import { ClusterAction, ClusterRequest, ClusterWatcher, Churn } from "./ClusterLoad.ts"
import { machineFields } from "./ClusterNodes.ts"
import { PriorityClass } from "./Placement.ts"
import { Namespaces, Workload } from "./Workload.ts"

const list = <Item extends Schema.Top>(item: Item, most: number) =>
  Schema.Array(item)
    .check(Schema.isMaxLength(most))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))

const Probability = Schema.Finite.check(
  Schema.isBetween({ minimum: 0, maximum: 1 }, { expected: "a probability from 0 to 1" })
).pipe(Schema.withDecodingDefaultKey(Effect.succeed(0)))

const Sigma = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 3 }, { expected: "a deviation from 0 to 3" }))

/** The way between clients and the API server: log-normal latency by its median and the deviation of its logarithm. */
const NetworkModel = Schema.Struct({
  median: Schema.optionalKey(Span).annotate({ description: "Default: the calibration's; without one 0.5ms" }),
  sigma: Schema.optionalKey(Sigma),
  lossRate: Probability,
  resetRate: Probability,
  breakAfter: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("15s"))).annotate({
    description: "Silence after which both ends give a connection up"
  })
})

/** The disk below the store. */
const DiskModel = Schema.Struct({
  flush: Schema.optionalKey(Span).annotate({
    description: "Median of one flush; default: the calibration's; without one 0.2ms"
  }),
  sigma: Schema.optionalKey(Sigma)
})

/** How fast the controllers ask, each by itself. */
const ControllerRate = Schema.Struct({ qps: Rate, burst: Count(1_000_000) })

/** What a control plane has at its disposal. */
const ControlPlaneModel = Schema.Struct({
  cores: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1024 }, { expected: "a whole number from 1 to 1,024" }))
  ).annotate({
    description:
      "Processors that the calls of a simulated one share; default: those of the machine that was measured, which carry some hundred nodes (Kubernetes' own sizing has 32 for more than 500)"
  }),
  controllerRate: Schema.optionalKey(ControllerRate).annotate({
    description:
      "Requests a second and at once that each controller sends at most, as --kube-api-qps and --kube-api-burst; default: simulated ones are not held up, those of target process get 1,000 and 2,000"
  })
})

const ControllerName = Schema.String.check(
  Schema.isPattern(/^-?[a-z][a-z0-9-]{0,62}$/, { expected: "the name of a controller, or -name" })
)

/** Our systems that may stand around a real control plane. */
export const clusterSystems = ["gateway", "tenancy", "federation", "tracing", "scheduler"] as const

/** What is checked while the cluster lives. */
export const clusterCheckers = ["sums", "history"] as const

/** The cluster. */
export const Cluster = Schema.Struct({
  duration: Span.check(Schema.isGreaterThan(0, { expected: "longer than 0ms" })).annotate({
    description: "Virtual time from the first node's registration to the end"
  }),
  ...machineFields,
  registerOver: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("5s"))).annotate({
    description: "Virtual time over which nodes come up, at the start as after a death"
  }),
  pods: Schema.Literals(["kubelet", "fast"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("kubelet" as const)))
    .annotate({ description: "kubelet: pods start in seconds, as real ones; fast: at once, as kwok's fast stages" }),
  stages: Schema.optionalKey(Schema.Array(Schema.NonEmptyString).check(Schema.isMaxLength(16))).annotate({
    description: "Stage files of kwok (paths), instead of `pods`"
  }),
  network: Schema.Union([Schema.Literal("none"), NetworkModel])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed({})))
    .annotate({
      description: "none: clients call the server in process, without latency and without faults of the way"
    }),
  disk: DiskModel.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  controlPlane: ControlPlaneModel.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  calibration: Schema.optionalKey(Schema.NonEmptyString).annotate({
    description:
      "File of measured constants that a simulation uses (wharf calibrate); default: the one that ships; none: the server's own computing takes no virtual time"
  }),
  compaction: Schema.optionalKey(Span).annotate({ description: "How long the store keeps its past at least" }),
  scheduler: Schema.Literals(["kube-scheduler", "one-pass"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("kube-scheduler" as const)))
    .annotate({
      description: "kube-scheduler: its default profile; one-pass: a plain binder that costs next to nothing"
    }),
  bindingsPerSecond: Schema.optionalKey(Rate).annotate({
    description: "Pods that the one-pass binder binds in a second of virtual time at most; default 10000"
  }),
  controllers: Schema.Union([
    Schema.Literals(["all", "none"]),
    Schema.Array(ControllerName).check(Schema.isMaxLength(64))
  ])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("all" as const)))
    .annotate({ description: "all, none, or the names of those that run; -name leaves one out of all" }),
  systems: list(Schema.Literals(clusterSystems), clusterSystems.length).annotate({
    description:
      "With target process: which of our systems stand in their real places around the control plane. gateway, tenancy or federation take the run's users in, tracing is the audit webhook, scheduler stands in kube-scheduler's place; the store is the backend"
  }),
  members: Count(16)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(2)))
    .annotate({ description: "Control planes of a federation, each with the cluster's nodes" }),
  priorityClasses: list(PriorityClass, 64),
  namespaces: list(Namespaces, 64),
  workloads: list(Workload, 256),
  churn: list(Churn, 16),
  actions: list(ClusterAction, 256),
  requests: list(ClusterRequest, 64),
  watchers: list(ClusterWatcher, 64),
  faults: list(ClusterFault, 256),
  tracing: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))).annotate({
    description:
      "Traces every object's life: the report tells who is stuck at the end and why, and what happened to the slowest pods"
  }),
  checkers: Schema.Array(Schema.Literals(clusterCheckers))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(["sums" as const])))
    .annotate({
      description:
        "sums: replicas counted and quotas kept; history: every list, watch and acknowledged write against the store's log, of every object on up to 1,000 nodes, of as many among more"
    }),
  settle: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("1m"))).annotate({
    description: "Quiet virtual time after the end before sums are checked"
  })
})
export type Cluster = typeof Cluster.Type
