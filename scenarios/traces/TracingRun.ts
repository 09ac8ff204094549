// One run: one scenario against one tracing server, from an empty folder to everything it left behind. Fills the store, starts the server
// and the load generator, walks the phases, and reads processor time and the server's own counts around each.
// Owns that order. What a phase does is the generator's; what the record says is TracingRecording.ts's.
import { freePort, launch, type ServerFailed, stop } from "#kind"
import type { RecordedTracingPhase } from "#reports"
import { Clock, Effect, type FileSystem, type Scope } from "effect"
import { join } from "node:path"
import type { Endpoint } from "../backends/Backend.ts"
import { wharfProgram } from "../front/backends/OwnServer.ts"
import type { PhaseResult, Second, TracingPhaseResult } from "../generator/Protocol.ts"
import { type Generator, type GeneratorFailed, openGenerator } from "../GeneratorProcess.ts"
import { ResourceSampler, usageOf } from "../ResourceSampler.ts"
import { dataDirectory, PhaseOverdue, phaseLimitMs, type RunOutcome, sampling } from "../Run.ts"
import { Timeline } from "../Timeline.ts"
import { askText, factsOf } from "./AskServer.ts"
import type { Filled } from "./load/FillTraces.ts"
import { type PacedPhase, pacedPhase } from "./PacedPhase.ts"
import type { Tracing, TracingPhase } from "./Tracing.ts"

/** What a run needs besides the scenario. */
export interface TracingRunOptions {
  readonly tracing: Tracing
  readonly seed: number
  readonly workDir: string
  readonly watcher: {
    readonly phase: (phase: { readonly name: string }) => void
    readonly second: (phase: { readonly name: string }, second: Second) => void
  }
}

/** Everything a run left behind. */
export interface TracingOutcome extends RunOutcome<PacedPhase> {
  readonly phases: ReadonlyArray<RecordedTracingPhase>
  /** From the server's start to its readiness, with what the store held. */
  readonly openMs: number
}

type Failure = ServerFailed | GeneratorFailed | PhaseOverdue

const RETENTION_HOURS = 24 * 3650

const openServer = (dataDir: string, directory: string) =>
  Effect.gen(function* () {
    const endpoint: Endpoint = { host: "127.0.0.1", port: yield* freePort }
    const child = yield* Effect.acquireRelease(
      launch({
        backend: "tracing",
        command: wharfProgram,
        args: [
          ["serve", "tracing", "--insecure", "--listen", `${endpoint.host}:${endpoint.port}`],
          ["--data-dir", dataDir, "--retention-hours", String(RETENTION_HOURS)]
        ].flat(),
        directory,
        ready: Effect.map(askText(endpoint, "/readyz"), (text) => text === "ok")
      }),
      (started) => stop(started)
    )
    return { endpoint, pid: child.process.pid, startMs: child.startMs }
  })

type Server = Effect.Success<ReturnType<typeof openServer>>

interface PhaseEnd {
  readonly phase: PacedPhase
  readonly result: PhaseResult
  readonly recorded: RecordedTracingPhase
}

interface Stage {
  readonly options: TracingRunOptions
  readonly server: Server
  readonly generator: Generator
  readonly timeline: Timeline
}

const lookAt = ({ endpoint, pid }: Server) =>
  Effect.map(askText(endpoint, "/metrics"), (text) => ({
    facts: factsOf(text),
    usage: pid === undefined ? undefined : usageOf(pid, false)
  }))

type Look = Effect.Success<ReturnType<typeof lookAt>>

const recordedOf = (phase: string, seen: TracingPhaseResult["seen"], from: Look, to: Look): RecordedTracingPhase => ({
  phase,
  events: seen.events,
  eventBytes: seen.eventBytes,
  facts: from.facts === undefined || to.facts === undefined ? null : to.facts - from.facts,
  cpuSeconds:
    from.usage === undefined || to.usage === undefined
      ? null
      : Math.max(0, to.usage.cpuSeconds - from.usage.cpuSeconds),
  memoryBytes: to.usage?.anonymousBytes ?? null,
  messages: seen.messages,
  messageBytesMax: seen.messageBytesMax,
  spans: seen.spans
})

const runPhase = (
  { generator, options, server, timeline }: Stage,
  planned: TracingPhase,
  before: ReadonlyMap<string, PhaseResult>
): Effect.Effect<PhaseEnd, Failure> =>
  Effect.gen(function* () {
    const phase = pacedPhase(planned, before)
    const from = yield* lookAt(server)
    const onSecond = (second: Second): void => {
      timeline.add(second)
      options.watcher.second(phase, second)
    }
    const limit = phaseLimitMs({ ...phase, drain: 0 })
    const { result, seen } = yield* generator.ask({ type: "tracingPhase", phase }, "tracingPhase", onSecond).pipe(
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () => Effect.fail(new PhaseOverdue({ phase: phase.name, limitMs: limit }))
      })
    )
    return { phase, result, recorded: recordedOf(phase.name, seen, from, yield* lookAt(server)) }
  })

/** Runs the scenario once. */
export const runTracing = (
  options: TracingRunOptions
): Effect.Effect<TracingOutcome, Failure, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const { seed, tracing, watcher, workDir } = options
    const directory = yield* dataDirectory(workDir, "tracing")
    const dataDir = join(directory, "traces")
    const generator = yield* openGenerator
    const { longTrace, spans } = tracing
    const filled: Filled = {
      endUs: (yield* Clock.currentTimeMillis) * 1000,
      ...(spans === undefined ? {} : { spans }),
      ...(longTrace === undefined ? {} : { longTrace })
    }
    yield* generator.ask({ type: "tracingFill", dataDir, filled }, "ready")
    const server = yield* openServer(dataDir, directory)
    const { endpoint, pid } = server
    yield* generator.ask({ type: "tracingStart", seed, stream: tracing.stream, filled, endpoint }, "ready")
    const startedAt = yield* Clock.currentTimeMillis
    const timeline = new Timeline(startedAt)
    const sampler = new ResourceSampler("tracing", "server", () => pid, startedAt)
    const samplers = [sampler, new ResourceSampler("load generator", "load-generator", () => generator.pid, startedAt)]
    yield* sampling(samplers)
    const before = new Map<string, PhaseResult>()
    const ends: Array<PhaseEnd> = []
    for (const phase of tracing.phases) {
      watcher.phase(phase)
      yield* Effect.sleep(phase.pause ?? 0)
      const end = yield* runPhase({ options, server, generator, timeline }, phase, before)
      before.set(phase.name, end.result)
      ends.push(end)
    }
    return {
      startedAt,
      endedAt: yield* Clock.currentTimeMillis,
      outcomes: ends.map(({ phase, result }) => ({ phase, result })),
      restarts: [],
      timeline,
      samplers,
      memoryBytes: sampler.anonymousMaxBytes,
      phases: ends.map(({ recorded }) => recorded),
      openMs: server.startMs
    }
  })
