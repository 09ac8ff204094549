// The store as code of the same process uses it: plain calls on one key or a run of keys, without messages.
// Owns compare-and-write on one key, pages at a revision, watches of a prefix and leases for keys that go by themselves.
// Refuses whole transactions, users and limits, which the gRPC services have. Reads answer at once: the engine is embedded.
import { keyText, type RowValue, Table, textKey, valueBytes } from "../engine/Engine.ts"
import { revokeLease } from "../lease/Revocation.ts"
import type { Compactor } from "../mvcc/Compactor.ts"
import { EventKind } from "../mvcc/Layout.ts"
import { contentOf, headOf, LazyRecord, type StoredText } from "../mvcc/LazyRows.ts"
import { readRecord } from "../mvcc/Record.ts"
import { keyRange, type KeyRange } from "../mvcc/Snapshot.ts"
import type { KeyPlace, RowWrites } from "../mvcc/RowWrites.ts"
import type { Store } from "../mvcc/Store.ts"
import type { StoredEvent } from "../mvcc/StoredEvent.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"
import type { LeaseId } from "../rpc/KvMessages.ts"
import type { WatchHub } from "../watch/WatchHub.ts"

/** A version of a key. */
export interface DirectValue {
  /** The key, one character a byte. */
  readonly key: string
  /** A copy of its own. */
  readonly value: Uint8Array
  readonly revision: number
  /** What a writer of this process gave as the value, as far as it is still known. */
  readonly origin?: StoredText | undefined
}

/** A version whose bytes nobody has asked for. */
class RowVersion implements DirectValue {
  readonly key: string
  readonly revision: number
  private readonly row: LazyRecord

  constructor(key: string, row: LazyRecord) {
    this.key = key
    this.revision = row.modRevision
    this.row = row
  }

  get value(): Uint8Array {
    return this.row.value()
  }

  get origin(): StoredText | undefined {
    return this.row.source
  }
}

export interface DirectPage {
  readonly values: ReadonlyArray<DirectValue>
  readonly more: boolean
  /** Keys from the page's start to the end of the range, this page's among them. */
  readonly count: number
  /** The revision that was read. */
  readonly revision: number
}

/** A put or a deletion. */
export class DirectEvent {
  private readonly event: StoredEvent

  constructor(event: StoredEvent) {
    this.event = event
  }

  get key(): string {
    return this.event.text
  }

  get revision(): number {
    return this.event.revision
  }

  get isPut(): boolean {
    return this.event.kind === EventKind.Put
  }

  /** Whether the value is there as bytes; otherwise asking for it makes them, each time. */
  get hasBytes(): boolean {
    return this.event.row instanceof Uint8Array
  }

  /** The value that was put, never to be changed; empty for a deletion. */
  get value(): Uint8Array {
    const { row } = this.event
    return row === undefined ? NOTHING : contentOf(row)
  }

  /** What the writer gave along, when it was one of this process; lost when the event is read from the log. */
  get origin(): unknown {
    return this.event.origin
  }
}

const NOTHING = new Uint8Array(0)

export interface DirectWrite {
  readonly key: string
  /** Undefined removes the key. */
  readonly value: StoredText | undefined
  /** The revision that the key must be at; 0: it must be absent. */
  readonly expected: number
  /** Handed to watchers of this process with the event. */
  readonly origin: unknown
  /** Where the writer keeps the key's place, if it writes the key again and again. */
  readonly place?: KeyPlace | undefined
}

/** The key was not at the expected revision: what is there instead. */
export class DirectConflict {
  readonly current: DirectValue | undefined

  constructor(current: DirectValue | undefined) {
    this.current = current
  }
}

export interface DirectWatchListener {
  /** Whole revisions, in order. */
  readonly events: (events: ReadonlyArray<DirectEvent>, revision: number) => void
  /** The watch asked for revisions that are compacted; it is over. */
  readonly compacted: () => void
}

const NO_NEEDS = (): [] => []

export class DirectStore {
  private readonly store: Store
  private readonly hub: WatchHub
  private readonly compactor: Compactor
  private readonly random: () => number

  /** `random` answers numbers in [0, 1): ids of leases are made of them. */
  constructor(
    storage: { readonly store: Store; readonly hub: WatchHub; readonly compactor: Compactor },
    random: () => number
  ) {
    this.store = storage.store
    this.hub = storage.hub
    this.compactor = storage.compactor
    this.random = random
  }

  /** The newest revision that is durable and visible. */
  get revision(): number {
    return this.store.revision
  }

  /** The newest visible version of a key. */
  get(key: string): DirectValue | undefined {
    let found: DirectValue | undefined
    this.store.engine.read(NO_NEEDS, (view) => {
      const record = this.store.latest(view).get(textKey(key))
      if (record !== undefined) found = valueAt(key, record)
    })
    return found
  }

  /** Keys of [start, end) in order, at most `limit` (0: all), at a revision (0: the newest). */
  page(start: string, end: string, limit: number, revision: number): DirectPage | EtcdFailure {
    let answer: DirectPage | EtcdFailure = Failure.compacted
    this.store.engine.read(NO_NEEDS, (view) => {
      const snapshot = this.store.at(view, revision)
      if (snapshot instanceof EtcdFailure) return void (answer = snapshot)
      const range = keyRange(textKey(start), textKey(end))
      const values: Array<DirectValue> = []
      let more = false
      const take = (value: () => DirectValue): boolean => {
        if (limit > 0 && values.length === limit) return !(more = true)
        values.push(value())
        return true
      }
      const { rows } = this.store.engine
      // Rows as they were put are what is committed, and no bytes need be made of them.
      if (rows !== undefined && snapshot.revision === snapshot.committed && start < end)
        rows.scan(Table.Key, start, end, (key, row) => take(() => rowAt(key, row)))
      else snapshot.scan(range, (key, record) => take(() => valueAt(keyText(key), record)))
      answer = { values, more, count: more ? snapshot.count(range) : values.length, revision: snapshot.revision }
    })
    return answer
  }

  /** Writes one key if it is at the expected revision; answers the revision when that is durable and watchers know of it. */
  write(write: DirectWrite, lease: LeaseId, answer: (outcome: number | DirectConflict | EtcdFailure) => void): void {
    const { value } = write
    const { rows } = this.store
    if (rows !== undefined && value !== undefined) return this.put(rows, write, value, lease, answer)
    let written = 0
    let conflict: DirectConflict | undefined
    this.store.write<undefined>(
      NO_NEEDS,
      (txn) => {
        const before = txn.newest(write.key)
        const revision = before === undefined ? 0 : headOf(before).modRevision
        if (revision !== write.expected) {
          conflict = new DirectConflict(before && valueAt(write.key, valueBytes(before)))
          return undefined
        }
        if (write.value === undefined) txn.deleteText(write.key, write.origin)
        else txn.putText(write.key, write.value, lease, write.origin)
        written = txn.revision
        return undefined
      },
      (failure) => answer(failure ?? conflict ?? written)
    )
  }

  /** The same on rows that need no bytes, without a snapshot. */
  private put(
    rows: RowWrites,
    { expected, key, origin, place }: DirectWrite,
    value: StoredText,
    lease: LeaseId,
    answer: (outcome: number | DirectConflict | EtcdFailure) => void
  ): void {
    const { store } = this
    const { committer } = store
    if (committer.isFull) return answer(Failure.tooManyRequests)
    const before = place === undefined ? rows.newest(key) : rows.newestAt(key, place)
    const revision = before === undefined ? 0 : headOf(before).modRevision
    const outcome =
      revision === expected
        ? store.putRow(rows, key, value, lease, origin, before, place?.cell)
        : new DirectConflict(before && valueAt(key, valueBytes(before)))
    committer.whenDurable(answer, outcome)
  }

  /** Follows the keys of [start, end) from a revision on; the returned function stops it. */
  watch(start: string, end: string, fromRevision: number, listener: DirectWatchListener): () => void {
    const range: KeyRange = keyRange(textKey(start), textKey(end))
    const options = {
      id: 0,
      range,
      startRevision: fromRevision,
      withPutEvents: true,
      withDeleteEvents: true,
      withPrevious: false,
      fragment: false,
      progressNotify: false
    }
    const watcher = this.hub.watch(options, {
      events: (_watcher, events, revision) =>
        listener.events(
          events.map((event) => new DirectEvent(event)),
          revision
        ),
      compacted: () => listener.compacted(),
      isBlocked: () => false
    })
    return () => this.hub.cancel(watcher)
  }

  /** Forgets what was before a revision; answers when that is recorded. */
  compact(revision: number, answer: (failure: EtcdFailure | undefined) => void): void {
    this.compactor.compact(revision, false, answer)
  }

  /** Grants a lease: keys written under it from now on are deleted after so many seconds. */
  grant(ttlSeconds: number): LeaseId {
    const { lessor } = this.store
    let id = 0
    while (id === 0 || lessor.lookup(id) !== undefined) id = Math.floor(this.random() * Number.MAX_SAFE_INTEGER)
    this.store.writeRows(
      ({ batch }) => lessor.grant(id, ttlSeconds, batch.writes),
      () => undefined
    )
    return id
  }

  /** Whether a lease is there and has time left. */
  hasLease(id: LeaseId): boolean {
    const lease = this.store.lessor.lookup(id)
    return lease !== undefined && this.store.lessor.remainingMs(lease) > 0
  }

  /** Ends a lease and deletes its keys. */
  revoke(id: LeaseId, answer: (failure: EtcdFailure | undefined) => void): void {
    revokeLease(this.store, id, answer)
  }
}

const rowAt = (key: string, row: RowValue): DirectValue =>
  row instanceof LazyRecord ? new RowVersion(key, row) : valueAt(key, valueBytes(row))

const valueAt = (key: string, record: Uint8Array): DirectValue => {
  const { modRevision, valueEnd, valueStart } = readRecord(record)
  return { key, value: Buffer.from(record.subarray(valueStart, valueEnd)), revision: modRevision }
}
