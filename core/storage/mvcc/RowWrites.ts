// Writes of an engine that keeps rows as they are put: versions, log lines and events by texts, nothing made of bytes.
// Owns what one put or deletion of a key appends to the open batch; refuses revisions, which transactions count, and checks.
// It sees what all earlier transactions wrote, committed or not.
import { type RowCell, type RowStore, type RowValue, Table } from "../engine/Engine.ts"
import type { Lessor } from "../lease/Lessor.ts"
import type { LeaseId } from "../rpc/KvMessages.ts"
import type { Committer } from "./Committer.ts"
import { EventKind, logText } from "./Layout.ts"
import { headOf, LazyLog, LazyRecord, type StoredText } from "./LazyRows.ts"
import type { Overlay } from "./Overlay.ts"
import { StoredEvent } from "./StoredEvent.ts"

/** Where a writer keeps the place of a key's row, so that the row needs not be looked for at each write. */
export interface KeyPlace {
  /** The store's alone; undefined at first. */
  cell: RowCell | undefined
}

export class RowWrites {
  private readonly rows: RowStore
  private readonly overlay: Overlay
  private readonly committer: Committer
  private readonly lessor: Lessor

  constructor(rows: RowStore, overlay: Overlay, committer: Committer, lessor: Lessor) {
    this.rows = rows
    this.overlay = overlay
    this.committer = committer
    this.lessor = lessor
  }

  /** The newest version of a key, as it is in the store or waits for it. */
  newest(key: string): RowValue | undefined {
    const pending = this.overlay.newest(key)
    return pending === undefined ? this.rows.get(Table.Key, key) : pending.record
  }

  /** The same of a key whose place in the store is known, with that place, or the place that it has now. */
  newestAt(key: string, place: KeyPlace): RowValue | undefined {
    const pending = this.overlay.newest(key)
    if (place.cell?.value === undefined) place.cell = this.rows.cell(key)
    return pending === undefined ? place.cell?.value : pending.record
  }

  /** Puts a key whose newest version is `before`, as the `sub`-th event of a revision; `cell` is its place, if that is known. */
  put(
    key: string,
    value: Uint8Array | StoredText,
    lease: LeaseId,
    origin: unknown,
    before: RowValue | undefined,
    revision: number,
    sub: number,
    cell?: RowCell
  ): void {
    let create = revision
    let version = 1
    let previousRevision = 0
    let wasLeased = false
    if (before !== undefined) {
      const fields = headOf(before)
      wasLeased = fields.lease !== 0
      create = fields.createRevision
      version = fields.version + 1
      previousRevision = fields.modRevision
    }
    const record = new LazyRecord(create, revision, version, lease, value)
    const { writes } = this.committer.batch
    writes.putText(Table.Key, key, record, cell)
    if (wasLeased || lease !== 0) this.lessor.attachText(key, lease, writes)
    this.note(new StoredEvent(EventKind.Put, revision, key, record, before, origin), previousRevision, before, sub)
  }

  /** Deletes a key whose newest version is `before`; watchers are told of `previous`. */
  delete(
    key: string,
    before: RowValue,
    previous: RowValue | undefined,
    origin: unknown,
    revision: number,
    sub: number
  ): void {
    const { writes } = this.committer.batch
    const previousRevision = headOf(before).modRevision
    writes.removeText(Table.Key, key)
    this.lessor.attachText(key, 0, writes)
    this.note(
      new StoredEvent(EventKind.Delete, revision, key, undefined, previous, origin),
      previousRevision,
      before,
      sub
    )
  }

  private note(event: StoredEvent, previousRevision: number, superseded: RowValue | undefined, sub: number): void {
    const { kind, revision, row, text } = event
    const { batch } = this.committer
    const line = new LazyLog(kind, revision, previousRevision, text, superseded)
    batch.writes.putText(Table.Log, logText(revision, sub), line)
    batch.events.push(event)
    this.overlay.add(text, revision, row)
    batch.revision = revision
  }
}
