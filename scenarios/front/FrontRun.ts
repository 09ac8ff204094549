// One run: one scenario against one front, from empty directories to everything it left behind. Starts the upstream, the front and
// the load generator, looks at all of them, walks the phases and what happens in them, and cleans everything up, whatever happens.
// Owns that order. What a phase does is the generator's; what the record says is FrontRecording.ts's.
import type { ServerFailed } from "#kind"
import type { RecordedFront, RecordedFrontPhase } from "#reports"
import { Clock, Deferred, Effect, type Scope } from "effect"
import type { BackendMissing } from "../backends/Backend.ts"
import type { Mark, PhaseResult, Second } from "../generator/Protocol.ts"
import { type Generator, type GeneratorFailed, openGenerator } from "../GeneratorProcess.ts"
import { ResourceSampler } from "../ResourceSampler.ts"
import { dataDirectory, PhaseOverdue, phaseLimitMs, type Restart, type RunOutcome, sampling } from "../Run.ts"
import { Timeline } from "../Timeline.ts"
import type { FrontBackend, RunningFront } from "./backends/FrontBackend.ts"
import type { Front } from "./Front.ts"
import { FrontEvents } from "./FrontEvents.ts"
import { FrontLook } from "./FrontLook.ts"
import type { FrontPhase } from "./FrontPhase.ts"
import { clusterHost } from "./load/FrontEndpoint.ts"
import type { FrontCertificates } from "./upstream/FrontCertificates.ts"
import { openUpstream, type RunningUpstream, type UpstreamServices } from "./upstream/Upstream.ts"

/** What a run needs besides the scenario. */
export interface FrontRunOptions {
  readonly front: Front
  readonly seed: number
  readonly backend: FrontBackend
  readonly certificates: FrontCertificates
  readonly workDir: string
  readonly watcher: {
    readonly phase: (phase: { readonly name: string }) => void
    readonly second: (phase: { readonly name: string }, second: Second) => void
  }
}

/** Everything a run left behind. */
export interface FrontOutcome extends RunOutcome<FrontPhase> {
  readonly front: RecordedFront
}

type Failure = ServerFailed | BackendMissing | GeneratorFailed | PhaseOverdue

/** The processes and what watches them. */
interface Stage {
  readonly options: FrontRunOptions
  readonly upstream: RunningUpstream
  readonly running: RunningFront
  readonly generator: Generator
  readonly timeline: Timeline
  readonly look: FrontLook
}

const startGenerator = ({ generator, options, running, upstream }: Omit<Stage, "timeline" | "look">) =>
  Effect.gen(function* () {
    const { certificates, front, seed } = options
    const known = { serverName: clusterHost, pairs: certificates.users }
    const { ca, targets, tenants, translates } = running
    const endpoint = { ...known, targets, ca, tenants }
    yield* generator.ask({ type: "frontStart", seed, front, endpoint, translates }, "ready")
    if (!upstream.keepsObjects) return
    const behind = upstream.ports.map((port) => ({ host: "127.0.0.1", port }))
    const straight = { ...known, targets: behind, ca: upstream.ca, tenants: [] }
    yield* generator.ask({ type: "frontPopulate", endpoint: straight }, "ready")
  })

interface PhaseEnd {
  readonly result: PhaseResult
  readonly recorded: RecordedFrontPhase
  readonly restarts: ReadonlyArray<Restart>
}

const runPhase = (stage: Stage, phase: FrontPhase): Effect.Effect<PhaseEnd, Failure> =>
  Effect.gen(function* () {
    const { generator, look, options, running, timeline, upstream } = stage
    const begun = yield* Deferred.make<void>()
    const processes = [...running.processes, ...upstream.processes]
    const events = new FrontEvents(phase, processes, running.swap)
    const phaseLook = look.phase(phase)
    const first: Mark["mark"] = phase.idle === undefined ? "opened" : "idle"
    const go = Effect.sync(() => generator.tell({ type: "frontGo" }))
    const run = Effect.runForkWith(yield* Effect.context())
    const onMark = (mark: Mark["mark"]): void => {
      if (mark === "ended") return void run(Effect.andThen(phaseLook.end, go))
      phaseLook.quiet(mark)
      const begins = mark === first ? Effect.andThen(phaseLook.begin, Deferred.succeed(begun, undefined)) : Effect.void
      run(Effect.andThen(begins, go))
    }
    const onSecond = (second: Second): void => {
      timeline.add(second)
      options.watcher.second(phase, second)
    }
    const limit = phaseLimitMs(phase) + (phase.idle ?? 0)
    const asked = generator.ask({ type: "frontPhase", phase }, "phase", onSecond, onMark).pipe(
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () => Effect.fail(new PhaseOverdue({ phase: phase.name, limitMs: limit }))
      })
    )
    const happening = Deferred.await(begun).pipe(Effect.andThen(events.run), Effect.andThen(Effect.never))
    const result = yield* Effect.raceFirst(asked, happening)
    yield* phaseLook.ended
    const { restarts, swaps } = events
    return { result, recorded: phaseLook.record(result, swaps, restarts.length > 0), restarts }
  })

const openStage = (options: FrontRunOptions) =>
  Effect.gen(function* () {
    const { backend, certificates, front, workDir } = options
    const directory = yield* dataDirectory(workDir, backend.name)
    const upstream = yield* openUpstream({ front, certificates, directory })
    const running = yield* backend.open({ front, certificates, upstream, directory })
    const generator = yield* openGenerator
    const stage = { options, upstream, running, generator }
    yield* startGenerator(stage)
    return stage
  })

const samplersOf = ({ generator, running, upstream }: Omit<Stage, "timeline" | "look">, startedAt: number) => [
  ...[...running.processes, ...upstream.processes].map(
    ({ forks, name, pid, role }) =>
      new ResourceSampler(name, role === "front" ? "server" : "other", pid, startedAt, forks)
  ),
  new ResourceSampler("load generator", "load-generator", () => generator.pid, startedAt)
]

/** Runs the scenario once. */
export const runFront = (
  options: FrontRunOptions
): Effect.Effect<FrontOutcome, Failure, UpstreamServices | Scope.Scope> =>
  Effect.gen(function* () {
    const { front, watcher } = options
    const begun = yield* openStage(options)
    const startedAt = yield* Clock.currentTimeMillis
    const timeline = new Timeline(startedAt)
    const look = new FrontLook(begun.running.processes, begun.upstream, startedAt)
    const samplers = samplersOf(begun, startedAt)
    yield* sampling(samplers)
    yield* look.connectionsEachSecond
    const ends: Array<PhaseEnd & { readonly phase: FrontPhase }> = []
    for (const phase of front.phases) {
      watcher.phase(phase)
      yield* Effect.sleep(phase.pause ?? 0)
      ends.push({ phase, ...(yield* runPhase({ ...begun, timeline, look }, phase)) })
    }
    const endedAt = yield* Clock.currentTimeMillis
    const anonymous = samplers
      .slice(0, begun.running.processes.length)
      .flatMap(({ anonymousMaxBytes }) => anonymousMaxBytes ?? [])
    return {
      startedAt,
      endedAt,
      outcomes: ends.map(({ phase, result }) => ({ phase, result })),
      restarts: ends.flatMap(({ restarts }) => restarts),
      timeline,
      samplers,
      memoryBytes: anonymous.length === 0 ? undefined : anonymous.reduce((sum, bytes) => sum + bytes, 0),
      front: {
        upstream: front.upstream,
        upstreamVersion: begun.upstream.version,
        upstreams: front.upstreams,
        instances: front.instances,
        phases: ends.map(({ recorded }) => recorded),
        connections: look.connections
      }
    }
  })
