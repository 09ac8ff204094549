// What to do about a lock in the way: ask for its transaction's fate, and bring the lock to the same end.
// Owns that inquiry and the fates it has learned (bounded: the oldest half goes); refuses to wait for the living: it says for
// how long they live, and the caller waits. A transaction's fate is written at its primary key and, once written, final.
import { Effect } from "effect"
import type { Int64 } from "#net"
import type { Backoff } from "./Backoff.ts"
import type { RegionClient, SendError } from "./RegionClient.ts"
import type { TimestampOracle } from "./TimestampOracle.ts"
import { type KeyError, type LockInfo, MIN_COMMIT_TS_PUSHED, StoreMethods } from "./TikvMessages.ts"
import { ProtocolBroken, shownKey } from "./TikvError.ts"
import { physicalMs, type Timestamp } from "./Timestamp.ts"

const FATES_MAX = 4096

/** How a transaction ended. */
export type Fate = { readonly kind: "committed"; readonly commitTs: Timestamp } | { readonly kind: "rolled-back" }
/** Or that it has not: for how long its lock lives, and whether a reader may look through it. */
export type TxnStatus = Fate | { readonly kind: "alive"; readonly ttlMs: number; readonly pushed: boolean }

/** What became of locks. */
export interface Resolution {
  /** Transactions that a reader looks through. */
  readonly passed: ReadonlyArray<Int64>
  /** How long the living ones live at most, in milliseconds; 0: all are gone or looked through. */
  readonly waitMs: number
}

const rolledBack: Fate = { kind: "rolled-back" }

export class LockResolver {
  private readonly client: RegionClient
  private readonly oracle: TimestampOracle
  private readonly fates = new Map<Timestamp, Fate>()
  readonly stats = { met: 0, inquiries: 0, resolved: 0 }

  constructor(client: RegionClient, oracle: TimestampOracle) {
    this.client = client
    this.oracle = oracle
  }

  /** Brings locks to the end that their transactions came to. `readTs` is what is being read; 0 for a writer. */
  resolve(locks: ReadonlyArray<LockInfo>, readTs: Timestamp, backoff: Backoff): Effect.Effect<Resolution, SendError> {
    return Effect.gen({ self: this }, function* () {
      const passed: Array<Int64> = []
      let waitMs = 0
      this.stats.met += locks.length
      for (const [version, group] of groupByVersion(locks)) {
        const status = yield* this.statusOf(group[0], readTs, backoff)
        if (status.kind !== "alive") yield* this.end(group, status, backoff)
        else if (status.pushed) passed.push(version)
        else waitMs = Math.max(waitMs, status.ttlMs, 1)
      }
      return { passed, waitMs }
    })
  }

  /** Learns of a transaction's fate without asking: the client's own ones. */
  learn(startTs: Timestamp, fate: Fate): void {
    if (this.fates.size >= FATES_MAX) {
      for (const old of [...this.fates.keys()].slice(0, FATES_MAX / 2)) this.fates.delete(old)
    }
    this.fates.set(startTs, fate)
  }

  /** The fate of a lock's transaction; one whose time is over is rolled back by asking. */
  statusOf(lock: LockInfo, readTs: Timestamp, backoff: Backoff): Effect.Effect<TxnStatus, SendError> {
    return Effect.gen({ self: this }, function* () {
      const startTs = BigInt(lock.version)
      let forceSyncCommit = false
      for (;;) {
        const known = this.fates.get(startTs)
        if (known !== undefined) return known
        const now = yield* this.oracle.timestamp
        this.stats.inquiries++
        const answer = yield* this.client.sendToKey(
          lock.primary,
          StoreMethods.checkTxnStatus,
          {
            primaryKey: lock.primary,
            lockTs: lock.version,
            callerStartTs: readTs,
            currentTs: now,
            rollbackIfNotExist: isOver(startTs, lock.ttlMs, now),
            forceSyncCommit
          },
          backoff
        )
        if (answer.error?.txnNotFound !== undefined) {
          yield* backoff.wait("transaction-unknown", `transaction ${startTs} is not known at its primary key yet`)
          continue
        }
        if (answer.error !== undefined) return yield* refused("KvCheckTxnStatus", answer.error)
        const { action, commitVersion, lockInfo, lockTtl } = answer
        if (commitVersion !== 0) return this.ended(startTs, { kind: "committed", commitTs: BigInt(commitVersion) })
        if (lockTtl === 0) return this.ended(startTs, rolledBack)
        if (lockInfo?.useAsyncCommit === true && isOver(startTs, lockTtl, now)) {
          const fate = yield* this.askSecondaries(lockInfo, backoff)
          if (fate !== undefined) return this.ended(startTs, fate)
          forceSyncCommit = true
          continue
        }
        const ttlMs = physicalMs(startTs) + Number(lockTtl) - physicalMs(now)
        return { kind: "alive", ttlMs: Math.max(1, ttlMs), pushed: action === MIN_COMMIT_TS_PUSHED }
      }
    })
  }

  private ended(startTs: Timestamp, fate: Fate): Fate {
    this.learn(startTs, fate)
    return fate
  }

  /**
   * The fate of an asynchronous commit whose client is gone: committed if all its locks are there, at the latest of their
   * least timestamps. Undefined when it fell back to a plain one, whose fate is written at the primary key.
   */
  private askSecondaries(primary: LockInfo, backoff: Backoff): Effect.Effect<Fate | undefined, SendError> {
    return Effect.gen({ self: this }, function* () {
      let commitTs = BigInt(primary.minCommitTs)
      let pending: ReadonlyArray<Uint8Array> = primary.secondaries
      while (pending.length > 0) {
        const left: Array<Uint8Array> = []
        for (const { items, ref } of yield* this.client.regions.group(pending, (key) => key, backoff)) {
          const fields = { keys: items, startVersion: primary.version }
          const sent = yield* Effect.result(this.client.send(ref, StoreMethods.checkSecondaryLocks, fields, backoff))
          if (sent._tag === "Failure") {
            if (sent.failure._tag !== "RegionMoved") return yield* sent.failure
            left.push(...items)
            continue
          }
          const { commitTs: decided, error, locks } = sent.success
          if (error !== undefined) return yield* refused("KvCheckSecondaryLocks", error)
          if (decided !== 0) return { kind: "committed", commitTs: BigInt(decided) }
          if (locks.length < items.length) return rolledBack
          if (locks.some(({ useAsyncCommit }) => !useAsyncCommit)) return undefined
          for (const { minCommitTs } of locks) if (BigInt(minCommitTs) > commitTs) commitTs = BigInt(minCommitTs)
        }
        pending = left
      }
      const fate: Fate = { kind: "committed", commitTs }
      const keys = [primary.key.length === 0 ? primary.primary : primary.key, ...primary.secondaries]
      yield* this.endKeys(keys, primary.version, fate, backoff)
      return fate
    })
  }

  private end(locks: ReadonlyArray<LockInfo>, fate: Fate, backoff: Backoff): Effect.Effect<void, SendError> {
    const keys = locks.map(({ key }) => key)
    return this.endKeys(keys, locks[0].version, fate, backoff)
  }

  private endKeys(
    keys: ReadonlyArray<Uint8Array>,
    startVersion: Int64,
    fate: Fate,
    backoff: Backoff
  ): Effect.Effect<void, SendError> {
    return Effect.gen({ self: this }, function* () {
      const commitVersion = fate.kind === "committed" ? fate.commitTs : 0n
      let pending = keys
      while (pending.length > 0) {
        const left: Array<Uint8Array> = []
        for (const { items, ref } of yield* this.client.regions.group(pending, (key) => key, backoff)) {
          const fields = { startVersion, commitVersion, keys: items }
          const sent = yield* Effect.result(this.client.send(ref, StoreMethods.resolveLock, fields, backoff))
          if (sent._tag === "Failure") {
            if (sent.failure._tag !== "RegionMoved") return yield* sent.failure
            left.push(...items)
          } else if (sent.success.error !== undefined) return yield* refused("KvResolveLock", sent.success.error)
          else this.stats.resolved += items.length
        }
        pending = left
      }
    })
  }
}

const isOver = (startTs: Timestamp, ttlMs: Int64, now: Timestamp): boolean =>
  physicalMs(startTs) + Number(ttlMs) <= physicalMs(now)

const groupByVersion = (locks: ReadonlyArray<LockInfo>): ReadonlyMap<Int64, ReadonlyArray<LockInfo>> => {
  const groups = new Map<Int64, Array<LockInfo>>()
  for (const lock of locks) {
    const group = groups.get(lock.version)
    if (group === undefined) groups.set(lock.version, [lock])
    else group.push(lock)
  }
  return groups
}

/** An error of a key that the request cannot meet, in the store's words. */
export const refused = (name: string, error: KeyError): ProtocolBroken => {
  const { abort, locked, retryable } = error
  const words =
    abort || retryable || (locked === undefined ? "an unexpected error" : `locked at ${shownKey(locked.key)}`)
  return new ProtocolBroken({ path: `tikvpb.Tikv/${name}`, rule: words })
}
