// What goes wrong and when, as data: written in a scenario or drawn from the seed, and shrunk step by step.
// Owns the steps, their validation and the draw; refuses to do any of it, which FaultInjector.ts does.
import { Result, Schema } from "effect"
import type { RandomStream } from "../time/RandomStream.ts"

const Milliseconds = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const Probability = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const Name = Schema.String.check(Schema.isNonEmpty())
/** Process names; "*" stands for every process that is not on the other side. */
const Side = Schema.Array(Name)
const when = { atMs: Milliseconds }
const span = { ...when, forMs: Milliseconds }

/** One thing that goes wrong; times are milliseconds since the world began. */
export const FaultStep = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("crash"), ...span, target: Name }),
  Schema.Struct({ kind: Schema.Literal("pause"), ...span, target: Name }),
  Schema.Struct({ kind: Schema.Literal("partition"), ...span, side: Side, other: Side }),
  Schema.Struct({ kind: Schema.Literal("one-way"), ...span, side: Side, other: Side }),
  Schema.Struct({
    kind: Schema.Literal("bad-link"),
    ...span,
    side: Side,
    other: Side,
    medianMs: Milliseconds,
    lossRate: Probability,
    resetRate: Probability
  }),
  Schema.Struct({ kind: Schema.Literal("disk-stall"), ...span, target: Name }),
  Schema.Struct({ kind: Schema.Literal("disk-full"), ...span, target: Name }),
  Schema.Struct({ kind: Schema.Literal("disk-fails"), ...span, target: Name }),
  Schema.Struct({ kind: Schema.Literal("disk-lies"), ...span, target: Name }),
  Schema.Struct({ kind: Schema.Literal("skew"), ...span, target: Name, byMs: Schema.Finite }),
  /** Compacts to this many revisions before the newest. */
  Schema.Struct({ kind: Schema.Literal("compact"), ...when, target: Name, keep: Milliseconds }),
  /** Commits to a shared engine lose their request or their answer. */
  Schema.Struct({ kind: Schema.Literal("commits-lost"), ...span, rate: Probability }),
  /** The member that leads, if it is this one, hands leadership to another. */
  Schema.Struct({ kind: Schema.Literal("hand-over"), ...when, target: Name }),
  /** Every node of a zone dies; an empty zone stands for `count` nodes anywhere. */
  Schema.Struct({ kind: Schema.Literal("nodes-die"), ...span, zone: Schema.String, count: Milliseconds }),
  /** The nodes of a zone live on but reach nobody. */
  Schema.Struct({ kind: Schema.Literal("zone-cut"), ...span, zone: Name }),
  /** One client asks for so much that the others feel it. */
  Schema.Struct({ kind: Schema.Literal("noisy-tenant"), ...span, perSecond: Milliseconds }),
  /** A watcher takes its events this much later. */
  Schema.Struct({ kind: Schema.Literal("slow-watcher"), ...span, target: Name, byMs: Milliseconds })
])
export type FaultStep = typeof FaultStep.Type
export const FaultPlan = Schema.Array(FaultStep)
export type FaultPlan = ReadonlyArray<FaultStep>

/** A plan that cannot be read; the message names the step, the field and the rule. */
export class FaultPlanInvalid extends Schema.TaggedError<FaultPlanInvalid>()("FaultPlanInvalid", {
  message: Schema.String
}) {}

/** Reads a plan from parsed JSON or YAML. */
export const parseFaultPlan = (data: unknown): FaultPlan | FaultPlanInvalid => {
  const decoded = Schema.decodeUnknownResult(FaultPlan)(data, { errors: "first", onExcessProperty: "error" })
  return Result.isSuccess(decoded) ? decoded.success : new FaultPlanInvalid({ message: String(decoded.failure) })
}

/** When all of a plan is over, in milliseconds since the world began. */
export const planEndMs = (plan: FaultPlan): number =>
  plan.reduce((end, step) => Math.max(end, step.atMs + ("forMs" in step ? step.forMs : 0)), 0)

export interface DrawOptions {
  readonly fromMs: number
  readonly toMs: number
  readonly steps: number
  /** Processes that crash, pause, and whose disk and clock fail. */
  readonly servers: ReadonlyArray<string>
  readonly clients: ReadonlyArray<string>
  readonly kinds: ReadonlyArray<FaultStep["kind"]>
  readonly zones?: ReadonlyArray<string>
}

/** Draws a plan: the same stream gives the same plan. */
export const drawPlan = (random: RandomStream, options: DrawOptions): FaultPlan =>
  Array.from({ length: options.steps }, () => drawStep(random, options)).sort((a, b) => a.atMs - b.atMs)

const drawStep = (random: RandomStream, options: DrawOptions): FaultStep => {
  const { clients, fromMs, kinds, servers, toMs, zones = [] } = options
  const kind = random.pick(kinds)
  const atMs = Math.floor(random.between(fromMs, toMs))
  const forMs = Math.floor(random.logNormal(800, 1))
  const target = random.pick(servers)
  const sides = { side: [random.pick(clients)], other: [target] }
  switch (kind) {
    case "partition":
    case "one-way":
      return { kind, atMs, forMs, ...sides }
    case "bad-link":
      return {
        kind,
        atMs,
        forMs: forMs * 4,
        ...sides,
        medianMs: Math.ceil(random.exponential(50)),
        lossRate: random.float() * 0.2,
        resetRate: random.float() * 0.1
      }
    case "skew":
      return { kind, atMs, forMs, target, byMs: Math.floor(random.normal(0, 2000)) }
    case "compact":
      return { kind, atMs, target, keep: random.below(6) }
    case "commits-lost":
      return { kind, atMs, forMs, rate: random.between(0.1, 0.7) }
    case "hand-over":
      return { kind, atMs, target }
    case "nodes-die":
      return { kind, atMs, forMs: forMs * 60, zone: "", count: 1 + random.below(5) }
    case "zone-cut":
      return { kind, atMs, forMs: forMs * 60, zone: zones.length === 0 ? "none" : random.pick(zones) }
    case "noisy-tenant":
      return { kind, atMs, forMs, perSecond: 100 + random.below(1000) }
    case "slow-watcher":
      return { kind, atMs, forMs, target: random.pick(clients), byMs: Math.ceil(random.exponential(500)) }
    default:
      return { kind, atMs, forMs, target }
  }
}
