// The measured part of a run record: what the load generator planned, sent and got back, per operation, per phase
// and per second, with its histograms, and what the watchers saw.
// Owns the shape and the accounting identities of those numbers. Does not build histograms (Latency.ts) and does not
// judge them (Validity.ts, Linter.ts).
import { Schema } from "effect"

/** A whole number that is zero or more: operations, events or bytes. */
export const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const Ratio = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const Maybe = Schema.NullOr(Ratio)

/** Latency in microseconds: the whole HDR histogram (V2 encoding, deflated, base64), mergeable, with a readable digest. */
export const RecordedHistogram = Schema.Struct({
  unit: Schema.Literal("us"),
  encoding: Schema.Literal("hdr-v2-deflate-base64"),
  data: Schema.String,
  count: Count,
  min: Maybe,
  mean: Maybe,
  p50: Maybe,
  p90: Maybe,
  p99: Maybe,
  p999: Maybe,
  p9999: Maybe,
  max: Maybe
}).annotate({ identifier: "RecordedHistogram", description: "Digest fields are null when count is 0" })

/**
 * One kind of operation in one phase.
 * planned = completed + sum(errors) + lost, and latency.count = service.count = completed.
 */
export const RecordedOperation = Schema.Struct({
  name: Schema.NonEmptyString,
  kind: Schema.Literals(["read", "write", "lease", "watch", "other"]),
  phase: Schema.NonEmptyString,
  planned: Count,
  sent: Count,
  completed: Count,
  errors: Schema.Record(Schema.String, Count).annotate({
    description: "Failed calls by gRPC status name, or by etcd's message where one status covers several"
  }),
  lost: Count.annotate({ description: "Planned but never sent, or sent and never answered" }),
  bytesIn: Count.annotate({ description: "Payload bytes received by the load generator" }),
  bytesOut: Count.annotate({ description: "Payload bytes sent by the load generator" }),
  latency: RecordedHistogram.annotate({ description: "Answered calls, from the planned send time" }),
  service: RecordedHistogram.annotate({ description: "Answered calls, from the moment the call was really sent" })
}).annotate({ identifier: "RecordedOperation" })

/** What the watchers of one phase saw; lag runs from the acknowledged write's send to the event's arrival. */
export const RecordedWatch = Schema.Struct({
  name: Schema.NonEmptyString,
  phase: Schema.NonEmptyString,
  watchers: Count,
  expected: Count,
  delivered: Count.annotate({ description: "Distinct expected events that arrived" }),
  duplicated: Count,
  outOfOrder: Count,
  lag: RecordedHistogram
}).annotate({ identifier: "RecordedWatch" })

/** Per-second columns of one operation; every array is as long as the series' `atS`. Null means no sample. */
export const OperationSeries = Schema.Struct({
  name: Schema.NonEmptyString,
  sent: Schema.Array(Count),
  completed: Schema.Array(Count),
  errors: Schema.Array(Count),
  lost: Schema.Array(Count),
  p50Us: Schema.Array(Maybe),
  p99Us: Schema.Array(Maybe)
}).annotate({ identifier: "OperationSeries" })

/** Per-second columns of all watchers together. */
export const WatchSeries = Schema.Struct({
  delivered: Schema.Array(Count),
  lagP50Us: Schema.Array(Maybe),
  lagP99Us: Schema.Array(Maybe)
}).annotate({ identifier: "WatchSeries" })

/** The run second by second; `atS` counts seconds from the start of the run. */
export const RecordedSeries = Schema.Struct({
  atS: Schema.Array(Ratio),
  operations: Schema.Array(OperationSeries),
  watch: Schema.optionalKey(WatchSeries)
}).annotate({ identifier: "RecordedSeries" })

export type RecordedHistogram = typeof RecordedHistogram.Type
export type RecordedOperation = typeof RecordedOperation.Type
export type RecordedWatch = typeof RecordedWatch.Type
export type OperationSeries = typeof OperationSeries.Type
export type WatchSeries = typeof WatchSeries.Type
export type RecordedSeries = typeof RecordedSeries.Type
