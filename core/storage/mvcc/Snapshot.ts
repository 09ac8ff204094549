// What is visible at one revision: a key's record, the records of a range, how many there are.
// Owns the three ways to see: the latest committed state, an older revision through History, and the uncommitted overlay
// that a transaction is decided on. Refuses options, limits and encodings, which are the request's.
import { compareBytes, Table, valueBytes, type View } from "../engine/Engine.ts"
import {
  escapeKey,
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
  private readonly committed: number
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

  /** Counts now, takes away what was written since, and adds what was superseded since. */
  private countByRewind(range: KeyRange): number {
    const changed = new Map<string, Buffer>()
    let events = 0
    this.view.scan(Table.Log, revisionRow(this.revision + 1), logKey(this.committed + 1, 0), (_row, value) => {
      const key = value.subarray(LOG_HEADER_BYTES)
      if (inRange(range, key)) changed.set(Buffer.from(key).toString("latin1"), Buffer.from(key))
      return ++events <= REWIND_EVENTS_MAX
    })
    if (events > REWIND_EVENTS_MAX) return this.countByScan(range)
    let total = this.view.count(Table.Key, range.start, range.end)
    for (const key of changed.values()) if (this.view.get(Table.Key, key) !== undefined) total--
    this.superseded(range.start, range.end, () => (total++, true))
    return total
  }

  /** An older revision: current records that old, merged with the versions superseded since. */
  private scanOlder(range: KeyRange, visit: VisitRecord): void {
    const older: Array<Correction> = []
    this.superseded(range.start, range.end, (key, record) => {
      older.push({ key, record: Buffer.from(record) })
      return true
    })
    const { revision } = this
    this.merge(range, older, (key, record) => modRevisionOf(record) > revision || visit(key, record))
  }

  /** Visits versions that were visible at the revision and have been superseded since. */
  private superseded(start: Uint8Array, end: Uint8Array | undefined, visit: VisitRecord): void {
    this.view.scan(Table.History, escapeKey(start), end && escapeKey(end), (row, value) =>
      historyRevision(row) <= this.revision && readRevision(value, 0) > this.revision
        ? visit(unescapeKey(row), value.subarray(HISTORY_HEADER_BYTES))
        : true
    )
  }

  /** Visits the Key table with corrections laid over it: each replaces, adds or (without a record) removes its key. */
  private merge(range: KeyRange, corrections: ReadonlyArray<Correction>, visit: VisitRecord): void {
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
    while (!stopped && next < corrections.length) stopped = !emit(corrections[next++])
  }
}

const correctionOf = ({ record, text }: PendingVersion): Correction => ({
  key: Buffer.from(text, "latin1"),
  record: record && valueBytes(record)
})

const followingKey = (key: Uint8Array): Buffer => Buffer.concat([key, Buffer.alloc(1)])
