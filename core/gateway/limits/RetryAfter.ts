// When a refused client should come back, in whole seconds as the field has it: the time until a place is really there for it, and
// as much chance on top as it takes to serve everybody else who was refused just now, so that they do not come back as one crowd.
// Owns the estimate; refuses to say what a refusal is. Reads the clock only when something is refused.
import type { Gate } from "./Gate.ts"

/** Nobody is sent away for longer. */
export const RETRY_AFTER_MAX_S = 300
/** The crowd is spread over at most so long. */
const SPREAD_MAX_MS = 10_000
/** Over which the pace is measured, at least. */
const WINDOW_MS = 1000

export class RetryAfter {
  private readonly random: () => number
  private windowMs: number
  private releasesAtStart = 0
  private refusals = 0
  private crowd = 0
  private pace: number | undefined

  constructor(random: () => number, nowMs: number) {
    this.random = random
    this.windowMs = nowMs
  }

  /** Seconds for who is refused now with `ahead` waiting; `releases` counts requests that have ended since the beginning. */
  seconds(gate: Gate, ahead: number, nowMs: number, releases: number): number {
    this.refusals++
    const elapsedMs = nowMs - this.windowMs
    if (elapsedMs >= WINDOW_MS) {
      this.pace = ((releases - this.releasesAtStart) * 1000) / elapsedMs
      this.crowd = (this.refusals * WINDOW_MS) / elapsedMs
      this.windowMs = nowMs
      this.releasesAtStart = releases
      this.refusals = 0
    }
    const pace = gate.rate ?? this.pace ?? 0
    const waitMs = this.waitMs(gate, ahead, nowMs, pace)
    const spreadMs = pace > 0 ? Math.min(SPREAD_MAX_MS, (Math.max(this.crowd, this.refusals) * 1000) / pace) : WINDOW_MS
    const seconds = Math.ceil((waitMs + this.random() * spreadMs) / 1000)
    return Math.min(RETRY_AFTER_MAX_S, Math.max(1, seconds))
  }

  /** What the gate knows, else what the pace of ended requests lets expect. */
  private waitMs(gate: Gate, ahead: number, nowMs: number, pace: number): number {
    const known = gate.waitMs(nowMs, ahead)
    if (Number.isFinite(known)) return known
    return pace > 0 ? ((ahead + 1) * 1000) / pace : WINDOW_MS
  }
}
