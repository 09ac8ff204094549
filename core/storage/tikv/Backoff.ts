// How long to wait before asking again, by what was met, and when to stop: an operation's patience in one place.
// Owns the waits of each kind and the operation's budget of time; refuses to decide what is worth asking again.
import { Clock, Effect, Random } from "effect"
import { RegionUnavailable } from "./TikvError.ts"

/** First wait and longest wait in milliseconds; each wait doubles the one before. Half of a wait is left to chance. */
const waits = {
  "region-moved": [2, 500],
  "not-leader": [2, 500],
  "stale-command": [2, 1000],
  "server-busy": [50, 5000],
  "not-ready": [2, 500],
  "disk-full": [500, 5000],
  locked: [5, 1000],
  "transaction-unknown": [5, 1000],
  "call-failed": [25, 1000],
  "placement-driver": [25, 1000]
} as const

/** What was met. */
export type BackoffKind = keyof typeof waits

/** What an operation may spend in all, in milliseconds. */
export const Budget = {
  /** A read that a client waits for. */
  read: 10_000,
  /** Bringing the rows of a transaction into place. */
  prewrite: 15_000,
  /** Asking whether a commit whose answer was lost is there, before it is called uncertain. */
  commit: 15_000,
  /** Work that nobody waits for. */
  background: 30_000
} as const

interface WaitBounds {
  readonly atLeastMs?: number
  readonly atMostMs?: number
}

const noBounds: WaitBounds = {}

export class Backoff {
  private readonly budgetMs: number
  private readonly attempts = new Map<BackoffKind, number>()
  private startedMs: number | undefined
  /** Waits so far, for metrics. */
  count = 0

  constructor(budgetMs: number) {
    this.budgetMs = budgetMs
  }

  /** Waits as the kind says, at least `atLeastMs` and at most `atMostMs`; fails when the budget does not allow it. */
  wait(
    kind: BackoffKind,
    detail: string,
    { atLeastMs = 0, atMostMs = Number.POSITIVE_INFINITY }: WaitBounds = noBounds
  ): Effect.Effect<void, RegionUnavailable> {
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      this.startedMs ??= now
      const waitedMs = now - this.startedMs
      if (waitedMs >= this.budgetMs) return yield* new RegionUnavailable({ kind, detail, waitedMs })
      const attempt = this.attempts.get(kind) ?? 0
      this.attempts.set(kind, attempt + 1)
      this.count++
      const [firstMs, longestMs] = waits[kind]
      const fullMs = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 20))
      const chance = yield* Random.next
      const delayMs = Math.min(atMostMs, Math.max(atLeastMs, fullMs / 2 + (chance * fullMs) / 2))
      yield* Effect.sleep(Math.min(delayMs, this.budgetMs - waitedMs))
    })
  }
}
