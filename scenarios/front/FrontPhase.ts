// A stretch of a run against a Kubernetes API front as a schema: clients with their identities, watchers, and what happens to
// the processes meanwhile. Owns names, defaults and bounds of these fields; rules across fields are FrontRules.ts's.
import { Effect, Schema } from "effect"
import { LoadShape } from "../LoadShape.ts"
import { Count, Name, Span } from "../Quantity.ts"
import { FrontOperation } from "./FrontOperation.ts"

/** How clients prove who they are. */
export const Identity = Schema.Struct({
  by: Schema.Literals(["certificate", "token"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("certificate" as const)))
    .annotate({ description: "A client certificate, or a bearer token that the upstream can review" }),
  user: Name.check(Schema.isMaxLength(40)).pipe(Schema.withDecodingDefaultKey(Effect.succeed("client"))),
  users: Count(10_000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
    .annotate({ description: "Different users, named user-0 and on, which clients share in turn" }),
  fresh: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))).annotate({
    description: "token: every request shows one that was never seen before, so that no cache helps"
  })
}).annotate({ description: "Who the clients are" })

export type Identity = typeof Identity.Type

const identity = Identity.pipe(Schema.withDecodingDefaultKey(Effect.succeed({})))

const tenant = Schema.optionalKey(Count(10_000)).annotate({
  description: "Only of this tenant, counted from 1; without it of all in turn"
})

/** One stream of requests by a number of clients. */
export const FrontLoad = Schema.Struct({
  name: Name,
  shape: LoadShape,
  clients: Count(50_000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
    .annotate({ description: "Clients that send in turn, each on connections of its own" }),
  connections: Count(100)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
    .annotate({ description: "Connections of each client" }),
  identity,
  tenant,
  duration: Schema.optionalKey(Span).annotate({ description: "Ends the load after this long" }),
  actions: Schema.optionalKey(Count(1_000_000_000)).annotate({ description: "Ends the load after this many requests" }),
  timeout: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("30s"))),
  inFlightMax: Count(100_000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(10_000)))
    .annotate({
      description: "Open loop: requests in flight at most; what is due beyond waits, and its wait is measured"
    }),
  refusals: Schema.Literals(["errors", "counted"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("errors" as const)))
    .annotate({
      description: "What an answer of 429 is: an error, or, where limits are the point, an operation of its own"
    }),
  mix: Schema.Array(FrontOperation).check(Schema.isMinLength(1), Schema.isMaxLength(32))
})

export type FrontLoad = typeof FrontLoad.Type

/** A group of equal watchers beside a phase's loads. */
export const FrontWatch = Schema.Struct({
  name: Name,
  objects: Schema.optionalKey(Name),
  watchers: Count(100_000).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  connections: Count(10_000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
    .annotate({ description: "Connections that the watchers share" }),
  scope: Schema.Literals(["namespace", "all"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("all" as const)))
    .annotate({ description: "all: each watcher sees every namespace; namespace: watcher i sees namespace i" }),
  identity,
  tenant
})

export type FrontWatch = typeof FrontWatch.Type

/** Something that happens to the front or around it while a phase runs. */
export const FrontEvent = Schema.Struct({
  kind: Schema.Literals(["swap", "restart"]).annotate({
    description: "swap: another configuration is applied; restart: a process is killed and started again"
  }),
  at: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("0ms"))).annotate({
    description: "How long after the loads begin"
  }),
  every: Schema.optionalKey(Span.check(Schema.isGreaterThan(0, { expected: "longer than 0ms" }))).annotate({
    description: "swap: again and again, until the loads end"
  }),
  of: Schema.Literals(["front", "limiter", "upstream"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("front" as const)))
    .annotate({ description: "restart: the first process of this role" }),
  down: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("0ms"))).annotate({
    description: "restart: how long it stays away"
  })
})

export type FrontEvent = typeof FrontEvent.Type

/** A stretch of the run. Only phases of kind `measure` are judged. */
export const FrontPhase = Schema.Struct({
  name: Name,
  kind: Schema.Literals(["prepare", "warmUp", "measure", "coolDown"]).annotate({
    description: "prepare, warmUp and coolDown run loads unjudged; measure is judged"
  }),
  order: Schema.Literals(["parallel", "sequential"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("parallel" as const)))
    .annotate({ description: "Whether the phase's loads run together or one after the other" }),
  pause: Schema.optionalKey(Span).annotate({ description: "Quiet time before the phase begins" }),
  watch: Schema.Array(FrontWatch)
    .check(Schema.isMaxLength(64))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  idle: Schema.optionalKey(Span).annotate({
    description: "The watchers stand open and quiet for this long first; what they hold in memory is measured then"
  }),
  drain: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("5s"))).annotate({
    description: "How long watchers may take after the last load to receive what is still missing"
  }),
  events: Schema.Array(FrontEvent)
    .check(Schema.isMaxLength(64))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  load: Schema.Array(FrontLoad).check(Schema.isMinLength(1), Schema.isMaxLength(64))
})

export type FrontPhase = typeof FrontPhase.Type
