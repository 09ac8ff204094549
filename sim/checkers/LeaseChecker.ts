// Whether leases live as long as they are kept alive, and end when they are not.
// Owns the times between which each lease must and may have ended; refuses to judge anything else. A lease counts from when the server
// saw its last renewal, which is after the client's call and before its answer.
import type { RecordedEvent } from "../history/StoreRecord.ts"
import type { Violations } from "./Violations.ts"

interface Watched {
  readonly key: string
  readonly ttlMs: number
  /** When the last acknowledged grant or renewal was called. */
  renewedCallMs: number
  /** When the last renewal that may have happened ended. */
  renewedLatestMs: number
  /** When the lease's end was asked for. */
  revokedMs: number | undefined
}

/** How much later than its time to live a lease may end: rounds of expiry, and a commit. */
const SLACK_MS = 3000

export class LeaseChecker {
  private readonly violations: Violations
  private readonly byKey = new Map<string, Watched>()
  /** Keys that were deleted before their client knew that it had written them: at most one entry a key. */
  private readonly ended = new Set<string>()

  constructor(violations: Violations) {
    this.violations = violations
  }

  /** A key was written with a lease that was granted by a call begun at `calledMs` and answered at `answeredMs`. */
  attached(key: string, ttlMs: number, calledMs: number, answeredMs: number): void {
    if (this.ended.has(key)) return
    this.byKey.set(key, { key, ttlMs, renewedCallMs: calledMs, renewedLatestMs: answeredMs, revokedMs: undefined })
  }

  /** A renewal ended; `acknowledged` when the server said that the lease lives. */
  renewed(key: string, calledMs: number, endedMs: number, acknowledged: boolean): void {
    const watched = this.byKey.get(key)
    if (watched === undefined) return
    if (acknowledged) watched.renewedCallMs = Math.max(watched.renewedCallMs, calledMs)
    watched.renewedLatestMs = Math.max(watched.renewedLatestMs, endedMs)
  }

  revoking(key: string, atMs: number): void {
    const watched = this.byKey.get(key)
    if (watched !== undefined) watched.revokedMs = atMs
  }

  /** The server began anew: leases start their time to live again. */
  restarted(atMs: number): void {
    for (const watched of this.byKey.values()) watched.renewedLatestMs = Math.max(watched.renewedLatestMs, atMs)
  }

  /** An event of the record: the deletion of a leased key must not come early. */
  recorded({ atMs, key, value }: RecordedEvent): void {
    const watched = this.byKey.get(key)
    if (value !== undefined) return
    if (watched === undefined) return void this.ended.add(key)
    this.byKey.delete(key)
    const { renewedCallMs, revokedMs, ttlMs } = watched
    if (revokedMs === undefined && atMs < renewedCallMs + ttlMs - 1)
      this.violations.report(
        "leases live as long as they are kept",
        `${key} went ${Math.round(atMs - renewedCallMs)} ms after a renewal for ${ttlMs} ms`
      )
  }

  /** Called when all has been quiet and well since `quietSinceMs`: leases whose time has passed must have ended. */
  finished(nowMs: number, quietSinceMs: number): void {
    for (const { key, renewedLatestMs, ttlMs } of this.byKey.values()) {
      const latest = Math.max(renewedLatestMs, quietSinceMs) + ttlMs + SLACK_MS
      if (nowMs > latest)
        this.violations.report(
          "leases end",
          `${key} is still there ${Math.round(nowMs - latest)} ms after its lease's latest end`
        )
    }
  }
}
