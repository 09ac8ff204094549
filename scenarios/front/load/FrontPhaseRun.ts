// Runs one phase against a front inside the load generator: connects clients, opens watchers, lets them stand idle, drives the
// loads, reports every second and the moments at which the runner looks at processes, lets watchers catch up, and gives the account.
// Owns the order of these steps. Timing of requests is LoadDriver.ts's; which they are is FrontOperations.ts's.
import type { ConnectFailed } from "#net"
import { isRefusal } from "#reports"
import { Effect, Schedule, Scope } from "effect"
import type { Mark, PhaseResult, Report, Second } from "../../generator/Protocol.ts"
import { LoadDriver } from "../../generator/LoadDriver.ts"
import { sameBucket, WatchFailed } from "../../generator/PhaseRun.ts"
import { beatMs, drainWatchers, driveLoads, phaseFacts, type PhaseSpan } from "../../generator/PhaseSteps.ts"
import { Tally } from "../../generator/Tally.ts"
import { recordedName } from "../../Operation.ts"
import { shapeName } from "../../LoadShape.ts"
import type { FrontOperation } from "../FrontOperation.ts"
import type { FrontLoad, FrontPhase, FrontWatch } from "../FrontPhase.ts"
import { FrontClients } from "./FrontClients.ts"
import { frontPlaces, type FrontRunning } from "./FrontCall.ts"
import type { FrontContext } from "./FrontContext.ts"
import { frontBehaviour, frontOperationKinds } from "./FrontOperations.ts"
import { FrontWatchers } from "./FrontWatchers.ts"

interface PreparedLoad {
  readonly load: FrontLoad
  readonly clients: FrontClients
  readonly operations: ReadonlyArray<FrontRunning>
}

/** One phase, from connecting to its account. */
export class FrontPhaseRun {
  readonly #phase: FrontPhase
  readonly #context: FrontContext
  readonly #emit: (report: Report) => void
  readonly #loads: Array<PreparedLoad> = []
  readonly #drivers: Array<LoadDriver<FrontRunning>> = []
  readonly #watchers: Array<FrontWatchers> = []
  readonly #notes: Array<string> = []
  #connections = 0
  #lost = 0
  #over = false
  #beatAt = 0

  constructor(phase: FrontPhase, context: FrontContext, emit: (report: Report) => void) {
    this.#phase = phase
    this.#context = context
    this.#emit = emit
  }

  /** Runs the phase; its connections close with the scope. */
  get run(): Effect.Effect<PhaseResult, ConnectFailed | WatchFailed, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      yield* this.#prepare()
      yield* this.#mark("opened")
      if (this.#phase.idle !== undefined) {
        yield* Effect.sleep(this.#phase.idle)
        yield* this.#mark("idle")
      }
      this.#context.startPhase()
      const startedAt = performance.timeOrigin + this.#context.now
      const cpu = process.cpuUsage()
      yield* Effect.sync(() => this.#beat()).pipe(Effect.schedule(Schedule.fixed(beatMs)), Effect.forkScoped)
      const begins = this.#loads.map((prepared) => (onEnd: () => void) => this.#driver(prepared, onEnd).start())
      yield* driveLoads(begins, this.#phase.order)
      this.#context.tick()
      const endedAt = performance.timeOrigin + this.#context.now
      const used = process.cpuUsage(cpu)
      yield* this.#mark("ended")
      yield* drainWatchers(this.#watchers, this.#phase.drain)
      // What is left of a second would look like a slow one; most of a second is shown.
      if (performance.now() - this.#beatAt > beatMs / 2) this.#beat()
      this.#over = true
      return this.#result({ startedAt, endedAt, cpuSeconds: (used.user + used.system) / 1e6 })
    })
  }

  /** Says where the phase stands, and waits until the runner has looked. */
  #mark(mark: Mark["mark"]): Effect.Effect<void> {
    return Effect.andThen(
      Effect.sync(() => this.#emit({ type: "mark", mark })),
      this.#context.gone
    )
  }

  readonly #clients = (of: FrontLoad | FrontWatch, clients: number, connections: number) =>
    Effect.gen({ self: this }, function* () {
      const { endpoint, tenants } = this.#context
      const options = { endpoint, identity: of.identity, clients, connections, tenants, tenant: of.tenant }
      const made = new FrontClients(options, yield* Scope.Scope, () => {
        if (!this.#over) this.#lost++
      })
      yield* made.open
      this.#connections += clients * connections
      return made
    })

  readonly #prepare = (): Effect.Effect<void, ConnectFailed | WatchFailed, Scope.Scope> =>
    Effect.gen({ self: this }, function* () {
      this.#context.watched = false
      for (const load of this.#phase.load) {
        const clients = yield* this.#clients(load, load.clients, load.connections)
        const operations = load.mix.map((operation) => this.#running(load, operation))
        this.#loads.push({ load, clients, operations })
      }
      for (const watch of this.#phase.watch) {
        const clients = yield* this.#clients(watch, watch.connections, 1)
        const watchers = new FrontWatchers(watch, this.#context, clients)
        this.#watchers.push(watchers)
        yield* Effect.callback<void>((resume) => watchers.open(() => resume(Effect.void)))
        if (watchers.failure !== undefined)
          return yield* new WatchFailed({ watch: watch.name, reason: watchers.failure })
      }
    })

  #running(load: FrontLoad, operation: FrontOperation): FrontRunning {
    const own = operation.name ?? operation.op
    const name = recordedName(this.#phase.load.length, load.name, own)
    const open = load.shape.parallelismLimitedLoad === undefined
    const behaviour = frontBehaviour(operation, this.#context, `${this.#phase.name}/${load.name}/${own}`)
    const tally = new Tally(name, frontOperationKinds[operation.op], open)
    const refused = load.refusals === "counted" ? new Tally(`${name} refused`, "other", open) : undefined
    return { behaviour, tally, weight: operation.weight, refused }
  }

  #driver({ clients, load, operations }: PreparedLoad, onEnd: () => void): LoadDriver<FrontRunning> {
    const global = this.#phase.load.filter(
      ({ shape }) => shapeName(shape) === "globalQPSLoad" && sameBucket(shape, load.shape)
    )
    const driver = new LoadDriver({
      load,
      operations,
      context: this.#context,
      ...frontPlaces(clients, this.#context),
      ...(global.length > 1 ? { share: { index: global.indexOf(load), of: global.length } } : {}),
      onEnd: (note) => {
        if (note !== undefined) this.#notes.push(note)
        onEnd()
      }
    })
    this.#drivers.push(driver)
    return driver
  }

  get #tallies(): ReadonlyArray<Tally> {
    return this.#loads.flatMap(({ operations }) =>
      operations.flatMap(({ refused, tally }) => (refused === undefined ? [tally] : [tally, refused]))
    )
  }

  #beat(): void {
    this.#beatAt = performance.now()
    for (const driver of this.#drivers) driver.sweep()
    const second: Second = {
      type: "second",
      at: Date.now(),
      inFlight: this.#drivers.reduce((sum, driver) => sum + driver.inFlight, 0),
      operations: this.#tallies.map((tally) => tally.second())
    }
    const [first, ...others] = this.#watchers
    if (first === undefined) return this.#emit(second)
    this.#emit({ ...second, watch: first.account.takeSecond(others.map(({ account }) => account)) })
  }

  #result(span: PhaseSpan): PhaseResult {
    const { name } = this.#phase
    const tallies = this.#tallies
    return {
      type: "phase",
      // Who was never refused has no account of refusals.
      operations: tallies
        .filter((tally) => tally.planned > 0 || !isRefusal(tally.name))
        .map((tally) => tally.record(name)),
      watches: this.#watchers.map((watchers) => watchers.close(name)),
      facts: phaseFacts(span, {
        context: this.#context,
        drivers: this.#drivers,
        tallies,
        connections: this.#connections,
        notes: [...this.#notes, ...this.#losses()]
      })
    }
  }

  #losses(): ReadonlyArray<string> {
    const lost = this.#lost === 0 ? [] : [`${this.#lost} connections to the front were lost and made anew`]
    return [
      ...lost,
      ...this.#watchers.flatMap(({ failure, name, reopened, unheard }) => [
        ...(unheard === 0
          ? []
          : [`${name}: ${unheard} watches were not answered within 15 s, and the loads began all the same`]),
        ...(failure === undefined ? [] : [failure]),
        ...(reopened === 0 ? [] : [`${name}: ${reopened} watches ended and were opened again where they were`])
      ])
    ]
  }
}
