// Judges a scenario's targets on its federation against what the run recorded: one verdict per target and step that it is about;
// where nothing was measured the verdict is "missing", never "pass".
import {
  federationMemory,
  hostWritesPerObject,
  type RecordedFederationStep,
  type RunRecord,
  type SloVerdict
} from "#reports"
import type { Scenario } from "../Scenario.ts"
import { sloVerdict } from "../SloCheck.ts"
import {
  federationMetricUnit,
  type FederationSloMetric,
  isFederationMetric,
  isStepMetric,
  stepKindsOf
} from "./FederationSloMetric.ts"

const ms = (us: number | null | undefined): number | undefined =>
  us === null || us === undefined ? undefined : us / 1000

const observedOf = (
  record: RunRecord,
  step: RecordedFederationStep,
  metric: FederationSloMetric
): number | undefined => {
  const phase = record.phases.find(({ name }) => name === step.step)
  const operation = record.operations.find((one) => one.phase === step.step)
  const seconds = phase === undefined ? 0 : (phase.endMs - phase.startMs) / 1000
  switch (metric) {
    case "federation.perSecond":
      return operation === undefined || seconds <= 0 ? undefined : operation.completed / seconds
    case "federation.p50":
      return ms(operation?.latency.p50)
    case "federation.p99":
      return ms(operation?.latency.p99)
    case "federation.hostWrites":
      return hostWritesPerObject(step) ?? undefined
    case "federation.elsewhere":
      return step.elsewhereMs ?? undefined
    case "federation.twice":
      return step.tooMany ?? undefined
    case "federation.restart":
      return ms(operation?.latency.max)
    case "federation.memory":
      return federationMemory(record) ?? undefined
  }
}

/** The verdict of every target on the federation; of a metric of steps, one for each judged step that has it. */
export const checkFederationSlos = ({ slo }: Scenario, record: RunRecord): ReadonlyArray<SloVerdict> =>
  slo.flatMap((target) => {
    const { metric, of } = target
    if (!isFederationMetric(metric)) return []
    const unit = federationMetricUnit(metric)
    if (!isStepMetric(metric)) return [sloVerdict(target, "federation", federationMemory(record) ?? undefined, unit)]
    const judged = new Set(record.phases.filter(({ kind }) => kind === "measure").map(({ name }) => name))
    const kinds = stepKindsOf(metric)
    const steps = (record.federation?.steps ?? []).filter(
      ({ kind, step }) => judged.has(step) && kinds.includes(kind) && (of === undefined || of === step)
    )
    if (steps.length === 0) return [sloVerdict(target, of ?? "federation", undefined, unit)]
    return steps.map((step) => sloVerdict(target, step.step, observedOf(record, step, metric), unit))
  })
