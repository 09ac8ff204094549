// From what a run left behind to its run record. Owns the translation only: numbers come from the generator and the
// samplers, verdicts on targets from SloCheck.ts, validity from the reports room.
import {
  type Annotation,
  assessValidity,
  type Backend as RecordedBackend,
  type Generator,
  type Machine,
  type RecordedPhase,
  type RecordedRepeat,
  type RunRecord,
  runRecordSchema,
  runRecordVersion,
  type Versions,
  type Violation
} from "#reports"
import type { Backend } from "./backends/Backend.ts"
import type { CeilingResult } from "./generator/Protocol.ts"
import type { PhaseOutcome, PlannedPhase, RunOutcome } from "./Run.ts"
import type { LoadedScenario } from "./ScenarioFile.ts"
import { checkSlos } from "./SloCheck.ts"

/** What a record says besides the run itself. */
export interface RecordingContext {
  readonly loaded: LoadedScenario
  /** What was under test, as the record names it. */
  readonly backend: RecordedBackend
  readonly repeat: RecordedRepeat
  readonly command: string
  readonly machine: Machine
  readonly versions: Versions
  readonly ceiling: CeilingResult | undefined
}

const kinds = {
  prepare: "prepare",
  warmUp: "warmup",
  measure: "measure",
  coolDown: "cooldown",
  restart: "prepare"
} as const

const isClosed = ({ load }: PlannedPhase): boolean =>
  load.some(({ shape }) => shape.parallelismLimitedLoad !== undefined)

const lateShare = 0.05

/**
 * The planned rate of an open phase. While actions began in time, the plan counts over the whole phase, its last
 * answers included; when they began late, over the time it was made for, so that the shortfall shows. Where a load ran
 * into its bound of actions in flight, the server set the pace and there is no rate to hold the generator to.
 */
const targetPerS = ({ phase, result: { facts, operations } }: PhaseOutcome): number | null => {
  if (facts.saturated) return null
  const elapsedMs = Math.max(1, facts.endedAt - facts.startedAt)
  const planned = operations.reduce((sum, operation) => sum + operation.planned, 0)
  const planMs = Math.max(...phase.load.map(({ duration }) => duration ?? 0))
  const late = planMs > 0 && facts.lateMs > planMs * lateShare
  return (planned * 1000) / (late ? planMs : elapsedMs)
}

/** The most actions that the phase may ever have in flight. */
const placesOf = ({ load, order }: PlannedPhase): number => {
  const places = load.map(({ inFlightMax, shape }) => shape.parallelismLimitedLoad?.parallelismLimit ?? inFlightMax)
  return order === "sequential" ? Math.max(...places) : places.reduce((sum, count) => sum + count, 0)
}

const recordPhase = (outcome: PhaseOutcome, startedAt: number): RecordedPhase => {
  const { phase, result } = outcome
  const closed = isClosed(phase)
  return {
    name: phase.name,
    kind: kinds[phase.kind],
    startMs: Math.max(0, result.facts.startedAt - startedAt),
    endMs: Math.max(0, result.facts.endedAt - startedAt),
    loop: closed ? "closed" : "open",
    clients: closed ? placesOf(phase) : result.facts.connections,
    targetPerS: closed ? null : targetPerS(outcome)
  }
}

/** What clients felt of a fault: how long nothing succeeded, and nothing was told. */
const gapsIn = (outcomes: RunOutcome["outcomes"], phase: string): string =>
  outcomes
    .filter((outcome) => outcome.phase.name === phase)
    .flatMap(({ result: { facts } }) => Object.entries({ ...facts.gapMs, ...facts.watchGapMs }))
    .map(([name, gapMs]) => (gapMs === null ? `; no ${name} succeeded` : `; ${gapMs.toFixed(0)} ms without a ${name}`))
    .join("")

const annotationsOf = ({ inflicted = [], outcomes, restarts, startedAt }: RunOutcome): ReadonlyArray<Annotation> => [
  ...inflicted.map(({ at, lastedMs, phase, text }) => ({
    kind: "fault",
    text: `${phase}: ${text}${gapsIn(outcomes, phase)}`,
    atMs: Math.max(0, at - startedAt),
    durationMs: lastedMs
  })),
  ...restarts.map(({ at, phase, startMs }) => ({
    kind: "restart",
    text: `${phase}: ready again after ${startMs.toFixed(0)} ms`,
    atMs: Math.max(0, at - startedAt),
    durationMs: startMs
  })),
  ...outcomes.flatMap(({ phase, result: { facts } }) => [
    ...(phase.kind === "measure" && facts.pauseMs > 0
      ? [
          {
            kind: "longest pause",
            text: `${phase.name}: ${facts.pauseMs.toFixed(1)} ms without any answer`,
            atMs: Math.max(0, facts.pauseEndedAt - facts.pauseMs - startedAt),
            durationMs: facts.pauseMs
          }
        ]
      : []),
    ...facts.notes.map((text) => ({
      kind: "note",
      text,
      atMs: Math.max(0, facts.endedAt - startedAt),
      durationMs: null
    }))
  ])
]

const violationsOf = (outcomes: ReadonlyArray<PhaseOutcome>): ReadonlyArray<Violation> =>
  outcomes.flatMap(({ phase, result }) => [
    ...Object.entries(result.facts.violations).map(([rule, times]) => ({
      rule,
      text: `${phase.name}: ${times} times`
    })),
    ...result.watches.flatMap(({ duplicated, name, outOfOrder }) => [
      ...(duplicated > 0 ? [{ rule: "a watch event came twice", text: `${name}: ${duplicated} times` }] : []),
      ...(outOfOrder > 0 ? [{ rule: "a watch event came out of order", text: `${name}: ${outOfOrder} times` }] : [])
    ])
  ])

/** Counts that a seed decides: plans of open loops and of loads that end after a number of actions. */
const countersOf = (outcomes: ReadonlyArray<PhaseOutcome>): Record<string, number> => {
  const counters: Record<string, number> = {}
  for (const { phase, result } of outcomes) {
    if (phase.load.some(({ actions, shape }) => shape.parallelismLimitedLoad !== undefined && actions === undefined))
      continue
    for (const { name, planned } of result.operations) counters[`${phase.name}/${name} planned`] = planned
  }
  return counters
}

const generatorOf = ({ outcomes }: RunOutcome, ceiling: CeilingResult | undefined): Generator => {
  const measured = outcomes.filter(({ phase }) => phase.kind === "measure")
  const cpuSeconds = measured.reduce((sum, { result }) => sum + result.facts.cpuSeconds, 0)
  const seconds = measured.reduce((sum, { result }) => sum + (result.facts.endedAt - result.facts.startedAt) / 1000, 0)
  return {
    ceilingPerS: ceiling?.perSecond ?? null,
    ceilingCpuPercent: ceiling?.cpuPercent ?? null,
    cpuPercent: seconds > 0 ? Math.round((cpuSeconds * 1000) / seconds) / 10 : null
  }
}

/** How a store stands in its record. */
export const recordedStore = (
  { durable, name, settings, version }: Backend,
  { server }: LoadedScenario["scenario"]
): RecordedBackend => ({
  name,
  version,
  settings: { ...settings, quotaBytes: String(server.quotaBytes) },
  durable: durable && server.fsync
})

/** The run record of one run. */
export const recordRun = (outcome: RunOutcome, context: RecordingContext): RunRecord => {
  const { backend, command, loaded, machine, repeat, versions } = context
  const { scenario } = loaded
  const { endedAt, outcomes, startedAt } = outcome
  const phases = outcomes.map((phase) => recordPhase(phase, startedAt))
  const operations = outcomes.flatMap(({ result }) => result.operations)
  const watch = outcomes.flatMap(({ phase, result }) => (phase.kind === "measure" ? result.watches : []))
  const facts = new Map(outcomes.map(({ phase, result }) => [phase.name, result.facts]))
  const plan = { slo: scenario.slo, phases: outcomes.map(({ phase }) => phase) }
  const slos = checkSlos(plan, {
    phases,
    operations,
    watches: watch,
    facts,
    memoryBytes: outcome.memoryBytes,
    startMs: outcome.restarts.at(-1)?.startMs
  })
  const record: RunRecord = {
    schema: runRecordSchema,
    schemaVersion: runRecordVersion,
    id: `${scenario.name}-${repeat.position}-${backend.name}-${repeat.index}`,
    command,
    scenario: { name: scenario.name, hash: loaded.hash, text: loaded.text, overrides: loaded.overrides },
    seed: scenario.seed,
    startedAt: new Date(startedAt).toISOString(),
    durationMs: endedAt - startedAt,
    target: "process",
    backend,
    repeat,
    phases,
    machine,
    versions,
    generator: generatorOf(outcome, context.ceiling),
    operations,
    watch,
    counters: countersOf(outcomes),
    series: outcome.timeline.series(),
    components: outcome.samplers.flatMap((sampler) => sampler.component() ?? []),
    annotations: annotationsOf(outcome),
    slos,
    validity: { valid: true, reasons: [] },
    violations: violationsOf(outcomes)
  }
  return { ...record, validity: assessValidity(record) }
}
