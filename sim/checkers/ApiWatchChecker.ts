// The guarantees of an API server's watch, checked on each event as it arrives, against the record of the store below the server.
// Owns one watch's place in the record; refuses to judge lists and writes, which CheckedClient.ts does. A watch with a selector sees a
// part of the record, so of it only order, truth and bookmarks are checked; of keys that the record does not keep, only order.
import { INITIAL_EVENTS_END, type KubeObject, type WatchEvent } from "#kube"
import type { EventRecord, KnownEvent } from "../history/EventRecord.ts"
import type { Guarantee, Violations } from "./Violations.ts"

export interface ApiWatchSubject {
  readonly name: string
  /** Where the watched objects are in the store, like "/registry/pods/default/". */
  readonly prefix: string
  /** Of the resource: the prefix without a namespace. */
  readonly resourcePrefix: string
  /** The version that was asked for; 0: the server's own. */
  readonly startRevision: number
  readonly selects: boolean
  /** Whether the state comes first, as events and a bookmark. */
  readonly initialEvents: boolean
}

/** The key of an object in the store. */
export const storeKey = (resourcePrefix: string, { metadata: { name = "", namespace = "" } }: KubeObject): string =>
  `${resourcePrefix}${namespace === "" ? "" : `${namespace}/`}${name}`

export class ApiWatchChecker {
  private readonly record: EventRecord
  private readonly violations: Violations
  private readonly subject: ApiWatchSubject
  private initial: Map<string, number> | undefined
  /** The place in the record of the next event that is due; undefined until the watch's start is known. */
  private cursor: number | undefined
  private last = 0
  private lastBookmark = 0
  private first = true

  constructor(record: EventRecord, violations: Violations, subject: ApiWatchSubject) {
    this.record = record
    this.violations = violations
    this.subject = subject
    if (subject.initialEvents) this.initial = new Map()
    else if (subject.startRevision > 0) {
      this.cursor = record.placeAfter(subject.startRevision)
      this.last = subject.startRevision
    }
  }

  event({ object, type }: WatchEvent): void {
    const revision = Number(object.metadata.resourceVersion ?? 0)
    if (this.initial !== undefined) return this.initialEvent(this.initial, object, type, revision)
    if (type === "BOOKMARK") return this.bookmark(revision)
    const key = storeKey(this.subject.resourcePrefix, object)
    const name = `${type} ${key} of ${revision}`
    if (!key.startsWith(this.subject.prefix)) return this.report("watch is filtered", `told of ${name}`)
    // From the server's own version on, the first events are the state in no order of time.
    if (this.cursor === undefined && !this.subject.initialEvents && this.subject.startRevision === 0) return
    if (revision === this.last && !this.first) return this.report("watch is unique", `told again of ${name}`)
    if (revision <= this.last) {
      const before = this.first ? "watch is resumable" : "watch is ordered"
      return this.report(before, `told of ${name} after ${this.last}`)
    }
    if (revision <= this.lastBookmark)
      this.report("watch is bookmarkable", `told of ${name} after bookmark ${this.lastBookmark}`)
    this.last = revision
    this.match(key, type, revision, name)
    this.first = false
  }

  /** Called when all is quiet and the watch stands. */
  finished(): void {
    const missing = this.nextDue()
    if (missing !== undefined) this.report("watch is reliable", `never told of ${missing.key} of ${missing.revision}`)
  }

  private initialEvent(
    initial: Map<string, number>,
    object: KubeObject,
    type: WatchEvent["type"],
    revision: number
  ): void {
    if (type !== "BOOKMARK") {
      const key = storeKey(this.subject.resourcePrefix, object)
      if (!this.record.keeps(key)) return
      if (type === "DELETED") initial.delete(key)
      else initial.set(key, revision)
      return
    }
    if (object.metadata.annotations?.[INITIAL_EVENTS_END] !== "true") return
    this.initial = undefined
    this.last = this.lastBookmark = revision
    this.cursor = this.record.placeAfter(revision)
    if (this.subject.selects || !this.record.tells(revision)) return
    const problem = stateProblem(this.record, this.subject.prefix, revision, initial)
    if (problem !== undefined) this.report("initial list is complete", problem)
  }

  private bookmark(revision: number): void {
    if (revision < this.last || revision < this.lastBookmark)
      this.report("watch is bookmarkable", `bookmark ${revision} after ${Math.max(this.last, this.lastBookmark)}`)
    const due = this.nextDue()
    if (due !== undefined && due.revision <= revision)
      this.report("watch is bookmarkable", `bookmark ${revision} came before ${due.key} of ${due.revision}`)
    this.lastBookmark = Math.max(this.lastBookmark, revision)
  }

  private match(key: string, type: WatchEvent["type"], revision: number, name: string): void {
    if (!this.record.keeps(key)) return
    const recorded = this.record.eventOf(key, revision)
    if (recorded === undefined) return this.report("watch is reliable", `told of ${name}, which never happened`)
    if (this.subject.selects) return
    for (let due = this.nextDue(); due !== undefined && due.revision < revision; due = this.nextDue()) {
      const guarantee = this.first ? "watch is resumable" : "watch is reliable"
      this.report(guarantee, `told of ${name} but not of ${due.key} of ${due.revision}`)
      this.cursor = (this.cursor ?? 0) + 1
    }
    this.cursor = (this.cursor ?? 0) + 1
    const really = !recorded.isPut ? "DELETED" : recorded.isCreate ? "ADDED" : "MODIFIED"
    if (type !== really) this.report("watch marks creations", `told of ${name}, which was ${really}`)
  }

  private nextDue(): KnownEvent | undefined {
    if (this.cursor === undefined || this.subject.selects) return undefined
    for (let next = this.record.from(this.cursor); next !== undefined; next = this.record.from(this.cursor)) {
      this.cursor = next.place
      if (next.event.key.startsWith(this.subject.prefix)) return next.event
      this.cursor++
    }
    return undefined
  }

  private report(guarantee: Guarantee, message: string): void {
    this.violations.report(guarantee, `${this.subject.name}: ${message}`)
  }
}

/** How a state that was shown (revisions by key) differs from what the record has under a prefix at a revision. */
export const stateProblem = (
  record: EventRecord,
  prefix: string,
  revision: number,
  shown: ReadonlyMap<string, number>
): string | undefined => {
  for (const [key, version] of shown) {
    const really = record.versionAt(key, revision)
    if (really !== version) return `${key} was shown of ${version} at ${revision}, where it was ${really ?? "absent"}`
  }
  for (const key of record.keys()) {
    const really = key.startsWith(prefix) ? record.versionAt(key, revision) : undefined
    if (really !== undefined && !shown.has(key)) return `${key} of ${really} was not shown at ${revision}`
  }
  return undefined
}
