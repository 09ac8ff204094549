// How many retries a cluster gets: a share of its requests over the last ten seconds, and a few a second for free, so that retries
// never multiply the load of endpoints that fail.
// Owns the counting in ten buckets of a second; refuses to judge whether a retry is safe.

const SECONDS = 10

export class RetryBudget {
  private readonly percent: number
  private readonly free: number
  private readonly requests = new Float64Array(SECONDS)
  private readonly retries = new Float64Array(SECONDS)
  private second = 0

  constructor(percent: number, minPerSecond: number) {
    this.percent = percent
    this.free = minPerSecond * SECONDS
  }

  /** A request began. */
  count(nowMs: number): void {
    this.requests[this.turn(nowMs)]++
  }

  /** Takes a retry; false when there is none left. */
  take(nowMs: number): boolean {
    const slot = this.turn(nowMs)
    const allowed = (sum(this.requests) * this.percent) / 100 + this.free
    if (sum(this.retries) + 1 > allowed) return false
    this.retries[slot]++
    return true
  }

  /** The bucket of now; those that time has passed over are emptied. */
  private turn(nowMs: number): number {
    const second = Math.floor(nowMs / 1000)
    const passed = Math.min(second - this.second, SECONDS)
    for (let each = 1; each <= passed; each++) {
      const slot = (this.second + each) % SECONDS
      this.requests[slot] = 0
      this.retries[slot] = 0
    }
    if (passed > 0) {
      this.second = second
      if (passed === SECONDS) {
        this.requests.fill(0)
        this.retries.fill(0)
      }
    }
    return this.second % SECONDS
  }
}

const sum = (buckets: Float64Array): number => {
  let total = 0
  for (const each of buckets) total += each
  return total
}
