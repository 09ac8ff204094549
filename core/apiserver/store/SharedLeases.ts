// Leases for keys that go by themselves, shared by keys that are written at about the same time.
// Owns which lease is handed out; refuses to grant, which the store does. As in kube-apiserver one lease serves a minute's keys
// and at most a thousand of them, so that events do not cost a lease each.
import type { Int64 } from "#net"

/** Milliseconds during which a lease takes further keys, and by which it outlives what was asked for. */
const SHARED_MS = 60_000
const KEYS_MAX = 1000

interface SharedLease {
  readonly id: Int64
  readonly untilMs: number
  keys: number
}

export class SharedLeases {
  private readonly current = new Map<number, SharedLease>()

  /** The lease of this time to live that still takes keys, counted as taking one more. */
  take(ttlSeconds: number, nowMs: number): Int64 | undefined {
    const lease = this.current.get(ttlSeconds)
    if (lease === undefined || lease.untilMs < nowMs || lease.keys >= KEYS_MAX) return undefined
    lease.keys++
    return lease.id
  }

  /** Shares a lease that was granted for `grantSeconds`. */
  share(ttlSeconds: number, id: Int64, nowMs: number): void {
    this.current.set(ttlSeconds, { id, untilMs: nowMs + SHARED_MS, keys: 1 })
  }

  /** Forgets a lease that the store does not know. */
  drop(ttlSeconds: number): void {
    this.current.delete(ttlSeconds)
  }

  /** Seconds to grant, so that the last key to join lives long enough. */
  grantSeconds(ttlSeconds: number): number {
    return ttlSeconds + SHARED_MS / 1000
  }
}
