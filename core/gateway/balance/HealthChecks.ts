// Active checks of one cluster's endpoints: each is asked at once, then at every interval, and soon after it refused a connection.
// Owns when and what is asked, and the word for a bad answer; refuses to count good and bad ones, which the endpoint does.
import type { Cancel, Clockwork } from "#kube"
import type { HttpFields } from "#net"
import type { HealthCheck } from "../config/UpstreamCluster.ts"
import { ownCall } from "./OwnCall.ts"
import type { Upstream } from "./Upstream.ts"

/** Checks outside the interval that one endpoint gets at most: one for each such time. */
const SOON_MS = 500

interface Kept {
  cancel: Cancel
  running: boolean
  soonAtMs: number
}

export class HealthChecks {
  private readonly clockwork: Clockwork
  private readonly kept = new Map<Upstream, Kept>()
  private health: HealthCheck
  private fields: HttpFields

  /** `fields` prove the gateway. */
  constructor(clockwork: Clockwork, health: HealthCheck, fields: HttpFields) {
    this.clockwork = clockwork
    this.health = health
    this.fields = fields
  }

  update(health: HealthCheck, fields: HttpFields): void {
    const again = health.intervalMs !== this.health.intervalMs
    this.health = health
    this.fields = fields
    if (!again) return
    const upstreams = [...this.kept.keys()]
    for (const upstream of upstreams) {
      this.remove(upstream)
      this.add(upstream)
    }
  }

  /** Checks the endpoint from now on. */
  add(upstream: Upstream): void {
    if (this.kept.has(upstream)) return
    const cancel = this.clockwork.every(this.health.intervalMs, () => {
      upstream.connections.trim()
      this.check(upstream)
    })
    this.kept.set(upstream, { cancel, running: false, soonAtMs: Number.NEGATIVE_INFINITY })
    this.check(upstream)
  }

  remove(upstream: Upstream): void {
    this.kept.get(upstream)?.cancel()
    this.kept.delete(upstream)
  }

  /** Checks outside the interval. */
  soon(upstream: Upstream): void {
    const entry = this.kept.get(upstream)
    const nowMs = this.clockwork.monotonic()
    if (entry === undefined || nowMs - entry.soonAtMs < SOON_MS) return
    entry.soonAtMs = nowMs
    this.clockwork.defer(() => this.check(upstream))
  }

  close(): void {
    for (const { cancel } of this.kept.values()) cancel()
    this.kept.clear()
  }

  private check(upstream: Upstream): void {
    const entry = this.kept.get(upstream)
    if (entry === undefined || entry.running || upstream.endpoint.disabled) return
    entry.running = true
    this.ask(upstream, 0, (reason, message) => {
      entry.running = false
      if (this.kept.get(upstream) !== entry) return
      if (reason === "") upstream.checkPassed()
      else upstream.checkFailed(reason, message)
    })
  }

  private ask(upstream: Upstream, at: number, done: (reason: string, message: string) => void): void {
    const { health } = this
    const path = health.paths[at]
    if (path === undefined) return done("", "")
    const asked = { method: "GET", path, fields: this.fields, timeoutMs: health.timeoutMs } as const
    ownCall(upstream, asked, this.clockwork, (outcome) => {
      if (outcome.kind === "failure") return done(reasonOf(outcome.code), `${path}: ${outcome.message}`)
      if (outcome.status === 200) return this.ask(upstream, at + 1, done)
      done(outcome.status >= 500 ? "NotReady" : "Failure", `${path} answered ${outcome.status}`)
    })
  }
}

const reasonOf = (code: string): string => {
  if (code === "TIMEOUT" || code === "ETIMEDOUT") return "Timeout"
  if (code === "ECONNREFUSED") return "ConnectionRefused"
  return /CERT|TLS|SSL|SIGNATURE/.test(code) ? "Certificate" : "Failure"
}
