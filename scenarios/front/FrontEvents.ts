// What happens to a front while a phase's loads run: configurations that are swapped, processes that are killed and come back.
// Owns when, and what was done; how is each backend's.
import type { ServerFailed } from "#kind"
import { Clock, Effect } from "effect"
import type { Restart } from "../Run.ts"
import type { RunningFront } from "./backends/FrontBackend.ts"
import type { FrontEvent, FrontPhase } from "./FrontPhase.ts"
import type { FrontProcess } from "./FrontProcess.ts"

/** The events of one phase. */
export class FrontEvents {
  /** Configurations applied so far. */
  swaps = 0
  readonly restarts: Array<Restart> = []
  readonly #phase: FrontPhase
  readonly #processes: ReadonlyArray<FrontProcess>
  readonly #swap: RunningFront["swap"]

  constructor(phase: FrontPhase, processes: ReadonlyArray<FrontProcess>, swap: RunningFront["swap"]) {
    this.#phase = phase
    this.#processes = processes
    this.#swap = swap
  }

  /** Lets everything happen at its time; ends with the last, and never while something repeats. */
  get run(): Effect.Effect<void, ServerFailed> {
    const all = this.#phase.events.map((event) => Effect.andThen(Effect.sleep(event.at), this.#one(event)))
    return Effect.all(all, { concurrency: "unbounded", discard: true })
  }

  #one(event: FrontEvent): Effect.Effect<void, ServerFailed> {
    if (event.kind === "restart") return this.#restart(event)
    const { every } = event
    const once = this.#swapOnce
    return every === undefined ? once : Effect.forever(Effect.andThen(once, Effect.sleep(every)))
  }

  get #swapOnce(): Effect.Effect<void, ServerFailed> {
    return Effect.suspend(() => (this.#swap === undefined ? Effect.void : this.#swap(++this.swaps)))
  }

  /** The first process of the role; where a front has none, nothing happens. What has begun is brought to its end. */
  #restart({ down, of }: FrontEvent): Effect.Effect<void, ServerFailed> {
    return Effect.gen({ self: this }, function* () {
      const process = this.#processes.find(({ role }) => role === of)
      if (process === undefined) return
      const at = yield* Clock.currentTimeMillis
      const startMs = yield* process.restart(down)
      this.restarts.push({ phase: `${this.#phase.name} (${process.name})`, at, startMs })
    }).pipe(Effect.uninterruptible)
  }
}
