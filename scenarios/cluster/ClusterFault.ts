// What goes wrong in a scenario's cluster and when, with spans of time as people write them.
// Owns the kinds of faults and how each becomes a step of the simulator's fault plan; refuses to do any of it.
import type { FaultPlan, FaultStep } from "#sim"
import { Schema } from "effect"
import { Count, Name, Rate, Span } from "../Quantity.ts"
import type { ClusterWatcher } from "./ClusterLoad.ts"

const when = { at: Span.annotate({ description: "Virtual time since the cluster began" }) }
const span = { ...when, for: Span.annotate({ description: "How long it lasts" }) }
const Probability = Schema.Finite.check(
  Schema.isBetween({ minimum: 0, maximum: 1 }, { expected: "a probability from 0 to 1" })
)
/** Processes by name: apiserver, kubelets, scheduler, users, a watcher or a controller; "*" is everyone else. */
const Side = Schema.Array(Schema.NonEmptyString).check(Schema.isMinLength(1), Schema.isMaxLength(64))

/** One fault. */
export const ClusterFault = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("zone-dies"), ...span, zone: Name }),
  Schema.Struct({ kind: Schema.Literal("zone-cut"), ...span, zone: Name }),
  Schema.Struct({ kind: Schema.Literal("nodes-die"), ...span, count: Count(100_000) }),
  Schema.Struct({ kind: Schema.Literal("apiserver-crash"), ...span }),
  Schema.Struct({ kind: Schema.Literal("apiserver-pause"), ...span }),
  Schema.Struct({ kind: Schema.Literal("partition"), ...span, side: Side, other: Side }),
  Schema.Struct({ kind: Schema.Literal("one-way"), ...span, side: Side, other: Side }),
  Schema.Struct({
    kind: Schema.Literal("bad-link"),
    ...span,
    side: Side,
    other: Side,
    median: Span,
    lossRate: Probability,
    resetRate: Probability
  }),
  Schema.Struct({ kind: Schema.Literal("disk-stall"), ...span }),
  Schema.Struct({ kind: Schema.Literal("disk-full"), ...span }),
  Schema.Struct({ kind: Schema.Literal("disk-fails"), ...span }),
  Schema.Struct({ kind: Schema.Literal("disk-lies"), ...span }),
  Schema.Struct({ kind: Schema.Literal("clock-skew"), ...span, by: Span }),
  Schema.Struct({ kind: Schema.Literal("compact"), ...when, keep: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) }),
  Schema.Struct({ kind: Schema.Literal("noisy-tenant"), ...span, perSecond: Rate }),
  Schema.Struct({ kind: Schema.Literal("slow-watcher"), ...span, client: Schema.NonEmptyString, by: Span })
])
export type ClusterFault = typeof ClusterFault.Type

const SERVER = "apiserver"

/** The simulator's step for a fault. */
export const faultStep = (fault: ClusterFault): FaultStep => {
  const { at: atMs } = fault
  const when = { atMs, forMs: "for" in fault ? fault.for : 0 }
  switch (fault.kind) {
    case "zone-dies":
      return { kind: "nodes-die", ...when, zone: fault.zone, count: 0 }
    case "nodes-die":
      return { kind: "nodes-die", ...when, zone: "", count: fault.count }
    case "zone-cut":
      return { kind: "zone-cut", ...when, zone: fault.zone }
    case "apiserver-crash":
      return { kind: "crash", ...when, target: SERVER }
    case "apiserver-pause":
      return { kind: "pause", ...when, target: SERVER }
    case "partition":
    case "one-way":
      return { kind: fault.kind, ...when, side: fault.side, other: fault.other }
    case "bad-link": {
      const { lossRate, median, other, resetRate, side } = fault
      return { kind: fault.kind, ...when, side, other, medianMs: median, lossRate, resetRate }
    }
    case "clock-skew":
      return { kind: "skew", ...when, target: SERVER, byMs: fault.by }
    case "compact":
      return { kind: "compact", atMs, target: SERVER, keep: fault.keep }
    case "noisy-tenant":
      return { kind: "noisy-tenant", ...when, perSecond: fault.perSecond }
    case "slow-watcher":
      return { kind: "slow-watcher", ...when, target: fault.client, byMs: fault.by }
    default:
      return { kind: fault.kind, ...when, target: SERVER }
  }
}

/** A name that stands for several watchers, as the processes that they are. */
const processesOf = (name: string, watchers: ReadonlyArray<ClusterWatcher>): ReadonlyArray<string> => {
  const count = watchers.find((watcher) => watcher.name === name)?.count ?? 1
  return count === 1 ? [name] : Array.from({ length: count }, (_, number) => `${name}-${number}`)
}

const spread = (fault: ClusterFault, watchers: ReadonlyArray<ClusterWatcher>): ReadonlyArray<ClusterFault> => {
  const all = (names: ReadonlyArray<string>) => names.flatMap((name) => processesOf(name, watchers))
  if ("side" in fault) return [{ ...fault, side: all(fault.side), other: all(fault.other) }]
  if ("client" in fault) return processesOf(fault.client, watchers).map((client) => ({ ...fault, client }))
  return [fault]
}

/** The simulator's plan, in the order of time; the name of a group of watchers stands for each of them. */
export const faultPlan = (faults: ReadonlyArray<ClusterFault>, watchers: ReadonlyArray<ClusterWatcher>): FaultPlan =>
  faults
    .flatMap((fault) => spread(fault, watchers))
    .map(faultStep)
    .toSorted((left, right) => left.atMs - right.atMs)

/** A fault in a few words, for the marks of a report. */
export const faultWords = (fault: ClusterFault): string => {
  switch (fault.kind) {
    case "zone-dies":
      return `${fault.zone} dies`
    case "zone-cut":
      return `${fault.zone} is cut off`
    case "nodes-die":
      return `${fault.count} nodes die`
    case "compact":
      return `compaction, ${fault.keep} revisions kept`
    case "noisy-tenant":
      return `a noisy tenant lists ${fault.perSecond} times a second`
    case "slow-watcher":
      return `${fault.client} hears events ${fault.by} ms late`
    case "partition":
    case "one-way":
    case "bad-link":
      return `${fault.kind} between ${fault.side.join(", ")} and ${fault.other.join(", ")}`
    default:
      return fault.kind.replaceAll("-", " ")
  }
}
