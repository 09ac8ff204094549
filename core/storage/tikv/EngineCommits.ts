// Batches as transactions: rows as mutations, expectations verified beside them, and the end of each told as it is known.
// Owns the translation of outcomes and the inquiry after an uncertain one; refuses to report anything but what is certain.
// The primary key is a row of the Meta table where the batch has one: whoever meets a lock asks there. At most one commit is
// under way (the port's rule), and after an uncertain one nothing is read until its end is known.
import { Deferred, Effect } from "effect"
import { type CommitOutcome, compareBytes, Table, type WriteBatch } from "../engine/Engine.ts"
import { Backoff, Budget } from "./Backoff.ts"
import type { EngineMeters } from "./EngineMeters.ts"
import type { OwnCommit } from "./OwnCommit.ts"
import type { TikvEngineOptions } from "./TikvEngine.ts"
import { type CommitError, type CommitUncertain, type ReadError, WriteConflict } from "./TikvError.ts"
import { LockInfo, Op } from "./TikvMessages.ts"
import type { Timestamp } from "./Timestamp.ts"
import type { Mutation } from "./Mutation.ts"
import type { Resumed } from "./TransactionCommit.ts"

/** Transactions begun anew because somebody took ours for dead: its time was over while we were kept from working. */
const RESTARTS_MAX = 3
const INQUIRE_AGAIN_AFTER = "200 millis"

/** A row was not as the batch expects it. */
class Unexpected {
  readonly _tag = "Unexpected"
  readonly table: Table
  readonly key: Uint8Array

  constructor(table: Table, key: Uint8Array) {
    this.table = table
    this.key = key
  }
}

const NOTHING = new Uint8Array(0)

/** A transaction looks through its own locks. */
const ownOf = (startTs: Timestamp) => ({ ignored: [startTs], committed: [] })

export class EngineCommits {
  private readonly options: TikvEngineOptions
  private readonly own: OwnCommit
  private readonly meters: EngineMeters
  private readonly fork: (effect: Effect.Effect<void>) => void
  private unsettled: Deferred.Deferred<void> | undefined
  private underWay: Deferred.Deferred<void> | undefined

  /** `fork` runs what outlives a commit. */
  constructor(
    options: TikvEngineOptions,
    own: OwnCommit,
    meters: EngineMeters,
    fork: (effect: Effect.Effect<void>) => void
  ) {
    this.options = options
    this.own = own
    this.meters = meters
    this.fork = fork
  }

  /** Ends when the uncertain commit's end is known; undefined when there is none. */
  get settled(): Effect.Effect<void> | undefined {
    return this.unsettled && Deferred.await(this.unsettled)
  }

  /** Ends when no commit is under way. */
  get idle(): Effect.Effect<void> {
    return Effect.suspend(() => (this.underWay === undefined ? Effect.void : Deferred.await(this.underWay)))
  }

  /** Commits a batch and tells how it ended, never re-entrantly. */
  commit(batch: WriteBatch, told: (outcome: CommitOutcome) => void): void {
    const { client, monotonic } = this.options
    const startedMs = monotonic()
    const done = (this.underWay = Deferred.makeUnsafe<void>())
    const mutations = this.mutationsOf(batch)
    const ended = (outcome: CommitOutcome): void => {
      this.meters.observe("commit", startedMs)
      this.underWay = undefined
      Deferred.doneUnsafe(done, Effect.void)
      told(outcome)
    }
    const patiently = (resumed?: Resumed & { readonly startTs: Timestamp }): void =>
      this.fork(Effect.map(this.attempt(batch, mutations, resumed), ended))
    if (client.transactions.choosesNoTimestamp) return patiently()
    client.oracle.ask((failure, startTs) => {
      if (failure !== undefined) return patiently()
      this.own.begin(startTs, false)
      const hooks = {
        ...this.hooksOf,
        verify: (hear: (isSame: boolean) => void) => this.tryVerify(batch, startTs, hear)
      }
      client.transactions.tryCommit(startTs, mutations, hooks, (outcome) => {
        if (outcome.kind === "unfinished") {
          return patiently({ ...outcome, startTs, elapsedMs: monotonic() - startedMs })
        }
        const { commitTs, left } = outcome
        this.own.end(startTs, commitTs)
        if (left.length === 0) this.own.cleared(startTs)
        else {
          const clearing = client.transactions.commitSecondaries(startTs, commitTs, left)
          this.fork(Effect.map(clearing, () => this.own.cleared(startTs)))
        }
        ended({ kind: "committed" })
      })
    })
  }

  /** The last write of a key counts; expected rows that are not written are locked, so that nobody else writes them. */
  private mutationsOf(batch: WriteBatch): ReadonlyArray<Mutation> {
    const { rows } = this.options
    const mutations = new Map<string, Mutation>()
    let primary: string | undefined
    const add = (table: Table, mutation: Mutation): void => {
      const text = mutation.key.toString("latin1")
      mutations.set(text, mutation)
      if (table === Table.Meta) primary ??= text
    }
    for (let at = 0; at < batch.keys.length; at++) {
      const value = batch.values[at]
      const key = rows.key(batch.tables[at], batch.keys[at])
      const op = value === undefined ? Op.Delete : Op.Put
      add(batch.tables[at], { op, key, value: value === undefined ? NOTHING : rows.stored(value) })
    }
    for (const { key, table } of batch.expectations) {
      const whole = rows.key(table, key)
      if (!mutations.has(whole.toString("latin1"))) add(table, { op: Op.Lock, key: whole, value: NOTHING })
    }
    const first = primary === undefined ? undefined : mutations.get(primary)
    const all = [...mutations.values()]
    return first === undefined ? all : [first, ...all.filter((mutation) => mutation !== first)]
  }

  private attempt(
    batch: WriteBatch,
    mutations: ReadonlyArray<Mutation>,
    resumed: (Resumed & { readonly startTs: Timestamp }) | undefined
  ): Effect.Effect<CommitOutcome> {
    return Effect.gen({ self: this }, function* () {
      let from = resumed
      for (let restarts = 0; ; restarts++) {
        const outcome = yield* Effect.result(this.once(batch, mutations, from))
        from = undefined
        if (outcome._tag === "Success") return { kind: "committed" }
        const { failure } = outcome
        const again = failure instanceof WriteConflict && failure.rolledBack && restarts < RESTARTS_MAX
        if (!again) return this.outcomeOf(failure)
      }
    })
  }

  private readonly hooksOf = {
    asks: () => this.own.asks(),
    chose: (commitTs: Timestamp) => this.own.chose(commitTs)
  }

  private once(
    batch: WriteBatch,
    mutations: ReadonlyArray<Mutation>,
    resumed: (Resumed & { readonly startTs: Timestamp }) | undefined
  ): Effect.Effect<void, CommitError | Unexpected> {
    return Effect.gen({ self: this }, function* () {
      const { client } = this.options
      const startTs = resumed?.startTs ?? (yield* client.oracle.timestamp)
      if (resumed === undefined) this.own.begin(startTs, client.transactions.choosesNoTimestamp)
      const hooks = { ...this.hooksOf, verify: this.verify(batch, startTs) }
      let committed: Timestamp | undefined
      yield* client.transactions.commit(startTs, mutations, hooks, resumed).pipe(
        Effect.tap(({ cleared, commitTs }) => {
          committed = commitTs
          return Effect.sync(() => cleared.addObserver(() => this.own.cleared(startTs)))
        }),
        Effect.ensuring(Effect.sync(() => this.own.end(startTs, committed)))
      )
    })
  }

  /** Whether the expected rows are so at the transaction's timestamp; from then on its locks keep them. */
  private verify(batch: WriteBatch, startTs: Timestamp): Effect.Effect<void, ReadError | Unexpected> {
    return Effect.gen({ self: this }, function* () {
      if (batch.expectations.length === 0) return
      const keys = this.expectedKeys(batch)
      const found = yield* this.options.client.reads.getAll(keys, startTs, ownOf(startTs), Budget.prewrite)
      const unexpected = this.unexpectedIn(batch, keys, found)
      if (unexpected !== undefined) return yield* Effect.fail(unexpected)
    })
  }

  /** The same without patience: false as well when the rows could not be read at once. */
  private tryVerify(batch: WriteBatch, startTs: Timestamp, told: (isSame: boolean) => void): void {
    if (batch.expectations.length === 0) return told(true)
    const keys = this.expectedKeys(batch)
    this.options.client.reads.tryGetAll(keys, startTs, ownOf(startTs), (found) =>
      told(found !== undefined && this.unexpectedIn(batch, keys, found) === undefined)
    )
  }

  private expectedKeys({ expectations }: WriteBatch): ReadonlyArray<Buffer> {
    return expectations.map(({ key, table }) => this.options.rows.key(table, key))
  }

  /** The first expected row that is not so. */
  private unexpectedIn(
    { expectations }: WriteBatch,
    keys: ReadonlyArray<Buffer>,
    found: ReadonlyMap<string, Uint8Array>
  ): Unexpected | undefined {
    for (const [at, { key, table, value }] of expectations.entries()) {
      const stored = found.get(keys[at].toString("latin1"))
      const isSame =
        stored === undefined || value === undefined
          ? stored === value
          : compareBytes(this.options.rows.value(stored), value) === 0
      if (!isSame) return new Unexpected(table, key)
    }
    return undefined
  }

  private outcomeOf(failure: CommitError | Unexpected): CommitOutcome {
    switch (failure._tag) {
      case "Unexpected":
        return { kind: "conflict", table: failure.table, key: failure.key }
      case "WriteConflict":
        return this.conflictAt(failure)
      case "CommitUncertain":
        this.inquire(failure)
        return { kind: "uncertain", detail: failure.message }
      case "RegionUnavailable": {
        const reason = failure.kind === "disk-full" ? "no-space" : "io"
        return { kind: "failed", reason, detail: failure.message }
      }
      default:
        return { kind: "failed", reason: "io", detail: failure.message }
    }
  }

  private conflictAt(failure: WriteConflict): CommitOutcome {
    const table = this.options.rows.tableOf(failure.key)
    if (failure.rolledBack || table === undefined) return { kind: "failed", reason: "io", detail: failure.message }
    return { kind: "conflict", table, key: Buffer.from(this.options.rows.rowKey(failure.key)) }
  }

  /** Asks for a transaction's end until it is known; one that nobody brings to an end is rolled back by asking. */
  private inquire({ primary, startTs }: CommitUncertain): void {
    const settled = (this.unsettled = Deferred.makeUnsafe<void>())
    const { client } = this.options
    // With no time to live, what has left no trace at its primary key is rolled back.
    const lock = LockInfo.make({ primary: Buffer.from(primary), key: Buffer.from(primary), version: startTs })
    const ask = Effect.gen(function* () {
      for (;;) {
        const backoff = new Backoff(Budget.background)
        const status = yield* Effect.result(client.resolver.statusOf(lock, 0n, backoff))
        if (status._tag === "Success" && status.success.kind !== "alive") return
        yield* Effect.sleep(INQUIRE_AGAIN_AFTER)
      }
    })
    this.fork(
      Effect.map(ask, () => {
        this.unsettled = undefined
        Deferred.doneUnsafe(settled, Effect.void)
      })
    )
  }
}
