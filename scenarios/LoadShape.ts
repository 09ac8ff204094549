// The eight load shapes of ClusterLoader2's tuning sets, under their own names and fields, as a schema.
// Owns the vocabulary only: Schedule.ts turns a shape into times. A shape is a mapping with exactly one key.
import { Schema } from "effect"
import { Count, Rate, Span } from "./Quantity.ts"

/** The names of all shapes, in the order of the documentation. */
export const shapeNames = [
  "qpsLoad",
  "randomizedLoad",
  "steppedLoad",
  "timeLimitedLoad",
  "randomizedTimeLimitedLoad",
  "parallelismLimitedLoad",
  "globalQPSLoad",
  "poissonLoad"
] as const

export type ShapeName = (typeof shapeNames)[number]

const Shapes = Schema.Struct({
  qpsLoad: Schema.optionalKey(
    Schema.Struct({ qps: Rate }).annotate({ description: "Open loop: one action every 1/qps seconds" })
  ),
  randomizedLoad: Schema.optionalKey(
    Schema.Struct({ averageQps: Rate }).annotate({
      description: "Open loop: gaps drawn evenly from 0 to 2/averageQps seconds"
    })
  ),
  steppedLoad: Schema.optionalKey(
    Schema.Struct({
      burstSize: Count(1_000_000),
      stepDelay: Span.check(Schema.isGreaterThan(0, { expected: "longer than 0ms" }))
    }).annotate({
      description: "Open loop: burstSize actions at once, then stepDelay of silence, and again"
    })
  ),
  timeLimitedLoad: Schema.optionalKey(
    Schema.Struct({ timeLimit: Span.check(Schema.isGreaterThan(0, { expected: "longer than 0ms" })) }).annotate({
      description: "Open loop: the load's actions spread evenly over timeLimit (needs `actions`)"
    })
  ),
  randomizedTimeLimitedLoad: Schema.optionalKey(
    Schema.Struct({ timeLimit: Span.check(Schema.isGreaterThan(0, { expected: "longer than 0ms" })) }).annotate({
      description: "Open loop: each of the load's actions at a random moment within timeLimit (needs `actions`)"
    })
  ),
  parallelismLimitedLoad: Schema.optionalKey(
    Schema.Struct({ parallelismLimit: Count(100_000) }).annotate({
      description: "Closed loop: parallelismLimit actions in flight; the next begins when one ends"
    })
  ),
  globalQPSLoad: Schema.optionalKey(
    Schema.Struct({ qps: Rate, burst: Count(1_000_000) }).annotate({
      description: "Open loop: a token bucket of qps and burst, shared by all loads of the phase that name the same one"
    })
  ),
  poissonLoad: Schema.optionalKey(
    Schema.Struct({ expectedActionsPerSecond: Rate }).annotate({
      description: "Open loop: a Poisson process with this many actions per second on average"
    })
  )
})

const exactlyOne = Schema.makeFilter<object>((shape) => Object.keys(shape).length === 1, {
  expected: `exactly one of ${shapeNames.join(", ")}`
})

/** One load shape: a mapping with exactly one of the eight names as its key. */
export const LoadShape = Shapes.check(exactlyOne).annotate({
  description: "How actions are spread over time: exactly one of ClusterLoader2's eight tuning sets"
})

export type LoadShape = typeof LoadShape.Type

/** The name of the shape that a decoded mapping carries. */
export const shapeName = (shape: LoadShape): ShapeName =>
  shapeNames.find((name) => shape[name] !== undefined) ?? "qpsLoad"
