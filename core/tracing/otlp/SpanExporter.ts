// Sends the store's spans to any OpenTelemetry collector: what changed is read again when it has settled, spans that are new or different
// go out in batches, and a batch that may be tried again is.
// Owns the queue, the pace, retries and the count of everything that did not get there; refuses wires, which a sender brings.
import { hash } from "node:crypto"
import type { Cancel, Clockwork } from "#kube"
import type { SpanStore } from "../store/SpanStore.ts"
import { outSpan, type OutSpan } from "./OutSpan.ts"

/** How sending a batch ended. */
export type Sent =
  | { readonly kind: "accepted"; readonly rejected: number; readonly reason: string }
  /** May be tried again, at the earliest after so long where the collector said so. */
  | { readonly kind: "retry"; readonly reason: string; readonly afterMs: number | undefined }
  /** Will never be accepted. */
  | { readonly kind: "refused"; readonly reason: string }

/** One wire to one collector. `done` is called once, not before the call returned. */
export interface BatchSender {
  readonly send: (spans: ReadonlyArray<OutSpan>, done: (sent: Sent) => void) => void
  readonly close: () => void
}

export interface ExporterOptions {
  readonly clockwork: Clockwork
  /** Traces that may wait; the oldest is read early when more change. Default 100,000. */
  readonly tracesMax?: number
  /** Quiet time after which a trace is read, so that diffs have arrived. Default 5 s. */
  readonly settleMs?: number
  /** Default 512. */
  readonly batchSpans?: number
  /** Spans that may wait for the collector; more are dropped and counted. Default 65,536. */
  readonly spansMax?: number
  /** Time for which a batch is tried. Default 5 min. */
  readonly retryMs?: number
}

export interface ExportStats {
  readonly sent: number
  /** The collector took the batch but not these. */
  readonly rejected: number
  readonly refused: number
  /** Given up after trying for as long as was allowed. */
  readonly expired: number
  /** There was no room to wait. */
  readonly dropped: number
  readonly retries: number
  readonly waitingSpans: number
  readonly waitingTraces: number
  /** The last reason for which something did not get there; empty when all did. */
  readonly lastError: string
}

const SENT_MAX = 500_000
const BACK_OFF_MIN_MS = 1000
const BACK_OFF_MAX_MS = 30_000

export class SpanExporter {
  private readonly store: SpanStore
  private readonly sender: BatchSender
  private readonly clockwork: Clockwork
  private readonly limits: Required<Omit<ExporterOptions, "clockwork">>
  /** When a trace changed last, in the order of changes. */
  private readonly changed = new Map<string, number>()
  /** What was sent of each span lately, so that only what differs is sent again. */
  private readonly sent = new Map<string, string>()
  private queue: Array<OutSpan> = []
  private busy = false
  private closed = false
  private readonly cancels: Array<Cancel> = []
  private readonly counts = { sent: 0, rejected: 0, refused: 0, expired: 0, dropped: 0, retries: 0 }
  private lastError = ""

  constructor(store: SpanStore, sender: BatchSender, options: ExporterOptions) {
    const {
      batchSpans = 512,
      clockwork,
      retryMs = 300_000,
      settleMs = 5000,
      spansMax = 65_536,
      tracesMax = 100_000
    } = options
    this.store = store
    this.sender = sender
    this.clockwork = clockwork
    this.limits = { batchSpans, retryMs, settleMs, spansMax, tracesMax }
    this.cancels.push(
      store.onChange((changes) => {
        for (const { traceId } of changes) this.touch(traceId)
      }),
      clockwork.every(Math.max(Math.min(settleMs / 4, 1000), 10), () => this.readSettled(settleMs))
    )
  }

  stats(): ExportStats {
    const { changed, counts, lastError, queue } = this
    return { ...counts, waitingSpans: queue.length, waitingTraces: changed.size, lastError }
  }

  /** Reads everything that changed, settled or not; it goes out as the collector takes it. */
  flush(): void {
    this.readSettled(0)
  }

  /** Sends nothing more. */
  close(): void {
    this.closed = true
    for (const cancel of this.cancels) cancel()
    this.sender.close()
  }

  private touch(traceId: string): void {
    this.changed.delete(traceId)
    this.changed.set(traceId, this.clockwork.monotonic())
    if (this.changed.size <= this.limits.tracesMax) return
    for (const oldest of this.changed.keys()) {
      this.changed.delete(oldest)
      this.read(oldest)
      return
    }
  }

  private readSettled(settleMs: number): void {
    const now = this.clockwork.monotonic()
    for (const [traceId, atMs] of this.changed) {
      if (now - atMs < settleMs) break
      // What is read waits here: reading on would only drop it.
      if (settleMs > 0 && this.queue.length >= this.limits.spansMax / 2) break
      this.changed.delete(traceId)
      this.read(traceId)
    }
    this.pump()
  }

  private read(traceId: string): void {
    const chunks = this.store.trace(traceId)
    for (let spans = chunks.next(); spans !== undefined; spans = chunks.next()) {
      for (const span of spans) {
        const content = hash("sha1", JSON.stringify(span), "base64")
        const key = `${span.traceId}${span.spanId}`
        if (this.sent.get(key) === content) continue
        if (this.queue.length >= this.limits.spansMax) {
          this.counts.dropped++
          this.lastError = `${this.limits.spansMax} spans wait for the collector already`
          continue
        }
        this.remember(key, content)
        this.queue.push(outSpan(span))
      }
    }
  }

  private remember(key: string, content: string): void {
    this.sent.delete(key)
    this.sent.set(key, content)
    if (this.sent.size <= SENT_MAX) return
    for (const oldest of this.sent.keys()) {
      this.sent.delete(oldest)
      return
    }
  }

  private pump(): void {
    if (this.busy || this.closed || this.queue.length === 0) return
    this.busy = true
    const batch = this.queue.splice(0, this.limits.batchSpans)
    this.attempt(batch, BACK_OFF_MIN_MS, this.clockwork.monotonic())
  }

  private attempt(batch: ReadonlyArray<OutSpan>, backOffMs: number, sinceMs: number): void {
    this.sender.send(batch, (outcome) => {
      if (this.closed) return
      if (outcome.kind !== "retry") return this.settle(batch, outcome)
      const waited = this.clockwork.monotonic() - sinceMs
      const delay = Math.max(outcome.afterMs ?? 0, backOffMs * (0.5 + this.clockwork.random() / 2))
      this.lastError = outcome.reason
      if (waited + delay > this.limits.retryMs) {
        this.counts.expired += batch.length
        return this.next()
      }
      this.counts.retries++
      const next = Math.min(backOffMs * 2, BACK_OFF_MAX_MS)
      this.clockwork.after(delay, () => this.attempt(batch, next, sinceMs))
    })
  }

  private settle(batch: ReadonlyArray<OutSpan>, outcome: Exclude<Sent, { readonly kind: "retry" }>): void {
    if (outcome.kind === "refused") {
      this.counts.refused += batch.length
      this.lastError = outcome.reason
    } else {
      // What a collector rejects of a batch that it took must not be sent again.
      const rejected = Math.min(outcome.rejected, batch.length)
      this.counts.rejected += rejected
      this.counts.sent += batch.length - rejected
      if (rejected > 0) this.lastError = outcome.reason
    }
    this.next()
  }

  private next(): void {
    this.busy = false
    this.clockwork.defer(() => this.pump())
  }
}
