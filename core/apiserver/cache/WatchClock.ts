// When watchers are due: their bookmarks about once a minute and shortly before their end, and the end itself.
// Owns seconds as buckets and one timer for all watchers, which runs only while somebody waits; refuses to know what is due.
import type { Cancel, Clockwork } from "#kube"

const TICK_MS = 1000

export interface Due {
  readonly due: (nowMs: number) => void
}

export class WatchClock {
  private readonly clockwork: Clockwork
  private readonly buckets = new Map<number, Set<Due>>()
  private reached = 0
  private stop: Cancel | undefined

  constructor(clockwork: Clockwork) {
    this.clockwork = clockwork
  }

  now(): number {
    return this.clockwork.monotonic()
  }

  /** Calls back within a second after the time (monotonic milliseconds). */
  at(timeMs: number, due: Due): Cancel {
    if (this.stop === undefined) {
      this.reached = Math.floor(this.now() / TICK_MS)
      this.stop = this.clockwork.every(TICK_MS, () => this.tick())
    }
    const second = Math.max(Math.ceil(timeMs / TICK_MS), this.reached + 1)
    const bucket = this.buckets.get(second)
    if (bucket === undefined) this.buckets.set(second, new Set([due]))
    else bucket.add(due)
    return () => {
      const found = this.buckets.get(second)
      found?.delete(due)
      if (found?.size === 0) this.buckets.delete(second)
    }
  }

  private tick(): void {
    const now = this.now()
    const upTo = Math.floor(now / TICK_MS)
    while (this.reached < upTo) {
      const bucket = this.buckets.get(++this.reached)
      if (bucket === undefined) continue
      this.buckets.delete(this.reached)
      for (const due of bucket) due.due(now)
    }
    if (this.buckets.size > 0) return
    this.stop?.()
    this.stop = undefined
  }
}
