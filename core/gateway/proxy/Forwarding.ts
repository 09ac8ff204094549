// The exchange with an endpoint: the request's head and body out, the answer's head and body back, at the pace of the slower side.
// Owns streaming, backpressure, retries of what is safe, time limits, and that an answer which breaks off breaks off for the client
// as well; refuses to choose endpoints or to judge users.
import type { Cancel } from "#kube"
import type { HttpAnswerListener, HttpBody, HttpClientRequest, HttpFields } from "#net"
import type { Connections, Lasting, Pooled } from "../balance/Connections.ts"
import type { DialFailure } from "../balance/DialAdapter.ts"
import type { Upstream } from "../balance/Upstream.ts"
import type { AwaitsHead } from "./HeadTimes.ts"
import { HELD_BODY_BYTES_MAX } from "./ProxyContext.ts"
import type { ProxyRequest } from "./ProxyRequest.ts"
import { answerFields, upstreamFields, withTrace } from "./UpstreamFields.ts"

const NEWLINE = 10

export class Forwarding implements HttpAnswerListener, AwaitsHead, Lasting {
  headDueMs = 0
  private readonly owner: ProxyRequest
  private readonly tried: Array<Upstream> = []
  private upstream: Upstream | undefined
  private connections: Connections | undefined
  private request: HttpClientRequest | undefined
  private pooled: Pooled | undefined
  private sink: HttpBody | undefined
  private giveUp: Cancel | undefined
  /** The whole body, where it is held. */
  private held: Uint8Array | undefined
  /** Whether a body goes through that is not held, so that there is no second try once it began. */
  private streamed = false
  private streamBegan = false
  private attempts = 0
  /** Whether events of a watch are lines, whose ends we can see. */
  private inLines = false
  private lastByte = NEWLINE

  constructor(owner: ProxyRequest) {
    this.owner = owner
  }

  begin(): void {
    const { exchange, plan } = this.owner
    if (exchange.bodyless) return this.attempt()
    if (plan.contentLength < 0 || plan.contentLength > HELD_BODY_BYTES_MAX) {
      this.streamed = true
      return this.attempt()
    }
    exchange.readBody(HELD_BODY_BYTES_MAX, (body) => {
      if (this.owner.ended || body === undefined) return
      this.owner.receivedBytes = body.length
      this.held = body
      this.attempt()
    })
  }

  clientGone(): void {
    this.request?.cancel()
    this.leave()
  }

  // --- to the endpoint ---

  private attempt(): void {
    const { owner } = this
    const upstream = owner.choose(this.tried)
    if (upstream === undefined) return
    this.attempts++
    this.tried.push(upstream)
    this.upstream = upstream
    upstream.inflight++
    upstream.requests++
    owner.endpoint = upstream.url
    this.connections = owner.identity.proof === "passthrough" ? upstream.bareConnections : upstream.connections
    const { heavy } = owner
    const ready = this.connections.ready(heavy)
    if (ready !== undefined) return this.send(ready)
    this.giveUp = this.connections.take((outcome) => {
      if (this.owner.ended) return
      if ("kind" in outcome) this.notConnected(outcome)
      else this.send(outcome)
    }, heavy)
  }

  private send(pooled: Pooled): void {
    const { owner, upstream } = this
    const { client } = pooled
    const { context, exchange, identity, plan, runtime, trace } = owner
    this.giveUp = undefined
    this.pooled = pooled
    if (owner.heavy) pooled.heavy++
    const made = upstreamFields(plan, identity, runtime)
    let fields = trace === undefined ? made : withTrace(made, trace.upstream)
    if (client.protocol === "http/1.1" && this.streamed && plan.contentLength < 0) {
      // Without a length its end has to be marked; over HTTP/2 the stream's end is.
      fields = [...fields, ["transfer-encoding", "chunked"]]
    }
    const prefix = upstream?.endpoint.pathPrefix ?? ""
    const path = prefix === "" ? plan.path : prefix + plan.path
    owner.sentMs = context.clockwork.monotonic()
    if (owner.lasting) this.connections?.lasting.add(this)
    else this.limitHead()
    const request = client.request({ method: exchange.method, path, fields, repeats: fields === made }, this)
    this.request = request
    if (!this.streamed) return request.end(this.held)
    this.streamBegan = true
    exchange.onBody(
      (bytes) => {
        owner.receivedBytes += bytes.length
        // Over HTTP/1.1 the connection may be gone while the client still sends: what is left is swallowed.
        return this.request === undefined || this.request.relay(bytes)
      },
      () => this.request?.end()
    )
  }

  private limitHead(): void {
    const { runtime, sentMs } = this.owner
    const { responseHeaderMs } = runtime.cluster.timeouts
    if (responseHeaderMs === 0) return
    this.headDueMs = sentMs + responseHeaderMs
    runtime.heads.add(this)
  }

  drain(): void {
    this.owner.exchange.resumeBody()
  }

  // --- from the endpoint ---

  head(status: number, fields: HttpFields): void {
    const { owner } = this
    if (owner.ended) return
    const { context, exchange, permit, runtime } = owner
    owner.headMs = context.clockwork.monotonic()
    owner.code = status
    if (this.headDueMs > 0) runtime.heads.remove(this)
    this.upstream?.succeeded()
    permit?.settle()
    const sink = exchange.start(status, this.pooled?.client.protocol === "h2" ? fields : answerFields(fields))
    this.sink = sink
    if (!owner.lasting) return
    this.inLines = fields.some(([name, value]) => name === "content-type" && value.startsWith("application/json"))
    exchange.onGoAway = () => this.endWell()
    context.observer.started(owner)
  }

  body(bytes: Uint8Array): void {
    const { owner, sink } = this
    if (sink === undefined) return
    owner.sentBytes += bytes.length
    this.lastByte = bytes[bytes.length - 1] ?? NEWLINE
    if (sink.relay(bytes) || owner.ended) return
    this.request?.pause()
    sink.onDrain = () => this.request?.resume()
  }

  end(trailers: HttpFields): void {
    this.request = undefined
    this.sink?.end(trailers.length === 0 ? undefined : trailers)
    this.leave()
    this.owner.end()
  }

  failed(error: Error, sent: boolean): void {
    this.request = undefined
    this.lost("LOST", error.message, sent)
  }

  /** A request that lasts is asked to end: between two events of a watch in JSON it ends as if it were over, else it breaks off. */
  endWell(): void {
    const { owner, sink } = this
    if (owner.ended || sink === undefined) return
    this.request?.cancel()
    owner.reason = "going_away"
    if (this.inLines && owner.facts?.info.verb === "watch" && this.lastByte === NEWLINE) sink.end()
    else sink.abort()
    this.leave()
    owner.end()
  }

  headOverdue(): void {
    this.request?.cancel()
    this.request = undefined
    this.upstream?.failed("TIMEOUT", "no answer in time")
    this.leave()
    const { responseHeaderMs } = this.owner.runtime.cluster.timeouts
    const message = `the endpoint did not answer within ${responseHeaderMs} ms`
    this.owner.refuse(504, "reverse_proxy_timeout", message)
  }

  // --- failures ---

  private notConnected({ code, message }: DialFailure): void {
    this.giveUp = undefined
    this.lost(code, message, false)
  }

  /** No answer, or no whole one. */
  private lost(code: string, message: string, sent: boolean): void {
    const { owner, sink, upstream } = this
    if (owner.ended) return
    if (sink !== undefined) {
      owner.reason = "upstream_lost"
      sink.abort()
      this.leave()
      return owner.end()
    }
    // A goodbye or a full connection says nothing about the endpoint's health.
    const isHealthy = code === "RETIRED" || code === "BUSY" || (code === "LOST" && !sent)
    if (!isHealthy) upstream?.failed(code, message)
    this.leave()
    if (this.mayRetry(sent)) return this.attempt()
    owner.refuse(502, "reverse_proxy_error", `the endpoint could not be asked: ${message}`)
  }

  /** Safe is what the endpoint has not seen, or what changes nothing; with a body only as long as we still have all of it. */
  private mayRetry(sent: boolean): boolean {
    const { context, exchange, runtime } = this.owner
    const { attempts } = runtime.cluster.retry
    const isRead = exchange.method === "GET" || exchange.method === "HEAD"
    if (this.attempts >= attempts || (this.streamed && this.streamBegan) || (sent && !isRead)) return false
    return runtime.budget.take(context.clockwork.monotonic())
  }

  /** Gives back what this try held. */
  private leave(): void {
    this.giveUp?.()
    this.giveUp = undefined
    if (this.upstream === undefined) return
    this.upstream.inflight--
    this.upstream = undefined
    if (this.pooled !== undefined && this.owner.heavy) this.pooled.heavy--
    this.pooled = undefined
    if (this.owner.lasting) this.connections?.lasting.delete(this)
    if (this.headDueMs > 0) this.owner.runtime.heads.remove(this)
  }
}
