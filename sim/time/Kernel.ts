// The heart of the simulated world: virtual time, the order of events, and the processes that take part.
// Owns when and in which order things run; refuses to know what they do. Nothing here touches the machine's clock.
// Simultaneous events of one process keep their order; between processes, and between the arguments of a spread handler, the seed
// decides anew at every instant: another seed explores another order.
import { EventHeap, type EventHandle } from "./EventHeap.ts"
import { EventLog } from "./EventLog.ts"
import { mix32, RandomStream } from "./RandomStream.ts"
import { SimProcess } from "./SimProcess.ts"

/** Code that many events share; the argument says which node, pod or message it is about. */
export type Handler = (argument: number) => void

/** Names a registered handler. */
export type HandlerId = number

interface HandlerEntry {
  readonly process: SimProcess
  readonly run: Handler
  /** Whether simultaneous events with different arguments are put into a seeded order. */
  readonly spread: boolean
}

export interface KernelOptions {
  /** A safe integer: decides everything. */
  readonly seed: number
  /** Milliseconds since the epoch at which the world begins; by default 2026-01-01T00:00:00Z. */
  readonly epochMs?: number
  /** How many of the last events are kept for a look. */
  readonly tailSize?: number
}

export interface RunLimits {
  /** Milliseconds of virtual time since the world began; the clock then stands there. */
  readonly untilMs?: number
  readonly maxEvents?: number
  /** Asked after each event. */
  readonly until?: () => boolean
}

/** Why a run ended. */
export type RunEnd = "time" | "events" | "condition" | "stopped" | "idle"

/** 2026-01-01T00:00:00Z. */
export const DEFAULT_EPOCH_MS = 1_767_225_600_000
/** The handlers of the closures that processes defer and set timers for. */
const KIND_DEFER = 0
const KIND_CLOSURE = 1
const KINDS_OWN = 16
const timeDouble = new Float64Array(1)
const timeWords = new Uint32Array(timeDouble.buffer)

export class Kernel {
  readonly seed: number
  readonly epochMs: number
  readonly random: RandomStream
  readonly log: EventLog
  /** Milliseconds since the world began. */
  nowMs = 0
  /** Called when an event is scheduled before all others, so that who follows the real clock can wake earlier. */
  onEarlier: ((timeMs: number) => void) | undefined
  private readonly heap = new EventHeap()
  private readonly tieSeed: number
  private readonly processes: Array<SimProcess> = []
  private readonly byName = new Map<string, SimProcess>()
  private readonly handlers: Array<HandlerEntry> = []
  // What is deferred, from the head up to the count; the arrays stay, and what has run is taken out of them.
  private readonly deferred: Array<(() => void) | undefined> = []
  private readonly deferredBy: Array<SimProcess> = []
  private readonly deferredAs: Array<number> = []
  private deferredHead = 0
  private deferredCount = 0
  private stopping = false

  constructor({ epochMs, seed, tailSize }: KernelOptions) {
    this.seed = seed
    this.epochMs = epochMs ?? DEFAULT_EPOCH_MS
    this.random = new RandomStream(seed)
    this.tieSeed = this.random.split("order of simultaneous events").next32()
    this.log = new EventLog(tailSize)
  }

  /** The process of this name; made on first use. */
  process(name: string): SimProcess {
    const known = this.byName.get(name)
    if (known !== undefined) return known
    const process = new SimProcess(this, this.processes.length, name)
    this.processes.push(process)
    this.byName.set(name, process)
    return process
  }

  /** The name of the process with this number, as the event log has it. */
  processName(id: number): string {
    return this.processes[id]?.name ?? `process ${id}`
  }

  /** Registers code that events of a process can name. */
  handler(process: SimProcess, run: Handler, options: { readonly spread?: boolean } = {}): HandlerId {
    this.handlers.push({ process, run, spread: options.spread === true })
    return this.handlers.length - 1
  }

  /** Schedules a handler at a time of the world, not before now. */
  at(timeMs: number, handler: HandlerId, argument: number): EventHandle {
    const { process, spread } = this.handlers[handler]
    const time = timeMs > this.nowMs ? timeMs : this.nowMs
    const slot = this.push(time, process, spread ? argument : 0)
    this.heap.handlers[slot] = handler + KINDS_OWN
    this.heap.args[slot] = argument
    this.heap.incarnations[slot] = process.incarnation
    return this.heap.handleOf(slot)
  }

  /** Schedules a closure of a process; `timeMs` is a time of the world. */
  closureAt(timeMs: number, process: SimProcess, run: () => void): EventHandle {
    const slot = this.push(timeMs > this.nowMs ? timeMs : this.nowMs, process, 0)
    this.heap.handlers[slot] = KIND_CLOSURE
    this.heap.args[slot] = process.id
    this.heap.incarnations[slot] = process.incarnation
    this.heap.runs[slot] = run
    return this.heap.handleOf(slot)
  }

  cancel(handle: EventHandle): void {
    this.heap.cancel(handle)
  }

  /** Runs a closure of a process after the current event, in the order of calls. */
  defer(process: SimProcess, run: () => void): void {
    if (this.deferredCount === 0) this.onEarlier?.(this.nowMs)
    const at = this.deferredCount++
    this.deferred[at] = run
    this.deferredBy[at] = process
    this.deferredAs[at] = process.incarnation
  }

  /** Events that will still happen, deferred ones among them. */
  get pending(): number {
    return this.heap.pending + this.deferredCount - this.deferredHead
  }

  /** When the next event is due, in milliseconds since the world began; infinity when nothing will happen any more. */
  nextTime(): number {
    return this.deferredHead < this.deferredCount ? this.nowMs : this.heap.nextTime()
  }

  /** Moves the clock on, at most to the next event: for who follows another clock and lets something happen from outside. */
  advance(toMs: number): void {
    this.nowMs = Math.max(this.nowMs, Math.min(toMs, this.nextTime()))
  }

  /** Ends the run after the event under way. */
  stop(): void {
    this.stopping = true
  }

  /** Delivers events until one of the limits is met or nothing is left. */
  run({ maxEvents = Number.POSITIVE_INFINITY, until, untilMs = Number.POSITIVE_INFINITY }: RunLimits): RunEnd {
    this.stopping = false
    for (let events = 0; events < maxEvents; events++) {
      if (this.stopping) return "stopped"
      if (this.deferredHead < this.deferredCount) this.runDeferred()
      else {
        const next = this.heap.nextTime()
        if (next > untilMs) {
          this.nowMs = Math.max(this.nowMs, untilMs)
          return "time"
        }
        if (next === Number.POSITIVE_INFINITY) return "idle"
        this.runNext(next)
      }
      if (until?.() === true) return "condition"
    }
    return "events"
  }

  private push(time: number, process: SimProcess, salt: number): number {
    timeDouble[0] = time
    const rank = mix32(
      this.tieSeed ^ timeWords[0] ^ Math.imul(timeWords[1], 31) ^ Math.imul(process.id * 8191 + salt + 1, 0x9e3779b1)
    )
    if (this.onEarlier !== undefined && time < this.heap.nextTime()) this.onEarlier(time)
    return this.heap.push(time, rank)
  }

  private runDeferred(): void {
    const at = this.deferredHead++
    const run = this.deferred[at]
    const process = this.deferredBy[at]
    const incarnation = this.deferredAs[at]
    this.deferred[at] = undefined
    if (this.deferredHead === this.deferredCount) this.deferredHead = this.deferredCount = 0
    if (run === undefined || process.incarnation !== incarnation) return
    if (process.paused) return process.hold(run)
    this.log.add(this.nowMs, process.id, KIND_DEFER, 0)
    run()
  }

  private runNext(time: number): void {
    const { heap } = this
    const slot = heap.pop()
    const kind = heap.handlers[slot]
    const argument = heap.args[slot]
    const incarnation = heap.incarnations[slot]
    const run = heap.runs[slot]
    heap.release(slot)
    this.nowMs = time
    const entry = kind >= KINDS_OWN ? this.handlers[kind - KINDS_OWN] : undefined
    const process = entry?.process ?? this.processes[argument]
    if (process.incarnation !== incarnation) return
    if (process.paused) return process.hold(run ?? (() => entry?.run(argument)))
    this.log.add(time, process.id, kind, argument)
    if (entry !== undefined) entry.run(argument)
    else run?.()
  }
}
