// The part of a scenario that loads a federation: its members, how objects are placed, and the steps that are walked through.
// Owns names, defaults and bounds; rules across fields are FederationRules.ts's, the work is world/'s.
import { Effect, Schema } from "effect"
import { Count, Name, Rate, Size, Span } from "../Quantity.ts"

/** Clusters that keep what is brought there; their nodes and pods are counts. */
const Members = Schema.Struct({
  count: Count(2000),
  nodes: Count(100_000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(100)))
    .annotate({ description: "Nodes of each member, as a count" }),
  pods: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000_000 }))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1000)))
    .annotate({ description: "Pods that each member has already, as a count" }),
  latency: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("0ms"))).annotate({
    description: "Of one way to a member"
  }),
  podStart: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("2s"))).annotate({
    description: "From a pod's making to its being ready"
  })
})

/** The policy of all objects. */
const Placement = Schema.Struct({
  mode: Schema.Literals(["Divide", "Duplicate"]).pipe(Schema.withDecodingDefaultKey(Effect.succeed("Divide" as const))),
  clusters: Count(2000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(2)))
    .annotate({ description: "Members of one object at most" }),
  replicas: Count(100_000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(4)))
    .annotate({ description: "Of each object" }),
  tolerated: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("5s"))).annotate({
    description: "How long objects stay on a member that is lost (failover.tolerationSeconds, whole seconds)"
  }),
  grace: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("60s"))).annotate({
    description: "How long what is replaced may wait for its replacement (failover.gracePeriodSeconds, whole seconds)"
  })
})

/** How members are looked at. */
const Health = Schema.Struct({
  probe: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("2s"))),
  lostAfter: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("4s"))),
  backAfter: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("2s")))
})

const step = {
  name: Name,
  judged: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true))).annotate({
    description: "false: it prepares what comes after"
  }),
  limit: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("5m"))).annotate({
    description: "A step that takes longer has failed"
  })
}

const inFlight = Count(100_000)
  .pipe(Schema.withDecodingDefaultKey(Effect.succeed(256)))
  .annotate({ description: "Objects on their way at once; without a rate, each that arrives makes room for the next" })

/** One step. */
export const FederationStep = Schema.Union([
  Schema.Struct({
    kind: Schema.Literal("create"),
    ...step,
    objects: Count(1_000_000).annotate({ description: "Deployments" }),
    perSecond: Schema.optionalKey(Rate).annotate({
      description: "An open loop of this rate, whatever is on its way"
    }),
    inFlight
  }).annotate({ description: "Measured until the first request for an object arrives at a member" }),
  Schema.Struct({
    kind: Schema.Literal("outage"),
    ...step,
    members: Count(2000).annotate({ description: "Members that vanish at once, and are back at the end" })
  }).annotate({ description: "Measured until members that answer are told to run every replica" }),
  Schema.Struct({
    kind: Schema.Literal("rollout"),
    ...step,
    waves: Count(100).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
    inFlight
  }).annotate({ description: "All objects get a new image, wave after wave: until the last member has it" }),
  Schema.Struct({
    kind: Schema.Literal("restart"),
    ...step
  }).annotate({ description: "The federation stops, and a new one starts over what is there: until it is at rest" })
])

export type FederationStep = typeof FederationStep.Type

/** A federation under load. */
export const Federation = Schema.Struct({
  members: Members,
  placement: Placement.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  health: Health.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  rest: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("3s"))).annotate({
    description: "Nothing written on the host and nothing queued for so long is rest"
  }),
  heap: Size.pipe(Schema.withDecodingDefaultKey(Effect.succeed("8GiB"))).annotate({
    description: "JavaScript heap of the process that holds host, federation and members; beyond it the run fails"
  }),
  steps: Schema.Array(FederationStep).check(Schema.isMinLength(1), Schema.isMaxLength(64))
}).annotate({
  description: "A federation on an API server of ours in memory, over members that answer from memory"
})

export type Federation = typeof Federation.Type
