// Imports: a source's versions into a new data directory, with everything kept, or into a running server, as new writes.
// Owns both ways and what they refuse; refuses to know where the versions come from.
import { Clock, Console, Effect } from "effect"
import { join } from "node:path"
import type { Int64 } from "#net"
import { openLmdbEngine } from "../engine/LmdbEngine.ts"
import { PutRequest, type RequestOp } from "../rpc/KvMessages.ts"
import { openEndpoint, type EndpointOptions, type EtcdClient } from "./EtcdClient.ts"
import type { ImportSource } from "./ImportSource.ts"
import { StoreLoader } from "./StoreLoader.ts"
import { machineClockwork } from "#kube"
import { openTikvEngine, type TikvOptions } from "../tikv/OpenTikvEngine.ts"
import { copyEngine } from "./EngineCopy.ts"
import { beginDirectory, temporaryDirectory } from "./TargetAdapter.ts"
import { TransferError, type SourceVersion } from "./Transfer.ts"

const PROGRESS_MS = 1000

/** Counts and says so at most once a second. */
export const makeProgress = (verb: string) =>
  Effect.gen(function* () {
    let total = 0
    let said = yield* Clock.currentTimeMillis
    return {
      add: Effect.fnUntraced(function* (count: number) {
        total += count
        const now = yield* Clock.currentTimeMillis
        if (now - said < PROGRESS_MS) return
        said = now
        yield* Console.error(`${verb} ${total.toLocaleString("en")} …`)
      }),
      total: () => total
    }
  })

/** Makes a data directory of a source; it appears whole or not at all. */
export const importToDirectory = Effect.fn("storage.import.directory")(function* (
  source: ImportSource,
  dataDir: string,
  prefixed: boolean
) {
  const { path, publish } = yield* beginDirectory(dataDir)
  const progress = yield* makeProgress("imported versions:")
  const fill = Effect.gen(function* () {
    const engine = yield* openLmdbEngine({ directory: join(path, "store"), sync: false })
    const loader = new StoreLoader(engine, source.summary)
    yield* source.each((versions) =>
      Effect.gen(function* () {
        for (const version of versions) {
          const failure = loader.add(version)
          if (failure !== undefined) return yield* failure
          if (loader.isFull) yield* loader.commit()
        }
        yield* progress.add(versions.length)
      })
    )
    return yield* loader.finish(prefixed)
  })
  const leases = yield* Effect.scoped(fill)
  yield* publish
  const { auth, revision } = source.summary
  const users = auth === undefined ? "users not told by the source" : `${auth.users.length} users`
  yield* Console.log(
    `${dataDir}: ${progress.total()} versions, ${leases} leases, ${users}, at revision ${revision}, from ${source.name}`
  )
})

/** Puts a source into a TiKV cluster, under a prefix that holds nothing; it passes through a directory that is removed again. */
export const importToTikv = Effect.fn("storage.import.tikv")(function* (
  source: ImportSource,
  options: TikvOptions,
  prefixed: boolean
) {
  const target = yield* openTikvEngine(options, machineClockwork)
  const passage = yield* temporaryDirectory
  yield* importToDirectory(source, join(passage, "import"), prefixed)
  const embedded = yield* openLmdbEngine({ directory: join(passage, "import", "store"), sync: false })
  const rows = yield* copyEngine(embedded, target)
  yield* Console.log(`${options.pdEndpoints.join(",")}: ${rows} rows under ${options.keyPrefix}`)
})

/** Operations and bytes of one transaction: within etcd's defaults of 128 and 1.5 MiB. */
const TXN_OPS = 100
const TXN_BYTES = 2 ** 20
const TXNS_AT_ONCE = 8

/** Puts a source's living keys into a running server: revisions and versions begin anew there. */
export const importToEndpoint = Effect.fn("storage.import.endpointTarget")(function* (
  source: ImportSource,
  target: EndpointOptions,
  options: { readonly prefix: Uint8Array; readonly overwrite: boolean }
) {
  const client = yield* openEndpoint(target)
  const present = yield* client.count(options.prefix)
  if (present > 0 && !options.overwrite) {
    return yield* new TransferError({
      subject: target.url,
      rule: `must have no keys there yet, but has ${present}: give --overwrite to put over them`
    })
  }
  yield* Console.error("revisions, versions and history are not kept: keys are put anew into a running server")
  const progress = yield* makeProgress("put keys:")
  const leases = new Map<Int64, Int64>([[0, 0]])
  yield* source
    .eachLiving((versions) =>
      Effect.gen(function* () {
        yield* grantMissing(client, source, versions, leases)
        yield* Effect.forEach(
          batches(versions, leases),
          (success) => client.txn({ success }).pipe(Effect.andThen(progress.add(success.length))),
          { concurrency: TXNS_AT_ONCE, discard: true }
        )
      })
    )
    .pipe(Effect.tapError(() => Console.error(`${progress.total()} keys had been put when this failed`)))
  yield* Console.log(`${target.url}: ${progress.total()} keys, ${leases.size - 1} leases, from ${source.name}`)
})

const grantMissing = (
  client: EtcdClient,
  { summary }: ImportSource,
  versions: ReadonlyArray<SourceVersion>,
  granted: Map<Int64, Int64>
) => {
  const missing = new Set(versions.map(({ kv }) => kv.lease).filter((id) => !granted.has(id)))
  const lease = (id: Int64) => summary.leases.find((known) => known.id === id) ?? { id, ttlSeconds: 1 }
  return Effect.forEach(missing, (id) => client.grant(lease(id)).pipe(Effect.map((given) => granted.set(id, given))), {
    concurrency: TXNS_AT_ONCE,
    discard: true
  })
}

const batches = (
  versions: ReadonlyArray<SourceVersion>,
  leases: ReadonlyMap<Int64, Int64>
): ReadonlyArray<ReadonlyArray<RequestOp>> => {
  const made: Array<Array<RequestOp>> = []
  let bytes = Number.POSITIVE_INFINITY
  for (const { kv } of versions) {
    const size = kv.key.length + kv.value.length
    if (bytes + size > TXN_BYTES || made.at(-1)?.length === TXN_OPS) {
      made.push([])
      bytes = 0
    }
    bytes += size
    made.at(-1)?.push({
      requestPut: PutRequest.make({ key: kv.key, value: kv.value, lease: leases.get(kv.lease) ?? 0 }),
      requestRange: undefined,
      requestDeleteRange: undefined,
      requestTxn: undefined
    })
  }
  return made
}
