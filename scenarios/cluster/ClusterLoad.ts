// What users do to a scenario's cluster: churn by generators or from recorded traces, planned actions, requests and watchers.
// Owns names, defaults and bounds of these fields; refuses to carry any of it out.
import { Effect, Schema } from "effect"
import { Count, Name, Rate, Span } from "../Quantity.ts"
import { PerNode } from "./Workload.ts"

const at = Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("0s")))

/** A stream of steps from a generator or a file. Paths are relative to the scenario's file. */
export const Churn = Schema.Union([
  Schema.Struct({
    kind: Schema.Literal("load-test"),
    at,
    nodes: Schema.optionalKey(Count(100_000)).annotate({ description: "Size of the test; by default the cluster's" }),
    podsPerNode: Count(500).pipe(Schema.withDecodingDefaultKey(Effect.succeed(30))),
    nodesPerNamespace: Count(100_000).pipe(Schema.withDecodingDefaultKey(Effect.succeed(100))),
    perSecond: Rate.pipe(Schema.withDecodingDefaultKey(Effect.succeed(10))),
    rounds: Count(10_000).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
    cleanUp: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true)))
  }).annotate({ description: "ClusterLoader2's load test: deployments of three sizes, scaled, updated and deleted" }),
  Schema.Struct({
    kind: Schema.Literal("pod-churn"),
    at,
    pods: Count(1_000_000),
    namespaces: Count(10_000).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
    createPerSecond: Rate.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1000))),
    replacePerSecond: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100_000 })).pipe(
      Schema.withDecodingDefaultKey(Effect.succeed(0))
    )
  }).annotate({ description: "Bare pods, each replaced after a while by another; needs no controllers" }),
  Schema.Struct({
    kind: Schema.Literal("openb"),
    at,
    path: Schema.NonEmptyString,
    speed: Rate.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
    namespace: Name.pipe(Schema.withDecodingDefaultKey(Effect.succeed("openb")))
  }).annotate({ description: "A pod list of Alibaba's cluster-trace-gpu-v2023 (openb_pod_list_*.csv)" }),
  Schema.Struct({
    kind: Schema.Literal("recreate"),
    at,
    of: Name.annotate({ description: "A workload of kind Pod" }),
    every: Span.check(Schema.isGreaterThanOrEqualTo(1, { expected: "at least 1ms" }))
  }).annotate({
    description: "One of the workload's pods after the other is deleted and made anew, with the Service in front of it"
  }),
  Schema.Struct({ kind: Schema.Literal("event-log"), at, path: Schema.NonEmptyString }).annotate({
    description: "An event log of our own: one step a line, as JSON"
  })
])
export type Churn = typeof Churn.Type

/** Something that is done once, at its time, to workloads or nodes by name. */
export const ClusterAction = Schema.Union([
  Schema.Struct({
    kind: Schema.Literal("rolling-update"),
    at: Span,
    of: Name,
    over: Schema.optionalKey(Span).annotate({ description: "Spread the workloads' updates over this long" })
  }),
  Schema.Struct({
    kind: Schema.Literal("scale"),
    at: Span,
    of: Name,
    replicas: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 500_000 }))),
    perNode: Schema.optionalKey(PerNode).annotate({
      description: "Pods of all of them together for each node of the cluster, instead of replicas"
    }),
    over: Schema.optionalKey(Span)
  }),
  Schema.Struct({ kind: Schema.Literal("ungate"), at: Span, of: Name, over: Schema.optionalKey(Span) }).annotate({
    description: "Takes the scheduling gates of a workload's pods away"
  }),
  Schema.Struct({ kind: Schema.Literal("delete"), at: Span, of: Name, over: Schema.optionalKey(Span) }),
  Schema.Struct({
    kind: Schema.Literal("upgrade-nodes"),
    at: Span,
    group: Schema.optionalKey(Name).annotate({ description: "One node group; without it all of them" }),
    parallel: Count(10_000)
      .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
      .annotate({ description: "Nodes that are drained and made anew at the same time" })
  })
])
export type ClusterAction = typeof ClusterAction.Type

const ResourceName = Schema.String.check(
  Schema.isPattern(/^[a-z]+(\.[a-z0-9.-]+)?$/, {
    expected: "a resource with its group, such as pods or endpointslices.discovery.k8s.io"
  })
)

/** Equal watchers, each a client of its own that follows a resource as an informer does. */
export const ClusterWatcher = Schema.Struct({
  name: Name,
  resource: ResourceName,
  namespace: Schema.optionalKey(Name).annotate({ description: "One namespace; without it all of them" }),
  count: Count(20_000).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  at,
  over: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("1s"))).annotate({
    description: "Spread their starts over this long"
  })
})
export type ClusterWatcher = typeof ClusterWatcher.Type

/** Reads at a steady rate, open loop. */
export const ClusterRequest = Schema.Struct({
  name: Name,
  verb: Schema.Literals(["get", "list"]),
  resource: ResourceName,
  scope: Schema.Literals(["namespace", "cluster"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("namespace" as const)))
    .annotate({ description: "Of a list: one namespace after the other, or all of them" }),
  perSecond: Rate,
  limit: Schema.optionalKey(Count(100_000)).annotate({ description: "Objects of a page; without it all at once" }),
  fresh: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))).annotate({
    description: "Ask for the newest instead of what the server has at hand"
  }),
  at
})
export type ClusterRequest = typeof ClusterRequest.Type
