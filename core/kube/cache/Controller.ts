// A control loop: informers say which keys may need work, a reconcile function does the work for one key at a time, a queue
// stands between them.
// Owns workers, retries and requeues; refuses to know what the work is. A key that fails comes back later, never lost.
import { Cause, type Effect, Exit } from "effect"
import type { Cancel, Clockwork } from "../Clockwork.ts"
import { type ClockworkRuntime, makeClockworkRuntime } from "../ClockworkRuntime.ts"
import type { KubeObject } from "../KubeObject.ts"
import { ApiFailure, Failures } from "../Status.ts"
import type { Informer } from "./Informer.ts"
import { onAllSynced } from "./InformerFactory.ts"
import type { RateLimits } from "./RateLimiter.ts"
import { WorkQueue } from "./WorkQueue.ts"

/** What a reconcile may ask for: to be called again, by itself. */
export interface Requeue {
  readonly requeueAfterMs: number
}

/** The end of one reconcile. */
export type Reconciled = void | undefined | Requeue

export interface ControllerWatch {
  readonly informer: Informer
  /** The keys that a change concerns: of the object itself, of its owner. Of an update both states are asked. */
  readonly keys: (object: KubeObject) => string | ReadonlyArray<string> | undefined
  /** Whether an update matters; all do when absent. */
  readonly changed?: (before: KubeObject, after: KubeObject) => boolean
  /** Whether what was there at the start goes behind what changes: nobody waits for it. Default false. */
  readonly initialLast?: boolean
}

export interface ControllerStats {
  readonly reconciles: number
  readonly failures: number
  readonly queued: number
  readonly delayed: number
  readonly working: number
}

interface CommonOptions {
  readonly name: string
  readonly clockwork: Clockwork
  readonly watches: ReadonlyArray<ControllerWatch>
  /** Keys worked on at the same time. Default 1. */
  readonly workers?: number
  readonly limits?: RateLimits
  /** Hears of each failed reconcile; the key is tried again by itself. */
  readonly onFailure?: (key: string, failure: ApiFailure) => void
}

export type ControllerOptions = CommonOptions &
  (
    | {
        readonly reconcile: (key: string) => Effect.Effect<Reconciled, ApiFailure>
        readonly runtime?: ClockworkRuntime
      }
    | {
        /** The same without Effect, for the hottest loops: `done` is called once, now or later. The answer stops the work. */
        readonly reconcileWith: (key: string, done: (end: Reconciled | ApiFailure) => void) => Cancel | void
      }
  )

export interface Controller {
  readonly name: string
  /** Work starts when all informers have synced. Informers are started by their owner. */
  readonly start: () => void
  /** Interrupts what is under way. A controller is not started again. */
  readonly stop: () => void
  readonly enqueue: (key: string) => void
  readonly enqueueAfter: (key: string, delayMs: number) => void
  readonly stats: () => ControllerStats
}

/** A controller with a queue of its own, in which some keys may stand behind the others. */
export interface QueueController extends Controller {
  /** Behind all keys that somebody waits for. */
  readonly enqueueLast: (key: string) => void
}

/** Reconciles that one turn of the loop starts before others get theirs. */
const BATCH = 256

type Work = (key: string, done: (end: Reconciled | ApiFailure) => void) => Cancel | void

/** An end of an effect in the queue's terms: a defect is a failure like any other, the key is tried again. */
const endOf = (exit: Exit.Exit<Reconciled, ApiFailure>): Reconciled | ApiFailure => {
  if (Exit.isSuccess(exit)) return exit.value
  const [reason] = exit.cause.reasons
  if (reason?._tag === "Fail") return reason.error
  return Failures.internal(Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : Cause.pretty(exit.cause))
}

const workOf = (options: ControllerOptions): Work => {
  if ("reconcileWith" in options) return options.reconcileWith
  const runtime = options.runtime ?? makeClockworkRuntime(options.clockwork)
  return (key, done) => runtime.run(options.reconcile(key), (exit) => done(endOf(exit)))
}

class ControlLoop implements QueueController {
  readonly name: string
  readonly #options: ControllerOptions
  readonly #work: Work
  readonly #queue: WorkQueue
  readonly #workers: number
  /** What stops each work that did not end at once. */
  readonly #running = new Map<string, Cancel>()
  #handlers: Array<Cancel> = []
  #state: "new" | "waiting" | "working" | "stopped" = "new"
  #scheduled = false
  #active = 0
  #reconciles = 0
  #failures = 0

  constructor(options: ControllerOptions) {
    const { clockwork, limits, name, workers = 1 } = options
    this.name = name
    this.#options = options
    this.#workers = workers
    this.#work = workOf(options)
    this.#queue = new WorkQueue({
      clockwork,
      ready: () => this.#schedule(),
      ...(limits === undefined ? {} : { limits })
    })
  }

  start = (): void => {
    if (this.#state !== "new") return
    this.#state = "waiting"
    const { clockwork, watches } = this.#options
    for (const watch of watches) this.#handlers.push(this.#follow(watch))
    onAllSynced(
      watches.map(({ informer }) => informer),
      clockwork,
      () => {
        if (this.#state !== "waiting") return
        this.#state = "working"
        this.#schedule()
      }
    )
  }

  stop = (): void => {
    this.#state = "stopped"
    for (const cancel of this.#handlers) cancel()
    this.#handlers = []
    this.#queue.close()
    const running = [...this.#running.values()]
    this.#running.clear()
    for (const cancel of running) cancel()
  }

  enqueue = (key: string): void => this.#queue.add(key)

  enqueueAfter = (key: string, delayMs: number): void => this.#queue.addAfter(key, delayMs)

  enqueueLast = (key: string): void => this.#queue.addLast(key)

  stats = (): ControllerStats => ({
    reconciles: this.#reconciles,
    failures: this.#failures,
    queued: this.#queue.length,
    delayed: this.#queue.delayed,
    working: this.#active
  })

  #follow({ changed, informer, initialLast = false, keys }: ControllerWatch): Cancel {
    const enqueue = (object: KubeObject, initial = false): void => {
      const found = keys(object)
      const add = initial && initialLast ? this.enqueueLast : this.enqueue
      if (typeof found === "string") add(found)
      else if (found !== undefined) for (const key of found) add(key)
    }
    return informer.addHandler({
      added: enqueue,
      updated: (before, after) => {
        if (changed?.(before, after) === false) return
        enqueue(before)
        enqueue(after)
      },
      deleted: (object) => enqueue(object)
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#state !== "working") return
    this.#scheduled = true
    this.#options.clockwork.defer(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    for (let started = 0; this.#active < this.#workers; started++) {
      if (started === BATCH) {
        this.#schedule()
        return
      }
      const key = this.#state === "working" ? this.#queue.take() : undefined
      if (key === undefined) return
      this.#begin(key)
    }
  }

  #begin(key: string): void {
    this.#active++
    this.#reconciles++
    let ended = false
    const cancel = this.#work(key, (end) => {
      if (ended) return
      ended = true
      this.#end(key, end)
    })
    if (!ended && cancel !== undefined) this.#running.set(key, cancel)
  }

  #end(key: string, end: Reconciled | ApiFailure): void {
    this.#active--
    this.#running.delete(key)
    if (this.#state === "stopped") return
    if (end instanceof ApiFailure) {
      this.#failures++
      this.#queue.addRateLimited(key)
      this.#options.onFailure?.(key, end)
    } else {
      this.#queue.forget(key)
      if (end !== undefined) this.#queue.addAfter(key, end.requeueAfterMs)
    }
    this.#queue.done(key)
    if (this.#queue.length > 0) this.#schedule()
  }
}

/** A controller that waits to be started. */
export const makeController = (options: ControllerOptions): QueueController => new ControlLoop(options)
