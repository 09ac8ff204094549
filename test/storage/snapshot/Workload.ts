// Random histories for the tests of snapshots: the same seed makes the same requests, on ours and on a real etcd.
// Owns requests and the comparison of two stores through their API; refuses to start them.
import { Effect } from "effect"
import { callUnary, type GrpcClient } from "#net"
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  type RequestOp
} from "#storage"
import { HashKvRequest, HashKvResponse } from "../../../core/storage/rpc/AdminMessages.ts"

interface Codec<T extends object> {
  readonly encode: (value: Partial<T>) => Uint8Array
  readonly decode: (bytes: Uint8Array) => T
}

export const call = <A extends object, B extends object>(
  client: GrpcClient,
  path: string,
  request: Codec<A>,
  response: Codec<B>,
  fields: Partial<A>
) =>
  callUnary(client, `/etcdserverpb.${path}`, request.encode(fields)).pipe(Effect.map((bytes) => response.decode(bytes)))

export const put = (client: GrpcClient, fields: Partial<PutRequest>) =>
  call(client, "KV/Put", PutRequest, PutResponse, fields)
export const range = (client: GrpcClient, fields: Partial<RangeRequest>) =>
  call(client, "KV/Range", RangeRequest, RangeResponse, fields)
export const compact = (client: GrpcClient, revision: number) =>
  call(client, "KV/Compact", CompactionRequest, CompactionResponse, { revision, physical: true })
export const hashKv = (client: GrpcClient, revision = 0) =>
  call(client, "Maintenance/HashKV", HashKvRequest, HashKvResponse, { revision })

/** A small generator with a seed (mulberry32), so that both stores hear the same. */
export const seeded = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const operation = (key: Buffer, random: () => number, leases: ReadonlyArray<number>): RequestOp => {
  const none = { requestRange: undefined, requestPut: undefined, requestDeleteRange: undefined, requestTxn: undefined }
  if (random() < 0.25) return { ...none, requestDeleteRange: DeleteRangeRequest.make({ key }) }
  const value = Buffer.alloc(random() < 0.02 ? 9000 : Math.floor(random() * 300), Math.floor(random() * 256))
  const lease = random() < 0.2 ? leases[Math.floor(random() * leases.length)] : 0
  return { ...none, requestPut: PutRequest.make({ key, value, lease }) }
}

/** Odd keys among plain ones: zero bytes, high bytes, prefixes of one another. */
const keyOf = (random: () => number, keys: number): Buffer => {
  const number = Math.floor(random() * keys)
  if (number % 17 === 0) return Buffer.from([0, number & 255, 0, 0xff])
  return Buffer.from(number % 5 === 0 ? `k\0${number}` : `key/${String(number).padStart(4, "0")}`)
}

export interface WorkloadOptions {
  readonly seed: number
  readonly steps: number
  readonly keys: number
  /** Steps after which the store is compacted at two thirds of what it has. */
  readonly compactAfter: ReadonlyArray<number>
}

/** Runs random transactions, deletions and compactions; answers the last revision. Leases get ids from `firstLease` on. */
export const runWorkload = Effect.fn(function* (client: GrpcClient, options: WorkloadOptions, firstLease = 1001) {
  const random = seeded(options.seed)
  const leases = [firstLease, firstLease + 1, firstLease + 2]
  for (const id of leases) {
    yield* call(client, "Lease/LeaseGrant", LeaseGrantRequest, LeaseGrantResponse, { id, ttl: 6000 + id })
  }
  let revision = 1
  let compacted = 0
  for (let step = 0; step < options.steps; step++) {
    if (random() < 0.05) {
      const start = keyOf(random, options.keys)
      const rangeEnd = Buffer.concat([start, Buffer.from([0xff])])
      const answer = yield* call(client, "KV/DeleteRange", DeleteRangeRequest, DeleteRangeResponse, {
        key: start,
        rangeEnd
      })
      revision = Number(answer.header!.revision)
    } else {
      const size = random() < 0.6 ? 1 : 1 + Math.floor(random() * 12)
      const keys = new Map(
        Array.from({ length: size }, () => keyOf(random, options.keys)).map((key) => [key.toString("latin1"), key])
      )
      const success = [...keys.values()].map((key) => operation(key, random, leases))
      const answer = yield* call(client, "KV/Txn", TxnRequest, TxnResponse, { success })
      revision = Number(answer.header!.revision)
    }
    if (options.compactAfter.includes(step)) {
      compacted = Math.floor(compacted + (revision - compacted) * 0.66)
      yield* compact(client, compacted)
    }
  }
  return { revision, compacted }
})

const everything = { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) }

/** All that a store shows at a revision, as text that compares well. */
export const contents = (client: GrpcClient, revision: number) =>
  range(client, { ...everything, revision }).pipe(
    Effect.map(({ kvs }) =>
      kvs.map(({ createRevision, key, lease, modRevision, value, version }) =>
        [
          Buffer.from(key).toString("latin1"),
          createRevision,
          modRevision,
          version,
          lease,
          Buffer.from(value).toString("latin1")
        ].join("|")
      )
    )
  )
