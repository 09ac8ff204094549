// The part of a scenario that loads a Kubernetes API front: what stands behind it, how it is set up, and the phases of load.
// Owns names, defaults and bounds; which fronts there are is backends/'s, rules across fields are FrontRules.ts's.
import { Effect, Schema } from "effect"
import { Count, Name, Rate, Span } from "../Quantity.ts"
import { FrontObjects } from "./FrontOperation.ts"
import { FrontPhase } from "./FrontPhase.ts"

/** What may stand behind the front, with what each is for. */
export const upstreamNotes = {
  fixed: "a fast server of ours with fixed answers, which counts: measures the front itself",
  apiserver: "wharf serve apiserver, in memory",
  "kube-apiserver": "a real one on a real etcd, as wharf assets finds them"
} as const

/** A limit on the requests of some users. */
export const FrontLimit = Schema.Struct({
  name: Name,
  user: Schema.optionalKey(Name).annotate({
    description: "The identity whose users it is for; without it everybody's requests"
  }),
  qps: Schema.optionalKey(Rate).annotate({ description: "Requests a second, a token bucket" }),
  burst: Schema.optionalKey(Count(1_000_000)).annotate({ description: "Requests at once; by default qps" }),
  inFlight: Schema.optionalKey(Count(1_000_000)).annotate({ description: "Requests in flight, instead of qps" }),
  scope: Schema.Literals(["local", "global"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("local" as const)))
    .annotate({ description: "local: of each instance of the front; global: of all together, by its limiter" })
})

export type FrontLimit = typeof FrontLimit.Type

/** What the server with fixed answers answers. */
const Fixed = Schema.Struct({
  listItems: Count(100_000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(100)))
    .annotate({ description: "Objects in each list" }),
  delay: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("0ms"))).annotate({ description: "Before each answer" })
})

/** Tenants whose clients the loads are. */
const Tenants = Schema.Struct({
  count: Count(10_000).annotate({ description: "Tenants; clients and watchers belong to them in turn" })
})

/** A Kubernetes API front under load. */
export const Front = Schema.Struct({
  upstream: Schema.Literals(["fixed", "apiserver", "kube-apiserver"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("fixed" as const)))
    .annotate({
      description: Object.entries(upstreamNotes)
        .map(([name, note]) => `${name}: ${note}`)
        .join("; ")
    }),
  upstreams: Count(16)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
    .annotate({ description: "fixed: how many of them, as the endpoints of one cluster" }),
  fixed: Fixed.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  instances: Count(64)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
    .annotate({ description: "Processes of the front side by side; clients are spread over them" }),
  limits: Schema.Array(FrontLimit)
    .check(Schema.isMaxLength(64))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  tenants: Schema.optionalKey(Tenants),
  objects: Schema.Array(FrontObjects)
    .check(Schema.isMinLength(1), Schema.isMaxLength(64))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed([{ name: "objects" }]))),
  phases: Schema.Array(FrontPhase).check(Schema.isMinLength(1), Schema.isMaxLength(64))
}).annotate({ description: "A server that speaks the Kubernetes API over HTTPS, in front of another one" })

export type Front = typeof Front.Type
