// Where the constants of a simulation come from, as its record keeps it: when they were measured, on what, and how near the simulation
// came to the very run that they came from.
// Owns the shape; what is said of it on reports is CalibrationBadge.ts's, the file of constants the scenarios room's.
import { Schema } from "effect"
import { Count } from "./RecordedLoad.ts"

const Amount = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** One constant: a time as it was measured. */
export const RecordedConstant = Schema.Struct({
  name: Schema.NonEmptyString.annotate({ description: "What takes the time: create pods, watch pods, store commit" }),
  count: Count.annotate({ description: "Values that it was measured from" }),
  p50Ms: Amount,
  p99Ms: Amount
}).annotate({ identifier: "RecordedConstant" })

/** The calibration that a simulated run was made with. */
export const RecordedCalibration = Schema.Struct({
  measuredAt: Schema.NonEmptyString.annotate({ description: "UTC, RFC 3339" }),
  ageDays: Count.annotate({ description: "Whole days, at the time of the run" }),
  from: Schema.NonEmptyString.annotate({ description: "The run that the constants came from, in words" }),
  machine: Schema.NonEmptyString,
  medianFactor: Amount.annotate({
    description: "Within this factor the simulation met the medians of API latency and pod start of that run"
  }),
  factor: Amount.annotate({ description: "The same for every indicator" }),
  constants: Schema.Array(RecordedConstant)
}).annotate({ identifier: "RecordedCalibration" })

export type RecordedConstant = typeof RecordedConstant.Type
export type RecordedCalibration = typeof RecordedCalibration.Type
