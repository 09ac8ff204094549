// The access log: one JSON line for a request whose policy writes it, and, whatever the policy says, for one that failed or was slow.
// Owns the line, who gets one, and redaction; refuses files: the sink is brought. Control characters are JSON's escapes, so a line is
// one line whatever a client sends. Values of query parameters that carry secrets are replaced.
import type { JsonObject } from "#kube"
import { rfc3339Micro } from "#kube"
import { isLongRunning } from "../policy/RequestFacts.ts"
import type { RequestRecord } from "./Observer.ts"

/** Takes lines; must not wait. */
export interface LineSink {
  readonly write: (line: JsonObject) => void
}

export interface AccessLogOptions {
  readonly sink: LineSink
  /** Whether policies may write at all (--enable-proxy-access-log). */
  readonly enabled: boolean
  /** Short requests and lists that last longer are written anyway, in milliseconds. Defaults 5000 and 30,000. */
  readonly shortSlowMs?: number
  readonly listSlowMs?: number
}

const SHORT_SLOW_MS = 5000
const LIST_SLOW_MS = 30_000
/** Characters of a field that a client chooses the length of. */
const FIELD_MAX = 2048

const secretParameter = /([?&](?:[a-z_-]*token|authorization|password|secret|client_secret|api_?key)=)[^&]*/gi

/** A target whose secret parameters show no value. */
export const redactedTarget = (target: string): string => cut(target.replaceAll(secretParameter, "$1REDACTED"))

const cut = (value: string): string => (value.length > FIELD_MAX ? `${value.slice(0, FIELD_MAX)}…` : value)

export class AccessLog {
  lines = 0
  private readonly options: Required<AccessLogOptions>

  constructor(options: AccessLogOptions) {
    this.options = { shortSlowMs: SHORT_SLOW_MS, listSlowMs: LIST_SLOW_MS, ...options }
  }

  /** Writes a request that is over, if it is to be written. `forced`: the client asked for a trace of it. */
  ended(record: RequestRecord, forced: boolean): void {
    if (!forced && !(this.options.enabled && record.log) && !this.isRemarkable(record)) return
    this.lines++
    this.options.sink.write(lineOf(record, forced))
  }

  private isRemarkable({ arrivedMs, code, endedMs, facts }: RequestRecord): boolean {
    if ((code < 200 && code !== 101) || code >= 500) return true
    if (facts === undefined || isLongRunning(facts.info)) return false
    const { listSlowMs, shortSlowMs } = this.options
    return endedMs - arrivedMs > (facts.info.verb === "list" ? listSlowMs : shortSlowMs)
  }
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000

const lineOf = (record: RequestRecord, forced: boolean): JsonObject => {
  const { code, endpoint, exchange, facts, flowControl, impersonator, reason, trace } = record
  const user = facts?.user
  return {
    time: rfc3339Micro(record.receivedAtMs),
    auditID: record.auditId,
    method: exchange.method,
    verb: facts?.info.verb ?? "",
    host: record.cluster,
    endpoint,
    uri: redactedTarget(exchange.path),
    code,
    ...(reason === "" ? {} : { reason }),
    latencyMs: rounded(record.endedMs - record.arrivedMs),
    receivedBytes: record.receivedBytes,
    sentBytes: record.sentBytes,
    protocol: exchange.protocol,
    ...(flowControl === "" ? {} : { flowControl }),
    user: cut(user?.name ?? ""),
    groups: user?.groups.map(cut) ?? [],
    ...(impersonator === undefined
      ? {}
      : { impersonator: cut(impersonator.name), impersonatorGroups: impersonator.groups.map(cut) }),
    userAgent: cut(facts?.userAgent ?? ""),
    sourceIP: facts?.sourceIp ?? "",
    ...(trace === undefined ? {} : { traceID: trace.traceId }),
    ...(forced ? { stages: stagesOf(record) } : {})
  }
}

/** Milliseconds of each stage that was reached. */
const stagesOf = (record: RequestRecord): JsonObject => {
  const { admittedMs, arrivedMs, authenticatedMs, endedMs, headMs, sentMs } = record
  const stage = (name: string, from: number, to: number): JsonObject =>
    from > 0 && to > 0 ? { [name]: rounded(to - from) } : {}
  return {
    ...stage("authentication", arrivedMs, authenticatedMs),
    ...stage("admission", authenticatedMs, admittedMs),
    ...stage("dispatch", admittedMs, sentMs),
    ...stage("upstream_head", sentMs, headMs),
    ...stage("body", headMs, endedMs)
  }
}
