// The numbers of one run against a Kubernetes API front beside its latencies: requests for a second of processor time, connections
// and requests at the upstream, memory of an idle watch. Owns how a record is reduced to them and which direction is better.
import type { Metric } from "./Metrics.ts"
import type { RecordedFrontPhase } from "./RecordedFront.ts"
import type { RunRecord } from "./RunRecord.ts"

/** The front's part of the measured phases; none of a run without a front. */
export const measuredFrontPhases = (record: RunRecord): ReadonlyArray<RecordedFrontPhase> => {
  const measured = new Set(record.phases.filter(({ kind }) => kind === "measure").map(({ name }) => name))
  return record.front?.phases.filter(({ phase }) => measured.has(phase)) ?? []
}

/** A sum over phases; null when there are none or one does not know. */
const sumOf = (phases: ReadonlyArray<RecordedFrontPhase>, of: (phase: RecordedFrontPhase) => number | null) =>
  phases.length === 0
    ? null
    : phases.reduce<number | null>((sum, phase) => {
        const value = of(phase)
        return sum === null || value === null ? null : sum + value
      }, 0)

const quotient = (above: number | null, below: number | null): number | null =>
  above === null || below === null || below === 0 ? null : above / below

/** Requests answered for a second of the front's processor time; null without a front in between. */
export const perCpuSecond = (record: RunRecord): number | null => {
  const phases = measuredFrontPhases(record)
  return quotient(
    sumOf(phases, ({ requests }) => requests),
    sumOf(phases, ({ cpuSeconds }) => cpuSeconds)
  )
}

/** Requests at the upstream, reviews included, for one of a client that was not refused. */
export const upstreamPerRequest = (record: RunRecord): number | null => {
  const phases = measuredFrontPhases(record)
  return quotient(
    sumOf(phases, ({ reviews, upstreamRequests }) =>
      upstreamRequests === null ? null : upstreamRequests + (reviews ?? 0)
    ),
    sumOf(phases, ({ refused, requests }) => requests - refused)
  )
}

/** Connections open at the upstream, the most of all measured phases. */
export const upstreamConnections = (record: RunRecord): number | null => {
  const seen = measuredFrontPhases(record).flatMap(({ upstreamConnections: most }) => most ?? [])
  return seen.length === 0 ? null : Math.max(...seen)
}

/** Memory of the front for each watch that stood idle, in bytes. */
export const memoryPerWatch = (record: RunRecord): number | null => {
  const idle = measuredFrontPhases(record).filter(({ idleWatches }) => idleWatches > 0)
  const grown = sumOf(idle, ({ memoryBeforeBytes, memoryIdleBytes }) =>
    memoryBeforeBytes === null || memoryIdleBytes === null ? null : Math.max(0, memoryIdleBytes - memoryBeforeBytes)
  )
  return quotient(
    grown,
    sumOf(idle, ({ idleWatches }) => idleWatches)
  )
}

/** Every metric of a run's front; none when it has none. What a direct run cannot have is left out of comparisons with it. */
export const frontMetrics = (record: RunRecord): ReadonlyArray<Metric> => {
  if (record.front === undefined) return []
  const all: ReadonlyArray<Metric> = [
    {
      id: "front.perCpuSecond",
      label: "requests per CPU second of the front",
      unit: "count",
      better: "higher",
      value: perCpuSecond(record),
      within: [],
      byNature: true
    },
    {
      id: "front.connections",
      label: "connections at the upstream",
      unit: "count",
      better: "lower",
      value: upstreamConnections(record),
      within: []
    },
    {
      id: "front.requests",
      label: "upstream requests per request",
      unit: "count",
      better: "lower",
      value: upstreamPerRequest(record),
      within: []
    },
    {
      id: "front.memoryPerWatch",
      label: "memory of the front per idle watch",
      unit: "bytes",
      better: "lower",
      value: memoryPerWatch(record),
      within: [],
      byNature: true
    }
  ]
  return all.filter(({ id, value }) => value !== null || id === "front.connections")
}
