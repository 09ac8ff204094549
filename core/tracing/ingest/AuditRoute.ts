// The audit webhook: POST /audit/CLUSTER with an EventList, or /audit from an address that is known to be a cluster's. 200 says that every event of the batch is durable; anything else that none
// needs to be, so the API server sends it again.
// Owns authentication's question, the bound on bodies and the answers; refuses to take half a batch.
import type { Clockwork } from "#kube"
import type { HttpExchange } from "#net"
import type { RequestMetrics } from "../observe/RequestMetrics.ts"
import type { ServerMetrics } from "../observe/ServerMetrics.ts"
import { refuse } from "../server/Answers.ts"
import type { Asker, Route } from "../server/Route.ts"
import type { Appended, SpanStore } from "../store/SpanStore.ts"
import { takeEventList } from "./AuditBatch.ts"
import { type AuditHead, AuditInvalid } from "./AuditEvent.ts"
import type { AuditSetting, DropReason } from "./AuditFacts.ts"
import { BodyPool, PooledBody } from "./BodyPool.ts"
import type { Forward } from "./Forward.ts"

export interface AuditRouteOptions {
  readonly store: SpanStore
  readonly clockwork: Clockwork
  readonly setting: AuditSetting
  readonly metrics: ServerMetrics
  readonly requests: RequestMetrics
  /** Clusters that may be named; undefined: all. */
  readonly clusters: ReadonlySet<string> | undefined
  /** Clusters by the addresses of their API servers, for who names none. */
  readonly byAddress?: ReadonlyMap<string, string>
  /** Where batches are sent on to. */
  readonly forward?: Forward
  readonly bodyBytesMax?: number
  readonly openBytesMax?: number
}

/** Bytes of one batch: 400 events of a megabyte each are more than any API server sends. */
const BODY_BYTES_MAX = 64 * 2 ** 20
/** Bytes of batches that are being read or written; beyond, an API server is told to wait. */
const OPEN_BYTES_MAX = 256 * 2 ** 20
/** What a body of unknown length counts for until it is read. */
const UNKNOWN_BYTES = 2 ** 20
const BUSY_SECONDS = 1
const FAILED_SECONDS = 5

const clusterName = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?$/

interface Seen {
  readonly head: AuditHead
  readonly dropped: DropReason | undefined
}

export class AuditRoute implements Route {
  readonly path: string
  readonly access = "open"
  private readonly options: AuditRouteOptions
  private readonly pool = new BodyPool()
  private openBytes = 0

  /** `path` is "/audit/", which is followed by a cluster, or "/audit". */
  constructor(options: AuditRouteOptions, path: "/audit/" | "/audit" = "/audit/") {
    this.options = options
    this.path = path
  }

  readonly answer = (exchange: HttpExchange, path: string, asker: Asker | undefined): void => {
    const cluster = this.clusterOf(exchange, path)
    if (exchange.method !== "POST")
      return this.refuse(exchange, cluster, 405, "MethodNotAllowed", "send batches by POST")
    if (asker === undefined) return this.refuse(exchange, "", 401, "Unauthorized", "Unauthorized")
    if (!clusterName.test(cluster)) return this.refuse(exchange, "", 404, "NotFound", "the path must be /audit/CLUSTER")
    if (!asker.maySend(cluster) || this.options.clusters?.has(cluster) === false)
      return this.refuse(exchange, "", 403, "Forbidden", `${asker.name} may not send audit events of this cluster`)
    const { bodyBytesMax = BODY_BYTES_MAX, openBytesMax = OPEN_BYTES_MAX } = this.options
    const declared = Number(exchange.header("content-length") ?? UNKNOWN_BYTES)
    if (declared > bodyBytesMax) return this.tooLarge(exchange, cluster, bodyBytesMax)
    if (this.openBytes > 0 && this.openBytes + declared > openBytesMax) {
      return this.refuse(exchange, cluster, 429, "TooManyRequests", "too many batches at once", BUSY_SECONDS)
    }
    this.openBytes += declared
    const body = new PooledBody(this.pool, declared, bodyBytesMax)
    let isOpen = true
    const close = (): void => {
      if (isOpen) this.openBytes -= declared
      isOpen = false
    }
    exchange.onClose = () => {
      body.drop()
      close()
    }
    let isTooLarge = false
    const chunk = (bytes: Uint8Array): boolean => {
      if (isTooLarge || body.add(bytes)) return true
      isTooLarge = true
      body.drop()
      close()
      this.tooLarge(exchange, cluster, bodyBytesMax)
      return true
    }
    exchange.onBody(chunk, () => {
      if (!isTooLarge) this.take(exchange, cluster, body, close)
    })
  }

  /** Who forwards a request may write any address into its fields, so the connection's counts. */
  private clusterOf({ peer }: HttpExchange, path: string): string {
    if (this.path.endsWith("/")) return path.slice(this.path.length)
    const address = peer
      .slice(0, peer.lastIndexOf(":"))
      .replace(/^\[|\]$/g, "")
      .replace(/^::ffff:/, "")
    return this.options.byAddress?.get(address) ?? ""
  }

  private take(exchange: HttpExchange, cluster: string, body: PooledBody, close: () => void): void {
    const { forward, setting, store } = this.options
    const copy = forward === undefined ? undefined : Buffer.from(body.view())
    const seen: Array<Seen> = []
    const observe = (head: AuditHead, dropped: DropReason | undefined): void => void seen.push({ head, dropped })
    try {
      store.appendFrom(
        (take) => void takeEventList(cluster, body.view(), setting, observe, take),
        (outcome) => {
          close()
          if (outcome.kind === "durable" && copy !== undefined) forward?.add(cluster, copy)
          this.settle(exchange, cluster, outcome, seen)
        }
      )
    } catch (error) {
      close()
      if (!(error instanceof AuditInvalid)) throw error
      this.refuse(exchange, cluster, 400, "BadRequest", error.message)
    } finally {
      body.drop()
    }
  }

  private settle(exchange: HttpExchange, cluster: string, outcome: Appended, seen: ReadonlyArray<Seen>): void {
    const { clockwork, metrics, requests } = this.options
    if (outcome.kind === "full") {
      const seconds = Math.ceil(outcome.retryAfterMs / 1000)
      return this.refuse(exchange, cluster, 429, "TooManyRequests", "too many events wait to be written", seconds)
    }
    if (outcome.kind === "failed") {
      return this.refuse(exchange, cluster, 503, "ServiceUnavailable", "events cannot be written now", FAILED_SECONDS)
    }
    metrics.facts.add(["added"], outcome.added)
    metrics.facts.add(["known"], outcome.known)
    const nowUs = clockwork.now() * 1000
    // Only what was taken is counted: a batch that was refused comes again.
    metrics.events.add([cluster, "webhook"], seen.length)
    for (const { dropped, head } of seen) {
      if (dropped === undefined) metrics.lag.observe([cluster], Math.max(0, (nowUs - head.stageUs) / 1e6))
      else metrics.dropped.add([cluster, dropped])
      requests.observe(cluster, exchange.peer, head, nowUs)
    }
    metrics.batches.add([cluster, "200"])
    exchange.respond(200, [], "")
  }

  private tooLarge(exchange: HttpExchange, cluster: string, max: number): void {
    this.refuse(exchange, cluster, 413, "RequestEntityTooLarge", `a batch must have at most ${max} bytes`)
  }

  private refuse(
    exchange: HttpExchange,
    cluster: string,
    code: number,
    reason: string,
    message: string,
    retryAfterSeconds?: number
  ): void {
    this.options.metrics.batches.add([cluster, String(code)])
    refuse(exchange, code, reason, message, retryAfterSeconds)
  }
}
