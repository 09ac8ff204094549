// The recent changes of one resource, in order: what a watch resumes from and what a past state is worked out with.
// Owns the bounds, by count, bytes and age, and the revision from which on nothing is missing; refuses to deliver anything.
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
  /** Milliseconds for which an event is kept at least, if the other bounds allow; older ones go with the next that comes. */
  readonly freshMs: number
  /** As many are kept however old they are. */
  readonly fewest: number
}

/** Places at first; as many as there may be events at the most. */
const PLACES_MIN = 64

/**
 * The arrays are used round and round and replaced only to grow, and are empty when they are given up: what a forgotten old array
 * still names, each collection of young garbage takes for alive and keeps for long.
 */
export class EventRing {
  private readonly bounds: RingBounds
  /** What there is now, and of a deletion its event; the other events are made when somebody resumes. */
  private events: Array<CacheEvent | Held | undefined> = emptyPlaces(PLACES_MIN)
  private befores: Array<Held | undefined> = emptyPlaces(PLACES_MIN)
  /** What each event weighs and its revision: dropping one must not read objects that nobody has looked at for long. */
  private weights = new Float64Array(PLACES_MIN)
  private revisions = new Float64Array(PLACES_MIN)
  private times = new Float64Array(PLACES_MIN)
  /** The first event and the one after the last, counted from the first ever; an event's place is its number modulo the places. */
  private head = 0
  private tail = 0
  private mask = PLACES_MIN - 1
  private bytes = 0
  /** Every event after this revision is here. */
  floor = 0

  constructor(bounds: RingBounds) {
    this.bounds = bounds
  }

  /** The revision of the newest event; the floor when there is none. */
  get last(): number {
    return this.tail > this.head ? this.revisions[(this.tail - 1) & this.mask] : this.floor
  }

  get size(): number {
    return this.tail - this.head
  }

  /** Takes a change at a time (monotonic milliseconds); `event` may be what is there now instead, with its place and revision. */
  push(event: CacheEvent | Held, before: Held | undefined, nowMs: number): void {
    const weighs = weight(before)
    while (this.size > 0 && this.isOver(weighs, nowMs)) this.drop()
    if (this.size > this.mask) this.grow()
    const at = this.tail++ & this.mask
    this.events[at] = event
    this.befores[at] = before
    this.weights[at] = weighs
    this.revisions[at] = event.revision
    this.times[at] = nowMs
    this.bytes += weighs
  }

  /** Whether the oldest event has to go for one that weighs so much. */
  private isOver(weighs: number, nowMs: number): boolean {
    const { bounds, size } = this
    if (size >= bounds.events || this.bytes + weighs > bounds.bytes) return true
    return size > bounds.fewest && nowMs - this.times[this.head & this.mask] > bounds.freshMs
  }

  private drop(): void {
    const at = this.head++ & this.mask
    this.bytes -= this.weights[at]
    this.floor = this.revisions[at]
    this.events[at] = undefined
    this.befores[at] = undefined
  }

  private grow(): void {
    const { befores, events, head, mask, revisions, tail, times, weights } = this
    const places = (mask + 1) * 2
    this.events = emptyPlaces(places)
    this.befores = emptyPlaces(places)
    this.weights = new Float64Array(places)
    this.revisions = new Float64Array(places)
    this.times = new Float64Array(places)
    this.mask = places - 1
    for (let number = head; number < tail; number++) {
      const from = number & mask
      const to = number & this.mask
      this.events[to] = events[from]
      this.befores[to] = befores[from]
      this.weights[to] = weights[from]
      this.revisions[to] = revisions[from]
      this.times[to] = times[from]
    }
    events.fill(undefined)
    befores.fill(undefined)
  }

  /** Forgets everything: from now on only what is after the revision is known. */
  reset(revision: number): void {
    while (this.head < this.tail) this.drop()
    this.head = this.tail = 0
    this.floor = revision
  }

  /** Events after a revision, oldest first; undefined when some of them are gone. */
  after(revision: number): ReadonlyArray<CacheEvent> | undefined {
    if (revision < this.floor) return undefined
    let low = this.head
    let high = this.tail
    while (low < high) {
      const middle = low + ((high - low) >> 1)
      if (this.revisions[middle & this.mask] <= revision) low = middle + 1
      else high = middle
    }
    if (low === this.tail) return NONE
    const found: Array<CacheEvent> = []
    for (let number = low; number < this.tail; number++) found.push(this.eventAt(number & this.mask))
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

const emptyPlaces = <A>(places: number): Array<A | undefined> => Array.from({ length: places }, () => undefined)

const NONE: ReadonlyArray<CacheEvent> = []

/** The version that is only here; the one after it is held by the cache or by the next event. */
const weight = (before: Held | undefined): number => 256 + (before?.sizeBytes ?? 0)
