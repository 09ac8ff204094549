// A TiKV cluster as its client sees it: PD, regions, locks, reads and transactions, joined and kept going.
// Owns how the parts fit together and what runs by itself (timestamps, the hold on garbage collection); refuses to know what
// the keys mean. Everything ends with the scope.
import { Effect, Schedule } from "effect"
import { Backoff, Budget } from "./Backoff.ts"
import { LockResolver } from "./LockResolver.ts"
import { PdClient } from "./PdClient.ts"
import { RegionCache } from "./RegionCache.ts"
import { RegionClient } from "./RegionClient.ts"
import { SnapshotReads } from "./SnapshotReads.ts"
import { TimestampOracle } from "./TimestampOracle.ts"
import type { PdUnavailable } from "./TikvError.ts"
import { composeTimestamp, physicalMs } from "./Timestamp.ts"
import { type CommitWays, TransactionCommit } from "./TransactionCommit.ts"
import type { Transport } from "./Transport.ts"

export interface TikvClientOptions {
  /** URLs or `host:port` of some of PD's members. */
  readonly endpoints: ReadonlyArray<string>
  /** Plain two-phase commit where absent. */
  readonly ways?: CommitWays
  /** Names this client among those that hold back garbage collection. */
  readonly serviceId: string
}

export interface TikvClient {
  readonly pd: PdClient
  readonly oracle: TimestampOracle
  readonly regions: RegionCache
  readonly client: RegionClient
  readonly resolver: LockResolver
  readonly reads: SnapshotReads
  readonly transactions: TransactionCommit
}

export const plainTwoPhase: CommitWays = { onePhase: false, asynchronous: false }

/** Snapshots younger than this are never collected while the client runs. */
const HELD_MS = 60_000
const HOLD_SECONDS = 300
const HOLD_EVERY = "30 seconds"

/** Opens the client for the life of the scope; fails when PD does not answer. */
export const openTikvClient = Effect.fn("tikv.openClient")(function* (
  transport: Transport,
  { endpoints, serviceId, ways }: TikvClientOptions
) {
  const scope = yield* Effect.scope
  const pd = new PdClient(transport, endpoints)
  const oracle = new TimestampOracle(pd)
  const regions = new RegionCache(pd)
  const client = new RegionClient(transport, regions)
  const resolver = new LockResolver(client, oracle)
  const reads = new SnapshotReads(client, resolver)
  const transactions = new TransactionCommit({ client, resolver, oracle }, ways ?? plainTwoPhase, scope)
  const opened: TikvClient = { pd, oracle, regions, client, resolver, reads, transactions }
  yield* Effect.forkIn(oracle.run, scope)
  yield* Effect.forkIn(transactions.keepAlive, scope)
  yield* holdGarbage(opened, serviceId)
  yield* Effect.forkIn(
    Effect.ignore(holdGarbage(opened, serviceId)).pipe(Effect.repeat(Schedule.spaced(HOLD_EVERY))),
    scope
  )
  return opened
})

/** Keeps young snapshots from being collected, and learns what may be gone. */
const holdGarbage = ({ oracle, pd, reads }: TikvClient, serviceId: string): Effect.Effect<void, PdUnavailable> =>
  Effect.gen(function* () {
    const now = yield* oracle.timestamp
    const held = composeTimestamp(BigInt(Math.max(0, physicalMs(now) - HELD_MS)), 0n)
    yield* pd.holdSafePoint(serviceId, HOLD_SECONDS, held, new Backoff(Budget.background))
    reads.safePoint = yield* pd.getGcSafePoint(new Backoff(Budget.background))
  })
