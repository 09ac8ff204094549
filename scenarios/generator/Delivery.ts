// Whether watchers saw what was written: every acknowledged write is known by its revision, every event by the same
// number, and the two meet here in either order. Owns the account per group of equal watchers: expected, delivered,
// duplicated, out of order, and the lag from the write's sending to the event's arrival.
// Bounds: the times of the last 2^20 revisions, and 2^16 events that arrive before their write is acknowledged.
import { Latency } from "#reports"

const ringSize = 2 ** 20
const earlyMax = 2 ** 16

/** Send times of acknowledged writes by revision. Revisions are the store's, so one ring serves all key spaces. */
export class WriteTimes {
  readonly #revisions = new Float64Array(ringSize)
  readonly #sentAt = new Float64Array(ringSize)
  readonly #spaces = new Uint16Array(ringSize)
  readonly #events = new Uint32Array(ringSize)
  readonly #listeners: Array<WatchAccount> = []

  listen(account: WatchAccount): void {
    this.#listeners.push(account)
  }

  unlisten(account: WatchAccount): void {
    const at = this.#listeners.indexOf(account)
    if (at >= 0) this.#listeners.splice(at, 1)
  }

  /** An acknowledged write: `events` keys of the key space changed at this revision, sent at this moment in ms. */
  acknowledged(space: number, revision: number, sentAt: number, key: number, events = 1): void {
    const slot = revision % ringSize
    this.#revisions[slot] = revision
    this.#sentAt[slot] = sentAt
    this.#spaces[slot] = space
    this.#events[slot] = events
    for (const listener of this.#listeners) {
      if (listener.space === space) listener.acknowledged(revision, sentAt, key, events)
    }
  }

  /** When the write of this revision was sent, in ms; NaN when it is not (yet) known. */
  sentAt(revision: number): number {
    const slot = revision % ringSize
    return this.#revisions[slot] === revision ? this.#sentAt[slot] : Number.NaN
  }

  /** Events of a key space that lie between two revisions, both included, as far as the ring reaches back. */
  eventsBetween(space: number, from: number, to: number): number {
    let events = 0
    for (let revision = Math.max(1, from, to - ringSize + 1); revision <= to; revision++) {
      const slot = revision % ringSize
      if (this.#revisions[slot] === revision && this.#spaces[slot] === space) events += this.#events[slot]
    }
    return events
  }
}

/** The account of one group of equal watchers. */
export class WatchAccount {
  readonly lag = new Latency()
  readonly secondLag = new Latency()
  expected = 0
  delivered = 0
  duplicated = 0
  outOfOrder = 0
  /** Events whose write was never acknowledged: of failed or foreign writes. */
  unknown = 0
  secondDelivered = 0
  readonly space: number
  readonly #times: WriteTimes
  readonly #watchers: number
  readonly #watchersOf: (key: number) => number
  #pastRevision = 0
  readonly #early = new Map<number, Array<number>>()
  #earlyCount = 0

  /** `watchersOf` says how many of the watchers see a key; without it all see every key. */
  constructor(times: WriteTimes, space: number, watchers: number, watchersOf?: (key: number) => number) {
    this.#times = times
    this.space = space
    this.#watchers = watchers
    this.#watchersOf = watchersOf ?? (() => watchers)
  }

  /** The watchers begin at `from`, in the past: what was written up to `now` is expected, but has no lag. */
  expectPast(from: number, now: number): void {
    this.#pastRevision = now
    this.expected += this.#watchers * this.#times.eventsBetween(this.space, from, now)
  }

  /** Called for each acknowledged write to the key space. */
  acknowledged(revision: number, sentAt: number, key: number, events: number): void {
    const watchers = this.#watchersOf(key)
    if (watchers === 0) return
    this.expected += watchers * events
    const early = this.#early.get(revision)
    if (early === undefined) return
    this.#early.delete(revision)
    this.#earlyCount -= early.length
    for (const at of early) this.#count(revision, at - sentAt)
  }

  /** An event of `revision` reached a watcher whose last event had revision `last`. */
  arrived(revision: number, last: number, now: number, sharedRevisions: boolean): void {
    if (revision < last) {
      this.outOfOrder++
      return
    }
    if (revision === last && !sharedRevisions) {
      this.duplicated++
      return
    }
    const sentAt = this.#times.sentAt(revision)
    if (sentAt === sentAt) {
      this.#count(revision, now - sentAt)
      return
    }
    if (this.#earlyCount >= earlyMax) {
      this.unknown++
      return
    }
    this.#earlyCount++
    const early = this.#early.get(revision)
    if (early === undefined) this.#early.set(revision, [now])
    else early.push(now)
  }

  /** Whether everything expected so far has arrived. */
  get complete(): boolean {
    return this.delivered >= this.expected
  }

  /** What reached this group and others in the current second; the next one begins. */
  takeSecond(others: ReadonlyArray<WatchAccount>): {
    readonly delivered: number
    readonly lagP50Us: number | null
    readonly lagP99Us: number | null
  } {
    let delivered = this.secondDelivered
    this.secondDelivered = 0
    for (const other of others) {
      delivered += other.secondDelivered
      other.secondDelivered = 0
      this.secondLag.add(other.secondLag)
      other.secondLag.reset()
    }
    const second = { delivered, lagP50Us: this.secondLag.percentile(50), lagP99Us: this.secondLag.percentile(99) }
    this.secondLag.reset()
    return second
  }

  /** Closes the account: events still without an acknowledged write are unknown. */
  close(): void {
    this.unknown += this.#earlyCount
    this.#early.clear()
    this.#earlyCount = 0
  }

  #count(revision: number, lagMs: number): void {
    this.delivered++
    this.secondDelivered++
    if (revision <= this.#pastRevision) return
    this.lag.record(lagMs * 1000)
    this.secondLag.record(lagMs * 1000)
  }
}
