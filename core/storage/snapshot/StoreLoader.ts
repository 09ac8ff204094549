// Loads versions into the tables of an empty store, with their revisions, places, leases and history kept.
// Owns which rows a version becomes and the batches; refuses to read sources and to own the engine.
// Two orders are taken: all versions as they were written (files), or only living ones in key order (running servers).
import { Effect } from "effect"
import type { Int64 } from "#net"
import { keyText, Table, WriteBatch, type Engine } from "../engine/Engine.ts"
import {
  EventKind,
  FORMAT_VERSION,
  HISTORY_HEADER_BYTES,
  historyKey,
  logKey,
  logValue,
  MetaKey,
  revisionRow,
  writeRevision
} from "../mvcc/Layout.ts"
import { encodeRecord, readRecord } from "../mvcc/Record.ts"
import { encodeUint64 } from "./EtcdBuckets.ts"
import { safeInteger, TransferError, type SourceAuth, type SourceSummary, type SourceVersion } from "./Transfer.ts"

/** Bytes of rows that are committed together. */
const BATCH_BYTES = 8 * 2 ** 20
const ROWS_PER_PASS = 5000
const AUTH_ENABLED_AT = 8

export class StoreLoader {
  private readonly engine: Engine
  private readonly summary: SourceSummary
  private readonly leaseIds: Set<Int64>
  private readonly attached = new Set<Int64>()
  private batch = new WriteBatch()
  /** Records put or removed (undefined) by the open batch, by key text. */
  private fresh = new Map<string, Uint8Array | undefined>()
  /** Revisions of living versions whose place the source does not tell. */
  private readonly unplaced: Array<number> = []

  constructor(engine: Engine, summary: SourceSummary) {
    this.engine = engine
    this.summary = summary
    this.leaseIds = new Set(summary.leases.map(({ id }) => id))
  }

  get isFull(): boolean {
    return this.batch.sizeBytes > BATCH_BYTES
  }

  /** Adds a version; a failure when it holds a number that the store cannot keep. */
  add({ kv, revision, sub, tombstone }: SourceVersion): TransferError | undefined {
    const key = Buffer.from(kv.key)
    const subject = `key ${JSON.stringify(key.toString())}`
    const [create, version] = [safeInteger(kv.createRevision, subject), safeInteger(kv.version, subject)]
    if (create instanceof TransferError) return create
    if (version instanceof TransferError) return version
    const before = this.current(key)
    const previous = before === undefined ? 0 : this.supersede(key, before, revision)
    if (sub === undefined) this.unplaced.push(revision)
    else if (revision >= this.summary.compacted || (sub > 0 && !tombstone)) {
      const kind = tombstone ? EventKind.Delete : EventKind.Put
      this.batch.put(Table.Log, logKey(revision, sub), logValue(kind, previous, key))
    }
    const record = tombstone ? undefined : encodeRecord(create, revision, version, kv.value, kv.lease)
    this.fresh.set(keyText(key), record)
    if (record === undefined) this.batch.remove(Table.Key, key)
    else this.batch.put(Table.Key, key, record)
    this.attach(key, before === undefined ? 0 : readRecord(before).lease, tombstone ? 0 : kv.lease)
    return undefined
  }

  private current(key: Buffer): Uint8Array | undefined {
    const text = keyText(key)
    if (this.fresh.has(text)) return this.fresh.get(text)
    let found: Uint8Array | undefined
    this.engine.read(
      () => [{ table: Table.Key, start: key, end: key, limit: 1 }],
      (view) => {
        const record = view.get(Table.Key, key)
        found = record && Buffer.from(record)
      }
    )
    return found
  }

  /** Keeps the version before, unless a compaction has ended it; answers its revision. */
  private supersede(key: Buffer, before: Uint8Array, at: number): number {
    const { modRevision } = readRecord(before)
    if (at > this.summary.compacted) {
      const row = Buffer.allocUnsafe(HISTORY_HEADER_BYTES + before.length)
      writeRevision(row, 0, at)
      row.set(before, HISTORY_HEADER_BYTES)
      this.batch.put(Table.History, historyKey(key, modRevision), row)
    }
    return modRevision
  }

  private attach(key: Buffer, before: Int64, now: Int64): void {
    if (before === now) return
    const row = (id: Int64): Buffer => Buffer.concat([encodeUint64(id), key])
    if (before !== 0) this.batch.remove(Table.LeaseKey, row(before))
    if (now === 0) return
    this.batch.put(Table.LeaseKey, row(now), Buffer.alloc(0))
    this.attached.add(now)
    if (this.leaseIds.has(now)) return
    // The lease ended at the source while its keys were still seen: it ends here as soon as the store is served.
    this.leaseIds.add(now)
    this.putLease(now, 1)
  }

  private putLease(id: Int64, ttlSeconds: number): void {
    const row = Buffer.alloc(8)
    row.writeDoubleBE(ttlSeconds)
    this.batch.put(Table.Lease, encodeUint64(id), row)
  }

  /** Commits what was added since the last time. */
  readonly commit = Effect.fn("storage.import.commit")(function* (this: StoreLoader) {
    const batch = this.batch
    this.batch = new WriteBatch()
    const { engine } = this
    yield* Effect.callback<void, TransferError>((resume) =>
      engine.commit(batch, (outcome) =>
        resume(
          outcome.kind === "committed"
            ? Effect.void
            : Effect.fail(
                new TransferError({
                  subject: "the new store",
                  rule: "could not be written",
                  detail: "detail" in outcome ? outcome.detail : outcome.kind
                })
              )
        )
      )
    )
    this.fresh = new Map()
  })

  /**
   * Writes what belongs to the store as a whole; the store can be served after this. With `attachedOnly` leases come
   * along only if a key that came hangs, or hung, on them. Answers how many leases came.
   */
  readonly finish = Effect.fn("storage.import.finish")(function* (this: StoreLoader, attachedOnly: boolean) {
    yield* this.commit()
    yield* this.place()
    const { auth, compacted, leases, revision } = this.summary
    const kept = attachedOnly ? leases.filter(({ id }) => this.attached.has(id)) : leases
    for (const { id, ttlSeconds } of kept) this.putLease(id, ttlSeconds)
    const { batch } = this
    batch.put(Table.Meta, MetaKey.format, revisionRow(FORMAT_VERSION))
    batch.put(Table.Meta, MetaKey.revision, revisionRow(revision))
    if (compacted > 0) {
      batch.put(Table.Meta, MetaKey.compacted, revisionRow(compacted))
      batch.put(Table.Meta, MetaKey.compactionCursor, revisionRow(compacted))
    }
    if (auth !== undefined) putAuth(batch, auth)
    yield* this.commit()
    return kept.length
  })

  /**
   * Gives places to living versions of a source that tells none: by key, among those of the same revision. Only places
   * after the first are written down, and the events of the compacted revision itself, from which a watch may start.
   */
  private readonly place = Effect.fnUntraced(function* (this: StoreLoader) {
    const revisions = Float64Array.from(this.unplaced).sort()
    const places = new Map<number, number>()
    for (let at = 0; at < revisions.length; at++) {
      if (revisions[at] === revisions[at + 1] || revisions[at] === this.summary.compacted) places.set(revisions[at], 0)
    }
    let from: Buffer | undefined = places.size === 0 ? undefined : Buffer.alloc(0)
    while (from !== undefined) {
      from = this.placeKeys(from, places)
      yield* this.commit()
    }
  })

  private placeKeys(from: Buffer, places: Map<number, number>): Buffer | undefined {
    let next: Buffer | undefined
    let rows = 0
    this.engine.read(
      () => [{ table: Table.Key, start: from, end: undefined, limit: ROWS_PER_PASS }],
      (view) =>
        view.scan(Table.Key, from, undefined, (key, record) => {
          const revision = readRecord(record).modRevision
          const sub = places.get(revision)
          if (sub !== undefined) {
            places.set(revision, sub + 1)
            const row = logValue(EventKind.Put, 0, key)
            if (sub > 0 || revision === this.summary.compacted) this.batch.put(Table.Log, logKey(revision, sub), row)
          }
          if (++rows === ROWS_PER_PASS) next = Buffer.concat([key, Buffer.alloc(1)])
          return next === undefined
        })
    )
    return next
  }
}

const putAuth = (batch: WriteBatch, { enabled, revision, roles, users }: SourceAuth): void => {
  for (const [name, row] of users) batch.put(Table.Auth, Buffer.concat([Buffer.from("u"), name]), row)
  for (const [name, row] of roles) batch.put(Table.Auth, Buffer.concat([Buffer.from("r"), name]), row)
  const meta = Buffer.alloc(AUTH_ENABLED_AT + 1)
  writeRevision(meta, 0, revision)
  meta[AUTH_ENABLED_AT] = enabled ? 1 : 0
  batch.put(Table.Meta, MetaKey.auth, meta)
}
