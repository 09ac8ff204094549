// What the store of a large cluster did, as far as it can be kept: the events of some keys, for a while.
// Owns the choice of keys (by a hash of their names, so that it is the same in every run) and the window; refuses values. Bounds: the
// events of so many keys in a thousand, for thirty minutes of the world's time; of each such key its last version stays.
import type { Storage } from "#storage"
import type { Violations } from "../checkers/Violations.ts"
import { hashText } from "../time/RandomStream.ts"
import { followStore } from "./FollowStore.ts"
import type { EventRecord, KnownEvent } from "./EventRecord.ts"

const WINDOW_MS = 30 * 60_000

interface SampledEvent extends KnownEvent {
  readonly atMs: number
}

export class SampledRecord implements EventRecord {
  private readonly nowMs: () => number
  private readonly violations: Violations
  /** Hashes below this are kept. */
  private readonly threshold: number
  private events: Array<SampledEvent> = []
  /** The place of the first of the events. */
  private first = 0
  private readonly byKey = new Map<string, Array<SampledEvent>>()
  /** States before this revision are not known any more. */
  private floor = 0
  /** The newest revision that the store has told of. */
  revision = 1

  /** `share` of all keys, from 0 to 1, are kept. */
  constructor(nowMs: () => number, violations: Violations, share: number) {
    this.nowMs = nowMs
    this.violations = violations
    this.threshold = share * 2 ** 32
  }

  /** Events that are kept now. */
  get size(): number {
    return this.events.length
  }

  /** Follows a store that has just started. */
  follow(storage: Storage): void {
    const { revision } = storage.store
    if (revision < this.revision) this.lose(revision)
    followStore(storage, this.revision + 1, false, (_watcher, events) => {
      for (const { row, revision, text } of events) this.append(text, revision, row !== undefined)
    })
  }

  readonly keeps = (key: string): boolean => hashText(key) < this.threshold

  readonly tells = (revision: number): boolean => revision >= this.floor

  readonly keys = (): Iterable<string> => this.byKey.keys()

  readonly versionAt = (key: string, revision: number): number | undefined => {
    const events = this.byKey.get(key)
    const event = events?.[after(events, revision) - 1]
    return event?.isPut === true ? event.revision : undefined
  }

  readonly eventOf = (key: string, revision: number): KnownEvent | undefined => {
    const events = this.byKey.get(key)
    const event = events?.[after(events, revision) - 1]
    return event?.revision === revision ? event : undefined
  }

  readonly placeAfter = (revision: number): number => this.first + after(this.events, revision)

  readonly from = (place: number): { readonly event: KnownEvent; readonly place: number } | undefined => {
    const known = Math.max(place, this.first)
    const event = this.events[known - this.first]
    return event === undefined ? undefined : { event, place: known }
  }

  private append(key: string, revision: number, isPut: boolean): void {
    if (revision < this.revision)
      this.violations.report("revisions never go back", `revision ${revision} was written after ${this.revision}`)
    this.revision = Math.max(this.revision, revision)
    if (!this.keeps(key)) return
    const atMs = this.nowMs()
    if (this.events.length > 0 && this.events[0].atMs < atMs - 2 * WINDOW_MS) this.forget(atMs - WINDOW_MS)
    let history = this.byKey.get(key)
    if (history === undefined) this.byKey.set(key, (history = []))
    const event = { revision, key, isPut, isCreate: history.at(-1)?.isPut !== true, atMs }
    history.push(event)
    this.events.push(event)
  }

  /** Forgets what happened before a time, but for the last version of each key. */
  private forget(beforeMs: number): void {
    const { events } = this
    let count = 0
    while (count < events.length && events[count].atMs < beforeMs) count++
    const touched = new Set<string>()
    for (let at = 0; at < count; at++) touched.add(events[at].key)
    this.floor = events[count - 1]?.revision ?? this.floor
    this.events = events.slice(count)
    this.first += count
    for (const key of touched) {
      const history = this.byKey.get(key) ?? []
      const kept = history.slice(Math.max(0, after(history, this.floor) - 1))
      if (kept.length === 1 && !kept[0].isPut) this.byKey.delete(key)
      else this.byKey.set(key, kept)
    }
  }

  /** The store came back without events that it had told of. */
  private lose(revision: number): void {
    this.violations.report(
      "revisions never go back",
      `the store came back at revision ${revision} after it had told of ${this.revision}`
    )
    for (const { key } of this.events.splice(after(this.events, revision))) this.byKey.get(key)?.pop()
    this.revision = revision
  }
}

/** How many events are at or before a revision. */
const after = (events: ReadonlyArray<KnownEvent>, revision: number): number => {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (events[middle].revision <= revision) low = middle + 1
    else high = middle
  }
  return low
}
