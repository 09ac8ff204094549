// The limiter over HTTP, below /apis/proxy.kubegateway.io/v1alpha1: the stream that our gateways speak, and the original's paths.
// Owns routing, lines and their bounds; refuses who may come (the authenticator is brought) and what is said (LimiterServer.ts).
// The original's clients read conditions, acquire tokens and send heartbeats here as before; what they are granted are leases all the same.
import { ApiFailure, Failures, isJsonObject, type Clockwork, type Json, type JsonObject } from "#kube"
import type { HttpExchange, HttpExchangeHandler } from "#net"
import { conditionName, conditionOf, conditionsOf, serverInfo } from "./Conditions.ts"
import { type Hello, MessageInvalid, parseHello, parseReport } from "./LimiterMessages.ts"
import type { LimiterServer, SessionListener } from "./LimiterServer.ts"
import type { LimiterStats } from "./LimiterStats.ts"

export const LIMITER_PREFIX = "/apis/proxy.kubegateway.io/v1alpha1"
/** Our gateways' way in: lines of JSON both ways. */
export const STREAM_PATH = `${LIMITER_PREFIX}/ratelimit/stream`

/** Characters of a line that is still coming. */
const LINE_MAX = 16 * 1024 * 1024
const BODY_MAX = 1_048_576
/** Bytes that may wait for a gateway that does not read; beyond, it is cut off and comes again. */
const WAITING_MAX = 8 * 1024 * 1024

export interface LimiterRoutesOptions {
  readonly server: LimiterServer
  readonly clockwork: Clockwork
  readonly stats: LimiterStats
  /** HOST:PORT of this server. */
  readonly address: string
  /** Whether who asks may speak for gateways; done is called once. */
  readonly admit: (exchange: HttpExchange) => ApiFailure | undefined
  /** Answers all other paths. */
  readonly others: HttpExchangeHandler
}

const json = (exchange: HttpExchange, status: number, value: Json): number => {
  const body = JSON.stringify(value)
  exchange.respond(status, [["content-type", "application/json"]], body)
  return body.length
}

const fail = (exchange: HttpExchange, failure: ApiFailure): number =>
  // SAFETY: a Status is JSON.
  json(exchange, failure.code, failure.status as unknown as Json)

/** Cuts bytes into lines; undefined when one is too long. */
export const lineReader = (onLine: (line: string) => void, onTooLong: () => void): ((bytes: Uint8Array) => void) => {
  const decoder = new TextDecoder()
  let rest = ""
  return (bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) if (line !== "") onLine(line)
    if (rest.length > LINE_MAX) onTooLong()
  }
}

/** The use that limitItemStatuses state, by the limit's name. */
const usedIn = (statuses: Json | undefined): ReadonlyMap<string, number> => {
  const used = new Map<string, number>()
  for (const status of Array.isArray(statuses) ? statuses : []) {
    if (!isJsonObject(status) || typeof status["name"] !== "string") continue
    const { maxRequestsInflight: slots, tokenBucket: bucket } = status
    const amount = isJsonObject(slots) ? slots["max"] : isJsonObject(bucket) ? bucket["qps"] : undefined
    if (typeof amount === "number" && amount >= 0) used.set(status["name"], amount)
  }
  return used
}

export class LimiterRoutes {
  private readonly options: LimiterRoutesOptions

  constructor(options: LimiterRoutesOptions) {
    this.options = options
  }

  readonly handler: HttpExchangeHandler = (exchange) => {
    const [path = ""] = exchange.path.split("?")
    if (!path.startsWith(`${LIMITER_PREFIX}/`)) return this.options.others(exchange)
    const failure = this.options.admit(exchange)
    if (failure !== undefined) return void fail(exchange, failure)
    const parts = path
      .slice(LIMITER_PREFIX.length + 1)
      .split("/")
      .map(decodeURIComponent)
    const [kind, name = "", verb = ""] = parts
    const { method } = exchange
    if (path === STREAM_PATH && method === "POST") return this.stream(exchange)
    if (kind === "ratelimit" && name === "endpoints" && method === "GET")
      return this.counted(exchange, "endpoints", () => this.info())
    if (kind === "ratelimit" && name === "heartbeat" && method === "POST")
      return this.counted(exchange, "heartbeat", () => this.info())
    if (kind === "ratelimitconditions" && method === "GET" && verb === "")
      return this.counted(exchange, "get", () =>
        name === "" ? conditionsOf(this.options.server) : this.condition(name)
      )
    if (kind === "ratelimitconditions" && method === "POST" && verb === "acquire") return this.acquire(exchange, name)
    if (kind === "ratelimitconditions" && method === "PUT" && verb === "status") return this.status(exchange)
    fail(exchange, Failures.generic(404, "NotFound", "the server could not find the requested resource"))
  }

  private counted(exchange: HttpExchange, method: string, work: () => Json | ApiFailure): void {
    const { clockwork, stats } = this.options
    const startedMs = clockwork.monotonic()
    const answer = work()
    const bytes = answer instanceof ApiFailure ? fail(exchange, answer) : json(exchange, 200, answer)
    const code = answer instanceof ApiFailure ? answer.code : 200
    stats.request(method, code, { seconds: (clockwork.monotonic() - startedMs) / 1000, bytes })
  }

  private info(): JsonObject {
    const { address, clockwork, server } = this.options
    return serverInfo(server, address, clockwork.now())
  }

  private condition(name: string): Json | ApiFailure {
    const condition = conditionOf(this.options.server, name)
    if (condition !== undefined) return condition
    return Failures.notFound({ group: "proxy.kubegateway.io", resource: "ratelimitconditions", name })
  }

  private withBody(exchange: HttpExchange, method: string, work: (body: JsonObject) => Json | ApiFailure): void {
    exchange.readBody(BODY_MAX, (bytes) => {
      let body: Json | undefined
      try {
        body = bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString("utf8")) as Json)
      } catch {
        body = undefined
      }
      this.counted(exchange, method, () =>
        isJsonObject(body) ? work(body) : Failures.badRequest("the body must be a JSON object of at most 1 MiB")
      )
    })
  }

  /** Tokens taken at once from the one bucket, as the original's RateLimitAcquire. */
  private acquire(exchange: HttpExchange, cluster: string): void {
    this.withBody(exchange, "acquire", (body) => {
      const { clockwork, server } = this.options
      const shard = server.shardFor(cluster)
      if (shard === undefined) return Failures.unavailable(`the shard of ${cluster} is led by another server`)
      const spec = isJsonObject(body["spec"]) ? body["spec"] : {}
      const requests = Array.isArray(spec["requests"]) ? spec["requests"] : []
      const results = requests.map((request: Json) => {
        const fields = isJsonObject(request) ? request : {}
        const flowControl = typeof fields["flowControl"] === "string" ? fields["flowControl"] : ""
        const wanted = typeof fields["tokens"] === "number" ? fields["tokens"] : 0
        const item = shard.item(cluster, flowControl)
        if (item === undefined) return { flowControl, accept: false, limit: 0, error: "no such flow control" }
        if (item.tokens === undefined) return { flowControl, accept: false, limit: 0, error: "not counted by tokens" }
        // As many as there are, where the original tries a half, a quarter and an eighth.
        const limit = item.tokens.take(wanted, clockwork.monotonic())
        return { flowControl, accept: limit > 0, limit }
      })
      return { ...body, status: { results } }
    })
  }

  /** A gateway's statement in the original's shape; the answer is its condition with the quota it now has. */
  private status(exchange: HttpExchange): void {
    this.withBody(exchange, "status", (body) => {
      const { server } = this.options
      const spec = isJsonObject(body["spec"]) ? body["spec"] : {}
      const instance = typeof spec["instance"] === "string" ? spec["instance"] : ""
      const cluster = typeof spec["upstreamCluster"] === "string" ? spec["upstreamCluster"] : ""
      if (instance === "" || cluster === "")
        return Failures.badRequest("spec.upstreamCluster and spec.instance: must be set")
      if (server.shardFor(cluster) === undefined)
        return Failures.unavailable(`the shard of ${cluster} is led by another server`)
      const status = isJsonObject(body["status"]) ? body["status"] : {}
      server.state(instance, cluster, usedIn(status["limitItemStatuses"]))
      return conditionOf(server, conditionName(cluster, instance)) ?? body
    })
  }

  private stream(exchange: HttpExchange): void {
    const { clockwork, server, stats } = this.options
    const body = exchange.start(200, [["content-type", "application/x-ndjson"]])
    let session: SessionListener | undefined
    const close = (): void => {
      session?.closed()
      session = undefined
      body.abort()
    }
    const greet = (hello: Hello | MessageInvalid): void => {
      if (hello instanceof MessageInvalid) return close()
      session = server.connect(hello, {
        send: (message) => {
          const line = Buffer.from(`${JSON.stringify(message)}\n`)
          stats.sent(hello.instance, message, line.length)
          body.write(line)
          if (body.bufferedBytes > WAITING_MAX) close()
        },
        close: () => body.end()
      })
      if (session === undefined) close()
    }
    const read = lineReader((line) => {
      if (session === undefined) return greet(parseHello(line))
      const report = parseReport(line)
      const startedMs = clockwork.monotonic()
      if (report instanceof MessageInvalid) {
        stats.request("report", 400, { seconds: 0, bytes: 0 })
        return close()
      }
      session.report(report)
      stats.request("report", 200, { seconds: (clockwork.monotonic() - startedMs) / 1000, bytes: 0 })
    }, close)
    exchange.onClose = () => {
      session?.closed()
      session = undefined
    }
    exchange.onGoAway = () => body.end()
    exchange.onBody(
      (bytes) => {
        read(bytes)
        return true
      },
      () => {
        session?.closed()
        session = undefined
        body.end()
      }
    )
  }
}
