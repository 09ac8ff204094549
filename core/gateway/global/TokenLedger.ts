// One token bucket for all gateways, of which each asks for a few at a time.
// Owns who waits for how many and the fair division of what comes in: tokens leave this bucket once, so that what is admitted anywhere
// never passes rate and burst, but for tokens that were handed out before and not used yet. Refuses clocks and messages.
import { TokenBucket } from "#kube"
import { allocate } from "./Allocation.ts"

interface Asker {
  wanted: number
  untilMs: number
}

export class TokenLedger {
  readonly bucket: TokenBucket
  private readonly holdMs: number
  private readonly askers = new Map<string, Asker>()

  /** After a change of leader the bucket starts empty: nobody knows how many tokens are out. */
  constructor(
    qps: number,
    burst: number,
    options: { readonly nowMs: number; readonly holdMs: number; readonly empty: boolean }
  ) {
    this.bucket = new TokenBucket(qps, burst, options.nowMs, options.empty ? 0 : burst)
    this.holdMs = options.holdMs
  }

  get size(): number {
    return this.askers.size
  }

  resize(qps: number, burst: number, nowMs: number): void {
    this.bucket.resize(qps, burst, nowMs)
  }

  /** A gateway wants so many beside what it has; the last word counts. */
  ask(instance: string, wanted: number, nowMs: number): void {
    const bounded = Math.max(0, Math.min(Math.ceil(wanted), Math.ceil(this.bucket.burst)))
    this.askers.set(instance, { wanted: bounded, untilMs: nowMs + this.holdMs })
  }

  leave(instance: string): void {
    this.askers.delete(instance)
  }

  /** Takes tokens at once, as the original's acquire does: as many as there are of those asked for. */
  take(tokens: number, nowMs: number): number {
    return this.bucket.takeUpTo(tokens, nowMs)
  }

  expire(nowMs: number): ReadonlyArray<string> {
    const gone = Array.from(this.askers).filter(([, { untilMs }]) => untilMs <= nowMs)
    for (const [instance] of gone) this.askers.delete(instance)
    return gone.map(([instance]) => instance)
  }

  /** Divides what is there among those who want; answers how many each gets. */
  plan(nowMs: number): ReadonlyMap<string, number> {
    const askers = [...this.askers].filter(([, { wanted }]) => wanted > 0)
    const grants = new Map<string, number>()
    if (askers.length === 0) return grants
    const there = Math.floor(this.bucket.available(nowMs) + 1e-6)
    if (there <= 0) return grants
    const wants = askers.map(([, { wanted }]) => wanted)
    const parts = allocate(there, wants, { whole: true, spare: false })
    for (const [at, [instance, asker]] of askers.entries()) {
      const tokens = this.bucket.takeUpTo(parts[at] ?? 0, nowMs)
      if (tokens === 0) continue
      asker.wanted -= tokens
      // Whoever got some stands behind the others next time.
      this.askers.delete(instance)
      this.askers.set(instance, asker)
      grants.set(instance, tokens)
    }
    return grants
  }

  /** Milliseconds until somebody who waits can get a token; undefined when nobody does. */
  waitMs(nowMs: number): number | undefined {
    for (const { wanted } of this.askers.values()) if (wanted > 0) return this.bucket.waitMs(nowMs, 0)
    return undefined
  }
}
