// May the numbers of a run be used? A run that lost samples, whose load generator was the bottleneck, or whose counts
// do not add up says nothing about the system under test, however good it looks.
// Owns the rules and their bounds. Says nothing about targets (SLOs) or differences.
import { measuredOperations, measurePhases } from "./Metrics.ts"
import type { InvalidReason, RunRecord, Validity } from "./RunRecord.ts"

/** Bounds beyond which a run is invalid. */
export const validityBounds = {
  /** Per cent of one core; above it the generator, not the server, sets the pace. */
  generatorCpuPercent: 90,
  /** Fraction of the planned rate that an open loop must really send. */
  achievedRate: 0.95,
  /** Fraction of sent calls that may fail. */
  errorRate: 0.01
} as const

type Reason = Validity["reasons"][number]

const reason = (code: InvalidReason, text: string): Reason => ({ code, text })

/** The record's own reasons together with what its numbers show; each rule speaks once per run. */
export const assessValidity = (record: RunRecord): Validity => {
  const computed = [
    ...lostSamples(record),
    ...generatorSaturated(record),
    ...rateBelowPlan(record),
    ...errorRate(record),
    ...clockTrouble(record),
    ...noSamples(record),
    ...accounting(record)
  ]
  const known = new Set(record.validity.reasons.map(({ code }) => code))
  const reasons = [...record.validity.reasons, ...computed.filter(({ code }) => !known.has(code))]
  return { valid: record.validity.valid && reasons.length === 0, reasons }
}

const lostSamples = (record: RunRecord): ReadonlyArray<Reason> => {
  const operations = measuredOperations(record)
  const lost = operations.reduce((sum, operation) => sum + operation.lost, 0)
  const planned = operations.reduce((sum, operation) => sum + operation.planned, 0)
  return lost === 0 ? [] : [reason("lost-samples", `${lost} of ${planned} planned calls were never sent or answered`)]
}

const generatorSaturated = ({ generator }: RunRecord): ReadonlyArray<Reason> =>
  generator.cpuPercent === null || generator.cpuPercent <= validityBounds.generatorCpuPercent
    ? []
    : [
        reason(
          "generator-saturated",
          `the load generator used ${generator.cpuPercent.toFixed(0)} % of its core, above ${validityBounds.generatorCpuPercent} %`
        )
      ]

/** Phases that are about what a change of configuration costs: what fails there is a finding, which targets judge. */
const swapped = ({ front }: RunRecord): ReadonlySet<string> =>
  new Set(front?.phases.flatMap(({ phase, swaps }) => (swaps > 0 ? [phase] : [])))

const rateBelowPlan = (record: RunRecord): ReadonlyArray<Reason> =>
  measurePhases(record).flatMap((phase) => {
    if (swapped(record).has(phase.name)) return []
    const seconds = (phase.endMs - phase.startMs) / 1000
    if (phase.loop !== "open" || phase.targetPerS === null || phase.targetPerS === 0 || seconds <= 0) return []
    const sent = record.operations.reduce((sum, { phase: name, sent }) => sum + (name === phase.name ? sent : 0), 0)
    const share = sent / seconds / phase.targetPerS
    const text = `phase ${phase.name} sent ${(share * 100).toFixed(1)} % of its planned rate`
    return share >= validityBounds.achievedRate ? [] : [reason("rate-below-plan", text)]
  })

/** Phases in which something befell the server: what failed there is what the run is about. */
const befallen = ({ annotations, phases }: RunRecord): ReadonlySet<string> =>
  new Set(
    phases
      .filter(({ endMs, startMs }) =>
        annotations.some(({ atMs, kind }) => kind === "fault" && atMs >= startMs && atMs <= endMs)
      )
      .map(({ name }) => name)
  )

const errorRate = (record: RunRecord): ReadonlyArray<Reason> =>
  measuredOperations(record).flatMap(({ errors, name, phase, sent }) => {
    if (swapped(record).has(phase) || befallen(record).has(phase)) return []
    const failed = Object.values(errors).reduce((sum, count) => sum + count, 0)
    if (failed <= sent * validityBounds.errorRate) return []
    return [reason("error-rate", `${failed} of ${sent} calls of ${name} failed`)]
  })

const clockTrouble = (record: RunRecord): ReadonlyArray<Reason> => {
  const { atS } = record.series
  const backwards = atS.some((at, index) => index > 0 && at <= (atS[index - 1] ?? 0))
  const inverted = record.phases.some((phase) => phase.endMs < phase.startMs)
  return backwards || inverted ? [reason("clock", "the record's times run backwards")] : []
}

const noSamples = (record: RunRecord): ReadonlyArray<Reason> =>
  measuredOperations(record).some((operation) => operation.completed > 0) ||
  record.cluster?.calls.some(({ answered }) => answered > 0) === true
    ? []
    : [reason("no-samples", "no call was answered in a measured phase")]

const accounting = (record: RunRecord): ReadonlyArray<Reason> =>
  record.operations.flatMap((operation) => {
    const { completed, errors, latency, lost, name, phase, planned } = operation
    const accounted = completed + lost + Object.values(errors).reduce((sum, count) => sum + count, 0)
    if (accounted !== planned) {
      return [reason("accounting", `${name} in ${phase} planned ${planned} calls but accounts for ${accounted}`)]
    }
    if (latency.count === completed) return []
    return [reason("accounting", `${name} in ${phase} answered ${completed} calls but timed ${latency.count}`)]
  })
