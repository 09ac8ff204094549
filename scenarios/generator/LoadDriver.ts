// Drives one load: decides when each action begins and when the load is over. Closed loop: a fixed number of actions in
// flight, the next begins when one ends. Open loop: actions begin at their planned times, whatever the server does, and
// what cannot begin in time keeps its planned time, so that waiting is measured (no coordinated omission).
// Bounds: parallelism or inFlightMax calls; a backlog is held as planned times in the schedule, not as memory.
import type { Load } from "../Scenario.ts"
import { type Randomness, randomness } from "../Randomness.ts"
import { schedule, type Schedule } from "../Schedule.ts"
import type { Tally } from "./Tally.ts"

/** What a driver reads of a load. */
export type DrivenLoad = Pick<Load, "name" | "shape" | "duration" | "actions" | "timeout" | "inFlightMax">

/** An operation of a load's mix. */
export interface DrivenOperation {
  readonly tally: Tally
  readonly weight: number
}

/** One place in flight: an action at a time. */
export interface Place<Operation> {
  readonly active: boolean
  readonly sentAt: number
  /** Whether an action can be sent at all. */
  readonly ready: boolean
  /** Starts an action; false when it has nothing to act on. */
  begin(operation: Operation, plannedAt: number, now: number): boolean
  /** Ends an action that took too long; the place is not used again. */
  expire(): void
}

/** Who is told that a place's action has ended. */
export interface PlaceOwner<Operation> {
  readonly finished: (place: Place<Operation>) => void
}

/** Moments in ms and the seed. */
export interface DriverClock {
  readonly now: number
  readonly seed: number
  tick(): void
}

/** A load to drive and what it shares with its phase. */
export interface DriverOptions<Operation extends DrivenOperation> {
  readonly load: DrivenLoad
  readonly context: DriverClock
  /** Makes the place of that number, counted from 0; again when the one before it is used up. */
  readonly newPlace: (index: number, owner: PlaceOwner<Operation>) => Place<Operation>
  /** Whether the load's connections still stand; on a lost one actions would fail as fast as they are made. */
  readonly connected: () => boolean
  readonly operations: ReadonlyArray<Operation>
  readonly share?: { readonly index: number; readonly of: number }
  readonly onEnd: (note: string | undefined) => void
}

/** Runs one load to its end. */
export class LoadDriver<Operation extends DrivenOperation> implements PlaceOwner<Operation> {
  readonly #load: DrivenLoad
  readonly #context: DriverClock
  readonly #newPlace: DriverOptions<Operation>["newPlace"]
  readonly #connected: () => boolean
  readonly #operations: ReadonlyArray<Operation>
  readonly #weights: ReadonlyArray<number>
  readonly #random: Randomness
  readonly #schedule: Schedule
  readonly #onEnd: (note: string | undefined) => void
  readonly #calls: Array<Place<Operation>> = []
  readonly #idle: Array<Place<Operation>> = []
  #startedAt = 0
  #endsAt = Number.POSITIVE_INFINITY
  #begun = 0
  #inFlight = 0
  #due: number | undefined
  #timer: NodeJS.Timeout | undefined
  #pumping = false
  #over = false
  #lateMs = 0
  #saturated = false
  #note: string | undefined

  constructor(options: DriverOptions<Operation>) {
    const { connected, context, load, newPlace, onEnd, operations, share } = options
    this.#load = load
    this.#context = context
    this.#newPlace = newPlace
    this.#connected = connected
    this.#operations = operations
    this.#onEnd = onEnd
    this.#random = randomness(context.seed, `mix/${load.name}`)
    let sum = 0
    this.#weights = operations.map(({ weight }) => (sum += weight))
    const bounds = { seed: context.seed, name: load.name, durationMs: load.duration, actions: load.actions }
    this.#schedule = schedule(load.shape, share === undefined ? bounds : { ...bounds, share })
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Open loop: how much later than planned its last action began, in ms. */
  get lateMs(): number {
    return this.#lateMs
  }

  /** Open loop: whether inFlightMax was ever reached, so that the server set the pace and not the plan. */
  get saturated(): boolean {
    return this.#saturated
  }

  start(): void {
    this.#context.tick()
    this.#startedAt = this.#context.now
    if (this.#load.duration !== undefined) this.#endsAt = this.#startedAt + this.#load.duration
    if (this.#schedule.loop === "closed") {
      for (let place = 0; place < this.#schedule.parallelism; place++) this.#idle.push(this.#newCall())
    } else this.#due = this.#schedule.next()
    this.#pump()
  }

  finished(call: Place<Operation>): void {
    this.#inFlight--
    this.#idle.push(call)
    if (!this.#pumping) this.#pump()
  }

  /** Once a second: ends what is older than the load's timeout, and a backlog that can no longer be sent in time. */
  sweep(): void {
    this.#context.tick()
    const oldest = this.#context.now - this.#load.timeout
    this.#pumping = true
    for (let place = 0; place < this.#calls.length; place++) {
      const call = this.#calls[place]
      if (!call.active || call.sentAt > oldest) continue
      this.#calls[place] = this.#newPlace(place, this)
      call.expire()
      this.#idle[this.#idle.indexOf(call)] = this.#calls[place]
    }
    this.#pumping = false
    if (this.#schedule.loop === "open" && this.#context.now > this.#endsAt + this.#load.timeout) this.#loseBacklog()
    this.#pump()
  }

  #newCall(): Place<Operation> {
    const call = this.#newPlace(this.#calls.length, this)
    this.#calls.push(call)
    return call
  }

  #choose(): Operation {
    const last = this.#operations.length - 1
    if (last === 0) return this.#operations[0]
    const draw = this.#random.fraction() * this.#weights[last]
    let place = 0
    while (place < last && this.#weights[place] <= draw) place++
    return this.#operations[place]
  }

  #pump(): void {
    if (this.#over) return
    this.#pumping = true
    if (this.#schedule.loop === "closed") this.#pumpClosed(this.#schedule.parallelism)
    else this.#pumpOpen()
    this.#pumping = false
  }

  #pumpClosed(parallelism: number): void {
    const { now } = this.#context
    const actions = this.#load.actions ?? Number.POSITIVE_INFINITY
    while (this.#inFlight < parallelism && now < this.#endsAt && this.#begun < actions) {
      const call = this.#idle.pop()
      if (call === undefined) break
      if (this.#begin(call, now)) continue
      this.#idle.push(call)
      if (this.#inFlight > 0) return
      const why = this.#connected() ? "nothing left to act on" : "a connection to the server was lost"
      this.#note = `${this.#load.name} ended early: ${why}`
      return this.#end()
    }
    if (this.#inFlight === 0) this.#end()
  }

  /** Begins the drawn operation, or, when it has nothing to act on, the next of the mix that has. */
  #begin(call: Place<Operation>, plannedAt: number): boolean {
    if (!call.ready) return false
    let operation = this.#choose()
    if (!call.begin(operation, plannedAt, this.#context.now)) {
      const able = this.#operations.find(
        (other) => other !== operation && call.begin(other, plannedAt, this.#context.now)
      )
      if (able === undefined) return false
      operation = able
    }
    operation.tally.planned++
    this.#begun++
    this.#inFlight++
    return true
  }

  #pumpOpen(): void {
    const { now } = this.#context
    while (this.#due !== undefined && this.#startedAt + this.#due <= now) {
      const call = this.#idle.pop() ?? (this.#calls.length < this.#load.inFlightMax ? this.#newCall() : undefined)
      if (call === undefined) return this.#saturate()
      const plannedAt = this.#startedAt + this.#due
      this.#lateMs = now - plannedAt
      this.#due = this.#schedule.loop === "open" ? this.#schedule.next() : undefined
      if (this.#begin(call, plannedAt)) continue
      this.#idle.push(call)
      const { tally } = this.#choose()
      tally.planned++
      tally.fail(this.#connected() ? "no key to act on" : "Unavailable")
    }
    if (this.#due !== undefined) this.#wake(this.#startedAt + this.#due - now)
    else if (this.#inFlight === 0) this.#end()
  }

  /** Timers have a grain of 1 ms; answers that come in between send what has become due, too. */
  #wake(inMs: number): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#context.tick()
        this.#pump()
      },
      Math.max(1, Math.floor(inMs))
    )
  }

  #saturate(): void {
    if (this.#saturated) return
    this.#saturated = true
    const seconds = ((this.#context.now - this.#startedAt) / 1000).toFixed(1)
    const { inFlightMax, name } = this.#load
    this.#note = `${name}: all ${inFlightMax} places in flight were taken after ${seconds} s; what had to wait counts as latency`
  }

  #loseBacklog(): void {
    let lost = 0
    while (this.#due !== undefined && this.#schedule.loop === "open") {
      this.#choose().tally.planned++
      lost++
      this.#due = this.#schedule.next()
    }
    if (lost > 0) this.#note = `${this.#load.name}: ${lost} planned actions were never sent`
  }

  #end(): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    this.#onEnd(this.#note)
  }
}
