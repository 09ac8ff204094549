// How often something may be asked: so many a second, and so many at once.
// Owns the counting; refuses to make anybody wait.

export class CallRate {
  private readonly perSecond: number
  private readonly burst: number
  private tokens: number
  private atMs = 0

  /** 0 a second is unlimited. */
  constructor(perSecond: number, burst: number) {
    this.perSecond = perSecond
    this.burst = Math.max(1, burst)
    this.tokens = this.burst
  }

  take(nowMs: number): boolean {
    if (this.perSecond === 0) return true
    this.tokens = Math.min(this.burst, this.tokens + (Math.max(0, nowMs - this.atMs) / 1000) * this.perSecond)
    this.atMs = nowMs
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }

  /** Seconds until the next one may be asked, at least 1. */
  get retryAfterSeconds(): number {
    return this.perSecond === 0 ? 1 : Math.max(1, Math.ceil((1 - this.tokens) / this.perSecond))
  }
}
