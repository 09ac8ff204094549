// /livez, /readyz and /healthz: named checks, told one by one when asked to be verbose.
// Owns the checks' list, exclusion and wording; what a check asks is brought by who registers it.
import type { Call } from "./Call.ts"
import { plainText, textNotFound } from "./PlainAnswers.ts"

/** A part that may be unwell. */
export interface HealthCheck {
  readonly name: string
  /** Answers undefined when all is well, else why not; the reason is for the log, not for the client. */
  readonly check: () => string | undefined
  /** Whether only readiness depends on it. */
  readonly readinessOnly?: boolean
}

export type HealthEndpoint = "livez" | "readyz" | "healthz"

export class HealthChecks {
  private readonly checks: Array<HealthCheck>
  private readonly onFailure: (endpoint: HealthEndpoint, text: string) => void

  constructor(checks: ReadonlyArray<HealthCheck>, onFailure: (endpoint: HealthEndpoint, text: string) => void) {
    this.checks = [{ name: "ping", check: () => undefined }, { name: "log", check: () => undefined }, ...checks]
    this.onFailure = onFailure
  }

  private of(endpoint: HealthEndpoint): ReadonlyArray<HealthCheck> {
    return endpoint === "readyz" ? this.checks : this.checks.filter(({ readinessOnly }) => readinessOnly !== true)
  }

  /** The paths of all checks, without a leading slash. */
  paths(): ReadonlyArray<string> {
    return (["healthz", "livez", "readyz"] as const).flatMap((endpoint) => [
      endpoint,
      ...this.of(endpoint).map(({ name }) => `${endpoint}/${name}`)
    ])
  }

  /** Answers `/livez`, or one check of it when `path` goes on. */
  answer(call: Call, endpoint: HealthEndpoint, rest: string): void {
    const checks = this.of(endpoint)
    if (rest !== "") {
      const one = checks.find(({ name }) => name === rest)
      if (one === undefined) return textNotFound(call)
      const why = one.check()
      if (why === undefined) return plainText(call, 200, "ok")
      this.onFailure(endpoint, `${one.name}: ${why}`)
      return plainText(call, 500, "internal server error: reason withheld\n")
    }
    const excluded = new Set(call.url.query.all("exclude"))
    const lines: Array<string> = []
    const failed: Array<string> = []
    for (const { check, name } of checks) {
      if (excluded.delete(name)) {
        lines.push(`[+]${name} excluded: ok`)
        continue
      }
      const why = check()
      if (why === undefined) lines.push(`[+]${name} ok`)
      else {
        failed.push(`${name}: ${why}`)
        lines.push(`[-]${name} failed: reason withheld`)
      }
    }
    if (excluded.size > 0) {
      lines.push(
        `warn: some health checks cannot be excluded: no matches for ${[...excluded].map((name) => JSON.stringify(name)).join(", ")}`
      )
    }
    if (failed.length > 0) {
      this.onFailure(endpoint, failed.join("; "))
      return plainText(call, 500, `${lines.join("\n")}\n${endpoint} check failed\n`)
    }
    plainText(call, 200, call.url.query.has("verbose") ? `${lines.join("\n")}\n${endpoint} check passed\n` : "ok")
  }
}
