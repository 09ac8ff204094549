// The HTTP front of an API server: one handler for every request, from the wire to the Api and back.
// Owns the chain (identity, impersonation, audit, limits, authorization, time-out, routing) in kube-apiserver's order and the drain;
// refuses sockets, which the listener has, and everything that happens behind the Api.
import { ApiFailure, type Clockwork, Failures, requestInfo, RequestInfoInvalid } from "#kube"
import type { HttpExchange, HttpExchangeHandler } from "#net"
import type { Authorizer } from "../Access.ts"
import type { Api } from "../Api.ts"
import type { UserInfo } from "../Request.ts"
import type { Audit } from "./Audit.ts"
import { Call } from "./Call.ts"
import { Discovery } from "./Discovery.ts"
import { authorize } from "./Forbidden.ts"
import { FrontMetrics } from "./FrontMetrics.ts"
import type { HealthCheck } from "./HealthChecks.ts"
import { impersonate } from "./Impersonation.ts"
import { InFlight, type InFlightLimits } from "./InFlight.ts"
import { isLongRunning, measure } from "./Measured.ts"
import { goDuration } from "./OptionValues.ts"
import { ResourceRoutes } from "./ResourceRoutes.ts"
import { ServerRoutes } from "./ServerRoutes.ts"
import type { Streams } from "./Streams.ts"
import { uuidFrom } from "./RequestId.ts"
import type { OpenWatches } from "./WatchAnswer.ts"

/** Tells who sends a request: a user, nobody that is known, or why the proof is no good. Answers once, perhaps at once. */
export interface FrontAuthenticator {
  readonly authenticate: (exchange: HttpExchange, done: (user: UserInfo | undefined | ApiFailure) => void) => void
}

export interface FrontOptions {
  readonly api: Api
  readonly authenticator: FrontAuthenticator
  readonly authorizer: Authorizer
  /** Further than `ping` and `log`. */
  readonly checks?: ReadonlyArray<HealthCheck>
  readonly audit?: (metrics: FrontMetrics) => Audit
  readonly streams?: Streams
  /** By default 400 reading and 200 writing requests, as kube-apiserver. */
  readonly limits?: InFlightLimits
  /** Milliseconds that a request may take unless it is long-running. Default 60,000. */
  readonly requestTimeoutMs?: number
  /** "ip:port" under which clients reach the server, for `/api`. */
  readonly serverAddress?: () => string
  /** Further pages of `/metrics`. */
  readonly metrics?: ReadonlyArray<() => string>
  /** Answers paths that are no API's, such as service account keys; false when it has none. */
  readonly extraPaths?: ReadonlyMap<string, (call: Call) => void>
  /** Told what was thrown unforeseen, and which health check failed. */
  readonly onDefect: (defect: unknown) => void
}

export interface Front {
  readonly handler: HttpExchangeHandler
  readonly metrics: FrontMetrics
  /** From now on not ready; ends the open watches in good order, so that clients go elsewhere. */
  readonly drain: () => void
  readonly openWatches: () => number
}

export const makeFront = (options: FrontOptions): Front => {
  const front = new Chain(options)
  return {
    handler: (exchange) => front.handle(exchange),
    metrics: front.metrics,
    drain: () => front.drain(),
    openWatches: () => front.watches.size
  }
}

const defaultLimits: InFlightLimits = { readOnlyMax: 400, mutatingMax: 200 }
const REQUEST_TIMEOUT_MS = 60_000

class Chain {
  readonly metrics = new FrontMetrics()
  readonly watches: OpenWatches = new Set()
  private readonly options: FrontOptions
  private readonly clockwork: Clockwork
  private readonly resources: ResourceRoutes
  private readonly server: ServerRoutes
  private readonly inFlight: InFlight
  private readonly audit: Audit | undefined
  private draining = false

  constructor(options: FrontOptions) {
    const { api } = options
    this.options = options
    this.clockwork = api.clockwork
    this.inFlight = new InFlight(options.limits ?? defaultLimits, this.metrics)
    this.audit = options.audit?.(this.metrics)
    for (const source of options.metrics ?? []) this.metrics.add(source)
    this.resources = new ResourceRoutes({
      api,
      metrics: this.metrics,
      watches: this.watches,
      streams: options.streams,
      guard: (call, run) => this.guard(call, run)
    })
    this.server = new ServerRoutes({
      definitions: api.definitions,
      discovery: new Discovery(api.definitions),
      metrics: this.metrics,
      checks: [
        ...(options.checks ?? []),
        { name: "shutdown", readinessOnly: true, check: () => (this.draining ? "process is shutting down" : undefined) }
      ],
      serverAddress: options.serverAddress ?? (() => ""),
      extraPaths: options.extraPaths ?? new Map(),
      onUnhealthy: (text) => options.onDefect(new Error(text))
    })
  }

  drain(): void {
    this.draining = true
    for (const watch of this.watches) watch.end()
  }

  /** Runs a step of a call; what it throws is reported and becomes a 500. */
  private guard(call: Call, run: () => void): void {
    try {
      run()
    } catch (defect) {
      this.options.onDefect(defect)
      call.panic()
    }
  }

  handle(exchange: HttpExchange): void {
    const asked = requestInfo(exchange.method, exchange.path)
    const invalid = asked instanceof RequestInfoInvalid
    const info = invalid ? requestInfo(exchange.method, "/") : asked
    if (info instanceof RequestInfoInvalid) return exchange.respond(500, [], "")
    // An id that a client or a proxy brings is kept, so that one request has one id everywhere.
    const auditId = exchange.header("audit-id") ?? uuidFrom(this.clockwork.random)
    const call = new Call(exchange, this.clockwork, { info, auditId })
    measure(call, this.metrics)
    this.guard(call, () => {
      if (invalid) return call.fail(Failures.internal(`failed to create RequestInfo: ${asked.message}`))
      this.limitTime(call)
      if (!call.answered) this.identify(call)
    })
  }

  /** A request that is not long-running gets an answer in time, whatever happens behind. */
  private limitTime(call: Call): void {
    if (isLongRunning(call)) return
    let timeoutMs = this.options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS
    const text = call.url.query.get("timeout")
    if (text !== "") {
      const asked = goDuration(text)
      if (asked === undefined) {
        const why = `time: invalid duration ${JSON.stringify(text)}`
        return call.fail(Failures.badRequest(`invalid timeout specified in the request URL - ${why}`))
      }
      if (asked > 0) timeoutMs = Math.min(timeoutMs, asked)
    }
    const cancel = this.clockwork.after(timeoutMs, () => {
      if (call.answered) return
      this.metrics.terminated(504)
      call.fail(Failures.timeout("request did not complete within the allotted timeout", 0))
    })
    call.onFinish(cancel)
  }

  private identify(call: Call): void {
    this.options.authenticator.authenticate(call.exchange, (user) => {
      this.guard(call, () => {
        if (call.answered) return
        if (user === undefined) return call.fail(Failures.unauthorized())
        if (user instanceof ApiFailure) return call.fail(user)
        call.user = user
        this.admit(call)
      })
    })
  }

  private admit(call: Call): void {
    const refused = impersonate(call, this.options.authorizer)
    this.record(call)
    if (refused !== undefined) return call.fail(refused, noSniff)
    if (!isLongRunning(call)) {
      const full = this.inFlight.enter(call)
      if (full !== undefined) return call.fail(full)
    }
    const forbidden = authorize(call, this.options.authorizer)
    if (forbidden !== undefined) return call.fail(forbidden, noSniff)
    if (call.info.isResourceRequest) this.resources.answer(call)
    else this.server.answer(call)
  }

  private record(call: Call): void {
    const trail = this.audit?.begin(call)
    if (trail === undefined) return
    call.onFinish(() => trail.stage("ResponseComplete"))
    if (isLongRunning(call)) call.onStart = () => trail.stage("ResponseStarted")
  }
}

const noSniff = [["x-content-type-options", "nosniff"]] as const
