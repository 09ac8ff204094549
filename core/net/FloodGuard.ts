// The bounds on frames that cost us work and the peer nothing: one token bucket per kind of abuse. Owns the limits and the
// counting; refuses to own the answer, which is always GOAWAY with ENHANCE_YOUR_CALM, given by the connection.
// A bucket holds `burst` tokens, regains `perSecond` of them, and some kinds regain one with every useful deed of the peer.

interface Budget {
  readonly burst: number
  readonly perSecond: number
}

/** What a peer may do for nothing, per connection. */
export const floodBudgets = {
  /** Streams that the peer opens and resets before their answer (CVE-2023-44487); each answered stream gives one back. */
  reset: { burst: 1000, perSecond: 200 },
  /** Streams that we had to reset for the peer's mistakes (CVE-2025-8671). */
  mistake: { burst: 200, perSecond: 20 },
  /** SETTINGS frames that are no acknowledgement (CVE-2019-9515). */
  settings: { burst: 100, perSecond: 10 },
  /** PING frames that are no acknowledgement (CVE-2019-9512) and follow nothing that we sent, beside the keepalive rule. */
  ping: { burst: 1000, perSecond: 100 },
  /** Empty DATA, HEADERS or CONTINUATION frames that end nothing (CVE-2019-9518). */
  empty: { burst: 100, perSecond: 10 },
  /** WINDOW_UPDATE frames (CVE-2019-9511, -9517); each DATA frame that we send gives two back. */
  window: { burst: 10_000, perSecond: 10_000 },
  /** PRIORITY and unknown frames, late RST_STREAM frames (CVE-2019-9513). */
  idle: { burst: 1000, perSecond: 1000 }
} as const satisfies Record<string, Budget>
export type FloodKind = keyof typeof floodBudgets

/** CONTINUATION frames that may follow one HEADERS frame (CVE-2024-27316); their bytes count against the header limit too. */
export const continuationsMax = 16

class Bucket {
  tokens: number
  private readonly budget: Budget
  /** A connection lives for weeks: what an empty bucket regains counts from its making. */
  private checkedMs = performance.now()

  constructor(budget: Budget) {
    this.budget = budget
    this.tokens = budget.burst
  }

  /** Takes a token; only an empty bucket looks at the clock. */
  take(): boolean {
    if (this.tokens >= 1) {
      this.tokens--
      return true
    }
    const nowMs = performance.now()
    const gained = ((nowMs - this.checkedMs) / 1000) * this.budget.perSecond
    this.checkedMs = nowMs
    this.tokens = Math.min(this.budget.burst, this.tokens + gained)
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }

  give(count: number): void {
    if (this.tokens < this.budget.burst) this.tokens += count
  }
}

/** The buckets of one connection, made when first needed. */
export class FloodGuard {
  private readonly buckets: Partial<Record<FloodKind, Bucket>> = {}

  /** Counts one; false means that the peer has used up its budget. */
  allows(kind: FloodKind): boolean {
    return (this.buckets[kind] ??= new Bucket(floodBudgets[kind])).take()
  }

  /** Gives back what a useful deed earns. */
  earn(kind: FloodKind, count: number): void {
    this.buckets[kind]?.give(count)
  }
}
