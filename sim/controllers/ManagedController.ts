// How the controllers of a manager are made: keyed ones on a work queue, and passes that run again and again.
// Owns what they have in common (name, workers, whom failures are told, waiting for informers); refuses to know their work.
import { Cause, type Effect, Exit } from "effect"
import {
  ApiFailure,
  type Cancel,
  type Controller,
  type ControllerStats,
  type ControllerWatch,
  effectClient,
  type EffectClient,
  Failures,
  type Informer,
  makeClockworkRuntime,
  makeController,
  type RateLimits,
  type Reconciled
} from "#kube"
import type { Manager } from "./Manager.ts"

export interface KeyedOptions {
  readonly watches: ReadonlyArray<ControllerWatch>
  readonly reconcile: (key: string) => Effect.Effect<Reconciled, ApiFailure>
  readonly limits?: RateLimits
}

/** A controller of the manager that works on keys. */
export const keyedController = (manager: Manager, name: string, options: KeyedOptions): Controller =>
  makeController({
    ...options,
    name,
    clockwork: manager.clockwork,
    workers: manager.syncs(name),
    onFailure: (key, failure) => manager.failed(name, key, failure)
  })

const clients = new WeakMap<Manager, EffectClient>()

/** The manager's client in Effect's terms. */
export const clientOf = (manager: Manager): EffectClient => {
  let client = clients.get(manager)
  if (client === undefined) clients.set(manager, (client = effectClient(manager.client)))
  return client
}

/** Calls back once when all of some informers have synced. */
export const afterSync = (informers: ReadonlyArray<Informer>, run: () => void): void => {
  let missing = informers.length
  if (missing === 0) run()
  for (const informer of informers) {
    informer.onSynced(() => {
      missing--
      if (missing === 0) run()
    })
  }
}

/** A controller with more that begins at its start; what `begin` answers is called at its stop. */
export const withLife = (controller: Controller, begin: () => ReadonlyArray<Cancel>): Controller => {
  let cancels: ReadonlyArray<Cancel> = []
  return {
    ...controller,
    start: () => {
      cancels = begin()
      controller.start()
    },
    stop: () => {
      for (const cancel of cancels) cancel()
      cancels = []
      controller.stop()
    }
  }
}

export interface PeriodicOptions {
  readonly informers: ReadonlyArray<Informer>
  /** Milliseconds from the end of a pass to the next one. */
  readonly everyMs: number
  readonly pass: () => Effect.Effect<void, ApiFailure>
  /** Called once before the first pass; the answer is called at the stop. */
  readonly begin?: () => Cancel
}

class PeriodicController implements Controller {
  readonly name: string
  readonly #manager: Manager
  readonly #options: PeriodicOptions
  /** What stops the pass under way, or the wait for the next one. */
  #cancel: Cancel | undefined
  #end: Cancel | undefined
  #live = false
  #passes = 0
  #failures = 0
  #working = 0

  constructor(manager: Manager, name: string, options: PeriodicOptions) {
    this.name = name
    this.#manager = manager
    this.#options = options
  }

  start = (): void => {
    if (this.#live) return
    this.#live = true
    afterSync(this.#options.informers, () => {
      if (!this.#live) return
      this.#end = this.#options.begin?.()
      this.#next()
    })
  }

  stop = (): void => {
    this.#live = false
    this.#cancel?.()
    this.#end?.()
  }

  enqueue = (): void => undefined
  enqueueAfter = (): void => undefined

  stats = (): ControllerStats => ({
    reconciles: this.#passes,
    failures: this.#failures,
    queued: 0,
    delayed: 0,
    working: this.#working
  })

  #next(): void {
    const { clockwork } = this.#manager
    const { everyMs, pass } = this.#options
    this.#working = 1
    const running = makeClockworkRuntime(clockwork).run(pass(), (exit) => {
      this.#working = 0
      this.#passes++
      if (!this.#live) return
      if (Exit.isFailure(exit)) {
        this.#failures++
        const [reason] = exit.cause.reasons
        const failure = reason?._tag === "Fail" ? reason.error : Failures.internal(Cause.pretty(exit.cause))
        this.#manager.failed(this.name, "", failure)
      }
      this.#cancel = clockwork.after(everyMs, () => this.#next())
    })
    if (this.#working === 1) this.#cancel = running
  }
}

/** A controller of the manager that makes a pass over everything, waits, and does so again. */
export const periodicController = (manager: Manager, name: string, options: PeriodicOptions): Controller =>
  new PeriodicController(manager, name, options)

/** Whether a creation was refused because its namespace is being deleted: nothing to try again. */
export const isNamespaceTerminating = (failure: ApiFailure): boolean =>
  failure.status.details?.causes?.some(({ reason }) => reason === "NamespaceTerminating") === true

/** Whether what a call was about is not there. */
export const isNotFound = (failure: ApiFailure): boolean => failure.code === 404 && failure.reason !== "Expired"

/** Whether a write was overtaken, or a precondition did not hold. */
export const isConflict = (failure: ApiFailure): boolean => failure.code === 409 && failure.reason === "Conflict"
