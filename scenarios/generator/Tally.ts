// What is recorded about one kind of operation in one phase: counts, errors by name, bytes and latencies, over the
// phase and for the current second. Synchronous and allocation-free per action, except for a new error name.
import { Latency, type RecordedOperation } from "#reports"

const errorNamesMax = 32

/** One second of one operation, as it goes to the runner. */
export interface TallySecond {
  readonly name: string
  readonly sent: number
  readonly completed: number
  readonly errors: number
  readonly p50Us: number | null
  readonly p99Us: number | null
}

/** Counts of one operation in one phase. In a closed loop the planned time is the send time. */
export class Tally {
  readonly name: string
  readonly kind: RecordedOperation["kind"]
  planned = 0
  sent = 0
  completed = 0
  failed = 0
  bytesIn = 0
  bytesOut = 0
  readonly #open: boolean
  readonly #latency = new Latency()
  readonly #service: Latency
  readonly #second = new Latency()
  readonly #errors = new Map<string, number>()
  readonly #before = { sent: 0, completed: 0, failed: 0 }
  /** Sums for the standard deviation, in ms. */
  #sum = 0
  #squares = 0
  #succeededAt = Number.NaN
  #gapMs = 0

  constructor(name: string, kind: RecordedOperation["kind"], open: boolean) {
    this.name = name
    this.kind = kind
    this.#open = open
    this.#service = open ? new Latency() : this.#latency
  }

  /** An action that was planned at, sent at and answered at these moments, in ms. */
  succeed(plannedAt: number, sentAt: number, now: number): void {
    const ms = now - plannedAt
    this.completed++
    this.#pass(sentAt, now)
    this.#sum += ms
    this.#squares += ms * ms
    this.#latency.record(ms * 1000)
    this.#second.record(ms * 1000)
    if (this.#open) this.#service.record((now - sentAt) * 1000)
  }

  #pass(since: number, now: number): void {
    const last = this.#succeededAt
    const gap = now - (last === last ? last : since)
    if (gap > this.#gapMs) this.#gapMs = gap
    this.#succeededAt = now
  }

  /** The load is over: what has not succeeded since the last success is a gap as well. */
  ended(now: number): void {
    if (this.completed > 0) this.#pass(now, now)
  }

  /** The longest time without a success, in ms; null without any. */
  get gapMs(): number | null {
    return this.completed === 0 ? null : this.#gapMs
  }

  /** An action that ended without an answer that counts. */
  fail(name: string): void {
    this.failed++
    const known = this.#errors.has(name) || this.#errors.size < errorNamesMax ? name : "other"
    this.#errors.set(known, (this.#errors.get(known) ?? 0) + 1)
  }

  /** Standard deviation of the latency in ms; null without samples. */
  get stddevMs(): number | null {
    if (this.completed === 0) return null
    const mean = this.#sum / this.completed
    return Math.sqrt(Math.max(0, this.#squares / this.completed - mean * mean))
  }

  /** Counts since the last call, and the latencies within them. */
  second(): TallySecond {
    const taken = {
      name: this.name,
      sent: this.sent - this.#before.sent,
      completed: this.completed - this.#before.completed,
      errors: this.failed - this.#before.failed,
      p50Us: this.#second.percentile(50),
      p99Us: this.#second.percentile(99)
    }
    this.#before.sent = this.sent
    this.#before.completed = this.completed
    this.#before.failed = this.failed
    this.#second.reset()
    return taken
  }

  /** The finished account; what was planned and neither answered nor failed is lost. */
  record(phase: string): RecordedOperation {
    return {
      name: this.name,
      kind: this.kind,
      phase,
      planned: this.planned,
      sent: this.sent,
      completed: this.completed,
      errors: Object.fromEntries(this.#errors),
      lost: this.planned - this.completed - this.failed,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      latency: this.#latency.toRecorded(),
      service: this.#service.toRecorded()
    }
  }
}
