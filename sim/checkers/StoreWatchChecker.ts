// The nine guarantees of a watch, checked on each response as it arrives, against the store's own record.
// Owns one watch's place in the record; refuses to judge reads and writes. The names are those of etcd's robustness suite
// (tests/robustness/validate/watch.go) and of etcd's API guarantees: filtered, ordered, unique, atomic, bookmarkable, resumable,
// reliable, creations marked, previous values told.
import type { Event, WatchResponse } from "#storage"
import type { RecordedEvent, StoreRecord } from "../history/StoreRecord.ts"
import type { Guarantee, Violations } from "./Violations.ts"

export interface WatchSubject {
  /** Like "client 2, watch 5". */
  readonly name: string
  readonly key: string
  /** Exclusive end of the range; undefined for one key. */
  readonly end: string | undefined
  /** The first revision asked for; 0: from now on. */
  readonly startRevision: number
  readonly withPuts: boolean
  readonly withDeletes: boolean
  readonly withPrevious: boolean
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")
/** Deliveries remembered to tell a repetition from a reordering. */
const REMEMBERED = 4096

export class StoreWatchChecker {
  private readonly record: StoreRecord
  private readonly violations: Violations
  private readonly subject: WatchSubject
  private readonly delivered = new Set<string>()
  /** The place in the record of the next event that is due; undefined until the watch's start is known. */
  private cursor: number | undefined
  private lastRevision = 0
  private lastResponseRevision = 0
  private lastBookmark = 0
  private first = true

  constructor(record: StoreRecord, violations: Violations, subject: WatchSubject) {
    this.record = record
    this.violations = violations
    this.subject = subject
    if (subject.startRevision > 0) this.cursor = record.indexAfter(subject.startRevision - 1)
  }

  /** The revision to resume from after a break. */
  get resumeRevision(): number {
    return Math.max(this.lastRevision, this.lastBookmark, this.subject.startRevision - 1) + 1
  }

  /** Takes a response: its creation, events, or a progress notice. */
  response(response: WatchResponse): void {
    const revision = Number(response.header?.revision ?? 0)
    if (response.created) {
      this.cursor ??= this.record.indexAfter(revision)
      return
    }
    if (response.canceled) return
    if (response.events.length === 0) return this.bookmark(revision)
    const [firstEvent] = response.events
    const firstRevision = Number(firstEvent.kv?.modRevision)
    if (firstRevision === this.lastResponseRevision && firstRevision === this.lastRevision)
      this.report("watch is atomic", `revision ${firstRevision} came in more than one response`)
    for (const event of response.events) this.event(event)
    this.lastResponseRevision = this.lastRevision
  }

  /** Called when all is quiet: everything that happened must have been told. */
  finished(): void {
    const missing = this.nextDue()
    if (missing !== undefined && this.cursor !== undefined)
      this.report("watch is reliable", `never told of ${describe(missing)}`)
  }

  /** Forgets what the store lost in a crash, so that one loss is not reported again for each watch. */
  lost(revision: number): void {
    this.lastRevision = Math.min(this.lastRevision, revision)
    this.lastBookmark = Math.min(this.lastBookmark, revision)
    this.cursor = this.record.indexAfter(revision)
  }

  private bookmark(revision: number): void {
    if (revision < this.lastRevision || revision < this.lastBookmark)
      this.report(
        "watch is bookmarkable",
        `bookmark ${revision} after revision ${Math.max(this.lastRevision, this.lastBookmark)}`
      )
    const due = this.nextDue()
    if (due !== undefined && due.revision <= revision)
      this.report("watch is bookmarkable", `bookmark ${revision} came before ${describe(due)}`)
    if (revision > this.record.revision)
      this.report("watch is bookmarkable", `bookmark ${revision} is ahead of the store's ${this.record.revision}`)
    this.lastBookmark = Math.max(this.lastBookmark, revision)
  }

  private event(event: Event): void {
    const { subject } = this
    const key = text(event.kv?.key ?? new Uint8Array(0))
    const revision = Number(event.kv?.modRevision)
    const isPut = event.type === 0
    const name = `${isPut ? "put" : "delete"} of ${key} at ${revision}`
    const isWanted = (isPut ? subject.withPuts : subject.withDeletes) && this.covers(key)
    if (!isWanted) return this.report("watch is filtered", `told of ${name}`)
    const id = `${revision} ${key}`
    if (this.delivered.has(id)) return this.report("watch is unique", `told again of ${name}`)
    this.remember(id)
    if (revision < subject.startRevision)
      return this.report("watch is resumable", `told of ${name}, from before its start ${subject.startRevision}`)
    if (revision < this.lastRevision)
      return this.report("watch is ordered", `told of ${name} after revision ${this.lastRevision}`)
    if (revision <= this.lastBookmark)
      this.report("watch is bookmarkable", `told of ${name} after bookmark ${this.lastBookmark}`)
    this.lastRevision = revision
    this.match(event, key, revision, name)
    this.first = false
  }

  /** Compares an event with the one that the record has next. */
  private match(event: Event, key: string, revision: number, name: string): void {
    let due = this.nextDue()
    while (due !== undefined && due.revision < revision) {
      this.report(
        this.first ? "watch is resumable" : "watch is reliable",
        `told of ${name} but not of ${describe(due)}`
      )
      this.cursor = (this.cursor ?? 0) + 1
      due = this.nextDue()
    }
    if (due === undefined || due.revision !== revision || due.key !== key) {
      const same = this.record.ofRevision(revision).find((recorded) => recorded.key === key)
      if (same === undefined) return this.report("watch is reliable", `told of ${name}, which never happened`)
      if (due !== undefined && due.revision === revision)
        this.report("watch is reliable", `told of ${name} without or before ${describe(due)}`)
      return this.compare(event, same, name)
    }
    this.cursor = (this.cursor ?? 0) + 1
    this.compare(event, due, name)
  }

  private compare({ kv, prevKv, type }: Event, recorded: RecordedEvent, name: string): void {
    const value = type === 0 ? text(kv?.value ?? new Uint8Array(0)) : undefined
    if (value !== recorded.value)
      this.report(
        "watch is reliable",
        `told of ${name} with ${value ?? "nothing"} instead of ${recorded.value ?? "a deletion"}`
      )
    if (type === 0) {
      const isCreate = Number(kv?.createRevision) === Number(kv?.modRevision)
      if (isCreate !== (recorded.previous === undefined))
        this.report("watch marks creations", `told of ${name} as ${isCreate ? "a creation" : "a change"}`)
    }
    if (!this.subject.withPrevious || prevKv === undefined) return
    const previous = text(prevKv.value)
    if (previous !== recorded.previous?.value)
      this.report(
        "watch tells previous values",
        `told of ${name} with the previous value ${previous} instead of ${recorded.previous?.value ?? "none"}`
      )
  }

  private nextDue(): RecordedEvent | undefined {
    if (this.cursor === undefined) return undefined
    const { events } = this.record
    while (this.cursor < events.length && !this.wants(events[this.cursor])) this.cursor++
    return events[this.cursor]
  }

  private wants({ key, revision, value }: RecordedEvent): boolean {
    if (revision < this.subject.startRevision) return false
    return (value === undefined ? this.subject.withDeletes : this.subject.withPuts) && this.covers(key)
  }

  private covers(key: string): boolean {
    const { end, key: start } = this.subject
    return end === undefined ? key === start : key >= start && key < end
  }

  private remember(id: string): void {
    if (this.delivered.size >= REMEMBERED) {
      const [oldest] = this.delivered
      this.delivered.delete(oldest)
    }
    this.delivered.add(id)
  }

  private report(guarantee: Guarantee, message: string): void {
    this.violations.report(guarantee, `${this.subject.name}: ${message}`)
  }
}

const describe = ({ key, revision, value }: RecordedEvent): string =>
  `the ${value === undefined ? "deletion" : "put"} of ${key} at ${revision}`
