// Judges a scenario's targets against what one run measured: each target gives one verdict per operation, watch or
// server it is about; where nothing was measured the verdict is "missing", never "pass".
import { Latency, type RecordedOperation, type RecordedPhase, type RecordedWatch, type SloVerdict } from "#reports"
import type { PhaseFacts } from "./generator/Protocol.ts"
import { recordedName } from "./Operation.ts"
import { isClusterMetric } from "./cluster/ClusterSloMetric.ts"
import { isFederationMetric } from "./federation/FederationSloMetric.ts"
import { isFrontMetric } from "./front/FrontSloMetric.ts"
import type { PlannedPhase } from "./Run.ts"
import type { Slo, StoreSloMetric } from "./Scenario.ts"
import { isTracingMetric } from "./traces/TracingSloMetric.ts"

/** The targets of a load, and the phases that they are about. */
export interface TargetPlan {
  readonly slo: ReadonlyArray<Slo>
  readonly phases: ReadonlyArray<PlannedPhase>
}

/** What a run measured, as far as targets can ask for it. */
export interface Measured {
  readonly phases: ReadonlyArray<RecordedPhase>
  readonly operations: ReadonlyArray<RecordedOperation>
  readonly watches: ReadonlyArray<RecordedWatch>
  /** Facts by phase name. */
  readonly facts: ReadonlyMap<string, PhaseFacts>
  readonly memoryBytes: number | undefined
  readonly startMs: number | undefined
}

const unitOf = (metric: StoreSloMetric): string => {
  if (metric === "throughput") return "/s"
  if (metric === "errors" || metric === "watch.delivered") return "%"
  return metric === "memory" ? "bytes" : "ms"
}

/** Whether `of` means this operation: by its own name, its load's or its phase's. */
export const means = (
  scenario: Pick<TargetPlan, "phases">,
  of: string | undefined,
  { name, phase }: RecordedOperation
): boolean =>
  of === undefined ||
  of === phase ||
  scenario.phases.some(
    (planned) =>
      planned.name === phase &&
      planned.load.some((load) =>
        load.mix.some((operation) => {
          const own = operation.name ?? operation.op
          return recordedName(planned.load.length, load.name, own) === name && (of === load.name || of === own)
        })
      )
  )

const ms = (us: number | null): number | undefined => (us === null ? undefined : us / 1000)

const latencyOf = (operation: RecordedOperation, metric: StoreSloMetric, measured: Measured): number | undefined => {
  const { latency, name, phase } = operation
  const stddev = measured.facts.get(phase)?.stddevMs[name]
  switch (metric) {
    case "latency.mean":
      return ms(latency.mean)
    case "latency.p50":
      return ms(latency.p50)
    case "latency.p90":
      return ms(latency.p90)
    case "latency.p99":
      return ms(latency.p99)
    case "latency.p99.9":
      return ms(latency.p999)
    case "latency.max":
      return ms(latency.max)
    default:
      return stddev ?? undefined
  }
}

const ofOperation = (operation: RecordedOperation, metric: StoreSloMetric, measured: Measured): number | undefined => {
  if (metric === "throughput") {
    const phase = measured.phases.find(({ name }) => name === operation.phase)
    const seconds = phase === undefined ? 0 : (phase.endMs - phase.startMs) / 1000
    return seconds > 0 ? operation.completed / seconds : undefined
  }
  if (metric === "errors") {
    const failed = Object.values(operation.errors).reduce((sum, count) => sum + count, 0)
    return operation.planned === 0 ? undefined : ((failed + operation.lost) * 100) / operation.planned
  }
  if (metric === "pause") return measured.facts.get(operation.phase)?.pauseMs
  if (metric === "gap") return measured.facts.get(operation.phase)?.gapMs[operation.name] ?? undefined
  return latencyOf(operation, metric, measured)
}

const ofWatch = (watch: RecordedWatch, metric: StoreSloMetric, measured: Measured): number | undefined => {
  const { delivered, expected, lag, name, phase } = watch
  if (metric === "watch.gap") return measured.facts.get(phase)?.watchGapMs[name]
  if (metric === "watch.delivered") return expected === 0 ? undefined : (delivered * 100) / expected
  if (metric === "watch.lag.p50") return ms(lag.p50)
  return ms(metric === "watch.lag.p99" ? lag.p99 : lag.max)
}

/** The verdict on one target, given what was seen. */
export const sloVerdict = (
  { atLeast, atMost, metric }: Slo,
  name: string,
  observed: number | undefined,
  unit: string
): SloVerdict => {
  const threshold = atMost ?? atLeast ?? 0
  const holds = observed !== undefined && (atMost === undefined ? observed >= threshold : observed <= threshold)
  return {
    name: `${name} ${metric}`,
    expression: `${metric} ${atMost === undefined ? "≥" : "≤"} ${threshold.toLocaleString("en")} ${unit}`,
    threshold,
    unit,
    observed: observed ?? null,
    verdict: observed === undefined ? "missing" : holds ? "pass" : "fail"
  }
}

/** The verdict of every target of the scenario. */
export const checkSlos = (scenario: TargetPlan, measured: Measured): ReadonlyArray<SloVerdict> =>
  scenario.slo.flatMap((slo) => {
    const { metric, of } = slo
    if (isClusterMetric(metric) || isFederationMetric(metric) || isFrontMetric(metric) || isTracingMetric(metric))
      return []
    const verdict = (target: Slo, name: string, observed: number | undefined) =>
      sloVerdict(target, name, observed, unitOf(metric))
    if (metric === "memory") return [verdict(slo, "server", measured.memoryBytes)]
    if (metric === "startTime") return [verdict(slo, "server", measured.startMs)]
    if (metric.startsWith("watch.")) {
      const watches = measured.watches.filter(({ name, phase }) => of === undefined || of === name || of === phase)
      if (watches.length === 0) return [verdict(slo, of ?? "watch", undefined)]
      return watches.map((watch) => verdict(slo, `${watch.phase}/${watch.name}`, ofWatch(watch, metric, measured)))
    }
    const judged = new Set(measured.phases.filter(({ kind }) => kind === "measure").map(({ name }) => name))
    const operations = measured.operations.filter(
      (operation) => judged.has(operation.phase) && means(scenario, of, operation)
    )
    if (operations.length === 0) return [verdict(slo, of ?? "operations", undefined)]
    return operations.map((operation) =>
      verdict(slo, `${operation.phase}/${operation.name}`, ofOperation(operation, metric, measured))
    )
  })

/** All latencies of the measured operations together, for a line of progress. */
export const overallLatency = (operations: ReadonlyArray<RecordedOperation>): Latency =>
  Latency.merge(operations.map(({ latency }) => latency))
