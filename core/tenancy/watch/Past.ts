// The recent events of a watch, in order, from which late comers are caught up.
// Owns how much is kept and where it begins; refuses to ask for more. Bounds: 10,000 events and 32 MiB of one watch, 128 MiB of all
// together; the oldest quarter goes first.
import { isAfter, type SourceEvent } from "./WatchSource.ts"

export const PAST_EVENTS_MAX = 10_000
const PAST_BYTES_MAX = 33_554_432
const ALL_BYTES_MAX = 134_217_728

/** What all watches together keep. */
export interface PastRoom {
  bytes: number
}

export class Past {
  private readonly eventsMax: number
  private readonly room: PastRoom
  private events: Array<SourceEvent> = []
  private bytes = 0
  /** What is before it, or at it, is not kept. */
  start: string

  constructor(start: string, room: PastRoom, eventsMax = PAST_EVENTS_MAX) {
    this.start = start
    this.room = room
    this.eventsMax = eventsMax
  }

  private take(bytes: number): void {
    this.bytes += bytes
    this.room.bytes += bytes
  }

  /** Keeps nothing any more. */
  release(): void {
    this.take(-this.bytes)
    this.events = []
  }

  /** Whether everything after a version is kept. */
  covers(version: string): boolean {
    return !isAfter(this.start, version)
  }

  push(event: SourceEvent): void {
    this.events.push(event)
    this.take(event.bytes.length)
    this.shorten()
  }

  private shorten(): void {
    while (this.events.length > this.eventsMax || this.bytes > PAST_BYTES_MAX || this.mustMakeRoom()) {
      // A quarter at once: shifting one by one costs as much as there is past.
      const dropped = this.events.slice(0, Math.ceil(this.events.length / 4))
      this.events = this.events.slice(dropped.length)
      for (const each of dropped) this.take(-each.bytes.length)
      this.start = dropped.at(-1)?.resourceVersion ?? this.start
    }
  }

  private mustMakeRoom(): boolean {
    return this.room.bytes > ALL_BYTES_MAX && this.events.length > 0
  }

  /** Puts what happened before this in front, where the other reaches this one's beginning. */
  prepend(earlier: Past): void {
    const before = earlier.events.filter(({ resourceVersion }) => !isAfter(resourceVersion, this.start))
    this.events = [...before, ...this.events]
    for (const each of before) this.take(each.bytes.length)
    this.start = earlier.start
    earlier.release()
    this.shorten()
  }

  /** The events after a version, which must be covered. */
  after(version: string): ReadonlyArray<SourceEvent> {
    let low = 0
    for (let high = this.events.length; low < high;) {
      const middle = (low + high) >> 1
      if (isAfter(this.events[middle]?.resourceVersion ?? "", version)) high = middle
      else low = middle + 1
    }
    return this.events.slice(low)
  }
}
