// The observer that the gateway runs with: metrics always, and log, audit and traces as they are configured.
// Owns who hears of what; refuses the content of each. Of what is not configured nothing is done, so that the path stays short.
import type { Audit, AuditedRequest, AuditTrail } from "#apiserver"
import type { Clockwork } from "#kube"
import type { HttpExchange } from "#net"
import { isLongRunning } from "../policy/RequestFacts.ts"
import type { Work } from "../proxy/LoadPressure.ts"
import type { AccessLog } from "./AccessLog.ts"
import { counts } from "./MetricFamily.ts"
import { gatewayMetrics } from "./MetricTable.ts"
import type { Observer, RequestRecord, RequestTrace } from "./Observer.ts"
import { RequestMetrics } from "./RequestMetrics.ts"
import type { Spans } from "./Spans.ts"
import { UserMetrics } from "./UserMetrics.ts"
import {
  formatTraceparent,
  parseTraceparent,
  passableTracestate,
  randomHex,
  type TraceContext
} from "./TraceContext.ts"

export interface GatewayObserverOptions {
  readonly clockwork: Clockwork
  readonly accessLog?: AccessLog
  readonly audit?: (metrics: { auditEvents: number }) => Audit
  /** Where spans go; absent: none are made. */
  readonly spans?: Spans
  /** Part of requests without a parent that are sampled, from 0 to 1; a parent's word goes before. Default 0.01. */
  readonly sampling?: number
  /** Whether requests are counted by user as well. */
  readonly byUser?: boolean
  /** Numbers that others keep, as text in Prometheus' format. */
  readonly sources?: ReadonlyArray<() => string>
}

const SAMPLING = 0.01
const DEBUG_HEADER = "x-debug-trace-log"

/** A trace with what only this room knows of it. */
interface OwnTrace extends RequestTrace {
  readonly own: TraceContext
  readonly parent: string | undefined
  readonly debug: boolean
}

/** The state of a request between the calls, kept beside the data path's own object. */
interface Open {
  trail: AuditTrail | undefined
  watching: boolean
}

export class GatewayObserver implements Observer {
  readonly metrics = new RequestMetrics()
  readonly audited = { auditEvents: 0 }
  private readonly users: UserMetrics | undefined
  private readonly options: GatewayObserverOptions
  private readonly auditor: Audit | undefined
  private readonly open = new Map<RequestRecord, Open>()
  private readonly inflight = counts(gatewayMetrics.inflight)
  private readonly rate = counts(gatewayMetrics.rate)
  private readonly bytes = counts(gatewayMetrics.bytes)
  private readonly dropped = counts(gatewayMetrics.dropped)
  private readonly droppers = new Map<string, () => number>()
  private rateAt: { readonly ms: number; readonly over: number }

  constructor(options: GatewayObserverOptions) {
    this.options = options
    this.auditor = options.audit?.(this.audited)
    this.users = options.byUser === true ? new UserMetrics() : undefined
    this.rateAt = { ms: options.clockwork.monotonic(), over: 0 }
    const { spans } = options
    if (spans !== undefined) this.droppers.set("traces", () => spans.dropped)
  }

  /** Counts what a sink had to drop. */
  countDrops(sink: string, dropped: () => number): void {
    this.droppers.set(sink, dropped)
  }

  arrived(exchange: Pick<HttpExchange, "header">, tracing: boolean): RequestTrace | undefined {
    this.metrics.begun++
    const { spans } = this.options
    if (!tracing || spans === undefined) {
      // Who asks for a trace of one request gets a line in the log, whether or not spans go anywhere.
      return exchange.header(DEBUG_HEADER) === "1" ? this.trace(exchange, true, false) : undefined
    }
    return this.trace(exchange, exchange.header(DEBUG_HEADER) === "1", true)
  }

  received(record: RequestRecord): void {
    const trail = this.auditor?.begin(new Audited(record, this.options.clockwork))
    if (trail !== undefined) this.openOf(record).trail = trail
  }

  started(record: RequestRecord): void {
    const open = this.openOf(record)
    open.trail?.stage("ResponseStarted")
    if (open.watching || record.facts === undefined || !isLongRunning(record.facts.info)) return
    open.watching = true
    this.metrics.opened(record)
  }

  ended(record: RequestRecord): void {
    const open = this.open.size === 0 ? undefined : this.open.get(record)
    this.metrics.ended(record, open?.watching === true)
    if (record.reason === "" && record.endpoint !== "") this.users?.ended(record)
    // SAFETY: `arrived` makes no other traces.
    const trace = record.trace as OwnTrace | undefined
    this.options.accessLog?.ended(record, trace?.debug === true)
    if (trace?.own.sampled === true) this.options.spans?.add(record, trace.own, trace.parent)
    if (open === undefined) return
    this.open.delete(record)
    open.trail?.stage("ResponseComplete")
  }

  /** An endpoint was found unfit for requests. */
  unhealthy(cluster: string, endpoint: string, reason: string): void {
    this.metrics.unhealthy.of(cluster, endpoint, reason).value++
  }

  /** What was done until now, and is in hand. */
  work(): Work {
    const { begun, lasting, over, receivedBytes, sentBytes } = this.metrics
    return { inFlight: begun - over - lasting, begun, bytes: receivedBytes + sentBytes }
  }

  /** The page of metrics. */
  text(): string {
    const { clockwork, sources = [] } = this.options
    const { begun, over, receivedBytes, sentBytes } = this.metrics
    const nowMs = clockwork.monotonic()
    const elapsedMs = nowMs - this.rateAt.ms
    if (elapsedMs > 0) this.rate.of().value = ((over - this.rateAt.over) * 1000) / elapsedMs
    this.rateAt = { ms: nowMs, over }
    this.inflight.of().value = begun - over
    this.bytes.of("request").value = receivedBytes
    this.bytes.of("response").value = sentBytes
    for (const [sink, dropped] of this.droppers) this.dropped.of(sink).value = dropped()
    const own = [
      ...this.metrics.families(),
      ...(this.users?.families() ?? []),
      this.inflight,
      this.rate,
      this.bytes,
      this.dropped
    ]
    return own.map((family) => family.text()).join("") + sources.map((source) => source()).join("")
  }

  private openOf(record: RequestRecord): Open {
    const known = this.open.get(record)
    if (known !== undefined) return known
    const made: Open = { trail: undefined, watching: false }
    this.open.set(record, made)
    return made
  }

  private trace(exchange: Pick<HttpExchange, "header">, debug: boolean, exported: boolean): OwnTrace {
    const { clockwork, sampling = SAMPLING } = this.options
    const parent = parseTraceparent(exchange.header("traceparent"))
    const own: TraceContext = {
      traceId: parent?.traceId ?? randomHex(clockwork.random, 32),
      parentId: randomHex(clockwork.random, 16),
      sampled: exported && (debug || (parent === undefined ? clockwork.random() < sampling : parent.sampled))
    }
    const state = parent === undefined ? undefined : passableTracestate(exchange.header("tracestate"))
    // A trace that goes nowhere from here is passed on as it came.
    const context = exported || parent === undefined ? own : parent
    return {
      own,
      parent: parent?.parentId,
      debug,
      traceId: own.traceId,
      upstream: [
        ["traceparent", formatTraceparent(context)],
        ...(state === undefined ? [] : [["tracestate", state] as const])
      ]
    }
  }
}

/** A request as the audit reads it; bodies pass through unread, so levels above Metadata record what Metadata does. */
class Audited implements AuditedRequest {
  readonly record = {}
  readonly clockwork: Clockwork
  private readonly of: RequestRecord

  constructor(of: RequestRecord, clockwork: Clockwork) {
    this.of = of
    this.clockwork = clockwork
  }

  get exchange() {
    return this.of.exchange
  }

  get auditId(): string {
    return this.of.auditId
  }

  get receivedMs(): number {
    return this.of.receivedAtMs
  }

  get status(): number {
    return this.of.code
  }

  get info() {
    return factsOf(this.of).info
  }

  get user() {
    return factsOf(this.of).user
  }

  get impersonator() {
    return this.of.impersonator
  }
}

const factsOf = ({ facts }: RequestRecord) => {
  if (facts === undefined) throw new Error("a request is recorded before it was understood")
  return facts
}
