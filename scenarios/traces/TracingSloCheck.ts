// Judges a scenario's targets of a tracing server, from one run's record. Where nothing was measured the verdict is "missing", never
// "pass". Owns how a record is reduced to each of them where reports do not.
import {
  ingestPerCpuSecond,
  ingestPerSecond,
  measuredTracingPhases,
  memoryGrowth,
  type RunRecord,
  type SloVerdict
} from "#reports"
import type { Scenario } from "../Scenario.ts"
import { sloVerdict } from "../SloCheck.ts"
import { isTracingMetric, tracingMetricUnit, type TracingSloMetric } from "./TracingSloMetric.ts"

const observedOf = (record: RunRecord, metric: TracingSloMetric, phase: string): number | undefined => {
  const measured = measuredTracingPhases(record).find((one) => one.phase === phase)
  if (measured === undefined) return undefined
  switch (metric) {
    case "ingest.events":
      return ingestPerSecond(record, measured) ?? undefined
    case "ingest.perCpuSecond":
      return ingestPerCpuSecond(measured) ?? undefined
    case "ingest.growth":
      return memoryGrowth(record, phase) ?? undefined
    case "trace.chunk":
      return measured.messages === 0 ? undefined : measured.messageBytesMax
    case "trace.spans":
      return measured.spans ?? undefined
  }
}

/** The phases that a metric can be about. */
const phasesFor = (record: RunRecord, metric: TracingSloMetric): ReadonlyArray<string> =>
  measuredTracingPhases(record)
    .filter(({ events, messages }) => (metric.startsWith("ingest.") ? events > 0 : messages > 0))
    .map(({ phase }) => phase)

/** The verdicts that one record decides. */
export const checkTracingSlos = (scenario: Scenario, record: RunRecord): ReadonlyArray<SloVerdict> =>
  scenario.slo.flatMap((slo) => {
    const { metric, of } = slo
    if (!isTracingMetric(metric)) return []
    const unit = tracingMetricUnit(metric)
    const phases = of === undefined ? phasesFor(record, metric) : [of]
    if (phases.length === 0) return [sloVerdict(slo, "tracing", undefined, unit)]
    return phases.map((phase) => sloVerdict(slo, phase, observedOf(record, metric, phase), unit))
  })
