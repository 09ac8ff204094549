// The names of what a scenario's targets may judge of a federation.
// Owns the names, units and the steps that each is about; the numbers behind them are FederationSloCheck.ts's.
import type { FederationStep } from "./Federation.ts"

type Kind = FederationStep["kind"]

/** Metrics of one step, with the kinds of steps that have them. Times are in ms. */
const stepMetrics = {
  /** Objects a second, from the step's beginning until the last was where it should be. */
  "federation.perSecond": ["create", "rollout"],
  /** From an apply to the first request on a member; for a rollout to the last member's new image. */
  "federation.p50": ["create", "rollout"],
  "federation.p99": ["create", "rollout"],
  /** Writes on the host for one object, until all is at rest. */
  "federation.hostWrites": ["create", "restart"],
  /** From the loss of members until those that answer are told to run every replica, for the last object. */
  "federation.elsewhere": ["outage"],
  /** Objects that members which answer were told to run more often than wanted. */
  "federation.twice": ["outage"],
  /** From the start to rest. */
  "federation.restart": ["restart"]
} as const satisfies Readonly<Record<string, ReadonlyArray<Kind>>>

type StepMetric = keyof typeof stepMetrics

/** All of them; `federation.memory` is of the process with host, federation and members, in bytes. */
export const federationSloMetrics = [
  "federation.perSecond",
  "federation.p50",
  "federation.p99",
  "federation.hostWrites",
  "federation.elsewhere",
  "federation.twice",
  "federation.restart",
  "federation.memory"
] as const satisfies ReadonlyArray<StepMetric | "federation.memory">

export type FederationSloMetric = (typeof federationSloMetrics)[number]

const names: ReadonlySet<string> = new Set(federationSloMetrics)

/** Whether a target's metric is one of a federation. */
export const isFederationMetric = (metric: string): metric is FederationSloMetric => names.has(metric)

/** Whether it is about one step. */
export const isStepMetric = (metric: string): metric is StepMetric => Object.hasOwn(stepMetrics, metric)

/** The kinds of steps that a metric is about. */
export const stepKindsOf = (metric: StepMetric): ReadonlyArray<Kind> => stepMetrics[metric]

/** The unit of a metric, as it stands beside numbers. */
export const federationMetricUnit = (metric: FederationSloMetric): string => {
  if (metric === "federation.perSecond") return "objects/s"
  if (metric === "federation.hostWrites") return "writes"
  if (metric === "federation.twice") return "objects"
  return metric === "federation.memory" ? "bytes" : "ms"
}
