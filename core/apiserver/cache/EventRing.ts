// The recent changes of one resource, in order: what a watch resumes from and what a past state is worked out with.
// Owns the bounds, by count and by bytes, and the revision from which on nothing is missing; refuses to deliver anything.
import type { HeldEvent } from "../Request.ts"
import type { Held } from "./Held.ts"

/** A change of one object. */
export class CacheEvent {
  /** The object's key: "namespace/name", or the name alone. */
  readonly key: string
  readonly revision: number
  readonly before: Held | undefined
  readonly after: Held | undefined
  private asAdded: HeldEvent | undefined
  private asModified: HeldEvent | undefined
  private asDeleted: HeldEvent | undefined

  constructor(key: string, revision: number, before: Held | undefined, after: Held | undefined) {
    this.key = key
    this.revision = revision
    this.before = before
    this.after = after
    this.asAdded = undefined
    this.asModified = undefined
    this.asDeleted = undefined
  }

  /**
   * What a watcher is told whose selector matched the object before and after as said: made once, however many are told. Undefined
   * when it did not match either.
   */
  told(was: boolean, is: boolean): HeldEvent | undefined {
    const { after, before, revision } = this
    if (is && after !== undefined) {
      return was
        ? (this.asModified ??= { type: "MODIFIED", held: after })
        : (this.asAdded ??= { type: "ADDED", held: after })
    }
    if (!was || before === undefined) return undefined
    return (this.asDeleted ??= { type: "DELETED", held: before.at(revision) })
  }
}

export interface RingBounds {
  readonly events: number
  /** Of the objects' texts. */
  readonly bytes: number
}

export class EventRing {
  private readonly bounds: RingBounds
  private events: Array<CacheEvent> = []
  /** What each event weighs: dropping one must not read objects that nobody has looked at for long. */
  private weights: Array<number> = []
  private start = 0
  private bytes = 0
  /** Every event after this revision is here. */
  floor = 0

  constructor(bounds: RingBounds) {
    this.bounds = bounds
  }

  /** The revision of the newest event; the floor when there is none. */
  get last(): number {
    return this.events.length > this.start ? this.events[this.events.length - 1].revision : this.floor
  }

  get size(): number {
    return this.events.length - this.start
  }

  push(event: CacheEvent): void {
    const weighs = weight(event)
    this.events.push(event)
    this.weights.push(weighs)
    this.bytes += weighs
    while (this.size > this.bounds.events || (this.bytes > this.bounds.bytes && this.size > 1)) this.drop()
    // Dropped places are given back when they are the greater part.
    if (this.start > 1024 && this.start * 2 > this.events.length) {
      this.events = this.events.slice(this.start)
      this.weights = this.weights.slice(this.start)
      this.start = 0
    }
  }

  private drop(): void {
    this.bytes -= this.weights[this.start]
    this.floor = this.events[this.start++].revision
  }

  /** Forgets everything: from now on only what is after the revision is known. */
  reset(revision: number): void {
    this.events = []
    this.weights = []
    this.start = 0
    this.bytes = 0
    this.floor = revision
  }

  /** Events after a revision, oldest first; undefined when some of them are gone. */
  after(revision: number): ReadonlyArray<CacheEvent> | undefined {
    if (revision < this.floor) return undefined
    let low = this.start
    let high = this.events.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.events[middle].revision <= revision) low = middle + 1
      else high = middle
    }
    return low === this.events.length ? NONE : this.events.slice(low)
  }
}

const NONE: ReadonlyArray<CacheEvent> = []

/** The version that is only here; the one after it is held by the cache or by the next event. */
const weight = ({ before }: CacheEvent): number => 256 + (before?.sizeBytes ?? 0)
