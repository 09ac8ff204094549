// When the store forgets old revisions: what is older than kube-apiserver keeps at the least, in steps of a fifth of that time. It keeps
// up to twice as long itself, as it takes the whole time for a step; what is kept is most of what a busy cluster's past takes.
// Owns that rhythm; refuses the removal itself, which the store does. Watches resume from the caches, so the past is needed only by
// pages of long lists.
import type { Cancel, Clockwork } from "#kube"
import { type KeyValue, KeyValueFailure } from "./KeyValue.ts"

export interface Compaction {
  /** Milliseconds for which a revision is kept at least; 0: for ever. */
  readonly intervalMs: number
}

const FIVE_MINUTES: Compaction = { intervalMs: 300_000 }
const STEPS = 5

/** Starts compacting; `compacted` hears of each revision before which there is nothing more. The returned function stops it. */
export const startCompaction = (
  keyValue: KeyValue,
  clockwork: Clockwork,
  { intervalMs }: Compaction = FIVE_MINUTES,
  compacted: (revision: number) => void = () => undefined
): Cancel => {
  if (intervalMs === 0) return () => undefined
  /** Where the store was at each of the last steps, in turn; 0 where it did not say. */
  const seen = new Array<number>(STEPS).fill(0)
  let turn = 0
  return clockwork.every(intervalMs / STEPS, () => {
    const at = turn++ % STEPS
    const target = seen[at]
    seen[at] = 0
    keyValue.revision((revision) => {
      if (!(revision instanceof KeyValueFailure)) seen[at] = revision
    })
    // A failure means that somebody else compacted further, or that the store is away: the next round sees.
    if (target === 0) return
    keyValue.compact(target, (failure) => {
      if (failure === undefined) compacted(target)
    })
  })
}
