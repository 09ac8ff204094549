// The scenario file's schema: one YAML document, apiVersion wharf/v1. Owns names, defaults and bounds of every field.
// Refuses to know positions in the file (ScenarioFile.ts), rules across fields (ScenarioRules.ts) and how anything runs.
import { Effect, Schema } from "effect"
import { Cluster } from "./cluster/Cluster.ts"
import { clusterSloMetrics } from "./cluster/ClusterSloMetric.ts"
import { Federation } from "./federation/Federation.ts"
import { federationSloMetrics } from "./federation/FederationSloMetric.ts"
import { Front } from "./front/Front.ts"
import { frontSloMetrics } from "./front/FrontSloMetric.ts"
import { LoadShape } from "./LoadShape.ts"
import { KeySpace, Operation } from "./Operation.ts"
import { Count, Name, Size, Span } from "./Quantity.ts"
import { ServerFault } from "./ServerFault.ts"
import { Tracing } from "./traces/Tracing.ts"
import { tracingSloMetrics } from "./traces/TracingSloMetric.ts"

/** One stream of actions: a shape in time, a mix of operations, and where it ends. */
export const Load = Schema.Struct({
  name: Name,
  shape: LoadShape,
  connections: Count(10_000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
    .annotate({ description: "HTTP/2 connections the load spreads over" }),
  duration: Schema.optionalKey(Span).annotate({ description: "Ends the load after this long" }),
  actions: Schema.optionalKey(Count(1_000_000_000)).annotate({ description: "Ends the load after this many actions" }),
  timeout: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("30s"))).annotate({
    description: "Deadline of one request; beyond it the action counts as an error"
  }),
  inFlightMax: Count(100_000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(10_000)))
    .annotate({
      description: "Open loop: actions in flight at most; what is due beyond waits, and its wait is measured"
    }),
  mix: Schema.Array(Operation).check(Schema.isMinLength(1), Schema.isMaxLength(32)).annotate({
    description: "Operations and their weights"
  })
})

export type Load = typeof Load.Type

/** A group of equal watchers that runs beside a phase's loads. */
export const Watch = Schema.Struct({
  name: Name,
  keys: Schema.optionalKey(Name),
  watchers: Count(100_000).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  connections: Count(10_000).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  perStream: Count(10_000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(100)))
    .annotate({ description: "Watchers that share one gRPC stream" }),
  scope: Schema.Literals(["prefix", "key"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("prefix" as const)))
    .annotate({ description: "prefix: each watcher sees the whole key space; key: watcher i sees key i" }),
  prevKv: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true))),
  progressNotify: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true))),
  revisionsBack: Schema.optionalKey(Count(10_000_000)).annotate({
    description: "Begin this many revisions in the past instead of now"
  }),
  stall: Schema.optionalKey(
    Schema.Struct({ every: Span, for: Span }).annotate({
      description: "A slow watcher: stop reading from time to time"
    })
  )
})

export type Watch = typeof Watch.Type

const phaseKinds = ["prepare", "warmUp", "measure", "coolDown", "restart"] as const

/** A stretch of the run. Only phases of kind `measure` and `restart` are judged. */
export const Phase = Schema.Struct({
  name: Name,
  kind: Schema.Literals(phaseKinds).annotate({
    description:
      "prepare, warmUp and coolDown run loads unjudged; measure is judged; restart stops and starts the server, where its data outlives it"
  }),
  order: Schema.Literals(["parallel", "sequential"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("parallel" as const)))
    .annotate({ description: "Whether the phase's loads run together or one after the other" }),
  pause: Schema.optionalKey(Span).annotate({ description: "Quiet time before the phase begins" }),
  fault: Schema.optionalKey(ServerFault).annotate({
    description: "What befalls the leading server while the loads run; their connections and watches then go to another"
  }),
  watch: Schema.Array(Watch).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  drain: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("5s"))).annotate({
    description: "How long watchers may take after the last load to receive what is still missing"
  }),
  load: Schema.Array(Load)
    .check(Schema.isMaxLength(64))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
})

export type Phase = typeof Phase.Type

/** What a target may judge of a load on a store or a front. Latencies, lag, pause and start time are in ms; memory in bytes; percentages in percent. */
export const storeSloMetrics = [
  "throughput",
  "latency.mean",
  "latency.p50",
  "latency.p90",
  "latency.p99",
  "latency.p99.9",
  "latency.max",
  "latency.stddev",
  "errors",
  "pause",
  "gap",
  "watch.delivered",
  "watch.gap",
  "watch.lag.p50",
  "watch.lag.p99",
  "watch.lag.max",
  "memory",
  "startTime"
] as const

/** Everything that a target may judge, of a store, a front, a federation, a tracing server or a cluster. */
export const sloMetrics = [
  ...storeSloMetrics,
  ...frontSloMetrics,
  ...federationSloMetrics,
  ...tracingSloMetrics,
  ...clusterSloMetrics
] as const

export type StoreSloMetric = (typeof storeSloMetrics)[number]

export type SloMetric = (typeof sloMetrics)[number]

/** A target: one number of one load, watch, server, federation or cluster, with a bound. */
export const Slo = Schema.Struct({
  of: Schema.optionalKey(Name).annotate({
    description: "Name of the load, operation, watch or step, or a resource of the cluster; without it every one"
  }),
  metric: Schema.Literals(sloMetrics).annotate({
    description:
      "latency, lag, pause, gap (the longest time without a success, or an event), startTime, added, api, pod.start, wall, federation.p50, .p99, .elsewhere, .restart: ms; throughput: actions/s; federation.perSecond: objects/s; errors, delivered, ready, running: %; memory: bytes; perCpuSecond: requests; front.requests: upstream requests for one of a client; ingest.events: audit events/s; ingest.growth: % of memory; trace.chunk: bytes; speed: times real time"
  }),
  atMost: Schema.optionalKey(Schema.Union([Schema.Finite, Span, Size])),
  atLeast: Schema.optionalKey(Schema.Union([Schema.Finite, Span, Size]))
})

export type Slo = typeof Slo.Type

/** Where a cluster may live, of which this release can do sim, and stores process. */
export const targets = ["sim", "process", "kind", "kubeconfig"] as const

const ParameterName = Schema.String.check(
  Schema.isPattern(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, {
    expected: "a parameter name: a letter, then letters, digits, _ or -"
  })
)
const Parameter = Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])

/** The whole file. */
export const Scenario = Schema.Struct({
  apiVersion: Schema.Literal("wharf/v1"),
  kind: Schema.Literal("Scenario"),
  name: Name,
  description: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(4000)),
  seed: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4_294_967_295 }))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
    .annotate({ description: "Decides every key, value, choice and planned time" }),
  target: Schema.optionalKey(Schema.Literals(targets)).annotate({
    description:
      "Where the cluster lives: sim (the default); where there is none, where the stores live: process. kind and kubeconfig are names for later"
  }),
  params: Schema.Record(ParameterName, Parameter)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed({})))
    .annotate({ description: "Defaults of ${name}, overridable with --set params.name=value" }),
  backends: Schema.Array(Schema.String)
    .check(Schema.isMinLength(1), Schema.isMaxLength(8))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(["lmdb"])))
    .annotate({
      description:
        "Stores: lmdb, memory, etcd, etcd=VERSION, etcd=PATH, etcd=URL; one|other takes the first that is found. With a front: direct, gateway, nginx, tenancy"
    }),
  repeats: Count(1000).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  server: Schema.Struct({
    quotaBytes: Size.pipe(Schema.withDecodingDefaultKey(Effect.succeed("8GiB"))),
    fsync: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true))).annotate({
      description: "false marks the run as in-memory and turns flushing off where a backend can"
    }),
    maxRequestBytes: Schema.optionalKey(Size),
    cpuShare: Schema.optionalKey(
      Schema.Finite.check(
        Schema.isBetween({ minimum: 0.01, maximum: 64 }, { expected: "a share of a core from 0.01 to 64" })
      )
    ).annotate({ description: "Processor time that each server process may use, as a part of one core" })
  }).pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  ceiling: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true))).annotate({
    description: "Measure the load generator's own ceiling against an empty handler first"
  }),
  cluster: Schema.optionalKey(Cluster).annotate({
    description: "A whole cluster, simulated in virtual time, beside or instead of the load on stores"
  }),
  federation: Schema.optionalKey(Federation).annotate({
    description: "A federation under load, instead of stores"
  }),
  front: Schema.optionalKey(Front).annotate({
    description:
      "A Kubernetes API front under load, instead of stores; every backend stands in front of the same upstream"
  }),
  tracing: Schema.optionalKey(Tracing).annotate({
    description: "A tracing server under load, instead of stores"
  }),
  keySpaces: Schema.Array(KeySpace)
    .check(Schema.isMaxLength(256))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  phases: Schema.Array(Phase)
    .check(Schema.isMaxLength(64))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
    .annotate({ description: "The load on stores; every backend takes it" }),
  slo: Schema.Array(Slo).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
}).annotate({
  title: "Wharf scenario",
  description:
    "A cluster, a federation, a load on stores, on a Kubernetes API front or on a tracing server, or several, and their targets"
})

export type Scenario = typeof Scenario.Type
