// When the store forgets old revisions: as kube-apiserver does, every few minutes up to where it was the time before.
// Owns that rhythm; refuses the removal itself, which the store does. Watches resume from the caches, so the past is needed only by
// pages of long lists.
import type { Cancel, Clockwork } from "#kube"
import { type KeyValue, KeyValueFailure } from "./KeyValue.ts"

export interface Compaction {
  /** Milliseconds between compactions; 0: never. */
  readonly intervalMs: number
}

const EVERY_FIVE_MINUTES: Compaction = { intervalMs: 300_000 }

/** Starts compacting; `compacted` hears of each revision before which there is nothing more. The returned function stops it. */
export const startCompaction = (
  keyValue: KeyValue,
  clockwork: Clockwork,
  { intervalMs }: Compaction = EVERY_FIVE_MINUTES,
  compacted: (revision: number) => void = () => undefined
): Cancel => {
  if (intervalMs === 0) return () => undefined
  let before = 0
  return clockwork.every(intervalMs, () => {
    const target = before
    keyValue.revision((revision) => {
      if (!(revision instanceof KeyValueFailure)) before = revision
    })
    // A failure means that somebody else compacted further, or that the store is away: the next round sees.
    if (target === 0) return
    keyValue.compact(target, (failure) => {
      if (failure === undefined) compacted(target)
    })
  })
}
