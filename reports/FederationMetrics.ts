// The numbers of one run of a federation beside its throughput and latencies: writes on the host, replicas that ran elsewhere, memory.
// Owns how the record is reduced to one value and which direction is better. Does not compare.
import type { Metric } from "./Metrics.ts"
import type { RecordedFederationStep } from "./RecordedFederation.ts"
import type { RunRecord } from "./RunRecord.ts"

/** Writes of the federation on the host for one object of a step; null where there was none. */
export const hostWritesPerObject = ({ hostWrites, objects }: RecordedFederationStep): number | null =>
  objects === 0 ? null : hostWrites / objects

/** The most anonymous memory of the process with host, federation and members, in bytes; null where it could not be read. */
export const federationMemory = ({ components }: RunRecord): number | null => {
  const most = components.filter(({ role }) => role === "server").map(({ totals }) => totals.anonymousMaxBytes)
  return most.length === 0 ? null : Math.max(...most)
}

/** The judged steps; none of a run without a federation. */
export const judgedSteps = (record: RunRecord): ReadonlyArray<RecordedFederationStep> => {
  const judged = new Set(record.phases.filter(({ kind }) => kind === "measure").map(({ name }) => name))
  return record.federation?.steps.filter(({ step }) => judged.has(step)) ?? []
}

/** Every metric of a run's federation; none when it has none. */
export const federationMetrics = (record: RunRecord): ReadonlyArray<Metric> => {
  const metric = (id: string, label: string, unit: Metric["unit"], value: number | null): Metric => ({
    id,
    label,
    unit,
    better: "lower",
    value,
    within: []
  })
  return judgedSteps(record).flatMap((step) => [
    metric(`${step.step}.hostWrites`, `${step.step} host writes per object`, "count", hostWritesPerObject(step)),
    ...(step.elsewhereMs === null
      ? []
      : [metric(`${step.step}.elsewhere`, `${step.step} until all elsewhere`, "us", step.elsewhereMs * 1000)])
  ])
}
