// The numbers of one run against a tracing server beside its latencies: events taken a second and for a second of processor time, and how
// memory grew. Owns how a record is reduced to them and which direction is better.
import type { Metric } from "./Metrics.ts"
import type { RecordedTracingPhase } from "./RecordedTracingServer.ts"
import type { RunRecord } from "./RunRecord.ts"
import { median } from "./Statistics.ts"

/** The tracing part of the measured phases; none of a run without a tracing server. */
export const measuredTracingPhases = (record: RunRecord): ReadonlyArray<RecordedTracingPhase> => {
  const measured = new Set(record.phases.filter(({ kind }) => kind === "measure").map(({ name }) => name))
  return record.tracing?.phases.filter(({ phase }) => measured.has(phase)) ?? []
}

/** Audit events taken a second; null without any. */
export const ingestPerSecond = (record: RunRecord, { events, phase }: RecordedTracingPhase): number | null => {
  const times = record.phases.find(({ name }) => name === phase)
  const seconds = times === undefined ? 0 : (times.endMs - times.startMs) / 1000
  return events === 0 || seconds <= 0 ? null : events / seconds
}

/** Audit events taken for a second of the server's processor time, all its threads; null without any. */
export const ingestPerCpuSecond = ({ cpuSeconds, events }: RecordedTracingPhase): number | null =>
  events === 0 || cpuSeconds === null || cpuSeconds === 0 ? null : events / cpuSeconds

/** Samples of memory that a growth needs. */
const SAMPLES_MIN = 8

/** How much more memory the server held in the last quarter of a phase than in its second, in per cent; null when it was too short. */
export const memoryGrowth = (record: RunRecord, phase: string): number | null => {
  const times = record.phases.find(({ name }) => name === phase)
  const server = record.components.find(({ role }) => role === "server")
  if (times === undefined || server === undefined) return null
  const samples = server.anonymousBytes.filter((_, at) => {
    const atMs = (server.atS[at] ?? 0) * 1000
    return atMs >= times.startMs && atMs <= times.endMs
  })
  if (samples.length < SAMPLES_MIN) return null
  const quarter = Math.floor(samples.length / 4)
  const early = median(samples.slice(quarter, 2 * quarter))
  const late = median(samples.slice(-quarter))
  return early === 0 ? null : ((late - early) * 100) / early
}

/** Every metric of a run's tracing server; none when it has none. */
export const tracingMetrics = (record: RunRecord): ReadonlyArray<Metric> =>
  measuredTracingPhases(record).flatMap((phase): ReadonlyArray<Metric> => {
    const perCpu = ingestPerCpuSecond(phase)
    const perSecond = ingestPerSecond(record, phase)
    if (perCpu === null && perSecond === null) return []
    const metric = (id: string, label: string, unit: Metric["unit"], value: number | null): Metric => ({
      id: `${phase.phase}.${id}`,
      label: `${phase.phase} ${label}`,
      unit,
      better: "higher",
      value,
      within: []
    })
    return [
      metric("ingest.events", "audit events", "ops/s", perSecond),
      metric("ingest.perCpuSecond", "audit events per CPU second", "count", perCpu)
    ]
  })
