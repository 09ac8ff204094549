// A connection that changes to another protocol, for exec, attach and port-forward (SPDY, WebSocket): after the endpoint's 101 its
// octets go through as they are, both ways, at the pace of the slower side.
// Owns dialing by HTTP/1.1, the two pumps and their end; a refusal of the endpoint goes to the client as it is.
import type { Duplex } from "node:stream"
import type { Cancel } from "#kube"
import type { HttpFields, HttpUpgraded } from "#net"
import type { Lasting } from "../balance/Connections.ts"
import type { DialFailure } from "../balance/DialAdapter.ts"
import type { Upstream } from "../balance/Upstream.ts"
import type { ProxyRequest } from "./ProxyRequest.ts"
import { answerFields, upstreamFields, withTrace } from "./UpstreamFields.ts"

/** Failures before anything was sent: another endpoint may be asked. */
const unsent: ReadonlySet<string> = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"])

/** How long one side may take to end after the other has. */
const LINGER_MS = 5000

export class Tunnel implements Lasting {
  private readonly owner: ProxyRequest
  private readonly tried: Array<Upstream> = []
  private upstream: Upstream | undefined
  private giveUp: Cancel | undefined
  private near: Duplex | undefined
  private far: Duplex | undefined

  constructor(owner: ProxyRequest) {
    this.owner = owner
  }

  begin(): void {
    const { owner } = this
    const upstream = owner.choose(this.tried)
    if (upstream === undefined) return
    this.tried.push(upstream)
    this.upstream = upstream
    upstream.inflight++
    upstream.requests++
    owner.endpoint = upstream.url
    const { context, exchange, identity, plan, runtime, trace } = owner
    const base = upstreamFields(plan, identity, runtime)
    const traced = trace === undefined ? base : withTrace(base, trace.upstream)
    const fields: HttpFields = [...traced, ["connection", "Upgrade"], ["upgrade", plan.upgrade ?? ""]]
    const pool = identity.proof === "passthrough" ? upstream.bareConnections : upstream.connections
    owner.sentMs = context.clockwork.monotonic()
    const path = upstream.endpoint.pathPrefix + plan.path
    const head = { method: exchange.method, path, fields }
    this.giveUp = context.dial.upgrade(pool.target, head, (outcome) => this.dialed(outcome))
  }

  clientGone(): void {
    this.giveUp?.()
    this.far?.destroy()
    this.leave()
  }

  endWell(): void {
    this.near?.destroy()
    this.far?.destroy()
  }

  private dialed(outcome: HttpUpgraded | DialFailure): void {
    const { owner } = this
    this.giveUp = undefined
    if (owner.ended) return
    if ("kind" in outcome) return this.notDialed(outcome)
    const { context, exchange } = owner
    this.upstream?.succeeded()
    owner.headMs = context.clockwork.monotonic()
    owner.permit?.settle()
    if (outcome.socket === undefined) return this.refused(outcome)
    const near = exchange.upgrade(outcome.fields.filter(([name]) => name !== "connection"))
    if (near === undefined) {
      outcome.socket.destroy()
      this.leave()
      return owner.refuse(502, "reverse_proxy_error", "the client's connection cannot change its protocol")
    }
    owner.code = 101
    exchange.onClose = undefined
    this.near = near
    this.far = outcome.socket
    this.upstream?.connections.lasting.add(this)
    exchange.onGoAway = () => this.endWell()
    context.observer.started(owner)
    this.join(near, outcome.socket)
  }

  private notDialed({ code, message }: DialFailure): void {
    const { owner, upstream } = this
    upstream?.failed(code, message)
    this.leave()
    const { attempts } = owner.runtime.cluster.retry
    const again = unsent.has(code) && this.tried.length < attempts
    if (again && owner.runtime.budget.take(owner.context.clockwork.monotonic())) return this.begin()
    owner.refuse(502, "reverse_proxy_error", `the endpoint could not be asked: ${message}`)
  }

  /** What the endpoint said instead of 101. */
  private refused({ body, fields, status }: HttpUpgraded): void {
    const { owner } = this
    this.leave()
    if (status < 300 || body === undefined) {
      return owner.refuse(502, "reverse_proxy_error", `the endpoint answered an upgrade with ${status}`)
    }
    owner.code = status
    owner.sentBytes = body.length
    owner.exchange.respond(
      status,
      answerFields(fields).filter(([name]) => name !== "content-length"),
      body
    )
    owner.end()
  }

  private join(near: Duplex, far: Duplex): void {
    const { owner } = this
    pump(near, far, (size) => (owner.receivedBytes += size))
    pump(far, near, (size) => (owner.sentBytes += size))
    let open = 2
    const closed = (): void => {
      if (--open > 0) return void owner.context.clockwork.after(LINGER_MS, () => this.endWell())
      this.leave()
      owner.end()
    }
    near.once("close", closed)
    far.once("close", closed)
  }

  private leave(): void {
    if (this.upstream === undefined) return
    this.upstream.inflight--
    this.upstream.connections.lasting.delete(this)
    this.upstream = undefined
  }
}

/** Octets from one side to the other; when one ends or breaks, so does the other, after what is on its way. */
const pump = (from: Duplex, to: Duplex, count: (size: number) => void): void => {
  from.on("data", (chunk: Buffer) => {
    count(chunk.length)
    if (!to.write(chunk)) from.pause()
  })
  to.on("drain", () => from.resume())
  from.on("end", () => to.end())
  from.on("error", () => to.destroy())
  from.on("close", () => to.end())
}
