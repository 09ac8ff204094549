// This process's commit under way, as its own reads meet it: whose locks they may look through, and when they must wait.
// Owns that judgement, which spares reads the inquiry that a stranger's lock needs; refuses locks of others.
// A read at a timestamp taken before the commit asked for its own lies before it, so the lock says nothing to it; one taken
// after must know how it ended.
import type { Timestamp } from "./Timestamp.ts"

/** Committed transactions whose locks are perhaps not all cleared yet. */
const UNCLEARED_MAX = 64

/** What a read passes through. */
export interface OwnLocks {
  readonly ignored: ReadonlyArray<Timestamp>
  readonly committed: ReadonlyArray<Timestamp>
}

/** When a read is made, and what it passes through. */
export interface ReadMoment {
  readonly version: Timestamp
  readonly passage: OwnLocks
}

interface UnderWay {
  readonly startTs: Timestamp
  asked: boolean
  commitTs: Timestamp | undefined
  /** Told when that timestamp is known, or the commit has ended without one. */
  chosen: Array<() => void>
  /** Whether the servers choose the commit's timestamp: then only its end says whether a read lies before it. */
  readonly open: boolean
  readonly ended: Array<() => void>
}

export class OwnCommit {
  private underWay: UnderWay | undefined
  private readonly uncleared = new Map<Timestamp, Timestamp>()

  /** A commit begins; `open` when its timestamp is not this process's to choose. */
  begin(startTs: Timestamp, open: boolean): void {
    this.underWay = { startTs, asked: false, commitTs: undefined, open, chosen: [], ended: [] }
  }

  /** The commit asks for its timestamp from now on. */
  asks(): void {
    if (this.underWay !== undefined) this.underWay.asked = true
  }

  /** The commit has got its timestamp; a later call replaces it. */
  chose(commitTs: Timestamp): void {
    const { underWay } = this
    if (underWay === undefined) return
    underWay.commitTs = commitTs
    for (const tell of underWay.chosen.splice(0)) tell()
  }

  /** The commit has ended, at a timestamp or without a trace. */
  end(startTs: Timestamp, commitTs: Timestamp | undefined): void {
    const { underWay } = this
    if (underWay?.startTs !== startTs) return
    this.underWay = undefined
    if (commitTs !== undefined) {
      if (this.uncleared.size >= UNCLEARED_MAX) {
        const [oldest] = this.uncleared.keys()
        this.uncleared.delete(oldest)
      }
      this.uncleared.set(underWay.startTs, commitTs)
    }
    for (const tell of underWay.chosen.splice(0)) tell()
    for (const tell of underWay.ended) tell()
  }

  /** All locks of a committed transaction are gone. */
  cleared(startTs: Timestamp): void {
    this.uncleared.delete(startTs)
  }

  /**
   * When a read asked for at a timestamp is to be made, and what it looks through: told at once, or when a commit that may lie before
   * that timestamp has ended.
   */
  moment(askedTs: Timestamp, tell: (moment: ReadMoment) => void): void {
    const { underWay } = this
    if (underWay === undefined || underWay.startTs >= askedTs) return tell(this.momentAt(askedTs, []))
    const judge = (): void => {
      if (this.underWay !== underWay) return tell(this.momentAt(askedTs, []))
      const isLater = underWay.commitTs === undefined ? !underWay.open : underWay.commitTs > askedTs
      if (isLater) return tell(this.momentAt(askedTs, [underWay.startTs]))
      // One that may lie before the read must end first: another process may have read what it wrote, and told of it.
      underWay.ended.push(() => tell(this.momentAt(askedTs, [])))
    }
    if (underWay.asked && !underWay.open && underWay.commitTs === undefined) underWay.chosen.push(judge)
    else judge()
  }

  private momentAt(version: Timestamp, ignored: ReadonlyArray<Timestamp>): ReadMoment {
    const later: Array<Timestamp> = [...ignored]
    const committed: Array<Timestamp> = []
    for (const [startTs, at] of this.uncleared) (at <= version ? committed : later).push(startTs)
    return { version, passage: { ignored: later, committed } }
  }
}
