// Every version that the store still has, in the order in which they were written: what a snapshot file and a hash over
// revisions are made of. Owns that order and its price in memory; refuses to know what is done with a version.
// From the compacted revision on the log has the order. Older versions that still live have lost their log rows, so they
// are gathered from the Key and History tables and sorted, half a million at a time, however many there are.
import { compareBytes, keyText, Table, type Need, type View } from "../engine/Engine.ts"
import {
  EventKind,
  HISTORY_HEADER_BYTES,
  historyKey,
  historyRevision,
  LOG_HEADER_BYTES,
  logKey,
  logSub,
  readRevision,
  revisionRow,
  unescapeKey
} from "./Layout.ts"
import { modRevisionOf } from "./Record.ts"
import { RevisionSort } from "./RevisionSort.ts"
import { BYTES_PER_SLICE, ROWS_PER_SLICE, type Slices } from "./Slices.ts"

/** One put or deletion that the store still has. */
export interface Version {
  readonly revision: number
  /** Its place among the events of its revision. */
  readonly sub: number
  readonly key: Uint8Array
  /** As stored (a view for the call only); undefined for a deletion. */
  readonly record: Uint8Array | undefined
  /** The revision that superseded it; Infinity while it lives. */
  readonly end: number
}

/** What to walk: versions written at or before `revision` that a compaction at `compacted` (−1: none) leaves. */
export interface VersionRange {
  readonly revision: number
  readonly compacted: number
}

/** Tables contradict one another: the log names a version that neither the Key nor the History table has. */
export class VersionMissing extends Error {
  override readonly name = "VersionMissing"
}

/**
 * Visits versions in ascending (revision, sub). Writers may go on meanwhile; compaction must not remove rows. Throws
 * VersionMissing when the tables contradict one another.
 */
export function* walkVersions(range: VersionRange, visit: (version: Version) => void): Slices {
  if (range.compacted > 0) yield* walkOlder(range.compacted, visit)
  yield* walkLog(Math.max(range.compacted, 0), range.revision, visit)
}

interface LogRow {
  readonly revision: number
  readonly sub: number
  readonly kind: number
  readonly key: Buffer
}

/** Reads up to a slice of log rows in [from, end); the start of the next slice, or undefined at the end. */
const readLog = (view: View, from: Buffer, end: Buffer, take: (row: LogRow) => void): Buffer | undefined => {
  let rows = 0
  let next: Buffer | undefined
  view.scan(Table.Log, from, end, (row, value) => {
    if (rows++ === ROWS_PER_SLICE) {
      next = Buffer.from(row)
      return false
    }
    take({
      revision: readRevision(row, 0),
      sub: logSub(row),
      kind: value[0],
      key: Buffer.from(value.subarray(LOG_HEADER_BYTES))
    })
    return true
  })
  return next
}

const logNeed = (from: Buffer, end: Buffer) => () => [{ table: Table.Log, start: from, end, limit: ROWS_PER_SLICE + 1 }]

function* walkLog(first: number, last: number, visit: (version: Version) => void): Slices {
  const end = revisionRow(last + 1)
  let from: Buffer | undefined = revisionRow(first)
  while (from !== undefined) {
    const view = yield logNeed(from, end)
    const rows: Array<LogRow> = []
    from = readLog(view, from, end, (row) => rows.push(row))
    yield* visitRows(rows, visit)
  }
}

const lookups = (rows: ReadonlyArray<LogRow>, from: number): ReadonlyArray<Need> =>
  rows.slice(from).flatMap(({ key, revision }) => {
    const row = historyKey(key, revision)
    return [
      { table: Table.Key, start: key, end: key, limit: 1 },
      { table: Table.History, start: row, end: row, limit: 1 }
    ]
  })

/** Looks puts up and visits all. */
function* visitRows(rows: ReadonlyArray<LogRow>, visit: (version: Version) => void): Slices {
  let view = yield () => lookups(rows, 0)
  let bytes = 0
  for (let at = 0; at < rows.length; at++) {
    const { key, kind, revision, sub } = rows[at]
    if (bytes > BYTES_PER_SLICE) {
      view = yield () => lookups(rows, at)
      bytes = 0
    }
    if (kind === EventKind.Delete) {
      visit({ revision, sub, key, record: undefined, end: Number.POSITIVE_INFINITY })
      continue
    }
    const found = findVersion(view, key, revision)
    if (found === undefined) {
      throw new VersionMissing(`no table has key ${key.toString("hex")} as put at revision ${revision}`)
    }
    visit({ revision, sub, key, ...found })
    bytes += key.length + found.record.length
  }
}

/** The record of a key as written at a revision, and when that ended; undefined when the store has it no more. */
export const findVersion = (
  view: View,
  key: Uint8Array,
  revision: number
): { readonly record: Uint8Array; readonly end: number } | undefined => {
  const record = view.get(Table.Key, key)
  if (record !== undefined && modRevisionOf(record) === revision) return { record, end: Number.POSITIVE_INFINITY }
  const row = view.get(Table.History, historyKey(key, revision))
  return row && { record: row.subarray(HISTORY_HEADER_BYTES), end: readRevision(row, 0) }
}

/** Versions written before the compacted revision that were still there at it. */
function* walkOlder(compacted: number, visit: (version: Version) => void): Slices {
  let floor = 0
  for (;;) {
    const sort = new RevisionSort(floor, compacted)
    yield* gatherLog(compacted, sort)
    yield* gatherKeys(sort)
    yield* gatherHistory(compacted, sort)
    yield* sort.order()
    yield* visitSorted(sort, visit)
    if (sort.ceiling === compacted) return
    floor = sort.ceiling
  }
}

/** The log rows that compaction kept or has not come to yet: only they know a place other than the first. */
function* gatherLog(compacted: number, sort: RevisionSort): Slices {
  const end = revisionRow(compacted)
  let from: Buffer | undefined = revisionRow(0)
  while (from !== undefined) {
    const view = yield logNeed(from, end)
    const rows: Array<LogRow> = []
    from = readLog(view, from, end, (row) => {
      if (row.sub > 0 && row.kind === EventKind.Put && sort.wants(row.revision)) rows.push(row)
    })
    if (rows.length === 0) continue
    const tables = yield () => lookups(rows, 0)
    for (const { key, revision, sub } of rows) {
      const found = findVersion(tables, key, revision)
      if (found !== undefined && found.end > compacted) sort.add(revision, sub, keyText(key))
    }
  }
}

const following = (row: Uint8Array): Buffer => Buffer.concat([row, Buffer.alloc(1)])

function* gatherKeys(sort: RevisionSort): Slices {
  let from: Buffer | undefined = Buffer.alloc(0)
  while (from !== undefined) {
    const start: Buffer = from
    const view = yield () => [{ table: Table.Key, start, end: undefined, limit: ROWS_PER_SLICE }]
    from = undefined
    let rows = 0
    view.scan(Table.Key, start, undefined, (key, record) => {
      const revision = modRevisionOf(record)
      if (sort.wants(revision)) sort.add(revision, 0, keyText(key))
      if (++rows < ROWS_PER_SLICE) return true
      from = following(key)
      return false
    })
  }
}

/** After the keys: what a writer superseded since the keys were looked at is found here. */
function* gatherHistory(compacted: number, sort: RevisionSort): Slices {
  let from: Buffer | undefined = Buffer.alloc(0)
  while (from !== undefined) {
    const start: Buffer = from
    const view = yield () => [{ table: Table.History, start, end: undefined, limit: ROWS_PER_SLICE }]
    from = undefined
    let rows = 0
    view.scan(Table.History, start, undefined, (row, value) => {
      const revision = historyRevision(row)
      if (sort.wants(revision) && readRevision(value, 0) > compacted) {
        sort.add(revision, 0, keyText(unescapeKey(row)))
      }
      if (++rows < ROWS_PER_SLICE) return true
      from = following(row)
      return false
    })
  }
}

function* visitSorted(sort: RevisionSort, visit: (version: Version) => void): Slices {
  let rows: Array<LogRow> = []
  for (const { keys, revision } of sort.revisions()) {
    for (const [text, sub] of keys) {
      rows.push({ revision, sub, kind: EventKind.Put, key: Buffer.from(text, "latin1") })
    }
    if (rows.length < ROWS_PER_SLICE) continue
    yield* visitRows(rows, visit)
    rows = []
  }
  yield* visitRows(rows, visit)
}

/** Whether a row of the log must outlive compaction: its version lives on at a place other than the first. */
export const keepsPlace = (view: View, row: Uint8Array, value: Uint8Array, compacted: number): boolean => {
  if (value[0] !== EventKind.Put || logSub(row) === 0) return false
  const found = findVersion(view, Buffer.from(value.subarray(LOG_HEADER_BYTES)), readRevision(row, 0))
  return found !== undefined && found.end > compacted
}

/** The log row that was kept for a version, if there is one. */
export const keptRow = (view: View, key: Uint8Array, revision: number): Buffer | undefined => {
  let kept: Buffer | undefined
  view.scan(Table.Log, logKey(revision, 1), revisionRow(revision + 1), (row, value) => {
    if (compareBytes(value.subarray(LOG_HEADER_BYTES), key) !== 0) return true
    kept = Buffer.from(row)
    return false
  })
  return kept
}
