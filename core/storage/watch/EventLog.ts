// The durable log read back as events: what a watcher that is behind, or starts in the past, is told.
// Owns the way from Log rows to events with their records; refuses to know watchers.
// An event's record is the key's current one, or the superseded version in History; compaction takes both together.
import { compareBytes, Table, type View } from "../engine/Engine.ts"
import {
  EventKind,
  HISTORY_HEADER_BYTES,
  historyKey,
  LOG_HEADER_BYTES,
  readRevision,
  revisionRow
} from "../mvcc/Layout.ts"
import { modRevisionOf } from "../mvcc/Record.ts"
import { StoredEvent } from "../mvcc/StoredEvent.ts"

interface LogRow {
  readonly revision: number
  readonly kind: EventKind
  readonly previous: number
  readonly key: Buffer
}

/** How much is read in one go, whichever bound is reached first. */
export interface ReadBounds {
  readonly events: number
  readonly bytes: number
}

/**
 * Reads events from a revision up to another, at least one revision and then until a bound is reached; a revision is
 * never split. Returns them with the first revision not read.
 */
export const readEvents = (
  view: View,
  from: number,
  upTo: number,
  max: ReadBounds
): { readonly events: ReadonlyArray<StoredEvent>; readonly next: number } => {
  const rows: Array<LogRow> = []
  let next = upTo + 1
  view.scan(Table.Log, revisionRow(from), revisionRow(upTo + 1), (row, value) => {
    const revision = readRevision(row, 0)
    if (rows.length >= max.events && rows[rows.length - 1].revision !== revision) {
      next = revision
      return false
    }
    rows.push({
      revision,
      kind: value[0] as EventKind,
      previous: readRevision(value, 1),
      key: Buffer.from(value.subarray(LOG_HEADER_BYTES))
    })
    return true
  })
  const events: Array<StoredEvent> = []
  let bytes = 0
  for (const [index, row] of rows.entries()) {
    if (bytes > max.bytes && events[events.length - 1].revision !== row.revision) return { events, next: row.revision }
    const event = toEvent(view, row, previousOf(rows, index))
    events.push(event)
    bytes += event.key.length + (event.record?.length ?? 0) + (event.previous?.length ?? 0)
  }
  return { events, next }
}

/** The version before the event's transaction: a key that was put and deleted in one has an own version in between. */
const previousOf = (rows: ReadonlyArray<LogRow>, index: number): number => {
  const { key, previous, revision } = rows[index]
  if (previous !== revision) return previous
  const put = rows.findLast((row, at) => at < index && row.revision === revision && compareBytes(row.key, key) === 0)
  return put?.previous ?? 0
}

const toEvent = (view: View, { key, kind, revision }: LogRow, previous: number): StoredEvent => {
  const record = kind === EventKind.Put ? recordAt(view, key, revision) : undefined
  const before = previous === 0 ? undefined : superseded(view, key, previous)
  return new StoredEvent(kind, revision, key, record, before)
}

const recordAt = (view: View, key: Buffer, revision: number): Buffer | undefined => {
  const current = view.get(Table.Key, key)
  if (current !== undefined && modRevisionOf(current) === revision) return Buffer.from(current)
  return superseded(view, key, revision)
}

const superseded = (view: View, key: Buffer, revision: number): Buffer | undefined => {
  const row = view.get(Table.History, historyKey(key, revision))
  return row && Buffer.from(row.subarray(HISTORY_HEADER_BYTES))
}
