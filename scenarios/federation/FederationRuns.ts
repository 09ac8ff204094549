// All runs of a scenario's federation, one after the other: a process each, progress as it comes, one record per run.
// Owns that sequence; refuses the output folder and the page, which are Runner.ts's, and the verdicts, which are FederationSloCheck.ts's.
import {
  assessValidity,
  type Component,
  type Machine,
  type RecordedRepeat,
  type RecordedSeries,
  type RunRecord,
  runRecordSchema,
  runRecordVersion,
  type Versions
} from "#reports"
import { Clock, Effect } from "effect"
import { describeMachine, describeVersions, loadNow } from "../Machine.ts"
import { finishedLine, type Progress, type RunLabel } from "../Progress.ts"
import { ResourceSampler } from "../ResourceSampler.ts"
import { sampling } from "../Run.ts"
import type { LoadedScenario } from "../ScenarioFile.ts"
import { Timeline } from "../Timeline.ts"
import type { Federation } from "./Federation.ts"
import { askFederation, type FederationNews, openFederationProcess } from "./FederationProcess.ts"
import { checkFederationSlos } from "./FederationSloCheck.ts"
import type { FederationResult } from "./world/Protocol.ts"

/** What the runs of a federation need. */
export interface FederationRunsOptions {
  readonly loaded: LoadedScenario
  readonly federation: Federation
  readonly repeats: number
  /** Runs that went before. */
  readonly before: number
  readonly command: string
  readonly progress: Progress
}

/** The name under which a federation stands beside backends. */
export const federationBackend = "federation"

/** What a record says besides the run itself. */
interface Recording {
  readonly options: FederationRunsOptions
  readonly repeat: RecordedRepeat
  readonly machine: Machine
  readonly versions: Versions
  readonly series: RecordedSeries
  readonly components: ReadonlyArray<Component>
}

const settingsOf = ({ health, members, placement }: Federation): Readonly<Record<string, string>> => ({
  members: String(members.count),
  "nodes of each": String(members.nodes),
  placement: `${placement.mode}, ${placement.clusters} members at most, ${placement.replicas} replicas`,
  tolerated: `${placement.tolerated / 1000} s`,
  "lost after": `${health.lostAfter / 1000} s`
})

const recordFederation = (result: FederationResult, recording: Recording): RunRecord => {
  const { components, machine, options, repeat, series, versions } = recording
  const { command, federation, loaded } = options
  const { scenario } = loaded
  const { endedAt, operations, phases, startedAt, violations } = result
  const record: RunRecord = {
    schema: runRecordSchema,
    schemaVersion: runRecordVersion,
    id: `${scenario.name}-${repeat.position}-${federationBackend}-${repeat.index}`,
    command,
    scenario: { name: scenario.name, hash: loaded.hash, text: loaded.text, overrides: loaded.overrides },
    seed: scenario.seed,
    startedAt: new Date(startedAt).toISOString(),
    durationMs: endedAt - startedAt,
    target: "process",
    backend: { name: federationBackend, version: versions.wharf, settings: settingsOf(federation), durable: false },
    repeat,
    phases: [...phases],
    machine,
    versions,
    // Load, host and federation are one process, and its processor is the measured one's.
    generator: { ceilingPerS: null, ceilingCpuPercent: null, cpuPercent: null },
    operations: [...operations],
    watch: [],
    counters: {},
    series,
    components: [...components],
    annotations: [],
    federation: result.federation,
    slos: [],
    validity: { valid: true, reasons: [] },
    violations: [...violations]
  }
  return { ...record, slos: checkFederationSlos(scenario, record), validity: assessValidity(record) }
}

const oneRun = (options: FederationRunsOptions, repeat: number) =>
  Effect.gen(function* () {
    const { before, federation, progress, repeats } = options
    const label: RunLabel = { position: before + repeat, of: before + repeats, backend: federationBackend }
    const loadBefore = loadNow()
    const startedAt = yield* Clock.currentTimeMillis
    progress.step(`[${label.position + 1}/${label.of}] ${federationBackend}  starting …`)
    const child = yield* openFederationProcess(federation.heap)
    const timeline = new Timeline(startedAt)
    const sampler = new ResourceSampler("host, federation and members", "server", () => child.pid, startedAt)
    yield* sampling([sampler])
    let phase = { name: "" }
    const onNews = (news: FederationNews): void => {
      if (news.type === "second") {
        timeline.add(news)
        return progress.second(label, phase, news)
      }
      phase = { name: news.name }
      progress.phase(label, phase)
    }
    const result = yield* askFederation(child, federation, onNews)
    const component = sampler.component()
    const record = recordFederation(result, {
      options,
      repeat: { index: repeat, of: repeats, position: label.position, order: "A".repeat(Math.min(repeats, 26)) },
      machine: describeMachine(loadBefore, loadNow()),
      versions: describeVersions(),
      series: timeline.series(),
      components: component === undefined ? [] : [component]
    })
    progress.line(finishedLine(label, record))
    return record
  }).pipe(Effect.scoped)

/** Runs the federation so many times; every record stands in the order of the runs. */
export const federationRuns = Effect.fn("scenarios.federationRuns")(function* (options: FederationRunsOptions) {
  return yield* Effect.forEach(Array.from({ length: options.repeats }).keys().toArray(), (repeat) =>
    oneRun(options, repeat)
  )
})
