// The part of a run record that only a run against a Kubernetes API front has: what reached the upstream for what clients asked,
// over how many connections, and what the front's processes used and held meanwhile.
// Owns the shape only; the load's own numbers are RecordedLoad.ts's, reduction to metrics is FrontMetrics.ts's.
import { Schema } from "effect"
import { Count } from "./RecordedLoad.ts"

const Amount = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const MaybeCount = Schema.NullOr(Count)

/** One phase at the front's two sides. Null where something cannot be seen, or there is no front in between. */
export const RecordedFrontPhase = Schema.Struct({
  phase: Schema.NonEmptyString,
  clientConnections: Count,
  requests: Count.annotate({ description: "Requests of clients that were answered, refusals and errors included" }),
  refused: Count.annotate({ description: "Of these, answered by 429 where limits are the point" }),
  upstreamRequests: MaybeCount.annotate({ description: "Requests that reached the upstream, without health checks" }),
  reviews: MaybeCount.annotate({
    description: "The front's own TokenReviews and SubjectAccessReviews at the upstream"
  }),
  upstreamConnections: MaybeCount.annotate({
    description: "Connections open at the upstream, the most of all seconds"
  }),
  cpuSeconds: Schema.NullOr(Amount).annotate({ description: "Used by the front's processes while the loads ran" }),
  upstreamCpuSeconds: Schema.NullOr(Amount),
  idleWatches: Count.annotate({
    description: "Watches that stood open and quiet before the loads; 0 when not asked for"
  }),
  memoryBeforeBytes: MaybeCount.annotate({ description: "Anonymous memory of the front before clients connected" }),
  memoryIdleBytes: MaybeCount.annotate({ description: "The same with the watches open and quiet" }),
  swaps: Count.annotate({ description: "Configurations that were applied while the loads ran" })
}).annotate({ identifier: "RecordedFrontPhase" })

/** What stood behind a front, and its phases. */
export const RecordedFront = Schema.Struct({
  upstream: Schema.NonEmptyString,
  upstreamVersion: Schema.String,
  upstreams: Count,
  instances: Count,
  phases: Schema.Array(RecordedFrontPhase),
  connections: Schema.Struct({
    atS: Schema.Array(Amount),
    open: Schema.Array(MaybeCount)
  }).annotate({ description: "Connections open at the upstream, each second of the run" })
}).annotate({ identifier: "RecordedFront" })

export type RecordedFrontPhase = typeof RecordedFrontPhase.Type
export type RecordedFront = typeof RecordedFront.Type
