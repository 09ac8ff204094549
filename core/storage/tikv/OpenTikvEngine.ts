// The engine on a real TiKV cluster, opened from addresses and files: transport, client, layout and engine joined.
// Owns that joining; refuses flags, which EtcdConfig.ts reads, and every decision of the parts.
import { Effect, Exit, Scope } from "effect"
import type { Clockwork } from "#kube"
import { Backoff, Budget } from "./Backoff.ts"
import { openNetTransport, type TransportTls } from "./NetTransportAdapter.ts"
import { watchStoreSize } from "./StoreSizeAdapter.ts"
import { openTikvClient } from "./TikvClient.ts"
import { makeTikvEngine } from "./TikvEngine.ts"
import { BadKeyPrefix, TikvRows } from "./TikvRows.ts"
import { encodeKey } from "./Memcomparable.ts"
import type { CommitWays } from "./TransactionCommit.ts"

/** How long a commit under way is waited for at the end. */
const CLOSE_WITHIN = "5 seconds"

export interface TikvOptions {
  /** URLs or `host:port` of some of PD's members. */
  readonly pdEndpoints: ReadonlyArray<string>
  readonly tls: TransportTls
  /** Before every key of this store; ends with "/". */
  readonly keyPrefix: string
  /** Names this node among those that hold back garbage collection. */
  readonly node: string
  readonly ways?: CommitWays
}

/** Opens the engine for the life of the scope; fails with what keeps it from a cluster: prefix, TLS files, or PD. */
export const openTikvEngine = Effect.fn("tikv.openEngine")(function* (
  { keyPrefix, node, pdEndpoints, tls, ways }: TikvOptions,
  clockwork: Clockwork
) {
  const rows = TikvRows.under(keyPrefix)
  if (rows instanceof BadKeyPrefix) return yield* rows
  // A scope of its own, for what is begun while the caller's is being closed: a last commit must still go through.
  const own = yield* Scope.make()
  const engine = yield* joined(
    rows,
    { keyPrefix, node, pdEndpoints, tls, ...(ways === undefined ? {} : { ways }) },
    clockwork
  ).pipe(
    Scope.provide(own),
    Effect.onError(() => Scope.close(own, Exit.void))
  )
  yield* Effect.addFinalizer((exit) =>
    engine.closing.pipe(Effect.timeoutOption(CLOSE_WITHIN), Effect.andThen(Scope.close(own, exit)))
  )
  return engine
})

const joined = Effect.fnUntraced(function* (
  rows: TikvRows,
  { keyPrefix, node, pdEndpoints, tls, ways }: TikvOptions,
  { defer, monotonic }: Clockwork
) {
  const transport = yield* openNetTransport(tls)
  const serviceId = `wharf-storage/${keyPrefix}${node}`
  const client = yield* openTikvClient(transport, {
    endpoints: pdEndpoints,
    serviceId,
    ...(ways === undefined ? {} : { ways })
  })
  const sizeBytes = yield* watchStoreSize({
    leader: Effect.suspend(() => client.pd.leaderAddress(new Backoff(Budget.read))),
    tls,
    start: encodeKey(rows.all.start),
    end: encodeKey(rows.all.end)
  })
  return yield* makeTikvEngine({ client, rows, defer, monotonic, sizeBytes })
})
