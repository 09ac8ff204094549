// How often something may be asked: so many a second, and so many at once.
// Owns what no limit means; refuses to make anybody wait.
import { TokenBucket } from "#kube"

export class CallRate {
  private readonly bucket: TokenBucket | undefined

  /** 0 a second is unlimited. */
  constructor(perSecond: number, burst: number) {
    this.bucket = perSecond === 0 ? undefined : new TokenBucket(perSecond, Math.max(1, burst), 0)
  }

  take(nowMs: number): boolean {
    return this.bucket?.take(nowMs) ?? true
  }

  /** Seconds until the next one may be asked, at least 1. */
  retryAfterSeconds(nowMs: number): number {
    return Math.max(1, Math.ceil((this.bucket?.waitMs(nowMs, 0) ?? 0) / 1000))
  }
}
