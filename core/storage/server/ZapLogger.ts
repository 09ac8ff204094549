// Log lines in etcd's form: one JSON object a line, with level, time, caller and message before the fields.
// Owns the form, so that tools that read etcd's log read ours; refuses to decide what is logged.
import { Logger, References } from "effect"

const levels: Readonly<Record<string, string>> = {
  Fatal: "fatal",
  Error: "error",
  Warn: "warn",
  Info: "info",
  Debug: "debug",
  Trace: "debug"
}

/** A logger that writes etcd's lines, or a readable form of them, through `write`. */
export const zapLogger = (write: (line: string) => void, format: "json" | "console") =>
  Logger.make((options) => {
    const fields = options.fiber.getRef(References.CurrentLogAnnotations)
    const { caller = "storage/server", ...rest } = fields
    const level = levels[options.logLevel] ?? "info"
    const ts = options.date.toISOString().replace("Z", "000Z")
    const msg = Array.isArray(options.message) ? options.message.map(String).join(" ") : String(options.message)
    write(
      format === "json"
        ? `${JSON.stringify({ level, ts, caller, msg, ...rest })}\n`
        : `${ts}\t${level}\t${String(caller)}\t${msg}\t${JSON.stringify(rest)}\n`
    )
  })
