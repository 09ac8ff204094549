// How many requests are worked on at once, mutating and others apart.
// Owns the two counts and their bounds; a request over the bound is refused, never queued.
import { ApiFailure, Failures } from "#kube"
import type { Call } from "./Call.ts"
import type { FrontMetrics } from "./FrontMetrics.ts"

export interface InFlightLimits {
  /** 0 for no bound. kube-apiserver's default is 400. */
  readonly readOnlyMax: number
  /** 0 for no bound. kube-apiserver's default is 200. */
  readonly mutatingMax: number
}

const readOnlyVerbs = new Set(["get", "list", "watch"])

export class InFlight {
  private readonly limits: InFlightLimits
  private readonly metrics: FrontMetrics

  constructor(limits: InFlightLimits, metrics: FrontMetrics) {
    this.limits = limits
    this.metrics = metrics
  }

  /** Lets a request in until it ends, or answers why not. Whoever is in system:masters always gets in. */
  enter(call: Call): ApiFailure | undefined {
    const { inflight } = this.metrics
    const kind = readOnlyVerbs.has(call.info.verb) ? "readOnly" : "mutating"
    const max = kind === "readOnly" ? this.limits.readOnlyMax : this.limits.mutatingMax
    if (max > 0 && inflight[kind] >= max && !call.user.groups.includes("system:masters")) {
      this.metrics.terminated(429)
      return Failures.tooManyRequests("Too many requests, please try again later.", 1)
    }
    inflight[kind]++
    call.onFinish(() => void inflight[kind]--)
    return undefined
  }
}
