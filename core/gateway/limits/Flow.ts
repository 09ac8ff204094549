// One flow control at run time: how many of its requests are in flight, who waits, and the gate that says who may pass.
// Owns admission, waiting with a deadline, and live changes: every request that was let in counts until it ends, whatever the gate is by
// then, and gives its place back to the flow that it was taken from. Refuses to know where limits come from (local, or a limiter).
// Bounds: the queue's length is the configuration's; lines exist for who waits or is in flight.
import type { Cancel, Clockwork } from "#kube"
import type { Decided, Permit, Refusal, RefusalReason, Waiting } from "./Admission.ts"
import { FairQueue, type Line, Waiter } from "./FairQueue.ts"
import { type Gate, exemptGate } from "./Gate.ts"
import { RetryAfter } from "./RetryAfter.ts"

/** What is set beside the gate. */
export interface FlowSettings {
  /** Requests that may wait; 0: none, what does not pass is refused at once. */
  readonly queueLength: number
  readonly queueTimeoutMs: number
  /** Long-running requests open at once; undefined: unlimited. */
  readonly maxLongRunning: number | undefined
}

/** What a flow knows of one request. */
export interface Entry {
  /** Between whom waiting is fair: a user, a namespace, or always the same. */
  readonly key: string
  readonly longRunning: boolean
  /** How long its initial list is taken to last after the answer's head; 0: there is none. */
  readonly initialListMs: number
  /** Passes at once, whatever the gate says. */
  readonly privileged: boolean
  /** Answers without Retry-After. */
  readonly drops: boolean
}

/** Counts since the flow was made, and of this moment. */
export interface FlowCounts {
  arrived: number
  admitted: number
  refused: number
  released: number
  inFlight: number
  longRunning: number
  /** The most that were in flight or waited since somebody last set it back. */
  peak: number
}

interface Asked {
  readonly entry: Entry
  readonly decided: Decided
  timer: Cancel | undefined
}

class FlowPermit implements Permit {
  readonly kind = "permit"
  private readonly flow: Flow
  private readonly line: Line<Asked> | undefined
  private readonly entry: Entry
  private seated = true
  private open = true
  private timer: Cancel | undefined

  constructor(flow: Flow, entry: Entry, line: Line<Asked> | undefined) {
    this.flow = flow
    this.entry = entry
    this.line = line
  }

  settle(): void {
    const { initialListMs, longRunning } = this.entry
    if (!longRunning || !this.seated || this.timer !== undefined) return
    if (initialListMs === 0) this.leave()
    else this.timer = this.flow.clockwork.after(initialListMs, () => this.leave())
  }

  release(): void {
    if (!this.open) return
    this.open = false
    this.timer?.()
    if (this.entry.longRunning) this.flow.counts.longRunning--
    this.leave()
  }

  private leave(): void {
    if (!this.seated) return
    this.seated = false
    this.flow.leave(this.line)
  }
}

export class Flow {
  readonly counts: FlowCounts = {
    arrived: 0,
    admitted: 0,
    refused: 0,
    released: 0,
    inFlight: 0,
    longRunning: 0,
    peak: 0
  }
  readonly clockwork: Clockwork
  /** Called when something arrived that could not pass at once: who hands out limits may hurry. */
  onPressure: (() => void) | undefined
  /** Called when a request gave its place back. */
  onLeave: (() => void) | undefined
  gate: Gate = exemptGate
  private settings: FlowSettings = { queueLength: 0, queueTimeoutMs: 0, maxLongRunning: undefined }
  private readonly queue = new FairQueue<Asked>(true)
  private readonly retry: RetryAfter
  private wake: Cancel | undefined
  private pumping = false

  constructor(clockwork: Clockwork) {
    this.clockwork = clockwork
    this.retry = new RetryAfter(clockwork.random, clockwork.monotonic())
  }

  get waiting(): number {
    return this.queue.length
  }

  get kind(): Gate["kind"] {
    return this.gate.kind
  }

  /** Puts other rules in place; who waits is looked at again at once, and what no longer fits in the queue goes on waiting. */
  set(gate: Gate, settings: FlowSettings = this.settings): void {
    this.gate = gate
    this.settings = settings
    // With slots, who has the fewest goes first; with tokens, turns alone are fair: slow requests are no sin.
    this.queue.rank(gate.kind === "MaxRequestsInflight")
    this.pump()
  }

  /** The gate, or what it lets pass, has changed. */
  changed(): void {
    this.pump()
  }

  /** Decides at once, or later by `decided`. */
  enter(entry: Entry, decided: Decided): Permit | Refusal | Waiting {
    const { counts, queue, settings } = this
    counts.arrived++
    const nowMs = this.clockwork.monotonic()
    const { maxLongRunning } = settings
    if (entry.longRunning && maxLongRunning !== undefined && counts.longRunning >= maxLongRunning && !entry.privileged)
      return this.refuse(entry, "rate_limited", nowMs)
    if (queue.length > 0) this.pump()
    if ((queue.length === 0 && this.gate.take(nowMs, counts.inFlight)) || entry.privileged) {
      const line = settings.queueLength > 0 ? queue.line(entry.key) : undefined
      if (line !== undefined) queue.sit(line)
      return this.seat(entry, line)
    }
    const outcome = settings.queueLength > 0 ? this.wait(entry, decided) : this.refuse(entry, "rate_limited", nowMs)
    this.onPressure?.()
    return outcome
  }

  /** A seat is free again. */
  leave(line: Line<Asked> | undefined): void {
    this.counts.inFlight--
    this.counts.released++
    if (line !== undefined) this.queue.stand(line)
    if (this.queue.length > 0) this.pump()
    this.onLeave?.()
  }

  private seat(entry: Entry, line: Line<Asked> | undefined): Permit {
    const { counts } = this
    counts.admitted++
    counts.inFlight++
    if (counts.inFlight > counts.peak) counts.peak = counts.inFlight
    if (entry.longRunning) counts.longRunning++
    return new FlowPermit(this, entry, line)
  }

  private refuse(entry: Entry, reason: RefusalReason, nowMs: number): Refusal {
    this.counts.refused++
    const seconds = this.retry.seconds(this.gate, this.queue.length, nowMs, this.counts.released)
    return { kind: "refusal", reason, retryAfterSeconds: entry.drops ? undefined : seconds }
  }

  private wait(entry: Entry, decided: Decided): Waiting | Refusal {
    const waiter = new Waiter<Asked>({ entry, decided, timer: undefined })
    const out = this.queue.offer(entry.key, waiter, this.settings.queueLength)
    if (out === waiter) return this.refuse(entry, "queue_full", this.clockwork.monotonic())
    waiter.about.timer = this.clockwork.after(this.settings.queueTimeoutMs, () => this.dismiss(waiter, "queue_timeout"))
    const { counts } = this
    counts.peak = Math.max(counts.peak, counts.inFlight + this.queue.length)
    if (out !== undefined) this.dismiss(out, "queue_full")
    this.arm()
    return { kind: "waiting", cancel: () => this.withdraw(waiter) }
  }

  private withdraw(waiter: Waiter<Asked>): void {
    waiter.about.timer?.()
    this.queue.remove(waiter)
  }

  private dismiss(waiter: Waiter<Asked>, reason: RefusalReason): void {
    this.withdraw(waiter)
    const { decided, entry } = waiter.about
    decided(this.refuse(entry, reason, this.clockwork.monotonic()))
  }

  /** Lets in who waits while the gate does. What is decided here may end other requests: one pump at a time. */
  private pump(): void {
    if (this.pumping) return
    this.pumping = true
    const { clockwork, counts, queue } = this
    try {
      while (queue.length > 0 && this.gate.take(clockwork.monotonic(), counts.inFlight)) {
        const waiter = queue.next()
        if (waiter === undefined) break
        const { decided, entry, timer } = waiter.about
        timer?.()
        decided(this.seat(entry, waiter.seat))
      }
    } finally {
      this.pumping = false
    }
    this.arm()
  }

  /** Wakes when the gate knows that it opens by itself. */
  private arm(): void {
    this.wake?.()
    this.wake = undefined
    if (this.queue.length === 0) return
    const waitMs = this.gate.waitMs(this.clockwork.monotonic(), 0)
    if (Number.isFinite(waitMs)) this.wake = this.clockwork.after(Math.max(1, waitMs), () => this.pump())
  }
}
