// What is visible at one revision: a key's record, the records of a range, how many there are.
// Owns the three ways to see: the latest committed state, an older revision through History, and the uncommitted overlay
// that a transaction is decided on. Refuses options, limits and encodings, which are the request's.
import { compareBytes, keyText, Table, valueBytes, type View } from "../engine/Engine.ts"
import { NotFetched } from "../engine/FetchedView.ts"
import {
  escapeKey,
  EventKind,
  HISTORY_HEADER_BYTES,
  historyRevision,
  LOG_HEADER_BYTES,
  logKey,
  readRevision,
  revisionRow,
  unescapeKey
} from "./Layout.ts"
import type { Overlay, PendingVersion } from "./Overlay.ts"
import { modRevisionOf } from "./Record.ts"

/** A half-open interval of keys; an undefined `end` means all keys from `start` on. */
export interface KeyRange {
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined
  /** One key only: `end` is not looked at. */
  readonly single: boolean
}

const FROM_KEY_END = 0

/** etcd's key and range_end: none means one key, a single zero byte means all keys from `key` on. */
export const keyRange = (key: Uint8Array, rangeEnd: Uint8Array): KeyRange =>
  rangeEnd.length === 0
    ? { start: key, end: undefined, single: true }
    : { start: key, end: rangeEnd.length === 1 && rangeEnd[0] === FROM_KEY_END ? undefined : rangeEnd, single: false }

/** Whether a key lies in a range. */
export const inRange = (range: KeyRange, key: Uint8Array): boolean =>
  range.single
    ? compareBytes(key, range.start) === 0
    : compareBytes(key, range.start) >= 0 && (range.end === undefined || compareBytes(key, range.end) < 0)

/** A range that holds nothing whatever the keys are: its end is not after its start. */
export const isEmptyRange = (range: KeyRange): boolean =>
  !range.single && range.end !== undefined && compareBytes(range.start, range.end) >= 0

/** Called with views that live only for the call; returns false to stop. */
export type VisitRecord = (key: Uint8Array, record: Uint8Array) => boolean

interface Correction {
  readonly key: Uint8Array
  readonly record: Uint8Array | undefined
}

/** Rewinding through the log beats scanning the range up to this many events; beyond, the range itself is scanned. */
const REWIND_EVENTS_MAX = 20_000

export class Snapshot {
  private readonly view: View
  /** What is seen: everything written at or before this revision. */
  readonly revision: number
  /** The newest revision that the view shows. */
  readonly committed: number
  private readonly overlay: Overlay

  constructor(view: View, revision: number, committed: number, overlay: Overlay) {
    this.view = view
    this.revision = revision
    this.committed = committed
    this.overlay = overlay
  }

  /** The same view at another revision. */
  at(revision: number): Snapshot {
    return new Snapshot(this.view, revision, this.committed, this.overlay)
  }

  /** The record of a key, as a view that the next read may overwrite; undefined when the key is not there. */
  get(key: Uint8Array): Uint8Array | undefined {
    if (this.revision > this.committed) {
      const pending = this.overlay.at(key, this.revision)
      if (pending !== undefined) return pending.record && valueBytes(pending.record)
    }
    const record = this.view.get(Table.Key, key)
    if (this.revision >= this.committed) return record
    if (record !== undefined && modRevisionOf(record) <= this.revision) return record
    let found: Uint8Array | undefined
    this.superseded(key, followingKey(key), (_key, older) => {
      found = older
      return false
    })
    return found
  }

  /** Visits the records of a range in key order until the visitor returns false. */
  scan(range: KeyRange, visit: VisitRecord): void {
    if (range.single) {
      const record = this.get(range.start)
      if (record !== undefined) visit(range.start, record)
      return
    }
    if (isEmptyRange(range)) return
    if (this.revision > this.committed && !this.overlay.isEmpty) {
      this.merge(range, this.overlay.range(range.start, range.end, this.revision).map(correctionOf), visit)
    } else if (this.revision >= this.committed) this.view.scan(Table.Key, range.start, range.end, visit)
    else this.scanOlder(range, visit)
  }

  /** How many keys of a range are there. */
  count(range: KeyRange): number {
    if (range.single) return this.get(range.start) === undefined ? 0 : 1
    if (isEmptyRange(range)) return 0
    const latest = this.revision >= this.committed
    if (latest && (this.revision === this.committed || this.overlay.isEmpty)) {
      return this.view.count(Table.Key, range.start, range.end)
    }
    if (latest || this.committed - this.revision > REWIND_EVENTS_MAX) return this.countByScan(range)
    return this.countByRewind(range)
  }

  private countByScan(range: KeyRange): number {
    let total = 0
    this.scan(range, () => (total++, true))
    return total
  }

  /**
   * Counts now, and takes back what was created and deleted since, as the log tells it: a key's first event says whether
   * it was there before, its last whether it is there now.
   */
  private countByRewind(range: KeyRange): number {
    const change = new Map<string, { readonly before: boolean; after: boolean }>()
    let events = 0
    const take = (_row: Uint8Array, value: Uint8Array): boolean => {
      const key = value.subarray(LOG_HEADER_BYTES)
      if (inRange(range, key)) {
        const text = keyText(key)
        const after = value[0] === EventKind.Put
        const known = change.get(text)
        if (known === undefined) change.set(text, { before: readRevision(value, 1) > 0, after })
        else known.after = after
      }
      return ++events <= REWIND_EVENTS_MAX
    }
    try {
      this.view.scan(Table.Log, revisionRow(this.revision + 1), logKey(this.committed + 1, 0), take)
    } catch (error) {
      // Of a remote engine perhaps the versions were fetched and not the log: a transaction fetches what it names.
      if (error instanceof NotFetched) return this.countByScan(range)
      throw error
    }
    if (events > REWIND_EVENTS_MAX) return this.countByScan(range)
    let total = this.view.count(Table.Key, range.start, range.end)
    for (const { after, before } of change.values()) total += Number(before) - Number(after)
    return total
  }

  /** An older revision: current records that old, merged with the versions superseded since. */
  private scanOlder(range: KeyRange, visit: VisitRecord): void {
    const older: Array<Correction> = []
    const cut = this.gatherOlder(range, older)
    const { revision } = this
    this.merge(
      range,
      older,
      (key, record) => {
        // Of a history that was fetched in part, keys from its last on are not known whole.
        if (cut !== undefined && compareBytes(key, cut.from) >= 0) throw cut.error
        return modRevisionOf(record) > revision || visit(key, record)
      },
      cut?.error
    )
  }

  /** Gathers superseded versions; says from which key on they are missing, and why, if a remote engine fetched only some. */
  private gatherOlder(
    range: KeyRange,
    older: Array<Correction>
  ): { readonly from: Uint8Array; readonly error: NotFetched } | undefined {
    let last: Uint8Array | undefined
    try {
      this.view.scan(Table.History, escapeKey(range.start), range.end && escapeKey(range.end), (row, value) => {
        last = row
        if (this.wasVisible(row, value))
          older.push({ key: unescapeKey(row), record: Buffer.from(value.subarray(HISTORY_HEADER_BYTES)) })
        return true
      })
    } catch (error) {
      if (!(error instanceof NotFetched) || last === undefined) throw error
      return { from: unescapeKey(last), error }
    }
    return undefined
  }

  /** Whether a History row was visible at the revision and has been superseded since. */
  private wasVisible(row: Uint8Array, value: Uint8Array): boolean {
    return historyRevision(row) <= this.revision && readRevision(value, 0) > this.revision
  }

  /** Visits versions that were visible at the revision and have been superseded since. */
  private superseded(start: Uint8Array, end: Uint8Array | undefined, visit: VisitRecord): void {
    this.view.scan(Table.History, escapeKey(start), end && escapeKey(end), (row, value) =>
      this.wasVisible(row, value) ? visit(unescapeKey(row), value.subarray(HISTORY_HEADER_BYTES)) : true
    )
  }

  /** Visits the Key table with corrections laid over it: each replaces, adds or (without a record) removes its key. */
  private merge(
    range: KeyRange,
    corrections: ReadonlyArray<Correction>,
    visit: VisitRecord,
    missing?: NotFetched
  ): void {
    let next = 0
    let stopped = false
    const emit = ({ key, record }: Correction): boolean => record === undefined || visit(key, record)
    this.view.scan(Table.Key, range.start, range.end, (key, record) => {
      while (next < corrections.length && compareBytes(corrections[next].key, key) < 0) {
        if (!emit(corrections[next++])) return !(stopped = true)
      }
      const replaced = next < corrections.length && compareBytes(corrections[next].key, key) === 0
      if (!(replaced ? emit(corrections[next++]) : visit(key, record))) stopped = true
      return !stopped
    })
    if (missing !== undefined && !stopped) throw missing
    while (!stopped && next < corrections.length) stopped = !emit(corrections[next++])
  }
}

const correctionOf = ({ record, text }: PendingVersion): Correction => ({
  key: Buffer.from(text, "latin1"),
  record: record && valueBytes(record)
})

const followingKey = (key: Uint8Array): Buffer => Buffer.concat([key, Buffer.alloc(1)])
