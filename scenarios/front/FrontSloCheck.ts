// Judges a scenario's targets of a front: from one run's record where that is enough, and against the direct runs of the same
// invocation where a target is about what the front adds. Where nothing was measured the verdict is "missing", never "pass".
import {
  Latency,
  measuredFrontPhases,
  memoryPerWatch,
  perCpuSecond,
  type RecordedOperation,
  type RunRecord,
  type SloVerdict,
  upstreamPerRequest
} from "#reports"
import type { Scenario, Slo } from "../Scenario.ts"
import { means, sloVerdict } from "../SloCheck.ts"
import type { Front } from "./Front.ts"
import { frontMetricUnit, type FrontSloMetric, isFrontMetric } from "./FrontSloMetric.ts"

const isAdded = (metric: FrontSloMetric): boolean => metric.startsWith("front.added.")

const observedOf = (record: RunRecord, metric: FrontSloMetric): number | undefined => {
  switch (metric) {
    case "front.perCpuSecond":
      return perCpuSecond(record) ?? undefined
    case "front.requests":
      return upstreamPerRequest(record) ?? undefined
    case "front.memoryPerWatch":
      return memoryPerWatch(record) ?? undefined
    default: {
      const most = measuredFrontPhases(record).flatMap(({ upstreamConnections }) => upstreamConnections ?? [])
      return most.length === 0 ? undefined : Math.max(...most)
    }
  }
}

const isDirect = (record: RunRecord): boolean => record.backend.name === "direct"

/** Targets of a front are for ours: nothing in between has none, and nginx stands there to be read beside. */
const concerns = (record: RunRecord): boolean => !isDirect(record) && record.backend.name !== "nginx"

/** The verdicts that one record decides. */
export const checkFrontSlos = (scenario: Scenario, record: RunRecord): ReadonlyArray<SloVerdict> =>
  scenario.slo.flatMap((slo) => {
    const { metric } = slo
    if (!isFrontMetric(metric) || isAdded(metric) || !concerns(record)) return []
    return [sloVerdict(slo, "front", observedOf(record, metric), frontMetricUnit(metric))]
  })

const digestOf = ({ latency }: RecordedOperation, metric: FrontSloMetric): number | null => {
  if (metric === "front.added.mean") return latency.mean
  return metric === "front.added.p50" ? latency.p50 : latency.p99
}

const sameOperation = (records: ReadonlyArray<RunRecord>, { name, phase }: RecordedOperation) =>
  records.flatMap(({ operations }) => operations.filter((one) => one.name === name && one.phase === phase))

const mergedDigest = (operations: ReadonlyArray<RecordedOperation>, metric: FrontSloMetric): number | null => {
  const [first] = operations
  if (first === undefined) return null
  return digestOf({ ...first, latency: Latency.merge(operations.map(({ latency }) => latency)).toRecorded() }, metric)
}

const addedOf = (
  slo: Slo & { readonly metric: FrontSloMetric },
  front: Front,
  record: RunRecord,
  direct: ReadonlyArray<RunRecord>
): ReadonlyArray<SloVerdict> => {
  const measured = new Set(record.phases.filter(({ kind }) => kind === "measure").map(({ name }) => name))
  const operations = record.operations.filter(
    (operation) => measured.has(operation.phase) && means({ phases: front.phases }, slo.of, operation)
  )
  const unit = frontMetricUnit(slo.metric)
  if (operations.length === 0) return [sloVerdict(slo, slo.of ?? "operations", undefined, unit)]
  return operations.map((operation) => {
    const own = digestOf(operation, slo.metric)
    const base = mergedDigest(sameOperation(direct, operation), slo.metric)
    const added = own === null || base === null ? undefined : Math.max(0, own - base) / 1000
    return sloVerdict(slo, `${operation.phase}/${operation.name}`, added, unit)
  })
}

/** Records with the verdicts on what their fronts add; those without such targets stay the same object. */
export const againstDirect = (
  scenario: Scenario,
  front: Front,
  records: ReadonlyArray<RunRecord>
): ReadonlyArray<RunRecord> => {
  const direct = records.filter(isDirect)
  const targets = scenario.slo.flatMap((slo) => {
    const { metric } = slo
    return isFrontMetric(metric) && isAdded(metric) ? [{ ...slo, metric }] : []
  })
  if (targets.length === 0) return records
  return records.map((record) => {
    if (!concerns(record)) return record
    return { ...record, slos: [...record.slos, ...targets.flatMap((slo) => addedOf(slo, front, record, direct))] }
  })
}
