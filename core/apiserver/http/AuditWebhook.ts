// Audit events sent in batches to somebody else, as audit.k8s.io/v1 EventLists.
// Owns the batches, the bounded queue and the back-off; refuses to send by itself: the transport is brought.
import type { Cancel, Clockwork } from "#kube"
import type { AuditBackend, AuditEvent } from "./Audit.ts"

/** Sends one batch; `done` hears whether it arrived. */
export type SendBatch = (body: string, done: (arrived: boolean) => void) => void

export interface AuditWebhookOptions {
  /** Events that may wait; further ones are dropped and counted. Default 10,000. */
  readonly queueMax?: number
  /** Events of a batch. Default 400. */
  readonly batchMax?: number
  /** Milliseconds that an event waits for others at most. Default 30,000. */
  readonly waitMs?: number
  /** Tries of a batch before it is dropped. Default 5, with 10 s doubled in between. */
  readonly triesMax?: number
  readonly backoffMs?: number
}

export class AuditWebhook implements AuditBackend {
  dropped = 0
  private readonly clockwork: Clockwork
  private readonly send: SendBatch
  private readonly options: Required<AuditWebhookOptions>
  private readonly queue: Array<AuditEvent> = []
  private timer: Cancel | undefined
  private sending = false

  constructor(clockwork: Clockwork, send: SendBatch, options: AuditWebhookOptions = {}) {
    this.clockwork = clockwork
    this.send = send
    this.options = { queueMax: 10_000, batchMax: 400, waitMs: 30_000, triesMax: 5, backoffMs: 10_000, ...options }
  }

  readonly write = (event: AuditEvent): void => {
    const { batchMax, queueMax, waitMs } = this.options
    if (this.queue.length >= queueMax) {
      this.dropped++
      return
    }
    this.queue.push(event)
    if (this.queue.length >= batchMax) this.flush()
    else this.timer ??= this.clockwork.after(waitMs, () => this.flush())
  }

  /** Sends what waits, one batch at a time. */
  flush(): void {
    this.timer?.()
    this.timer = undefined
    if (this.sending || this.queue.length === 0) return
    const items = this.queue.splice(0, this.options.batchMax)
    this.sending = true
    this.attempt(
      JSON.stringify({ kind: "EventList", apiVersion: "audit.k8s.io/v1", metadata: {}, items }),
      items.length,
      1
    )
  }

  private attempt(body: string, events: number, tries: number): void {
    this.send(body, (arrived) => {
      if (!arrived && tries < this.options.triesMax) {
        const delayMs = this.options.backoffMs * 2 ** (tries - 1) * (1 + 0.2 * this.clockwork.random())
        this.clockwork.after(delayMs, () => this.attempt(body, events, tries + 1))
        return
      }
      if (!arrived) this.dropped += events
      this.sending = false
      if (this.queue.length >= this.options.batchMax) this.flush()
      else if (this.queue.length > 0) {
        this.timer ??= this.clockwork.after(this.options.waitMs, () => this.flush())
      }
    })
  }
}
