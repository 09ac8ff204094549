// A token bucket on somebody else's clock: tokens come in at a rate, at most a burst of them is kept, each request takes one.
// Owns the arithmetic for all rooms, live resizing included; refuses timers, queues and what a refusal looks like.

/** What rounding may take from a whole token. */
const EPSILON = 1e-6

/** Tokens that come in steadily; times are milliseconds of any clock that never goes back. */
export class TokenBucket {
  /** Tokens a second. */
  rate: number
  burst: number
  private tokens: number
  private atMs: number

  /** Full at first, unless it is said how many tokens are in it. */
  constructor(rate: number, burst: number, nowMs: number, tokens = burst) {
    this.rate = rate
    this.burst = burst
    this.tokens = Math.min(tokens, burst)
    this.atMs = nowMs
  }

  private fill(nowMs: number): void {
    const elapsedMs = nowMs - this.atMs
    if (elapsedMs <= 0) return
    this.atMs = nowMs
    const filled = this.tokens + (elapsedMs * this.rate) / 1000
    this.tokens = filled > this.burst ? this.burst : filled
  }

  /** Takes one token, if there is one. */
  take(nowMs: number): boolean {
    this.fill(nowMs)
    if (this.tokens < 1 - EPSILON) return false
    this.tokens -= 1
    return true
  }

  /** Takes one token, which may be one of the future's; answers the milliseconds until it is there. */
  reserve(nowMs: number): number {
    const waitMs = this.waitMs(nowMs, 0)
    this.tokens -= 1
    return waitMs
  }

  /** Takes as many whole tokens as there are, at most `count`. */
  takeUpTo(count: number, nowMs: number): number {
    this.fill(nowMs)
    const taken = Math.max(0, Math.min(Math.floor(count), Math.floor(this.tokens + EPSILON)))
    this.tokens -= taken
    return taken
  }

  /** Takes what there is, parts of tokens too, at most `amount`. */
  drain(amount: number, nowMs: number): number {
    this.fill(nowMs)
    const taken = Math.max(0, Math.min(amount, this.tokens))
    this.tokens -= taken
    return taken
  }

  /** Puts tokens in: those that were taken for nothing, or that came with a lease. What is over the burst is lost. */
  add(tokens: number, nowMs: number): void {
    this.fill(nowMs)
    this.tokens = Math.min(this.burst, this.tokens + tokens)
  }

  available(nowMs: number): number {
    this.fill(nowMs)
    return this.tokens
  }

  /** Milliseconds until a token is there for who comes after `ahead` others; Infinity when none ever comes. */
  waitMs(nowMs: number, ahead: number): number {
    this.fill(nowMs)
    const missing = ahead + 1 - this.tokens
    if (missing <= EPSILON) return 0
    return this.rate > 0 ? (missing * 1000) / this.rate : Number.POSITIVE_INFINITY
  }

  /** Changes rate and burst; tokens that are there stay, as far as the burst holds them. Nothing is refilled. */
  resize(rate: number, burst: number, nowMs: number): void {
    this.fill(nowMs)
    this.rate = rate
    this.burst = burst
    if (this.tokens > burst) this.tokens = burst
  }
}
