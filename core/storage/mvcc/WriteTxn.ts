// One transaction's writes: puts and deletes that share a revision, appended to the open batch as they are made.
// Owns versions, superseded versions, log rows and events of its writes; refuses to check requests, for by then it is too late.
// It sees what all earlier transactions wrote, committed or not, and its own writes.
import { keyText, type RowValue, Table, textKey, type View } from "../engine/Engine.ts"
import type { Lessor } from "../lease/Lessor.ts"
import type { LeaseId } from "../rpc/KvMessages.ts"
import type { Committer } from "./Committer.ts"
import { EventKind, HISTORY_HEADER_BYTES, historyKey, logKey, logValue, writeRevision } from "./Layout.ts"
import { headOf, type StoredText } from "./LazyRows.ts"
import type { Overlay } from "./Overlay.ts"
import { encodeRecord, readRecord } from "./Record.ts"
import type { RowWrites } from "./RowWrites.ts"
import { Snapshot, type KeyRange } from "./Snapshot.ts"
import { StoredEvent } from "./StoredEvent.ts"

export interface WriteTxnState {
  readonly view: View
  /** Where the engine has rows as they were put: such an engine is given rows that are not bytes yet. */
  readonly rows: RowWrites | undefined
  readonly overlay: Overlay
  readonly committer: Committer
  readonly lessor: Lessor
  /** The revision of the last transaction, committed or not. */
  readonly head: number
  readonly committed: number
}

export class WriteTxn {
  private readonly state: WriteTxnState
  private changes = 0

  constructor(state: WriteTxnState) {
    this.state = state
  }

  /** The revision before this transaction. */
  get baseRevision(): number {
    return this.state.head
  }

  /** The revision that reads of this transaction see: its own, once it has written. */
  get revision(): number {
    return this.state.head + (this.changes > 0 ? 1 : 0)
  }

  /** What is visible at a revision (by default this transaction's own). */
  snapshot(revision = this.revision): Snapshot {
    const { committed, overlay, view } = this.state
    return new Snapshot(view, revision, committed, overlay)
  }

  /** Puts a key; key and value are copied. Watchers of this process are handed `origin` with the event. */
  put(key: Uint8Array, value: Uint8Array, lease: LeaseId, origin?: unknown): void {
    const { rows } = this.state
    if (rows !== undefined) return this.putRow(rows, keyText(key), Buffer.from(value), lease, origin)
    const revision = this.state.head + 1
    const before = this.snapshot().get(key)
    const owned = Buffer.from(key)
    let create = revision
    let version = 1
    let superseded: Buffer | undefined
    let previousRevision = 0
    if (before !== undefined) {
      const fields = readRecord(before)
      create = fields.createRevision
      version = fields.version + 1
      previousRevision = fields.modRevision
      superseded = this.supersede(owned, previousRevision, revision, before)
    }
    const record = encodeRecord(create, revision, version, value, lease)
    this.state.committer.batch.writes.put(Table.Key, owned, record, before === undefined)
    this.state.lessor.attach(owned, lease, this.state.committer.batch.writes)
    this.record(EventKind.Put, owned, record, superseded, previousRevision, origin)
  }

  /** Puts a key by its text; where the engine takes values that are not bytes yet, the value's text is not made. */
  putText(key: string, value: StoredText, lease: LeaseId, origin: unknown): void {
    if (this.state.rows === undefined) this.put(textKey(key), Buffer.from(value.text()), lease, origin)
    else this.putRow(this.state.rows, key, value, lease, origin)
  }

  /** The newest version of a key by its text, as it is in the store or waits for it; the next call may overwrite bytes. */
  newest(key: string): RowValue | undefined {
    const { rows } = this.state
    return rows === undefined ? this.snapshot().get(textKey(key)) : rows.newest(key)
  }

  private putRow(rows: RowWrites, key: string, value: Uint8Array | StoredText, lease: LeaseId, origin: unknown): void {
    rows.put(key, value, lease, origin, rows.newest(key), this.state.head + 1, this.changes++)
  }

  /** Deletes a key by its text; false when there is none. */
  deleteText(key: string, origin: unknown): boolean {
    const { head, rows } = this.state
    if (rows === undefined) return this.deleteRange({ start: textKey(key), end: undefined, single: true }, origin) > 0
    const before = rows.newest(key)
    if (before === undefined) return false
    // Watchers are told what was there before the transaction, not what it put itself.
    const isOwn = headOf(before).modRevision > head
    const previous = isOwn ? copyOf(this.snapshot(head).get(textKey(key))) : before
    rows.delete(key, before, previous, origin, head + 1, this.changes++)
    return true
  }

  /** Deletes every key of a range and says how many there were. */
  deleteRange(range: KeyRange, origin?: unknown): number {
    const doomed: Array<readonly [Buffer, Buffer]> = []
    this.snapshot().scan(range, (key, record) => {
      doomed.push([Buffer.from(key), Buffer.from(record)])
      return true
    })
    for (const [key, record] of doomed) {
      if (this.state.rows === undefined) this.delete(key, record, origin)
      else this.deleteText(keyText(key), origin)
    }
    return doomed.length
  }

  private delete(key: Buffer, before: Buffer, origin: unknown): void {
    const previousRevision = readRecord(before).modRevision
    const superseded = this.supersede(key, previousRevision, this.state.head + 1, before)
    const { writes } = this.state.committer.batch
    writes.remove(Table.Key, key)
    this.state.lessor.attach(key, 0, writes)
    // Watchers are told what was there before the transaction, not what it put itself.
    const own = previousRevision > this.state.head
    const previous = own ? copyOf(this.snapshot(this.state.head).get(key)) : superseded
    this.record(EventKind.Delete, key, undefined, previous, previousRevision, origin)
  }

  /** Keeps a version for readers of older revisions; returns its record in memory of its own. */
  private supersede(key: Buffer, modRevision: number, at: number, record: Uint8Array): Buffer {
    const row = Buffer.allocUnsafe(HISTORY_HEADER_BYTES + record.length)
    writeRevision(row, 0, at)
    row.set(record, HISTORY_HEADER_BYTES)
    this.state.committer.batch.writes.put(Table.History, historyKey(key, modRevision), row)
    return row.subarray(HISTORY_HEADER_BYTES)
  }

  private record(
    kind: EventKind,
    key: Buffer,
    record: Buffer | undefined,
    previous: Buffer | undefined,
    previousRevision: number,
    origin: unknown
  ): void {
    const revision = this.state.head + 1
    const { batch } = this.state.committer
    batch.writes.put(Table.Log, logKey(revision, this.changes), logValue(kind, previousRevision, key))
    batch.events.push(new StoredEvent(kind, revision, key, record, previous, origin))
    this.state.overlay.add(keyText(key), revision, record)
    batch.revision = revision
    this.changes++
  }
}

const copyOf = (record: Uint8Array | undefined): Buffer | undefined => record && Buffer.from(record)
