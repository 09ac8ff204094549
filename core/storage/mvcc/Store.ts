// The store: revisions over an engine. Reads see what is committed; writes are decided one after the other and answered
// when they are durable.
// Owns the current and the compacted revision and the order of transactions; refuses wire formats beyond answer bodies.
import type { CommitOutcome, Engine, Need, RowValue, View } from "../engine/Engine.ts"
import { Table } from "../engine/Engine.ts"
import { Lessor } from "../lease/Lessor.ts"
import { Failure, EtcdFailure } from "../rpc/EtcdFailure.ts"
import type { LeaseId } from "../rpc/KvMessages.ts"
import { Committer } from "./Committer.ts"
import { FORMAT_VERSION, MetaKey, readRevision, revisionRow } from "./Layout.ts"
import { Overlay } from "./Overlay.ts"
import type { StoredText } from "./LazyRows.ts"
import { RowWrites } from "./RowWrites.ts"
import { Snapshot } from "./Snapshot.ts"
import type { StoredEvent } from "./StoredEvent.ts"
import { WriteTxn } from "./WriteTxn.ts"

export interface StoreOptions {
  /** Runs a function after the current one: batches form meanwhile. */
  readonly defer: (run: () => void) => void
  readonly minLeaseTtlSeconds: number
  /** Milliseconds, never going back, for measuring; by default the engine's clock. */
  readonly monotonic?: () => number
}

/** Hears of every commit, in order: revisions never repeat and never go back. */
export interface CommitListener {
  /** The events of one or more whole revisions, the newest of which is `revision`. */
  readonly committed: (revision: number, events: ReadonlyArray<StoredEvent>) => void
}

/** The engine's data was written by a version of the store that this one does not know. */
export class UnknownFormat extends Error {
  override readonly name = "UnknownFormat"
}

export class Store {
  readonly engine: Engine
  readonly lessor: Lessor
  readonly committer: Committer
  private readonly overlay = new Overlay()
  private readonly listeners = new Set<CommitListener>()
  /** The last revision that is durable and visible. */
  revision = 1
  /** Reads below this revision are refused; −1 before the first compaction. */
  compacted = -1
  /** How keys are written where the engine keeps rows as they are put. */
  readonly rows: RowWrites | undefined
  private head = 1

  constructor(engine: Engine, options: StoreOptions) {
    this.engine = engine
    this.lessor = new Lessor({ clock: engine.clock, minTtlSeconds: options.minLeaseTtlSeconds })
    this.committer = new Committer(engine, {
      defer: options.defer,
      monotonic: options.monotonic ?? engine.clock,
      committed: (revision, events) => this.publish(revision, events),
      failed: (outcome) => this.abandon(outcome)
    })
    const { rows } = engine
    this.rows = rows && new RowWrites(rows, this.overlay, this.committer, this.lessor)
    engine.read(
      () => loadNeeds,
      (view) => this.load(view)
    )
  }

  private load(view: View): void {
    const format = view.get(Table.Meta, MetaKey.format)
    if (format !== undefined && readRevision(format, 0) !== FORMAT_VERSION) {
      throw new UnknownFormat(
        `format ${readRevision(format, 0)} was written by a newer version; this one reads ${FORMAT_VERSION}`
      )
    }
    if (format === undefined) this.committer.batch.writes.put(Table.Meta, MetaKey.format, revisionRow(FORMAT_VERSION))
    const revision = view.get(Table.Meta, MetaKey.revision)
    if (revision !== undefined) this.revision = this.head = readRevision(revision, 0)
    const rowBatches = view.get(Table.Meta, MetaKey.rowBatches)
    if (rowBatches !== undefined) this.committer.rowBatches = readRevision(rowBatches, 0)
    const compacted = view.get(Table.Meta, MetaKey.compacted)
    if (compacted !== undefined) this.compacted = readRevision(compacted, 0)
    this.lessor.load(view)
  }

  listen(listener: CommitListener): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** What is visible now, on a View that is at hand. */
  latest(view: View): Snapshot {
    return new Snapshot(view, this.revision, this.revision, this.overlay)
  }

  /** What was visible at a revision (0 or less: now); a failure when it is compacted or yet to come. */
  at(view: View, revision: number | bigint): Snapshot | EtcdFailure {
    if (revision > this.revision) return Failure.futureRevision
    const wanted = revision <= 0 ? this.revision : Number(revision)
    if (wanted < this.compacted) return Failure.compacted
    return new Snapshot(view, wanted, this.revision, this.overlay)
  }

  /**
   * Runs a transaction and answers when what it did, and all that it saw, is durable. `run` returns its result, or a
   * failure if it wrote nothing.
   */
  write<A>(
    needs: () => ReadonlyArray<Need>,
    run: (txn: WriteTxn) => A | EtcdFailure,
    answer: (result: A | EtcdFailure, revision: number) => void
  ): void {
    this.engine.read(needs, (view) => {
      if (this.committer.isFull) return answer(Failure.tooManyRequests, this.revision)
      const { committer, head, lessor, overlay } = this
      const txn = new WriteTxn({
        view,
        rows: this.rows,
        overlay,
        committer,
        lessor,
        head,
        committed: this.revision
      })
      const result = run(txn)
      const revision = (this.head = txn.revision)
      committer.whenDurable((failure) => answer(failure ?? result, revision))
    })
  }

  /** A transaction of one put, of a key whose newest version is `before`; the revision is answered, durable or not yet. */
  putRow(
    rows: RowWrites,
    key: string,
    value: StoredText,
    lease: LeaseId,
    origin: unknown,
    before: RowValue | undefined
  ): number {
    rows.put(key, value, lease, origin, before, this.head + 1, 0)
    return ++this.head
  }

  /** Writes rows that are no keys (leases, users, alarms): durable like a transaction, without a revision. */
  writeRows<A>(
    run: (committer: Committer) => A | EtcdFailure,
    answer: (result: A | EtcdFailure, revision: number) => void
  ): void {
    const result = run(this.committer)
    if (result instanceof EtcdFailure) this.committer.whenDurable((failure) => answer(failure ?? result, this.revision))
    else this.committer.enqueue((failure) => answer(failure ?? result, this.revision))
  }

  private publish(revision: number, events: ReadonlyArray<StoredEvent>): void {
    if (revision === 0) return
    this.revision = revision
    this.overlay.release(events, revision)
    for (const listener of this.listeners) listener.committed(revision, events)
  }

  private abandon(_outcome: CommitOutcome): void {
    this.head = this.revision
    this.overlay.clear()
    this.engine.read(
      () => loadNeeds,
      (view) => this.lessor.load(view)
    )
  }
}

const everything = Buffer.alloc(0)
const loadNeeds: ReadonlyArray<Need> = [Table.Meta, Table.Lease, Table.LeaseKey].map((table) => ({
  table,
  start: everything,
  end: undefined,
  limit: 0
}))
