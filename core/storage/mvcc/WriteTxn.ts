// One transaction's writes: puts and deletes that share a revision, appended to the open batch as they are made.
// Owns versions, superseded versions, log rows and events of its writes; refuses to check requests, for by then it is too late.
// It sees what all earlier transactions wrote, committed or not, and its own writes.
import { Table, type View } from "../engine/Engine.ts"
import type { Lessor } from "../lease/Lessor.ts"
import type { LeaseId } from "../rpc/KvMessages.ts"
import type { Committer } from "./Committer.ts"
import { EventKind, HISTORY_HEADER_BYTES, historyKey, logKey, logValue, writeRevision } from "./Layout.ts"
import type { Overlay } from "./Overlay.ts"
import { encodeRecord, readRecord } from "./Record.ts"
import { Snapshot, type KeyRange } from "./Snapshot.ts"
import { StoredEvent } from "./StoredEvent.ts"

export interface WriteTxnState {
  readonly view: View
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

  /** Deletes every key of a range and says how many there were. */
  deleteRange(range: KeyRange, origin?: unknown): number {
    const doomed: Array<readonly [Buffer, Buffer]> = []
    this.snapshot().scan(range, (key, record) => {
      doomed.push([Buffer.from(key), Buffer.from(record)])
      return true
    })
    for (const [key, record] of doomed) this.delete(key, record, origin)
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
    batch.keys.push(this.state.overlay.add(key, revision, record))
    batch.revision = revision
    this.changes++
  }
}

const copyOf = (record: Uint8Array | undefined): Buffer | undefined => record && Buffer.from(record)
