// The part of a run record that only a run against a tracing server has: what it was sent and took, what that cost, and the chunks in
// which traces came. Owns the shape only; the load's own numbers are RecordedLoad.ts's, reduction to metrics is TracingMetrics.ts's.
import { Schema } from "effect"
import { Count } from "./RecordedLoad.ts"

const Amount = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** One phase. Null where something cannot be seen. */
export const RecordedTracingPhase = Schema.Struct({
  phase: Schema.NonEmptyString,
  events: Count.annotate({ description: "Audit events in batches that were answered, so durable and indexed" }),
  eventBytes: Count.annotate({ description: "Bytes of these batches" }),
  facts: Schema.NullOr(Count).annotate({
    description: "Facts that the server says it has added: requests, versions, links"
  }),
  cpuSeconds: Schema.NullOr(Amount).annotate({ description: "Used by the server, all its threads" }),
  memoryBytes: Schema.NullOr(Count).annotate({ description: "Anonymous memory of the server at the phase's end" }),
  messages: Count.annotate({ description: "Messages in which traces were read" }),
  messageBytesMax: Count,
  spans: Schema.NullOr(Count).annotate({ description: "Of the shortest trace that was read" })
}).annotate({ identifier: "RecordedTracingPhase" })

/** What a tracing server was sent, and its phases. */
export const RecordedTracingServer = Schema.Struct({
  stream: Schema.NonEmptyString,
  batch: Count,
  spansBefore: Count.annotate({ description: "Spans that the store held before the server was started" }),
  openMs: Amount.annotate({ description: "From the server's start to its readiness" }),
  phases: Schema.Array(RecordedTracingPhase)
}).annotate({ identifier: "RecordedTracingServer" })

export type RecordedTracingPhase = typeof RecordedTracingPhase.Type
export type RecordedTracingServer = typeof RecordedTracingServer.Type
