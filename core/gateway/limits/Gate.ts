// What decides whether one more request may pass now: slots of requests in flight, a bucket of tokens, tokens handed out by a
// limiter, always, or never.
// Owns the five rules; refuses to count requests in flight, which the flow does, so that a change of rule forgets none of them.
import { TokenBucket } from "#kube"

export interface Gate {
  readonly kind: "Exempt" | "MaxRequestsInflight" | "TokenBucket" | "Tokens" | "Shut"
  /** Lets one more pass, if it may. */
  take(nowMs: number, inFlight: number): boolean
  /** Gives back what `take` took of a request that did not go on after all; requests in flight give nothing back here. */
  untake(nowMs: number): void
  /** Milliseconds until one passes who comes after `ahead` others; Infinity when time alone opens nothing. */
  waitMs(nowMs: number, ahead: number): number
  /** Passes a second as far as the rule itself says, else undefined. */
  readonly rate: number | undefined
}

/** At most so many requests in flight. */
export class SlotGate implements Gate {
  readonly kind = "MaxRequestsInflight"
  readonly rate = undefined
  readonly max: number

  constructor(max: number) {
    this.max = max
  }

  take(_nowMs: number, inFlight: number): boolean {
    return inFlight < this.max
  }

  untake(): void {}

  waitMs(): number {
    return Number.POSITIVE_INFINITY
  }
}

/** So many requests a second, and a burst at once. */
export class BucketGate implements Gate {
  readonly kind = "TokenBucket"
  readonly bucket: TokenBucket

  constructor(bucket: TokenBucket) {
    this.bucket = bucket
  }

  get rate(): number {
    return this.bucket.rate
  }

  take(nowMs: number): boolean {
    return this.bucket.take(nowMs)
  }

  untake(nowMs: number): void {
    this.bucket.add(1, nowMs)
  }

  waitMs(nowMs: number, ahead: number): number {
    return this.bucket.waitMs(nowMs, ahead)
  }
}

/** Tokens that a limiter handed out, each batch until its own end. At most `BATCHES_MAX` batches are kept apart. */
export class TokenGate implements Gate {
  readonly kind = "Tokens"
  readonly rate = undefined
  private batches: Array<{ tokens: number; readonly untilMs: number }> = []

  take(nowMs: number): boolean {
    this.drop(nowMs)
    const [first] = this.batches
    if (first === undefined) return false
    first.tokens--
    if (first.tokens === 0) this.batches.shift()
    return true
  }

  /** A token that is given back to the gate is lost: its batch may have ended. */
  untake(): void {}

  waitMs(): number {
    return Number.POSITIVE_INFINITY
  }

  add(tokens: number, untilMs: number): void {
    const last = this.batches.at(-1)
    if (tokens <= 0) return
    if (last !== undefined && (last.untilMs === untilMs || this.batches.length >= BATCHES_MAX)) last.tokens += tokens
    else this.batches.push({ tokens, untilMs })
  }

  available(nowMs: number): number {
    this.drop(nowMs)
    return this.batches.reduce((sum, { tokens }) => sum + tokens, 0)
  }

  private drop(nowMs: number): void {
    while (this.batches.length > 0 && this.batches[0].untilMs <= nowMs) this.batches.shift()
  }
}

/** Beyond, tokens join the youngest batch and end with it, which is sooner than they might. */
const BATCHES_MAX = 64

/** Everyone passes. */
export const exemptGate: Gate = {
  kind: "Exempt",
  rate: undefined,
  take: () => true,
  untake: () => undefined,
  waitMs: () => 0
}

/** Nobody passes. */
export const shutGate: Gate = {
  kind: "Shut",
  rate: undefined,
  take: () => false,
  untake: () => undefined,
  waitMs: () => Number.POSITIVE_INFINITY
}
