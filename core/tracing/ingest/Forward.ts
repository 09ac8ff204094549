// Sends batches on to other audit webhooks, each target in the order of arrival, once they are durable here. Who sent them has its answer
// by then, so a target that does not answer is tried again, and what never gets there is counted.
// Owns the queues, their bound, retries and the count; refuses sockets, which a poster brings.
import type { Clockwork } from "#kube"
import { Metric } from "../observe/Metrics.ts"

/** How a request ended: with a status, or without any answer. */
export interface Posted {
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined
}

/** Sends one request; calls back once, not before it returned. */
export type Post = (target: ForwardTarget, url: string, body: Uint8Array, done: (posted: Posted) => void) => void

export interface ForwardTarget {
  /** Where ":cluster" stands for the cluster's name. */
  readonly url: string
  /** Sent as a bearer; never logged. */
  readonly token: string | undefined
}

export interface ForwardOptions {
  readonly targets: ReadonlyArray<ForwardTarget>
  readonly clockwork: Pick<Clockwork, "monotonic" | "after" | "defer">
  readonly post: Post
  /** Bytes that may wait for one target; a batch beyond is dropped and counted. */
  readonly waitingBytesMax?: number
  /** Time for which a batch is tried. */
  readonly retryMs?: number
}

const WAITING_BYTES_MAX = 64 * 2 ** 20
const RETRY_MS = 300_000
const BACK_OFF_MIN_MS = 1000
const BACK_OFF_MAX_MS = 30_000

type Outcome = "sent" | "refused" | "expired" | "dropped"

interface Waiting {
  readonly url: string
  readonly body: Uint8Array
  readonly since: number
}

export class Forward {
  private readonly lines: ReadonlyArray<Line>
  private readonly metric = new Metric({
    name: "kelemetry_audit_forward_batches_total",
    help: "Batches that were to be sent on, by the target and what became of them.",
    labels: ["target", "outcome"],
    kind: "counter"
  })

  constructor(options: ForwardOptions) {
    this.lines = options.targets.map((target) => {
      const name = new URL(target.url).host
      return new Line(target, options, (outcome) => this.metric.add([name, outcome]))
    })
  }

  /** Takes a batch, which nobody changes from now on. */
  add(cluster: string, body: Uint8Array): void {
    for (const line of this.lines) line.add(cluster, body)
  }

  stop(): void {
    for (const line of this.lines) line.stop()
  }

  metrics(): string {
    return this.metric.text()
  }
}

class Line {
  private readonly target: ForwardTarget
  private readonly options: ForwardOptions
  private readonly count: (outcome: Outcome) => void
  private readonly waiting: Array<Waiting> = []
  private bytes = 0
  private busy = false
  private backOffMs = BACK_OFF_MIN_MS
  private cancel: (() => void) | undefined
  private stopped = false

  constructor(target: ForwardTarget, options: ForwardOptions, count: (outcome: Outcome) => void) {
    this.target = target
    this.options = options
    this.count = count
  }

  add(cluster: string, body: Uint8Array): void {
    const { clockwork, waitingBytesMax = WAITING_BYTES_MAX } = this.options
    if (this.bytes > 0 && this.bytes + body.length > waitingBytesMax) return this.count("dropped")
    const url = this.target.url.replaceAll(":cluster", encodeURIComponent(cluster))
    this.waiting.push({ url, body, since: clockwork.monotonic() })
    this.bytes += body.length
    this.pump()
  }

  stop(): void {
    this.stopped = true
    this.cancel?.()
  }

  private pump(): void {
    const [first] = this.waiting
    if (this.busy || this.stopped || first === undefined) return
    this.busy = true
    this.options.post(this.target, first.url, first.body, (posted) => {
      this.busy = false
      this.settle(first, posted)
    })
  }

  private settle(sent: Waiting, { retryAfterMs, status }: Posted): void {
    if (this.stopped) return
    const { clockwork, retryMs = RETRY_MS } = this.options
    if (status !== undefined && status >= 200 && status < 300) return this.done(sent, "sent")
    const mayPass = status === undefined || status === 408 || status === 429 || status >= 500
    if (!mayPass) return this.done(sent, "refused")
    if (clockwork.monotonic() - sent.since >= retryMs) return this.done(sent, "expired")
    this.busy = true
    const delayMs = Math.max(this.backOffMs, retryAfterMs ?? 0)
    this.backOffMs = Math.min(this.backOffMs * 2, BACK_OFF_MAX_MS)
    this.cancel = clockwork.after(delayMs, () => {
      this.busy = false
      this.pump()
    })
  }

  private done(sent: Waiting, outcome: Outcome): void {
    this.count(outcome)
    this.waiting.shift()
    this.bytes -= sent.body.length
    this.backOffMs = BACK_OFF_MIN_MS
    this.options.clockwork.defer(() => this.pump())
  }
}
