// Looks at the processes of a run against a front at the moments that the load generator marks, and at the upstream's connections
// every second. Owns what is read when, and how a phase's record comes from it; starts and stops nothing.
// Bound: a day of seconds.
import { isRefusal, type RecordedFront, type RecordedFrontPhase } from "#reports"
import { Clock, Deferred, Effect, Schedule } from "effect"
import type { PhaseResult } from "../generator/Protocol.ts"
import { usageOf } from "../ResourceSampler.ts"
import type { FrontPhase } from "./FrontPhase.ts"
import type { FrontProcess } from "./FrontProcess.ts"
import type { RunningUpstream, UpstreamCounts } from "./upstream/Upstream.ts"

const secondsMax = 86_400

interface Usage {
  readonly cpuSeconds: number
  readonly anonymousBytes: number
}

/** What processes together have used and hold; null when there are none, or one cannot be read. */
const usageOfAll = (processes: ReadonlyArray<FrontProcess>): Usage | null => {
  if (processes.length === 0) return null
  let [cpuSeconds, anonymousBytes] = [0, 0]
  for (const { forks, pid } of processes) {
    const id = pid()
    const usage = id === undefined ? undefined : usageOf(id, forks)
    if (usage === undefined) return null
    cpuSeconds += usage.cpuSeconds
    anonymousBytes += usage.anonymousBytes
  }
  return { cpuSeconds, anonymousBytes }
}

const difference = (from: number | null | undefined, to: number | null | undefined): number | null =>
  typeof from === "number" && typeof to === "number" ? Math.max(0, to - from) : null

/** The eyes of one run. */
export class FrontLook {
  readonly #fronts: ReadonlyArray<FrontProcess>
  readonly #upstream: RunningUpstream
  readonly #startedAt: number
  readonly #atS: Array<number> = []
  readonly #open: Array<number | null> = []

  constructor(processes: ReadonlyArray<FrontProcess>, upstream: RunningUpstream, startedAt: number) {
    this.#fronts = processes.filter(({ role }) => role === "front")
    this.#upstream = upstream
    this.#startedAt = startedAt
  }

  /** Connections at the upstream, for as long as the scope lives. */
  get connectionsEachSecond() {
    const one = Effect.gen({ self: this }, function* () {
      const open = yield* this.#upstream.connections
      if (this.#atS.length >= secondsMax) return
      this.#atS.push(((yield* Clock.currentTimeMillis) - this.#startedAt) / 1000)
      this.#open.push(open)
    })
    return one.pipe(Effect.repeat(Schedule.fixed("1 second")), Effect.forkScoped)
  }

  get connections(): RecordedFront["connections"] {
    return { atS: this.#atS, open: this.#open }
  }

  /** The most connections that were open from one moment on. */
  mostSince(row: number): number | null {
    const seen = this.#open.slice(row).filter((open) => open !== null)
    return seen.length === 0 ? null : Math.max(...seen)
  }

  /** Begins to look at a phase, before its clients connect. */
  phase(phase: FrontPhase): PhaseLook {
    return new PhaseLook(this, phase, this.#fronts, this.#upstream, this.#open.length)
  }
}

interface Snapshot {
  readonly front: Usage | null
  readonly upstream: Usage | null
  readonly counts: UpstreamCounts
}

/** What is seen of one phase. */
class PhaseLook {
  readonly #look: FrontLook
  readonly #phase: FrontPhase
  readonly #fronts: ReadonlyArray<FrontProcess>
  readonly #upstream: RunningUpstream
  readonly #row: number
  readonly #before: Usage | null
  readonly #over = Deferred.makeUnsafe<void>()
  #idle: Usage | null = null
  #begun: Snapshot | undefined
  #ended: Snapshot | undefined

  constructor(
    look: FrontLook,
    phase: FrontPhase,
    fronts: ReadonlyArray<FrontProcess>,
    upstream: RunningUpstream,
    row: number
  ) {
    this.#look = look
    this.#phase = phase
    this.#fronts = fronts
    this.#upstream = upstream
    this.#row = row
    this.#before = usageOfAll(fronts)
  }

  /** The watches stand; after their idle time, what they hold is known. */
  quiet(mark: "opened" | "idle"): void {
    if (mark === "idle") this.#idle = usageOfAll(this.#fronts)
  }

  get #snapshot() {
    return Effect.gen({ self: this }, function* () {
      const [front, upstream] = [usageOfAll(this.#fronts), usageOfAll(this.#upstream.processes)]
      return { front, upstream, counts: yield* this.#upstream.count }
    })
  }

  /** The loads begin. */
  get begin(): Effect.Effect<void> {
    return Effect.map(this.#snapshot, (snapshot) => void (this.#begun = snapshot))
  }

  /** The loads are over. */
  get end(): Effect.Effect<void> {
    return this.#snapshot.pipe(
      Effect.map((snapshot) => void (this.#ended = snapshot)),
      Effect.andThen(Deferred.succeed(this.#over, undefined)),
      Effect.asVoid
    )
  }

  get ended(): Effect.Effect<void> {
    return Deferred.await(this.#over)
  }

  /** What a process used that was started anew meanwhile, nobody knows. */
  record({ facts, operations, watches }: PhaseResult, swaps: number, restarted: boolean): RecordedFrontPhase {
    const [from, to] = [this.#begun, this.#ended]
    const answered = operations.reduce((sum, { sent }) => sum + sent, 0)
    const refused = operations.reduce((sum, { completed, name }) => sum + (isRefusal(name) ? completed : 0), 0)
    const idle = this.#phase.idle !== undefined
    return {
      phase: this.#phase.name,
      clientConnections: facts.connections,
      requests: answered,
      refused,
      upstreamRequests: difference(from?.counts.requests, to?.counts.requests),
      reviews: difference(from?.counts.reviews, to?.counts.reviews),
      upstreamConnections: this.#look.mostSince(this.#row) ?? to?.counts.connections ?? null,
      cpuSeconds: restarted ? null : difference(from?.front?.cpuSeconds, to?.front?.cpuSeconds),
      upstreamCpuSeconds: restarted ? null : difference(from?.upstream?.cpuSeconds, to?.upstream?.cpuSeconds),
      idleWatches: idle ? watches.reduce((sum, { watchers }) => sum + watchers, 0) : 0,
      memoryBeforeBytes: idle ? (this.#before?.anonymousBytes ?? null) : null,
      memoryIdleBytes: idle ? (this.#idle?.anonymousBytes ?? null) : null,
      swaps
    }
  }
}
