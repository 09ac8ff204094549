// What the store did, as its own log tells it: the truth that clients' histories are held against.
// Owns the events by revision and by key, across crashes of the store; refuses to judge, except that revisions never go back.
// The record follows the store's log through a watch of its own on the hub, not through any client.
import { Event, type Storage } from "#storage"
import type { Violations } from "../checkers/Violations.ts"
import { followStore } from "./FollowStore.ts"
import type { EventRecord, KnownEvent } from "./EventRecord.ts"

export interface RecordedEvent extends KnownEvent {
  /** Undefined for a deletion. */
  readonly value: string | undefined
  readonly createRevision: number
  readonly version: number
  readonly lease: number
  readonly previous: RecordedEvent | undefined
  /** Milliseconds since the world began. */
  readonly atMs: number
}

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("latin1")

export class StoreRecord implements EventRecord {
  readonly events: Array<RecordedEvent> = []
  /** Called for each event, in order. */
  onEvent: ((event: RecordedEvent) => void) | undefined
  /** Called when the store came back without events that it had told: what is lost, and the revision that it came back with. */
  onLoss: ((lost: ReadonlyArray<RecordedEvent>, revision: number) => void) | undefined
  private readonly byKey = new Map<string, Array<RecordedEvent>>()
  private readonly violations: Violations
  private readonly nowMs: () => number

  constructor(nowMs: () => number, violations: Violations) {
    this.nowMs = nowMs
    this.violations = violations
  }

  /** The revision of the last event; 1 when there is none, as in an empty store. */
  get revision(): number {
    return this.events.at(-1)?.revision ?? 1
  }

  readonly keeps = (): boolean => true

  readonly tells = (): boolean => true

  readonly keys = (): Iterable<string> => this.byKey.keys()

  readonly versionAt = (key: string, revision: number): number | undefined => this.at(key, revision)?.revision

  readonly eventOf = (key: string, revision: number): RecordedEvent | undefined =>
    this.ofRevision(revision).find((event) => event.key === key)

  readonly placeAfter = (revision: number): number => this.indexAfter(revision)

  readonly from = (place: number): { readonly event: RecordedEvent; readonly place: number } | undefined => {
    const event = this.events[place]
    return event === undefined ? undefined : { event, place }
  }

  /** Follows a store that has just started. */
  follow(storage: Storage): void {
    const { revision } = storage.store
    if (revision < this.revision) this.lose(revision)
    followStore(storage, this.revision + 1, true, (_watcher, events) => {
      for (const event of events) this.append(event.encoded(false))
    })
  }

  /** The event that a key's state at a revision comes from; undefined when the key was not there. */
  at(key: string, revision: number): RecordedEvent | undefined {
    const events = this.byKey.get(key)
    if (events === undefined) return undefined
    let low = 0
    let high = events.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (events[middle].revision <= revision) low = middle + 1
      else high = middle
    }
    const event = events[low - 1]
    return event?.value === undefined ? undefined : event
  }

  /** The events of one revision. */
  ofRevision(revision: number): ReadonlyArray<RecordedEvent> {
    const from = this.indexAfter(revision - 1)
    let to = from
    while (this.events[to]?.revision === revision) to++
    return this.events.slice(from, to)
  }

  /** The place of the first event after a revision. */
  indexAfter(revision: number): number {
    let low = 0
    let high = this.events.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.events[middle].revision <= revision) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Takes the next event, as mvccpb has it. */
  append(encoded: Uint8Array): void {
    const { kv, type } = Event.decode(encoded)
    const key = text(kv?.key)
    const history = this.byKey.get(key) ?? []
    const before = history.at(-1)
    const revision = Number(kv?.modRevision)
    if (revision < this.revision)
      this.violations.report("revisions never go back", `revision ${revision} was written after ${this.revision}`)
    const event: RecordedEvent = {
      revision,
      key,
      isPut: type === 0,
      isCreate: before?.value === undefined,
      value: type === 0 ? text(kv?.value) : undefined,
      createRevision: Number(kv?.createRevision),
      version: Number(kv?.version),
      lease: Number(kv?.lease),
      previous: before?.value === undefined ? undefined : before,
      atMs: this.nowMs()
    }
    if (history.length === 0) this.byKey.set(key, history)
    history.push(event)
    this.events.push(event)
    this.onEvent?.(event)
  }

  private lose(revision: number): void {
    const lost = this.events.splice(this.indexAfter(revision))
    for (const { key } of lost) this.byKey.get(key)?.pop()
    this.violations.report(
      "revisions never go back",
      `the store came back at revision ${revision} after it had told of ${lost.at(-1)?.revision}`
    )
    this.onLoss?.(lost, revision)
  }
}
