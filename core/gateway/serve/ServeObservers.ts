// What a serving gateway tells of requests: metrics always; access log, audit and spans as they are asked for.
// Owns opening their files and senders, and their end with the scope; refuses what they say.
import { hostname } from "node:os"
import { Effect, Schema } from "effect"
import { AuditLog, openAudit } from "#apiserver"
import { machineClockwork } from "#kube"
import type { LimiterClient } from "../global/LimiterClient.ts"
import type { Limits } from "../limits/Limits.ts"
import { AccessLog } from "../observe/AccessLog.ts"
import { flowMetrics } from "../observe/FlowMetrics.ts"
import { GatewayObserver } from "../observe/GatewayObserver.ts"
import { Spans } from "../observe/Spans.ts"
import { spanSender } from "../observe/SpanSenderAdapter.ts"

export interface ObserverSettings {
  /** Whether policies may write to the access log; failures and slow requests are written all the same. */
  readonly accessLog: boolean
  /** "-" is the standard output. */
  readonly accessLogPath: string
  readonly auditPolicyFile: string | undefined
  readonly auditLogPath: string | undefined
  readonly auditWebhookUrl: string | undefined
  /** A collector's base URL; undefined: no spans. */
  readonly tracingEndpoint: string | undefined
  /** From 0 to 1. */
  readonly tracingSampling: number
  /** Whether requests are counted by user as well. */
  readonly byUser: boolean
}

/** A log that cannot be opened. */
export class LogInvalid extends Schema.TaggedError<LogInvalid>()("LogInvalid", { message: Schema.String }) {}

/** A file of this size is put aside, and so many are kept. */
const bounds = { maxBytes: 100 * 2 ** 20, maxBackups: 10 }

const openAccessLog = ({ accessLog, accessLogPath: path }: ObserverSettings) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => new AuditLog({ path, ...bounds }),
      catch: () => new LogInvalid({ message: `--proxy-access-log-path ${path}: cannot be opened` })
    }),
    (log) => Effect.sync(() => log.close())
  ).pipe(
    Effect.map((log) => ({
      log,
      accessLog: new AccessLog({ enabled: accessLog, sink: { write: (line) => log.write(line) } })
    }))
  )

const openProxyAudit = (settings: ObserverSettings) => {
  const { auditLogPath: logPath, auditPolicyFile: policyFile, auditWebhookUrl: webhookUrl } = settings
  if (policyFile === undefined) return Effect.succeed({})
  const { maxBackups: logMaxBackups, maxBytes: logMaxBytes } = bounds
  return Effect.map(openAudit({ policyFile, logPath, webhookUrl, logMaxBackups, logMaxBytes }), (audit) => ({ audit }))
}

/** The observer of a data path; `limits` and the limiter's client have pages of their own in its metrics. */
export const openObserver = Effect.fnUntraced(function* (
  settings: ObserverSettings,
  limits: Limits,
  client: LimiterClient | undefined
) {
  const { tracingEndpoint, tracingSampling } = settings
  const clockwork = machineClockwork
  const { accessLog, log } = yield* openAccessLog(settings)
  const audit = yield* openProxyAudit(settings)
  const spans =
    tracingEndpoint === undefined
      ? {}
      : {
          spans: new Spans({
            clockwork,
            send: spanSender(tracingEndpoint),
            serviceName: "kube-gateway",
            instance: hostname()
          })
        }
  const observer = new GatewayObserver({
    clockwork,
    accessLog,
    sampling: tracingSampling,
    byUser: settings.byUser,
    sources: [() => flowMetrics(limits, client)],
    ...audit,
    ...spans
  })
  observer.countDrops("access_log", () => log.dropped)
  return observer
})
