// One run: one scenario against one backend, from an empty data directory to a run record. Starts the server and the
// load generator, samples both, walks the phases, and cleans everything up, whatever happens.
// Owns that order. What a phase does is the generator's; what the record says is Recording.ts's.
import type { ServerFailed } from "#kind"
import { Clock, Effect, Fiber, FileSystem, Schedule, Schema, type Scope } from "effect"
import { join } from "node:path"
import type { Backend, RunningServer } from "./backends/Backend.ts"
import type { PhaseResult, Second } from "./generator/Protocol.ts"
import { type Generator, type GeneratorFailed, openGenerator } from "./GeneratorProcess.ts"
import { ResourceSampler } from "./ResourceSampler.ts"
import type { Load, Phase, Scenario } from "./Scenario.ts"
import { Timeline } from "./Timeline.ts"

/** A phase did not end although everything in it has a bound. */
export class PhaseOverdue extends Schema.TaggedError<PhaseOverdue>()("PhaseOverdue", {
  phase: Schema.String,
  limitMs: Schema.Finite
}) {
  override get message(): string {
    return `phase ${this.phase} did not end within ${this.limitMs / 1000} s`
  }
}

/** What the record and its judges read of a phase, of a load on stores or on a front. */
export interface PlannedPhase {
  readonly name: string
  readonly kind: Phase["kind"]
  readonly order: Phase["order"]
  readonly load: ReadonlyArray<
    Pick<Load, "name" | "shape" | "inFlightMax" | "duration" | "actions" | "timeout"> & {
      readonly mix: ReadonlyArray<{ readonly name?: string; readonly op: string }>
    }
  >
}

/** A phase as it ran. Times in ms since the epoch. */
export interface PhaseOutcome<P extends PlannedPhase = PlannedPhase> {
  readonly phase: P
  readonly result: PhaseResult
}

/** A restart of the server (a backend that loses its data, or that is not ours, is not restarted): when, and how long from start to readiness, in ms. */
export interface Restart {
  readonly phase: string
  readonly at: number
  readonly startMs: number
}

/** What befell a server, and how long it took until it was back. Times in ms. */
export interface Inflicted {
  readonly phase: string
  readonly at: number
  readonly text: string
  readonly lastedMs: number
}

/** Everything a run left behind. */
export interface RunOutcome<P extends PlannedPhase = PlannedPhase> {
  readonly startedAt: number
  readonly endedAt: number
  readonly outcomes: ReadonlyArray<PhaseOutcome<P>>
  readonly restarts: ReadonlyArray<Restart>
  readonly inflicted?: ReadonlyArray<Inflicted>
  readonly timeline: Timeline
  readonly samplers: ReadonlyArray<ResourceSampler>
  /** The most anonymous memory of the system under test; undefined without samples. */
  readonly memoryBytes: number | undefined
}

/** What happens during a run, for live progress. */
export interface RunWatcher {
  readonly phase: (phase: Phase) => void
  readonly second: (phase: Phase, second: Second) => void
}

/** What a run needs besides the scenario. */
export interface RunOptions {
  readonly scenario: Scenario
  readonly backend: Backend
  /** Folder for the run's data directory; on disk, not in memory. */
  readonly workDir: string
  readonly watcher: RunWatcher
}

const graceMs = 120_000
const openEndedMs = 6 * 3600 * 1000

/** A phase that outlives this has gone wrong: its loads' durations and timeouts, the drain, and some grace. */
export const phaseLimitMs = ({ drain, load, order }: PlannedPhase & Pick<Phase, "drain">): number => {
  const each = load.map(({ duration, timeout }) => (duration ?? openEndedMs) + 2 * timeout)
  const loads = order === "parallel" ? Math.max(0, ...each) : each.reduce((sum, limit) => sum + limit, 0)
  return loads + drain + graceMs
}

/** A directory of the run's own, removed with the scope. */
export const dataDirectory = (workDir: string, name: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    yield* files.makeDirectory(workDir, { recursive: true }).pipe(Effect.orDie)
    const directory = yield* Effect.acquireRelease(
      files
        .makeTempDirectory({ directory: workDir, prefix: `data-${name.replaceAll(/[^a-z0-9.-]/gi, "-")}-` })
        .pipe(Effect.orDie),
      (made) => files.remove(made, { recursive: true, force: true }).pipe(Effect.ignore)
    )
    return directory
  })

/** Samples once a second for as long as the scope lives. */
export const sampling = (samplers: ReadonlyArray<ResourceSampler>) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    for (const sampler of samplers) sampler.sample(now)
  }).pipe(Effect.repeat(Schedule.fixed("1 second")), Effect.forkScoped)

const startGenerator = (scenario: Scenario, server: RunningServer, generator: Generator) => {
  const extra = Buffer.byteLength(server.keyPrefix)
  const keySpaces = scenario.keySpaces.map((space) => ({
    ...space,
    prefix: server.keyPrefix + space.prefix,
    keyBytes: space.keyBytes + extra
  }))
  return generator.ask({ type: "start", seed: scenario.seed, keySpaces, endpoints: endpointsOf(server) }, "ready")
}

const endpointsOf = ({ endpoint, endpoints }: RunningServer) => endpoints ?? [endpoint]

/** Lets a phase's fault happen in its time, where the server is one that it can happen to. */
const inflict = ({ fault, name }: Phase, server: RunningServer) =>
  Effect.gen(function* () {
    if (fault === undefined || server.inflict === undefined) return []
    yield* Effect.sleep(fault.after)
    const at = yield* Clock.currentTimeMillis
    const text = yield* server.inflict(fault)
    return [{ phase: name, at, text, lastedMs: (yield* Clock.currentTimeMillis) - at }]
  })

const restart = (phase: Phase, server: RunningServer, generator: Generator) =>
  Effect.gen(function* () {
    if (server.restart === undefined) return undefined
    const startMs = yield* server.restart
    yield* generator.ask({ type: "endpoints", endpoints: endpointsOf(server) }, "ready")
    return { phase: phase.name, at: (yield* Clock.currentTimeMillis) - startMs, startMs }
  })

/** Runs the scenario once. */
export const runOnce = (
  options: RunOptions
): Effect.Effect<RunOutcome, ServerFailed | GeneratorFailed | PhaseOverdue, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const { backend, scenario, watcher, workDir } = options
    const { cpuShare, fsync, maxRequestBytes, quotaBytes } = scenario.server
    const dataDir = join(yield* dataDirectory(workDir, backend.name), "store")
    const limits = {
      ...(cpuShare === undefined ? {} : { cpuShare }),
      ...(maxRequestBytes === undefined ? {} : { maxRequestBytes })
    }
    const server = yield* backend.open({ dataDir, quotaBytes, fsync, ...limits })
    const generator = yield* openGenerator
    yield* startGenerator(scenario, server, generator)
    const startedAt = yield* Clock.currentTimeMillis
    const timeline = new Timeline(startedAt)
    const samplers = {
      server: new ResourceSampler(backend.name, "server", server.pid, startedAt),
      generator: new ResourceSampler("load generator", "load-generator", () => generator.pid, startedAt)
    }
    const beside = (server.beside ?? []).map(
      ({ name, pid }) => new ResourceSampler(`${backend.name} ${name}`, "server", pid, startedAt)
    )
    const sampled = [samplers.server, ...beside, samplers.generator]
    yield* sampling(sampled)
    const outcomes: Array<PhaseOutcome> = []
    const restarts: Array<Restart> = []
    const inflicted: Array<Inflicted> = []
    for (const phase of scenario.phases) {
      watcher.phase(phase)
      yield* Effect.sleep(phase.pause ?? 0)
      if (phase.kind === "restart") {
        const done = yield* restart(phase, server, generator)
        if (done !== undefined) restarts.push(done)
        continue
      }
      const onSecond = (second: Second) => {
        timeline.add(second)
        watcher.second(phase, second)
      }
      const limit = phaseLimitMs(phase)
      const late = () => new PhaseOverdue({ phase: phase.name, limitMs: limit })
      const happening = yield* Effect.forkChild(inflict(phase, server))
      const result = yield* generator
        .ask({ type: "phase", phase }, "phase", onSecond)
        .pipe(Effect.timeoutOrElse({ duration: limit, orElse: () => Effect.fail(late()) }))
      inflicted.push(...(yield* Fiber.join(happening)))
      outcomes.push({ phase, result })
    }
    const endedAt = yield* Clock.currentTimeMillis
    const memoryBytes = samplers.server.anonymousMaxBytes
    return { startedAt, endedAt, outcomes, restarts, inflicted, timeline, samplers: sampled, memoryBytes }
  })
