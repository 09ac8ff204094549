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
  /** Of a change that nobody was told of only what there is now; the event is made when somebody resumes. */
  private events: Array<CacheEvent | Held | undefined> = []
  private befores: Array<Held | undefined> = []
  /** What each event weighs and its revision: dropping one must not read objects that nobody has looked at for long. */
  private weights: Array<number> = []
  private revisions: Array<number> = []
  private start = 0
  private bytes = 0
  /** Every event after this revision is here. */
  floor = 0

  constructor(bounds: RingBounds) {
    this.bounds = bounds
  }

  /** The revision of the newest event; the floor when there is none. */
  get last(): number {
    return this.events.length > this.start ? this.revisions[this.revisions.length - 1] : this.floor
  }

  get size(): number {
    return this.events.length - this.start
  }

  /** Takes a change; `event` may be what is there now instead, with its place and revision. */
  push(event: CacheEvent | Held, before: Held | undefined): void {
    const weighs = weight(before)
    this.events.push(event)
    this.befores.push(before)
    this.weights.push(weighs)
    this.revisions.push(event.revision)
    this.bytes += weighs
    while (this.size > this.bounds.events || (this.bytes > this.bounds.bytes && this.size > 1)) this.drop()
    // Dropped places are given back when they are the greater part.
    if (this.start > 1024 && this.start * 2 > this.events.length) {
      this.events = this.events.slice(this.start)
      this.befores = this.befores.slice(this.start)
      this.weights = this.weights.slice(this.start)
      this.revisions = this.revisions.slice(this.start)
      this.start = 0
    }
  }

  private drop(): void {
    this.bytes -= this.weights[this.start]
    this.floor = this.revisions[this.start]
    // At once, for what it alone still holds is copied by each collection until then.
    this.events[this.start] = undefined
    this.befores[this.start++] = undefined
  }

  /** Forgets everything: from now on only what is after the revision is known. */
  reset(revision: number): void {
    this.events = []
    this.befores = []
    this.weights = []
    this.revisions = []
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
      if (this.revisions[middle] <= revision) low = middle + 1
      else high = middle
    }
    if (low === this.events.length) return NONE
    const found: Array<CacheEvent> = []
    for (let at = low; at < this.events.length; at++) found.push(this.eventAt(at))
    return found
  }

  private eventAt(at: number): CacheEvent {
    const event = this.events[at]
    if (event instanceof CacheEvent) return event
    const made = new CacheEvent(event?.place?.key ?? "", this.revisions[at], this.befores[at], event)
    this.events[at] = made
    return made
  }
}

const NONE: ReadonlyArray<CacheEvent> = []

/** The version that is only here; the one after it is held by the cache or by the next event. */
const weight = (before: Held | undefined): number => 256 + (before?.sizeBytes ?? 0)
