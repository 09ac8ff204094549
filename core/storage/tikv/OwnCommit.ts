// This process's commit under way, as its own reads meet it: whose locks they may look through, and when they must wait.
// Owns that judgement, which spares reads the inquiry that a stranger's lock needs; refuses locks of others.
// A read at a timestamp taken before the commit asked for its own lies before it, so the lock says nothing to it; one taken
// after must know how the commit ended.
import { Deferred, Effect } from "effect"
import type { Timestamp } from "./Timestamp.ts"

/** Committed transactions whose locks are perhaps not all cleared yet. */
const UNCLEARED_MAX = 64

/** What a read passes through. */
export interface OwnLocks {
  readonly ignored: ReadonlyArray<Timestamp>
  readonly committed: ReadonlyArray<Timestamp>
}

interface UnderWay {
  readonly startTs: Timestamp
  asked: boolean
  commitTs: Timestamp | undefined
  readonly chosen: Deferred.Deferred<void>
  /** Whether the servers choose the commit's timestamp: then only its end says whether a read lies before it. */
  readonly open: boolean
  readonly ended: Deferred.Deferred<void>
}

export class OwnCommit {
  private underWay: UnderWay | undefined
  private readonly uncleared = new Map<Timestamp, Timestamp>()

  /** A commit begins; `open` when its timestamp is not this process's to choose. */
  begin(startTs: Timestamp, open: boolean): void {
    this.underWay = {
      startTs,
      asked: false,
      commitTs: undefined,
      open,
      chosen: Deferred.makeUnsafe(),
      ended: Deferred.makeUnsafe()
    }
  }

  /** The commit asks for its timestamp from now on. */
  asks(): void {
    if (this.underWay !== undefined) this.underWay.asked = true
  }

  /** The commit has got its timestamp; a later call replaces it. */
  chose(commitTs: Timestamp): void {
    if (this.underWay === undefined) return
    this.underWay.commitTs = commitTs
    Deferred.doneUnsafe(this.underWay.chosen, Effect.void)
  }

  /** The commit has ended, at a timestamp or without a trace. */
  end(commitTs: Timestamp | undefined): void {
    const { underWay } = this
    if (underWay === undefined) return
    this.underWay = undefined
    if (commitTs !== undefined) {
      if (this.uncleared.size >= UNCLEARED_MAX) {
        const [oldest] = this.uncleared.keys()
        this.uncleared.delete(oldest)
      }
      this.uncleared.set(underWay.startTs, commitTs)
    }
    Deferred.doneUnsafe(underWay.chosen, Effect.void)
    Deferred.doneUnsafe(underWay.ended, Effect.void)
  }

  /** All locks of a committed transaction are gone. */
  cleared(startTs: Timestamp): void {
    this.uncleared.delete(startTs)
  }

  /** What a read at a timestamp looks through; waits for the commit under way when it may lie before the read. */
  passage(readTs: Timestamp): Effect.Effect<OwnLocks> {
    return Effect.gen({ self: this }, function* () {
      const { underWay } = this
      let ignored: ReadonlyArray<Timestamp> = []
      if (underWay !== undefined && underWay.startTs < readTs) {
        if (underWay.asked && !underWay.open) yield* Deferred.await(underWay.chosen)
        const isLater = underWay.commitTs === undefined ? !underWay.open : underWay.commitTs > readTs
        if (this.underWay === underWay && isLater) ignored = [underWay.startTs]
        else if (this.underWay === underWay) yield* Deferred.await(underWay.ended)
      }
      const committed = [...this.uncleared].filter(([, at]) => at <= readTs).map(([startTs]) => startTs)
      const later = [...this.uncleared].filter(([, at]) => at > readTs).map(([startTs]) => startTs)
      return { ignored: [...ignored, ...later], committed }
    })
  }
}
