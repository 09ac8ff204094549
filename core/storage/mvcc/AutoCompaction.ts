// Compaction by itself, as etcd's --auto-compaction-mode: keep so many revisions, or so much time.
// Owns which revision is old enough; refuses to remove anything, which the compactor does.
import type { Compactor } from "./Compactor.ts"
import type { Store } from "./Store.ts"

export interface AutoCompactionOptions {
  readonly mode: "periodic" | "revision"
  /** Milliseconds to keep with `periodic`, revisions to keep with `revision`; 0 switches it off. */
  readonly retention: number
}

const REVISION_ROUND_MS = 5 * 60_000
const HOUR_MS = 3_600_000

export class AutoCompaction {
  private readonly store: Store
  private readonly compactor: Compactor
  private readonly now: () => number
  private readonly options: AutoCompactionOptions
  /** Revisions seen at past rounds, oldest first: at most a retention's worth of rounds. */
  private seen: Array<{ readonly at: number; readonly revision: number }> = []
  readonly intervalMs: number

  constructor(store: Store, compactor: Compactor, now: () => number, options: AutoCompactionOptions) {
    this.store = store
    this.compactor = compactor
    this.now = now
    this.options = options
    // etcd samples ten times per retention and compacts once an hour, or once per retention when that is shorter.
    this.intervalMs =
      options.mode === "revision" || options.retention === 0
        ? REVISION_ROUND_MS
        : Math.max(1000, Math.min(options.retention, HOUR_MS) / 10)
  }

  round(): void {
    const { mode, retention } = this.options
    if (retention === 0) return
    const revision = mode === "revision" ? this.store.revision - retention : this.revisionBefore(this.now() - retention)
    if (revision > Math.max(1, this.store.compacted)) this.compactor.compact(revision, false, () => undefined)
  }

  private revisionBefore(time: number): number {
    this.seen.push({ at: this.now(), revision: this.store.revision })
    let found = 0
    while (this.seen.length > 0 && this.seen[0].at <= time) found = this.seen.shift()?.revision ?? found
    return found
  }
}
