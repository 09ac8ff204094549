// Runs one phase inside the load generator: connects, opens the watchers, drives the loads together or one after the
// other, reports every second, lets the watchers catch up, and gives the phase's account.
// Owns the order of these steps. Timing of actions is LoadDriver.ts's; what they send is the operations'.
import type { ConnectFailed, GrpcClient } from "#net"
import type { RecordedOperation } from "#reports"
import { Effect, Schedule, Schema, type Scope } from "effect"
import { shapeName } from "../LoadShape.ts"
import { type Operation, recordedName } from "../Operation.ts"
import type { Load, Phase } from "../Scenario.ts"
import { callPlaces, type RunningOperation } from "./Call.ts"
import { openClients } from "./Clients.ts"
import { openRoamingClients } from "./RoamingClients.ts"
import { LoadDriver } from "./LoadDriver.ts"
import { beatMs, drainWatchers, driveLoads, phaseFacts, type PhaseSpan } from "./PhaseSteps.ts"
import type { Endpoint, PhaseResult, Second } from "./Protocol.ts"
import { readOperations } from "./ReadOperations.ts"
import type { RunContext } from "./RunContext.ts"
import { serverOperations } from "./ServerOperations.ts"
import { Tally } from "./Tally.ts"
import { Watchers } from "./Watchers.ts"
import { writeOperations } from "./WriteOperations.ts"

const behaviours = { ...writeOperations, ...readOperations, ...serverOperations }

const kinds: Readonly<Record<Operation["op"], RecordedOperation["kind"]>> = {
  create: "write",
  update: "write",
  delete: "write",
  put: "write",
  deleteRange: "write",
  leaseAttach: "write",
  get: "read",
  list: "read",
  staleList: "read",
  count: "read",
  rangeStream: "read",
  leaseGrant: "lease",
  leaseKeepAlive: "lease",
  compact: "other",
  snapshot: "other"
}

const lostNote = "a connection to the server was lost"

/** A watch could not be created, or its stream ended at once. */
export class WatchFailed extends Schema.TaggedError<WatchFailed>()("WatchFailed", {
  watch: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `watch ${this.watch}: ${this.reason}`
  }
}

/** Several keys may change at one revision only where range deletes or expiring leases are at work. */
const sharesRevisions = (phase: Phase): boolean =>
  phase.load.some(({ mix }) => mix.some(({ op }) => op === "deleteRange" || op === "leaseAttach"))

/** One load with its connections and operations. */
interface PreparedLoad {
  readonly load: Load
  readonly clients: ReadonlyArray<GrpcClient>
  readonly operations: ReadonlyArray<RunningOperation>
}

/** One phase, from connecting to its account. */
export class PhaseRun {
  readonly #phase: Phase
  readonly #context: RunContext
  readonly #emit: (second: Second) => void
  readonly #loads: Array<PreparedLoad> = []
  readonly #drivers: Array<LoadDriver<RunningOperation>> = []
  readonly #watchers: Array<Watchers> = []
  #connections = 0
  #over = false
  #beatAt = 0
  readonly #notes: Array<string> = []
  /** Connections that were lost and made anew. */
  #left = 0

  constructor(phase: Phase, context: RunContext, emit: (second: Second) => void) {
    this.#phase = phase
    this.#context = context
    this.#emit = emit
  }

  /** Runs the phase; its connections close with the scope. */
  readonly run = (
    endpoints: ReadonlyArray<Endpoint>
  ): Effect.Effect<PhaseResult, ConnectFailed | WatchFailed, Scope.Scope> =>
    Effect.gen({ self: this }, function* () {
      yield* this.#prepare(endpoints)
      this.#context.startPhase()
      const startedAt = performance.timeOrigin + this.#context.now
      const cpu = process.cpuUsage()
      yield* Effect.sync(() => this.#beat()).pipe(Effect.schedule(Schedule.fixed(beatMs)), Effect.forkScoped)
      const begins = this.#loads.map((prepared) => (onEnd: () => void) => this.#driver(prepared, onEnd).start())
      yield* driveLoads(begins, this.#phase.order)
      this.#context.tick()
      const endedAt = performance.timeOrigin + this.#context.now
      const used = process.cpuUsage(cpu)
      yield* drainWatchers(this.#watchers, this.#phase.drain)
      // What is left of a second would look like a slow one; most of a second is shown.
      if (performance.now() - this.#beatAt > beatMs / 2) this.#beat()
      this.#over = true
      return this.#result({ startedAt, endedAt, cpuSeconds: (used.user + used.system) / 1e6 })
    })

  /** Where servers may go away, connections come back; else a lost one is the end of what used it. */
  #open(endpoints: ReadonlyArray<Endpoint>, count: number) {
    return this.#phase.fault === undefined
      ? openClients(endpoints, count, this.#onLost)
      : openRoamingClients(endpoints, count, this.#onLeft)
  }

  readonly #prepare = (
    endpoints: ReadonlyArray<Endpoint>
  ): Effect.Effect<void, ConnectFailed | WatchFailed, Scope.Scope> =>
    Effect.gen({ self: this }, function* () {
      for (const load of this.#phase.load) {
        const clients = yield* this.#open(endpoints, load.connections)
        this.#connections += clients.length
        this.#loads.push({ load, clients, operations: load.mix.map((operation) => this.#running(load, operation)) })
      }
      for (const watch of this.#phase.watch) {
        const clients = yield* this.#open(endpoints, watch.connections)
        this.#connections += clients.length
        const settings = {
          sharesRevisions: sharesRevisions(this.#phase),
          resumes: this.#phase.fault !== undefined
        }
        const watchers = new Watchers(watch, this.#context, settings)
        this.#watchers.push(watchers)
        yield* Effect.callback<void>((resume) => watchers.open(clients, () => resume(Effect.void)))
        if (watchers.failure !== undefined)
          return yield* new WatchFailed({ watch: watch.name, reason: watchers.failure })
      }
    })

  /** The first loss is said with its reason; others of the same phase mostly share it. */
  readonly #onLost = (reason: string): void => {
    if (!this.#over && !this.#notes.some((note) => note.startsWith(lostNote)))
      this.#notes.push(`${lostNote}: ${reason}`)
  }

  readonly #onLeft = (): void => {
    if (!this.#over) this.#left++
  }

  #running(load: Load, operation: Operation): RunningOperation {
    const own = operation.name ?? operation.op
    const name = recordedName(this.#phase.load.length, load.name, own)
    const open = load.shape.parallelismLimitedLoad === undefined
    const setting = { operation, context: this.#context, name: `${this.#phase.name}/${load.name}/${own}` }
    const tally = new Tally(name, kinds[operation.op], open)
    return { behaviour: behaviours[operation.op](setting), tally, weight: operation.weight }
  }

  #driver(prepared: PreparedLoad, onEnd: () => void): LoadDriver<RunningOperation> {
    const { load } = prepared
    const global = this.#phase.load.filter(
      ({ shape }) => shapeName(shape) === "globalQPSLoad" && sameBucket(shape, load.shape)
    )
    const share = global.length > 1 ? { share: { index: global.indexOf(load), of: global.length } } : {}
    const driver = new LoadDriver({
      load,
      operations: prepared.operations,
      ...callPlaces(prepared.clients, this.#context),
      ...share,
      context: this.#context,
      onEnd: (note) => {
        if (note !== undefined) this.#notes.push(note)
        for (const { tally } of prepared.operations) tally.ended(this.#context.now)
        onEnd()
      }
    })
    this.#drivers.push(driver)
    return driver
  }

  #beat(): void {
    this.#beatAt = performance.now()
    for (const driver of this.#drivers) driver.sweep()
    const [first, ...others] = this.#watchers
    const watch = first === undefined ? {} : { watch: first.account.takeSecond(others.map(({ account }) => account)) }
    this.#emit({
      type: "second",
      at: Date.now(),
      inFlight: this.#drivers.reduce((sum, driver) => sum + driver.inFlight, 0),
      operations: this.#loads.flatMap(({ operations }) => operations.map(({ tally }) => tally.second())),
      ...watch
    })
  }

  #result(span: PhaseSpan): PhaseResult {
    const { name } = this.#phase
    const tallies = this.#loads.flatMap(({ operations }) => operations.map(({ tally }) => tally))
    const left = this.#left === 0 ? [] : [`${this.#left} connections were lost and made anew`]
    const failures = this.#watchers.flatMap(({ failure }) => (failure === undefined ? [] : [failure]))
    return {
      type: "phase",
      operations: tallies.map((tally) => tally.record(name)),
      watches: this.#watchers.map((watchers) => watchers.close(name)),
      facts: phaseFacts(span, {
        context: this.#context,
        drivers: this.#drivers,
        tallies,
        watchGapMs: Object.fromEntries(this.#watchers.map((watchers) => [watchers.name, watchers.gapMs])),
        connections: this.#connections,
        notes: [...this.#notes, ...left, ...failures]
      })
    }
  }
}

/** Whether two loads share one token bucket. */
export const sameBucket = (left: Load["shape"], right: Load["shape"]): boolean =>
  right.globalQPSLoad !== undefined &&
  left.globalQPSLoad?.qps === right.globalQPSLoad.qps &&
  left.globalQPSLoad.burst === right.globalQPSLoad.burst
