// Commits a transaction: its rows brought into place as locks (prewrite), then all made visible by one write to the primary
// key. Owns the order of these steps, one-phase and asynchronous commit where they are switched on, and the answer's honesty:
// committed, not there, or uncertain. Refuses reads and expectations, which the caller verifies while the locks are placed.
// Source of the protocol: Percolator, as TiKV has it (tikv.org, "Distributed transaction", and client-go's two-phase commit).
import { Clock, Effect, type Fiber, type Scope } from "effect"
import type { Int64 } from "#net"
import { Backoff, Budget } from "./Backoff.ts"
import type { LockResolver } from "./LockResolver.ts"
import type { RegionRef } from "./RegionCache.ts"
import type { RegionClient, SendError } from "./RegionClient.ts"
import type { TimestampOracle } from "./TimestampOracle.ts"
import { LOCK_TTL_MS, type Mutation, REQUEST_MAX_BYTES, REQUESTS_MAX, sizeOf } from "./Mutation.ts"
import { PlainCommit, type PlainHooks, type PlainOutcome, type Unfinished } from "./PlainCommit.ts"
import { type KeyError, type LockInfo, SELF_ROLLED_BACK, StoreMethods } from "./TikvMessages.ts"
import { type CommitError, CommitUncertain, TransactionRefused, WriteConflict } from "./TikvError.ts"
import type { Timestamp } from "./Timestamp.ts"

/** Every so often the locks of transactions that were under way at the last look are prolonged. */
const HEARTBEAT_MS = 150
/** Asynchronous commit lists all keys in the primary's lock, so it is for small transactions. */
const ASYNC_KEYS_MAX = 256
const ASYNC_KEY_BYTES_MAX = 4096

/** Which of TiKV's shorter ways to commit are tried; plain two-phase commit where neither is, or where they do not fit. */
export interface CommitWays {
  readonly onePhase: boolean
  readonly asynchronous: boolean
}

export interface Committed {
  readonly commitTs: Timestamp
  /** Ends when all locks are gone, or were left to whoever meets them. */
  readonly cleared: Fiber.Fiber<void>
}

/** Where `tryCommit` came to a halt, and after how long. */
export interface Resumed extends Unfinished {
  readonly elapsedMs: number
}

/** What the caller has to do with a commit on its way. */
export interface CommitHooks<E> {
  /** Runs beside the prewrite; if it fails, nothing of the transaction is there. */
  readonly verify: Effect.Effect<void, E>
  /** A two-phase commit is about to ask for its timestamp. */
  readonly asks: () => void
  /** Told of that timestamp before the primary key is; perhaps more than once. */
  readonly chose: (commitTs: Timestamp) => void
}

/** A transaction whose locks must not grow old. */
interface UnderWay {
  readonly primary: Buffer
  readonly startTs: Timestamp
  /** Undefined until it is first looked at. */
  beganMs: number | undefined
  looks: number
}

interface Chunk {
  readonly ref: RegionRef
  readonly mutations: ReadonlyArray<Mutation>
}

/** One transaction on its way. */
class Attempt implements UnderWay {
  readonly startTs: Timestamp
  readonly primary: Buffer
  readonly mutations: ReadonlyArray<Mutation>
  readonly beganMs: number
  looks = 0
  readonly backoff = new Backoff(Budget.prewrite)
  onePhase: boolean
  asynchronous: boolean
  /** The least timestamp at which an asynchronous commit may be. */
  minCommitTs: Timestamp
  onePhaseTs: Timestamp = 0n
  /** Whether a request that could commit by itself may have been carried out without an answer. */
  lost = false

  constructor(startTs: Timestamp, mutations: ReadonlyArray<Mutation>, ways: CommitWays, beganMs: number) {
    this.startTs = startTs
    this.primary = mutations[0].key
    this.mutations = mutations
    this.beganMs = beganMs
    this.onePhase = ways.onePhase
    this.minCommitTs = startTs + 1n
    const keyBytes = mutations.reduce((sum, { key }) => sum + key.length, 0)
    this.asynchronous = ways.asynchronous && mutations.length <= ASYNC_KEYS_MAX && keyBytes <= ASYNC_KEY_BYTES_MAX
  }
}

export class TransactionCommit {
  private readonly client: RegionClient
  private readonly resolver: LockResolver
  private readonly oracle: TimestampOracle
  private readonly ways: CommitWays
  private readonly scope: Scope.Scope
  private readonly plain: PlainCommit
  private readonly underWay = new Set<UnderWay>()
  readonly stats = {
    twoPhase: 0,
    onePhase: 0,
    asynchronous: 0,
    conflicts: 0,
    uncertain: 0,
    rolledBack: 0,
    heartbeats: 0
  }

  /** Work that outlives a commit (clearing locks) ends with the scope at the latest. */
  constructor(
    parts: { readonly client: RegionClient; readonly resolver: LockResolver; readonly oracle: TimestampOracle },
    ways: CommitWays,
    scope: Scope.Scope
  ) {
    this.client = parts.client
    this.resolver = parts.resolver
    this.oracle = parts.oracle
    this.ways = ways
    this.scope = scope
    this.plain = new PlainCommit(parts.client, parts.oracle)
  }

  /** Whether servers may choose a commit's timestamp. */
  get choosesNoTimestamp(): boolean {
    return this.ways.onePhase || this.ways.asynchronous
  }

  /**
   * Commits by two plain phases as long as nothing stands in the way, and tells how far it came; `commit` goes on from there. Not for
   * where servers may choose the timestamp.
   */
  tryCommit(
    startTs: Timestamp,
    mutations: ReadonlyArray<Mutation>,
    hooks: PlainHooks,
    told: (outcome: PlainOutcome) => void
  ): void {
    const underWay: UnderWay = { primary: mutations[0].key, startTs, beganMs: undefined, looks: 0 }
    this.underWay.add(underWay)
    this.plain.commit(startTs, mutations, hooks, (outcome) => {
      this.underWay.delete(underWay)
      if (outcome.kind === "committed") {
        this.stats.twoPhase++
        this.resolver.learn(startTs, { kind: "committed", commitTs: outcome.commitTs })
      }
      told(outcome)
    })
  }

  /**
   * Commits mutations, the first of which is the primary, as of `startTs`, or goes on where `tryCommit` came to a halt. Fails with CommitUncertain only where the
   * transaction may be committed.
   */
  commit<E>(
    startTs: Timestamp,
    mutations: ReadonlyArray<Mutation>,
    hooks: CommitHooks<E>,
    resumed?: Resumed
  ): Effect.Effect<Committed, CommitError | E> {
    return Effect.gen({ self: this }, function* () {
      const nowMs = yield* Clock.currentTimeMillis
      const attempt = new Attempt(startTs, mutations, this.ways, nowMs - (resumed?.elapsedMs ?? 0))
      attempt.lost = resumed?.lost === true
      this.underWay.add(attempt)
      const carried =
        resumed?.commitTs === undefined
          ? this.carryOut(attempt, hooks)
          : this.commitPrimary(attempt, hooks, resumed.commitTs)
      const outcome = yield* Effect.result(carried).pipe(
        Effect.ensuring(Effect.sync(() => this.underWay.delete(attempt)))
      )
      if (outcome._tag === "Success") return outcome.success
      yield* this.failed(attempt, outcome.failure)
      return yield* Effect.fail(outcome.failure)
    })
  }

  private carryOut<E>(attempt: Attempt, hooks: CommitHooks<E>): Effect.Effect<Committed, CommitError | E> {
    return Effect.gen({ self: this }, function* () {
      const { verify } = hooks
      const chunks = yield* this.chunksOf(attempt.mutations, attempt.backoff)
      if (chunks.length > 1) attempt.onePhase = false
      // What commits at once cannot be taken back, so it is verified first.
      if (attempt.onePhase || attempt.asynchronous) yield* verify
      const place = this.prewriteChunks(attempt, chunks)
      yield* attempt.onePhase || attempt.asynchronous
        ? place
        : Effect.all([place, verify], { concurrency: 2, discard: true })
      if (attempt.onePhaseTs > 0n) {
        this.stats.onePhase++
        this.resolver.learn(attempt.startTs, { kind: "committed", commitTs: attempt.onePhaseTs })
        return { commitTs: attempt.onePhaseTs, cleared: yield* Effect.forkIn(Effect.void, this.scope) }
      }
      if (attempt.asynchronous) {
        this.stats.asynchronous++
        return yield* this.finish(attempt, attempt.minCommitTs, attempt.mutations)
      }
      this.stats.twoPhase++
      return yield* this.commitPrimary(attempt, hooks)
    })
  }

  /** Mutations by region, in pieces that fit a request. */
  private chunksOf(
    mutations: ReadonlyArray<Mutation>,
    backoff: Backoff
  ): Effect.Effect<ReadonlyArray<Chunk>, SendError> {
    return Effect.map(
      this.client.regions.group(mutations, ({ key }) => key, backoff),
      (groups) => groups.flatMap(({ items, ref }) => bySize(items).map((part) => ({ ref, mutations: part })))
    )
  }

  private prewriteChunks(attempt: Attempt, chunks: ReadonlyArray<Chunk>): Effect.Effect<void, CommitError> {
    return Effect.forEach(chunks, (chunk) => this.prewrite(attempt, chunk), {
      concurrency: REQUESTS_MAX,
      discard: true
    })
  }

  private prewrite(attempt: Attempt, { mutations, ref }: Chunk): Effect.Effect<void, CommitError> {
    return Effect.gen({ self: this }, function* () {
      const { backoff } = attempt
      for (;;) {
        const elapsedMs = (yield* Clock.currentTimeMillis) - attempt.beganMs
        const fields = prewriteFields(attempt, mutations, elapsedMs)
        const lost = () => {
          if (fields.useAsyncCommit || fields.tryOnePc) attempt.lost = true
        }
        const sent = yield* Effect.result(this.client.send(ref, StoreMethods.prewrite, fields, backoff, { lost }))
        if (sent._tag === "Failure") {
          if (sent.failure._tag !== "RegionMoved") return yield* sent.failure
          const chunks = yield* this.chunksOf(mutations, backoff)
          // Once lost, a request may still arrive: the transaction stays with the way it has taken.
          if (chunks.length > 1 && !attempt.lost) attempt.onePhase = false
          return yield* this.prewriteChunks(attempt, chunks)
        }
        const { errors, minCommitTs, onePcCommitTs } = sent.success
        if (errors.length === 0) return noteTimestamps(attempt, BigInt(minCommitTs), BigInt(onePcCommitTs))
        const locks = yield* locksOf(attempt, errors)
        const { waitMs } = yield* this.resolver.resolve(locks, 0n, backoff)
        if (waitMs > 0) yield* backoff.wait("locked", `by transaction ${locks[0].version}`, { atMostMs: waitMs })
      }
    })
  }

  /** Writes the primary key's fate: from here on the transaction is committed, or it is not known to be. */
  private commitPrimary(
    attempt: Attempt,
    { asks, chose }: CommitHooks<unknown>,
    chosenTs?: Timestamp
  ): Effect.Effect<Committed, CommitError> {
    return Effect.gen({ self: this }, function* () {
      const { mutations, primary, startTs } = attempt
      const backoff = new Backoff(Budget.commit)
      // What lies beside the primary in a request is committed with it.
      const [first] = yield* this.chunksOf(mutations, backoff)
      let beside: ReadonlyArray<Mutation> = first.mutations
      let ref: RegionRef | undefined = first.ref
      if (chosenTs === undefined) asks()
      let commitTs = chosenTs ?? (yield* this.oracle.timestamp)
      const lost = () => (attempt.lost = true)
      for (;;) {
        chose(commitTs)
        const fields = { startVersion: startTs, keys: beside.map(({ key }) => key), commitVersion: commitTs }
        const sent = yield* Effect.result(
          ref === undefined
            ? this.client.sendToKey(primary, StoreMethods.commit, fields, backoff, { lost })
            : this.client.send(ref, StoreMethods.commit, fields, backoff, { lost })
        )
        if (sent._tag === "Failure") {
          if (sent.failure._tag !== "RegionMoved") return yield* sent.failure
          ref = undefined
          beside = [mutations[0]]
        } else if (sent.success.error === undefined) {
          const done = new Set(beside)
          return yield* this.finish(
            attempt,
            commitTs,
            mutations.filter((mutation) => !done.has(mutation))
          )
        } else if (sent.success.error.commitTsExpired !== undefined) commitTs = yield* this.oracle.timestamp
        else return yield* new WriteConflict({ key: primary, rolledBack: true })
      }
    })
  }

  private finish({ startTs }: Attempt, commitTs: Timestamp, left: ReadonlyArray<Mutation>): Effect.Effect<Committed> {
    this.resolver.learn(startTs, { kind: "committed", commitTs })
    const clearing = left.length === 0 ? Effect.void : this.commitSecondaries(startTs, commitTs, left)
    return Effect.map(Effect.forkIn(clearing, this.scope), (cleared) => ({ commitTs, cleared }))
  }

  /** Turns the other locks into rows; one that is left is turned by whoever meets it. */
  commitSecondaries(startTs: Timestamp, commitTs: Timestamp, mutations: ReadonlyArray<Mutation>): Effect.Effect<void> {
    return this.each(mutations, new Backoff(Budget.background), (ref, keys, backoff) =>
      this.client.send(ref, StoreMethods.commit, { startVersion: startTs, keys, commitVersion: commitTs }, backoff)
    )
  }

  /** After a failure: what is certainly not committed is taken back, so that nobody waits for its locks. */
  private failed(attempt: Attempt, failure: unknown): Effect.Effect<void, CommitUncertain> {
    return Effect.gen({ self: this }, function* () {
      const { lost, mutations, primary, startTs } = attempt
      const definite = failure instanceof WriteConflict && failure.rolledBack
      if (failure instanceof WriteConflict) this.stats.conflicts++
      if (lost && !definite) {
        this.stats.uncertain++
        const detail = failure instanceof Error ? failure.message : String(failure)
        return yield* new CommitUncertain({ startTs, primary, detail })
      }
      this.stats.rolledBack++
      const rollBack = this.each(mutations, new Backoff(Budget.background), (ref, keys, backoff) =>
        this.client.send(ref, StoreMethods.batchRollback, { startVersion: startTs, keys }, backoff)
      )
      yield* Effect.forkIn(rollBack, this.scope)
    })
  }

  /** Sends one request for each region's keys, whatever the answers, until every region took its own or patience is over. */
  private each<E>(
    mutations: ReadonlyArray<Mutation>,
    backoff: Backoff,
    send: (ref: RegionRef, keys: ReadonlyArray<Uint8Array>, backoff: Backoff) => Effect.Effect<unknown, E>
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const chunks = yield* this.chunksOf(mutations, backoff)
      yield* Effect.forEach(
        chunks,
        ({ mutations: part, ref }) =>
          send(
            ref,
            part.map(({ key }) => key),
            backoff
          ).pipe(Effect.catchIf(isMoved, () => this.each(part, backoff, send))),
        { concurrency: REQUESTS_MAX, discard: true }
      )
    }).pipe(Effect.ignore)
  }

  /** Keeps the primaries' locks alive while their transactions are on their way, for as long as it runs. */
  get keepAlive(): Effect.Effect<never> {
    const look = Effect.gen({ self: this }, function* () {
      yield* Effect.sleep(HEARTBEAT_MS)
      const nowMs = yield* Clock.currentTimeMillis
      for (const one of this.underWay) {
        one.beganMs ??= nowMs
        if (one.looks++ > 0) yield* Effect.forkIn(this.prolong(one, nowMs - one.beganMs), this.scope)
      }
    })
    return Effect.forever(look)
  }

  private prolong({ primary, startTs }: UnderWay, elapsedMs: number): Effect.Effect<void> {
    this.stats.heartbeats++
    const fields = { primaryLock: primary, startVersion: startTs, adviseLockTtl: elapsedMs + LOCK_TTL_MS }
    return Effect.ignore(this.client.sendToKey(primary, StoreMethods.txnHeartBeat, fields, new Backoff(HEARTBEAT_MS)))
  }
}

const isMoved = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "RegionMoved"

const bySize = (mutations: ReadonlyArray<Mutation>): ReadonlyArray<ReadonlyArray<Mutation>> => {
  const parts: Array<Array<Mutation>> = []
  let bytes = Number.POSITIVE_INFINITY
  for (const mutation of mutations) {
    const size = sizeOf(mutation)
    if (bytes + size > REQUEST_MAX_BYTES) {
      parts.push([])
      bytes = 0
    }
    parts[parts.length - 1].push(mutation)
    bytes += size
  }
  return parts
}

const prewriteFields = (attempt: Attempt, mutations: ReadonlyArray<Mutation>, elapsedMs: number) => {
  const { asynchronous, minCommitTs, onePhase, primary, startTs } = attempt
  const isPrimary = mutations.some(({ key }) => key === primary)
  const others = asynchronous && isPrimary ? attempt.mutations.slice(1).map(({ key }) => key) : []
  return {
    mutations,
    primaryLock: primary,
    startVersion: startTs,
    lockTtl: elapsedMs + LOCK_TTL_MS,
    txnSize: mutations.length,
    minCommitTs: asynchronous || onePhase ? minCommitTs : 0n,
    useAsyncCommit: asynchronous,
    secondaries: others,
    tryOnePc: onePhase
  } satisfies Record<string, Int64 | Uint8Array | boolean | ReadonlyArray<unknown>>
}

const noteTimestamps = (attempt: Attempt, minCommitTs: Timestamp, onePcCommitTs: Timestamp): void => {
  if (onePcCommitTs > 0n) attempt.onePhaseTs = onePcCommitTs
  else if (minCommitTs === 0n) attempt.asynchronous = false
  else if (minCommitTs > attempt.minCommitTs) attempt.minCommitTs = minCommitTs
}

/** The locks that a prewrite met; fails when it met something that waiting does not help with. */
const locksOf = (
  { startTs }: Attempt,
  errors: ReadonlyArray<KeyError>
): Effect.Effect<ReadonlyArray<LockInfo>, WriteConflict | TransactionRefused> => {
  const locks: Array<LockInfo> = []
  for (const { abort, alreadyExist, conflict, locked, retryable } of errors) {
    if (locked !== undefined) locks.push(locked)
    else if (conflict !== undefined) {
      const rolledBack = conflict.reason === SELF_ROLLED_BACK || BigInt(conflict.conflictTs) === startTs
      return Effect.fail(new WriteConflict({ key: conflict.key, rolledBack }))
    } else {
      const detail = abort || retryable || (alreadyExist === undefined ? "an unknown error of a key" : "the key exists")
      return Effect.fail(new TransactionRefused({ reason: "refused", detail }))
    }
  }
  return Effect.succeed(locks)
}
