// Spans of requests, gathered and sent to an OpenTelemetry collector as OTLP over HTTP in JSON.
// Owns the spans' content (one of the request, one of each stage), their batches and the bounded queue; what does not fit is dropped and
// counted. Refuses sockets: the transport is brought. Source: opentelemetry-proto, trace/v1 and the OTLP/HTTP specification.
import type { Cancel, Clockwork, JsonObject } from "#kube"
import type { RequestRecord } from "./Observer.ts"
import type { TraceContext } from "./TraceContext.ts"
import { randomHex } from "./TraceContext.ts"

/** Sends one body to `/v1/traces`; `done` hears whether the collector took it. */
export type SendSpans = (body: string, done: (taken: boolean) => void) => void

export interface SpansOptions {
  readonly clockwork: Clockwork
  readonly send: SendSpans
  /** service.name; and what tells processes apart. */
  readonly serviceName: string
  readonly instance: string
}

/** Spans that may wait; further ones are dropped. */
const QUEUE_MAX = 8192
const BATCH_MAX = 512
const WAIT_MS = 1000
const TRIES_MAX = 3
const BACKOFF_MS = 1000
const SERVER = 2
const INTERNAL = 1

const text = (key: string, value: string): ReadonlyArray<JsonObject> =>
  value === "" ? [] : [{ key, value: { stringValue: value } }]

const int = (key: string, value: number): JsonObject => ({ key, value: { intValue: String(value) } })

const stages = [
  ["authentication", "arrivedMs", "authenticatedMs"],
  ["admission", "authenticatedMs", "admittedMs"],
  ["dispatch", "admittedMs", "sentMs"],
  ["upstream_head", "sentMs", "headMs"],
  ["body", "headMs", "endedMs"]
] as const

export class Spans {
  dropped = 0
  sent = 0
  private readonly options: SpansOptions
  private queue: Array<JsonObject> = []
  private timer: Cancel | undefined
  private sending = false

  constructor(options: SpansOptions) {
    this.options = options
  }

  /** Records a request that is over, as the child of `parent` if there is one. */
  add(record: RequestRecord, own: TraceContext, parent: string | undefined): void {
    const made = this.of(record, own, parent)
    const room = QUEUE_MAX - this.queue.length
    if (made.length > room) {
      this.dropped += made.length
      return
    }
    this.queue.push(...made)
    if (this.queue.length >= BATCH_MAX) this.flush()
    else this.timer ??= this.options.clockwork.after(WAIT_MS, () => this.flush())
  }

  /** Sends what waits, one batch at a time. */
  flush(): void {
    this.timer?.()
    this.timer = undefined
    if (this.sending || this.queue.length === 0) return
    const spans = this.queue.splice(0, BATCH_MAX)
    this.sending = true
    this.attempt(JSON.stringify(this.body(spans)), spans.length, 1)
  }

  private attempt(body: string, spans: number, tries: number): void {
    this.options.send(body, (taken) => {
      if (!taken && tries < TRIES_MAX) {
        this.options.clockwork.after(BACKOFF_MS * 2 ** (tries - 1), () => this.attempt(body, spans, tries + 1))
        return
      }
      if (taken) this.sent += spans
      else this.dropped += spans
      this.sending = false
      if (this.queue.length >= BATCH_MAX) this.flush()
      else if (this.queue.length > 0) this.timer ??= this.options.clockwork.after(WAIT_MS, () => this.flush())
    })
  }

  private of(record: RequestRecord, own: TraceContext, parent: string | undefined): ReadonlyArray<JsonObject> {
    const { code, exchange, facts, reason, receivedAtMs, arrivedMs } = record
    const nanos = (ms: number): string => {
      const micros = Math.round((receivedAtMs + ms - arrivedMs) * 1000)
      return String(BigInt(micros) * 1000n)
    }
    const info = facts?.info
    const resource = info === undefined ? "" : info.resource
    const root: JsonObject = {
      traceId: own.traceId,
      spanId: own.parentId,
      ...(parent === undefined ? {} : { parentSpanId: parent }),
      name: info?.isResourceRequest === true ? `${info.verb} ${resource}` : exchange.method,
      kind: SERVER,
      startTimeUnixNano: nanos(arrivedMs),
      endTimeUnixNano: nanos(record.endedMs),
      attributes: [
        ...text("http.request.method", exchange.method),
        int("http.response.status_code", code),
        ...text("k8s.cluster.name", record.cluster),
        ...text("server.address", record.endpoint),
        ...text("kubegateway.flowcontrol", record.flowControl),
        ...text("kubegateway.reason", reason),
        ...text("k8s.audit_id", record.auditId),
        ...text("k8s.namespace.name", info?.namespace ?? ""),
        ...text("k8s.resource", resource),
        ...text("k8s.subresource", info?.subresource ?? ""),
        ...text("user_agent.original", facts?.userAgent ?? ""),
        ...text("enduser.id", facts?.user.name ?? ""),
        int("http.request.body.size", record.receivedBytes),
        int("http.response.body.size", record.sentBytes)
      ],
      status: code >= 500 || code === 0 ? { code: 2 } : {}
    }
    const children = stages
      .filter(([, from, to]) => record[from] > 0 && record[to] > 0)
      .map(([name, from, to]) => ({
        traceId: own.traceId,
        spanId: randomHex(this.options.clockwork.random, 16),
        parentSpanId: own.parentId,
        name,
        kind: INTERNAL,
        startTimeUnixNano: nanos(record[from]),
        endTimeUnixNano: nanos(record[to])
      }))
    return [root, ...children]
  }

  private body(spans: ReadonlyArray<JsonObject>): JsonObject {
    const { instance, serviceName } = this.options
    return {
      resourceSpans: [
        {
          resource: { attributes: [...text("service.name", serviceName), ...text("service.instance.id", instance)] },
          scopeSpans: [{ scope: { name: "kubewharf.gateway" }, spans }]
        }
      ]
    }
  }
}
