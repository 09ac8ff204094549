// Time limits on the heads of answers: many, and hardly ever reached, so they stand in a line and are looked at four times a second.
// Owns the line; refuses timers of its own. A limit is noticed up to a quarter of a second late.

export interface AwaitsHead {
  readonly headDueMs: number
  headOverdue(): void
}

export class HeadTimes {
  private readonly waiting = new Set<AwaitsHead>()

  add(request: AwaitsHead): void {
    this.waiting.add(request)
  }

  remove(request: AwaitsHead): void {
    this.waiting.delete(request)
  }

  /** Tells those whose time is over. */
  expire(nowMs: number): void {
    for (const request of this.waiting) {
      if (request.headDueMs > nowMs) continue
      this.waiting.delete(request)
      request.headOverdue()
    }
  }
}
