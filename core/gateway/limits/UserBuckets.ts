// A token bucket for each user, kept as one number: the moment at which the bucket is full again (the generic cell rate algorithm).
// Owns the numbers and their bound; refuses to know what a user is. When there are too many users, full buckets are forgotten first,
// which changes nothing; only when the eldest are all in use does one of them start anew, full.

/** Users whose buckets are kept. */
const USERS_MAX = 10_000
/** How many of the eldest are looked at for each new user beyond. */
const LOOKS = 16

export class UserBuckets {
  private readonly intervalMs: number
  private readonly toleranceMs: number
  private readonly usersMax: number
  private readonly fullAt = new Map<string, number>()

  /** Tokens a second, and how many at once. */
  constructor(qps: number, burst: number, usersMax = USERS_MAX) {
    this.intervalMs = 1000 / qps
    this.toleranceMs = (Math.max(1, burst) - 1) * this.intervalMs
    this.usersMax = usersMax
  }

  get size(): number {
    return this.fullAt.size
  }

  /** Takes a token of a user: 0, or the milliseconds until there is one. */
  take(user: string, nowMs: number): number {
    const known = this.fullAt.get(user)
    const fullAtMs = known === undefined || known < nowMs ? nowMs : known
    const waitMs = fullAtMs - nowMs - this.toleranceMs
    if (waitMs > 1e-6) return waitMs
    if (known === undefined && this.fullAt.size >= this.usersMax) this.makeRoom(nowMs)
    this.fullAt.set(user, fullAtMs + this.intervalMs)
    return 0
  }

  /** Gives a token back that was taken for nothing. */
  untake(user: string): void {
    const known = this.fullAt.get(user)
    if (known !== undefined) this.fullAt.set(user, known - this.intervalMs)
  }

  private makeRoom(nowMs: number): void {
    let looks = LOOKS
    for (const [user, fullAtMs] of this.fullAt) {
      if (looks-- === 0) break
      this.fullAt.delete(user)
      if (fullAtMs <= nowMs) return
      this.fullAt.set(user, fullAtMs)
    }
    const eldest = this.fullAt.keys().next()
    if (eldest.done !== true) this.fullAt.delete(eldest.value)
  }
}
