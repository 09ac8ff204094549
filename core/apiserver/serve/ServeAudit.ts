// The audit trail as configured: the policy read, the log opened, the webhook reached.
// Owns their opening and their end with the scope; refuses what is recorded, which the policy says.
import { readFileSync } from "node:fs"
import { Effect, Schema } from "effect"
import { machineClockwork } from "#kube"
import { Audit, type AuditBackend } from "../http/Audit.ts"
import { AuditLog } from "../http/AuditLogAdapter.ts"
import { AuditPolicyInvalid, parseAuditPolicy } from "../http/AuditPolicy.ts"
import { AuditWebhook } from "../http/AuditWebhook.ts"
import type { AuditOptions } from "./ServerOptions.ts"

/** A file that the server was told to use cannot be used. */
export class ServerFileInvalid extends Schema.TaggedError<ServerFileInvalid>()("ServerFileInvalid", {
  option: Schema.String,
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `--${this.option} ${this.path}: ${this.detail}`
  }
}

/** The text of a file that an option names. */
export const readServerFile = (option: string, path: string): Effect.Effect<string, ServerFileInvalid> =>
  Effect.try({
    try: () => readFileSync(path, "utf8"),
    catch: (error) =>
      new ServerFileInvalid({ option, path, detail: error instanceof Error ? error.message : String(error) })
  })

/** How long a batch may take on its way, in milliseconds. */
const WEBHOOK_TIMEOUT_MS = 30_000

const openLog = ({ logMaxBackups, logMaxBytes, logPath = "-" }: AuditOptions) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => new AuditLog({ path: logPath, maxBytes: logMaxBytes, maxBackups: logMaxBackups }),
      catch: (error) =>
        new ServerFileInvalid({
          option: "audit-log-path",
          path: logPath,
          detail: error instanceof Error ? error.message : String(error)
        })
    }),
    (log) => Effect.sync(() => log.close())
  )

const openWebhook = (url: string): AuditWebhook =>
  new AuditWebhook(machineClockwork, (body, done) => {
    fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      signal: AbortSignal.timeout(WEBHOOK_TIMEOUT_MS)
    }).then(
      (answer) => done(answer.ok),
      () => done(false)
    )
  })

/** Makes the trail of a front. */
export const openAudit = Effect.fnUntraced(function* (options: AuditOptions) {
  const text = yield* readServerFile("audit-policy-file", options.policyFile)
  const policy = parseAuditPolicy(text)
  if (policy instanceof AuditPolicyInvalid) return yield* policy
  const backends: Array<AuditBackend> = []
  if (options.logPath !== undefined) backends.push(yield* openLog(options))
  if (options.webhookUrl !== undefined) {
    const webhook = openWebhook(options.webhookUrl)
    backends.push(webhook)
    yield* Effect.addFinalizer(() => Effect.sync(() => webhook.flush()))
  }
  return (metrics: { auditEvents: number }) => new Audit(policy, backends, metrics)
})
