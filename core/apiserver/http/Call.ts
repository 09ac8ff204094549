// One request on its way through the front: what is known of it so far, and the one answer that it gets.
// Owns answering once, the fields that every answer carries, and what is told to audit and metrics at the end; refuses to decide.
import { type ApiFailure, type Clockwork, Failures, type RequestInfo } from "#kube"
import type { HttpBody, HttpExchange, HttpFields } from "#net"
import type { UserInfo } from "../Request.ts"
import { negotiate, type Wanted } from "./Negotiation.ts"
import { statusBody } from "./StatusBody.ts"
import { parseTarget, type RequestUrl } from "./RequestUrl.ts"

/** What audit records of a call beyond its head; filled only when somebody wants it. */
export interface CallRecord {
  requestObject?: unknown
  responseObject?: unknown
  /** The message of a failure, for the audit event's responseStatus. */
  failure?: ApiFailure
}

const anonymous: UserInfo = { name: "", groups: [] }

export class Call {
  readonly exchange: HttpExchange
  readonly url: RequestUrl
  readonly info: RequestInfo
  readonly clockwork: Clockwork
  readonly auditId: string
  /** Milliseconds since the epoch. */
  readonly receivedMs: number
  readonly startedMs: number
  /** Who acts: after impersonation the one impersonated. */
  user: UserInfo = anonymous
  /** Who asked, where somebody else acts. */
  impersonator: UserInfo | undefined
  readonly record: CallRecord = {}
  /** The HTTP code, once answered; 0 before. */
  status = 0
  bytesSent = 0
  /** Runs when a stream begins. */
  onStart: (() => void) | undefined
  /** Whether the answer's end was reported. */
  private finished = false
  private readonly warnings: Array<string> = []
  private readonly finishers: Array<() => void> = []
  private wantedOnce: Wanted | undefined | null = null

  constructor(
    exchange: HttpExchange,
    clockwork: Clockwork,
    head: { readonly info: RequestInfo; readonly auditId: string; readonly url?: RequestUrl }
  ) {
    this.exchange = exchange
    this.clockwork = clockwork
    this.url = head.url ?? parseTarget(exchange.path)
    this.info = head.info
    this.auditId = head.auditId
    this.receivedMs = clockwork.now()
    this.startedMs = clockwork.monotonic()
  }

  get answered(): boolean {
    return this.status !== 0
  }

  /** How the client wants objects written; undefined when it accepts nothing that we write. */
  get wanted(): Wanted | undefined {
    if (this.wantedOnce !== null) return this.wantedOnce
    const { exchange, info, url } = this
    const reader = {
      accept: exchange.header("accept"),
      userAgent: exchange.header("user-agent"),
      pretty: url.query.get("pretty")
    }
    return (this.wantedOnce = negotiate(reader, info.verb === "watch"))
  }

  /** Adds a Warning field to the answer. */
  warn(text: string): void {
    if (!this.warnings.includes(text)) this.warnings.push(text)
  }

  /** Runs when the answer has been given whole, broken off, or the client is gone. */
  onFinish(run: () => void): void {
    if (this.finished) run()
    else this.finishers.push(run)
  }

  finish(): void {
    if (this.finished) return
    this.finished = true
    for (const run of this.finishers) run()
  }

  private fields(own: HttpFields): HttpFields {
    const cached = own.some(([name]) => name === "cache-control")
    return [
      ["audit-id", this.auditId],
      ...(cached ? [] : [cacheControl]),
      ...own,
      ...this.warnings.map((text) => ["warning", `299 - ${quoted(text)}`] as const)
    ]
  }

  /** Answers whole; later answers are ignored. */
  respond(status: number, fields: HttpFields, body: string | Uint8Array): void {
    if (this.answered) return
    this.status = status
    this.bytesSent = typeof body === "string" ? Buffer.byteLength(body) : body.length
    this.exchange.respond(status, this.fields(fields), body)
    this.finish()
  }

  /** Answers as a stream: `finish` is the caller's to call. */
  start(status: number, fields: HttpFields): HttpBody | undefined {
    if (this.answered) return undefined
    this.status = status
    const body = this.exchange.start(status, this.fields(fields))
    this.onStart?.()
    return body
  }

  /** Hands the connection over to a protocol of its own. */
  taken(status: number): void {
    if (this.answered) return
    this.status = status
    this.onStart?.()
  }

  /** Answers with a Status in the form that the client reads. */
  fail(failure: ApiFailure, extra: HttpFields = []): void {
    if (this.answered) return
    this.record.failure = failure
    const { body, contentType } = statusBody(failure.status, this.wanted)
    const retry = failure.status.details?.retryAfterSeconds
    const fields: Array<readonly [string, string]> = [["content-type", contentType], ...extra]
    if (retry !== undefined && retry > 0) fields.push(["retry-after", String(retry)])
    this.respond(failure.code, fields, body)
  }

  /** Answers what went wrong unforeseen with a 500, and says nothing of it to the client. */
  panic(): void {
    if (this.answered) this.finish()
    else this.fail(Failures.internal("an error on the server prevented the request from succeeding"))
  }
}

const cacheControl = ["cache-control", "no-cache, private"] as const

/** A quoted-string of a Warning field: what a field may not carry becomes a space (RFC 9110 section 5.5). */
const quoted = (text: string): string => `"${text.replaceAll(/\p{Cc}+/gu, " ").replaceAll(/["\\]/g, String.raw`\$&`)}"`
