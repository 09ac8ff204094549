// How much one tenant may ask of this server at once, so that no tenant starves another: requests a second, requests at a time,
// watches.
// Owns one tenant's counters; refuses to know what a request is about.
import { ApiFailure, type Clockwork, Failures, TokenBucket } from "#kube"

export interface TenantLimits {
  /** Requests a second that a tenant may keep up. */
  readonly requestsPerSecond: number
  /** Requests that may come at once after a pause. */
  readonly burst: number
  /** Requests under way at the same time, watches and streams not counted. */
  readonly inFlightMax: number
  /** Watches and streams open at the same time. */
  readonly longRunningMax: number
}

export const defaultTenantLimits: TenantLimits = {
  requestsPerSecond: 200,
  burst: 400,
  inFlightMax: 100,
  longRunningMax: 1000
}

/** Counters since the server began, and what is open now. */
export interface TenantLoadStats {
  readonly requests: number
  readonly refused: number
  readonly inFlight: number
  readonly longRunning: number
}

/** Given back once, when the request is over. */
export type Leave = () => void

export class TenantLoad {
  private readonly limits: TenantLimits
  private readonly clockwork: Clockwork
  private readonly bucket: TokenBucket
  private inFlight = 0
  private longRunning = 0
  private requests = 0
  private refused = 0

  constructor(limits: TenantLimits, clockwork: Clockwork) {
    this.limits = limits
    this.clockwork = clockwork
    this.bucket = new TokenBucket(limits.requestsPerSecond, limits.burst, clockwork.monotonic())
  }

  /** What the tenant asked so far, and asks now. */
  get stats(): TenantLoadStats {
    const { inFlight, longRunning, refused, requests } = this
    return { inFlight, longRunning, refused, requests }
  }

  /** Lets a request in, or says why it must wait. */
  enter(isLongRunning: boolean): Leave | ApiFailure {
    const leave = this.take(isLongRunning)
    this.requests++
    if (leave instanceof ApiFailure) this.refused++
    return leave
  }

  private take(isLongRunning: boolean): Leave | ApiFailure {
    const { inFlightMax, longRunningMax, requestsPerSecond } = this.limits
    if (isLongRunning && this.longRunning >= longRunningMax) return tooMany(`${longRunningMax} watches are open`)
    if (!isLongRunning && this.inFlight >= inFlightMax) return tooMany(`${inFlightMax} requests are under way`)
    if (!this.bucket.take(this.clockwork.monotonic()))
      return tooMany(`more than ${requestsPerSecond} requests a second`)
    if (isLongRunning) this.longRunning++
    else this.inFlight++
    let left = false
    return () => {
      if (left) return
      left = true
      if (isLongRunning) this.longRunning--
      else this.inFlight--
    }
  }
}

const tooMany = (why: string): ApiFailure =>
  Failures.tooManyRequests(`too many requests, please try again later: ${why}`, 1)
