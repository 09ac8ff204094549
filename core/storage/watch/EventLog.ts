// The durable log read back as events: what a watcher that is behind, or starts in the past, is told.
// Owns the way from Log rows to events with their records, in one View or in two fetched ones; refuses to know watchers.
// An event's record is the key's current one, or the superseded version in History; compaction takes both together.
import { compareBytes, type Engine, type Need, Table, type View } from "../engine/Engine.ts"
import { NotFetched } from "../engine/FetchedView.ts"
import {
  EventKind,
  HISTORY_HEADER_BYTES,
  historyKey,
  LOG_HEADER_BYTES,
  MetaKey,
  readRevision,
  revisionRow
} from "../mvcc/Layout.ts"
import { rowNeed, stateNeeds } from "../mvcc/Needs.ts"
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

/** Events in order, with the first revision not read. */
export interface EventStretch {
  readonly events: ReadonlyArray<StoredEvent>
  readonly next: number
}

/**
 * Reads events from a revision up to another, at least one revision and then until a bound is reached; a revision is
 * never split. Returns them with the first revision not read.
 */
export const readEvents = (view: View, from: number, upTo: number, max: ReadBounds): EventStretch => {
  const { next, rows } = readRows(view, from, upTo, max.events)
  return toEvents(view, rows, next, max.bytes)
}

/** A stretch read from a shared engine, which may have been compacted meanwhile. */
export interface FetchedStretch extends EventStretch {
  /** The newest revision when the log was read. */
  readonly shown: number
  /** Below this revision records are gone; −1 before the first compaction. */
  readonly compacted: number
  /** What Meta held when the log was read: good for the call only. */
  readonly meta: View
}

/** All of Meta: small, and whoever follows the log keeps some of it. */
const metaNeed: Need = { table: Table.Meta, start: Buffer.alloc(0), end: undefined, limit: 0 }

/**
 * Reads events of a shared engine up to a revision (undefined: the newest): first the log, then the rows that it names. A bound
 * of no events reads Meta alone, and answers that all revisions have been passed by.
 */
export const fetchEvents = (
  engine: Engine,
  from: number,
  upTo: number | undefined,
  max: ReadBounds,
  done: (stretch: FetchedStretch) => void
): void => fetchScaled(engine, from, upTo, max, done, 1)

const fetchScaled = (
  engine: Engine,
  from: number,
  upTo: number | undefined,
  max: ReadBounds,
  done: (stretch: FetchedStretch) => void,
  scale: number
): void => {
  const log: Need = { table: Table.Log, start: revisionRow(from), end: undefined, limit: max.events * scale + 1 }
  engine.read(
    () => (max.events === 0 ? [metaNeed] : [metaNeed, log]),
    (meta) => {
      const shown = metaRevision(meta, MetaKey.revision, 1)
      const last = Math.min(shown, upTo ?? shown)
      let found: ReturnType<typeof readRows>
      try {
        found = max.events === 0 ? { rows: [], next: last + 1 } : readRows(meta, from, last, max.events)
      } catch (error) {
        if (!(error instanceof NotFetched)) throw error
        return fetchScaled(engine, from, upTo, max, done, scale * 4)
      }
      const { next, rows } = found
      if (rows.length === 0) {
        return done({ events: [], next, shown, compacted: metaRevision(meta, MetaKey.compacted, -1), meta })
      }
      engine.read(
        () => [...stateNeeds, ...rows.flatMap((row, at) => needsOf(row, previousOf(rows, at)))],
        (view) => {
          const compacted = metaRevision(view, MetaKey.compacted, -1)
          done({ ...toEvents(view, rows, next, max.bytes), shown, compacted, meta })
        }
      )
    }
  )
}

const metaRevision = (view: View, key: Uint8Array, absent: number): number => {
  const row = view.get(Table.Meta, key)
  return row === undefined ? absent : readRevision(row, 0)
}

const needsOf = ({ key, kind, revision }: LogRow, previous: number): ReadonlyArray<Need> => [
  ...(kind === EventKind.Put ? [rowNeed(Table.Key, key), rowNeed(Table.History, historyKey(key, revision))] : []),
  ...(previous === 0 ? [] : [rowNeed(Table.History, historyKey(key, previous))])
]

const readRows = (
  view: View,
  from: number,
  upTo: number,
  max: number
): { readonly rows: ReadonlyArray<LogRow>; readonly next: number } => {
  const rows: Array<LogRow> = []
  let next = Math.max(from, upTo + 1)
  view.scan(Table.Log, revisionRow(from), revisionRow(upTo + 1), (row, value) => {
    const revision = readRevision(row, 0)
    if (rows.length >= max && rows[rows.length - 1].revision !== revision) {
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
  return { rows, next }
}

const toEvents = (view: View, rows: ReadonlyArray<LogRow>, next: number, maxBytes: number): EventStretch => {
  const events: Array<StoredEvent> = []
  let bytes = 0
  for (const [index, row] of rows.entries()) {
    if (bytes > maxBytes && events[events.length - 1].revision !== row.revision) return { events, next: row.revision }
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
