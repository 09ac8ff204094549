// The store: revisions over an engine. Reads see what is committed; writes are decided one after the other and answered
// when they are durable.
// Owns the current and the compacted revision and the order of transactions; refuses wire formats beyond answer bodies.
import type { CommitOutcome, Engine, Need, RowCell, RowValue, View } from "../engine/Engine.ts"
import { Table } from "../engine/Engine.ts"
import { Lessor } from "../lease/Lessor.ts"
import { Failure, EtcdFailure } from "../rpc/EtcdFailure.ts"
import type { LeaseId } from "../rpc/KvMessages.ts"
import { NotFetched } from "../engine/FetchedView.ts"
import { Committer } from "./Committer.ts"
import type { Fence } from "./Fence.ts"
import { FORMAT_VERSION, MetaKey, readRevision, revisionRow } from "./Layout.ts"
import { SCALE_WHOLE, type ScaledNeeds, stateNeeds } from "./Needs.ts"
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
  /** Ties this process's batches to its term, on a shared engine. */
  readonly fence?: Fence | undefined
  /** Keeps the deadlines of leases with the data, by the engine's clock, so that the next writer goes on with them. */
  readonly keepsDeadlines?: boolean
}

/** Writes that wait for what they read; beyond, requests are answered `too many requests`. */
const READERS_MAX = 20_000

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
  /** Replaced when it changes, so that a telling that is under way goes to those who were there at its start. */
  private listeners: ReadonlyArray<CommitListener> = []
  private readonly fence: Fence | undefined
  /** The last revision that is durable and visible; of a follower, the last that its watchers were told. */
  revision = 1
  /** Reads below this revision are refused; −1 before the first compaction. */
  compacted = -1
  /** Called when a batch did not commit: on a shared engine this process must not go on writing. */
  onFailure: (() => void) | undefined
  /** How keys are written where the engine keeps rows as they are put. */
  readonly rows: RowWrites | undefined
  private head = 1
  /** Raised whenever what this process decided on is no longer what is there: Views from before are good for no write. */
  private epoch = 0

  constructor(engine: Engine, options: StoreOptions) {
    this.engine = engine
    this.fence = options.fence
    this.lessor = new Lessor({
      clock: engine.clock,
      minTtlSeconds: options.minLeaseTtlSeconds,
      keepsDeadlines: options.keepsDeadlines === true
    })
    this.committer = new Committer(engine, {
      defer: options.defer,
      monotonic: options.monotonic ?? engine.clock,
      committed: (revision, events) => this.publish(revision, events),
      failed: (outcome) => this.abandon(outcome),
      fence: options.fence
    })
    const { rows } = engine
    this.rows = rows && new RowWrites(rows, this.overlay, this.committer, this.lessor)
    this.reload()
  }

  /** Reads everything that is kept in memory as the engine has it. */
  reload(): void {
    this.engine.read(
      () => loadNeeds,
      (view) => this.load(view)
    )
  }

  private load(view: View): void {
    this.epoch++
    const format = view.get(Table.Meta, MetaKey.format)
    if (format !== undefined && readRevision(format, 0) !== FORMAT_VERSION) {
      throw new UnknownFormat(
        `format ${readRevision(format, 0)} was written by a newer version; this one reads ${FORMAT_VERSION}`
      )
    }
    if (format === undefined && this.fence?.holds() !== false)
      this.committer.batch.writes.put(Table.Meta, MetaKey.format, revisionRow(FORMAT_VERSION))
    const revision = view.get(Table.Meta, MetaKey.revision)
    if (revision !== undefined) this.revision = this.head = readRevision(revision, 0)
    const rowBatches = view.get(Table.Meta, MetaKey.rowBatches)
    if (rowBatches !== undefined) this.committer.rowBatches = readRevision(rowBatches, 0)
    const compacted = view.get(Table.Meta, MetaKey.compacted)
    if (compacted !== undefined) this.compacted = readRevision(compacted, 0)
    this.lessor.load(view)
  }

  listen(listener: CommitListener): () => void {
    this.listeners = [...this.listeners, listener]
    return () => void (this.listeners = this.listeners.filter((one) => one !== listener))
  }

  /** The revision that a View shows. */
  private shown(view: View): number {
    if (this.engine.shared !== true) return this.revision
    const row = view.get(Table.Meta, MetaKey.revision)
    return row === undefined ? 1 : readRevision(row, 0)
  }

  /** Below this revision a View cannot be read. */
  compactedIn(view: View): number {
    if (this.engine.shared !== true) return this.compacted
    const row = view.get(Table.Meta, MetaKey.compacted)
    return row === undefined ? -1 : readRevision(row, 0)
  }

  /** What is visible now, on a View that is at hand. */
  latest(view: View): Snapshot {
    const shown = this.shown(view)
    return new Snapshot(view, shown, shown, this.overlay)
  }

  /** What was visible at a revision (0 or less: now); a failure when it is compacted or yet to come. */
  at(view: View, revision: number | bigint): Snapshot | EtcdFailure {
    const shown = this.shown(view)
    if (revision > shown) return Failure.futureRevision
    const wanted = revision <= 0 ? shown : Number(revision)
    if (wanted < this.compactedIn(view)) return Failure.compacted
    return new Snapshot(view, wanted, shown, this.overlay)
  }

  /**
   * Runs a read on a View that holds its needs. On a shared engine `use` may run again, on more, until nothing is missing:
   * what it did before must not matter.
   */
  read(needs: ScaledNeeds, use: (view: View) => void, failed?: () => void): void {
    if (this.engine.shared === true) this.readScaled(needs, use, failed, 1)
    else this.engine.read(() => needs(1), use)
  }

  private readScaled(
    needs: ScaledNeeds,
    use: (view: View) => void,
    failed: (() => void) | undefined,
    scale: number
  ): void {
    this.engine.read(
      () => [...needs(scale), ...stateNeeds],
      (view) => {
        try {
          use(view)
        } catch (error) {
          if (!(error instanceof NotFetched) || scale >= SCALE_WHOLE) throw error
          this.readScaled(needs, use, failed, scale * 4)
        }
      },
      failed
    )
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
    if (this.engine.shared !== true) return this.engine.read(needs, (view) => this.decide(view, run, answer))
    const { overlay } = this
    if (this.fence?.holds() === false) return answer(Failure.notLeader, this.revision)
    if (overlay.readerCount >= READERS_MAX) return answer(Failure.tooManyRequests, this.revision)
    const { epoch } = this
    const reader = overlay.beginRead()
    this.engine.read(
      () => [...needs(), ...stateNeeds],
      (view) => {
        const isStale = this.fence?.holds() === false || this.epoch !== epoch
        if (isStale) answer(Failure.notLeader, this.revision)
        else if (this.shown(view) > this.head) {
          // Others have written since: this process's term is over, whether it knows or not.
          this.onFailure?.()
          answer(Failure.notLeader, this.revision)
        } else this.decide(view, run, answer)
        overlay.endRead(reader)
      },
      () => {
        answer(Failure.timeout, this.revision)
        overlay.endRead(reader)
      }
    )
  }

  private decide<A>(
    view: View,
    run: (txn: WriteTxn) => A | EtcdFailure,
    answer: (result: A | EtcdFailure, revision: number) => void
  ): void {
    if (this.committer.isFull) return answer(Failure.tooManyRequests, this.revision)
    const { committer, head, lessor, overlay } = this
    const txn = new WriteTxn({
      view,
      rows: this.rows,
      overlay,
      committer,
      lessor,
      head,
      committed: this.shown(view)
    })
    const result = run(txn)
    const revision = (this.head = txn.revision)
    committer.whenDurable((failure) => answer(failure ?? result, revision))
  }

  /** How many writes wait for what they read. */
  get undecided(): number {
    return this.overlay.readerCount
  }

  /** A transaction of one put, of a key whose newest version is `before`; the revision is answered, durable or not yet. */
  putRow(
    rows: RowWrites,
    key: string,
    value: StoredText,
    lease: LeaseId,
    origin: unknown,
    before: RowValue | undefined,
    cell: RowCell | undefined
  ): number {
    rows.put(key, value, lease, origin, before, this.head + 1, 0, cell)
    return ++this.head
  }

  /** Writes rows that are no keys (leases, users, alarms): durable like a transaction, without a revision. */
  writeRows<A>(
    run: (committer: Committer) => A | EtcdFailure,
    answer: (result: A | EtcdFailure, revision: number) => void
  ): void {
    if (this.fence?.holds() === false) return answer(Failure.notLeader, this.revision)
    const result = run(this.committer)
    if (result instanceof EtcdFailure) this.committer.whenDurable((failure) => answer(failure ?? result, this.revision))
    else this.committer.enqueue((failure) => answer(failure ?? result, this.revision))
  }

  /** Another process has committed: what it wrote is told to listeners, in order; revisions that are known are not told again. */
  follow(revision: number, events: ReadonlyArray<StoredEvent>): void {
    const known = this.revision
    if (revision <= known) return
    this.revision = this.head = revision
    const news =
      events.length > 0 && events[0].revision <= known ? events.filter((one) => one.revision > known) : events
    for (const listener of this.listeners) listener.committed(revision, news)
  }

  private publish(revision: number, events: ReadonlyArray<StoredEvent>): void {
    // On a shared engine the log may have been followed past a commit whose answer came late.
    if (revision <= this.revision) return
    this.revision = revision
    this.overlay.release(events, revision)
    for (const listener of this.listeners) listener.committed(revision, events)
  }

  private abandon(_outcome: CommitOutcome): void {
    this.epoch++
    this.head = this.revision
    this.overlay.clear()
    if (this.engine.shared === true) this.onFailure?.()
    else {
      this.engine.read(
        () => loadNeeds,
        (view) => this.lessor.load(view)
      )
    }
  }

  /** This process no longer writes: what waits certainly did nothing. */
  stopWriting(): void {
    this.epoch++
    this.head = this.revision
    this.overlay.clear()
    this.committer.abandon(Failure.notLeader)
  }
}

const everything = Buffer.alloc(0)
/** What the store keeps in memory. */
export const loadNeeds: ReadonlyArray<Need> = [Table.Meta, Table.Lease, Table.LeaseKey].map((table) => ({
  table,
  start: everything,
  end: undefined,
  limit: 0
}))
