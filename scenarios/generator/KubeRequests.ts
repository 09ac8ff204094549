// The requests that the load generator sends, laid out field by field as kube-apiserver's etcd client lays them out
// (etcdserverpb of etcd 3.7: rpc.proto; the transactions as in client/v3/kubernetes).
// Owns shapes and method paths; filling in keys, revisions and values is the caller's.
import { type Field, template, type Template } from "./Template.ts"

/** gRPC method paths. */
export const methods = {
  range: "/etcdserverpb.KV/Range",
  rangeStream: "/etcdserverpb.KV/RangeStream",
  put: "/etcdserverpb.KV/Put",
  deleteRange: "/etcdserverpb.KV/DeleteRange",
  txn: "/etcdserverpb.KV/Txn",
  compact: "/etcdserverpb.KV/Compact",
  watch: "/etcdserverpb.Watch/Watch",
  leaseGrant: "/etcdserverpb.Lease/LeaseGrant",
  leaseKeepAlive: "/etcdserverpb.Lease/LeaseKeepAlive",
  snapshot: "/etcdserverpb.Maintenance/Snapshot",
  status: "/etcdserverpb.Maintenance/Status"
} as const

const key = (field: number, bytes: Uint8Array): Field => ({ bytes: [field, bytes], mark: "key" })
const modTarget = 2

/** Compare{EQUAL, MOD, key, mod_revision}: EQUAL is the default and not written, the revision is even when 0. */
const modIs = (keyBytes: Uint8Array, revision: number): Field => ({
  message: [1, [{ varint: [2, modTarget] }, key(3, keyBytes), { varint: [6, revision], mark: "revision" }]]
})

const putFields = (keyBytes: Uint8Array, value: Uint8Array, lease?: Uint8Array): ReadonlyArray<Field> => [
  key(1, keyBytes),
  ...(value.length > 0 ? [{ bytes: [2, value], mark: "value" } as const] : []),
  ...(lease === undefined ? [] : [{ raw: [3, lease] } as const])
]

const success = (op: Field): Field => ({ message: [2, [op]] })
const failure = (op: Field): Field => ({ message: [3, [op]] })
const rangeOp = (keyBytes: Uint8Array): Field => ({ message: [1, [key(1, keyBytes)]] })
const putOp = (keyBytes: Uint8Array, value: Uint8Array): Field => ({ message: [2, putFields(keyBytes, value)] })
const deleteOp = (keyBytes: Uint8Array): Field => ({ message: [3, [key(1, keyBytes)]] })

/** OptimisticPut of a new key: if it has no revision then put. */
export const createRequest = (keyBytes: Uint8Array, value: Uint8Array): Template =>
  template([modIs(keyBytes, 0), success(putOp(keyBytes, value))])

/** OptimisticPut over revision n: if unchanged then put, else read it back. */
export const updateRequest = (keyBytes: Uint8Array, value: Uint8Array, revision: number): Template =>
  template([modIs(keyBytes, revision), success(putOp(keyBytes, value)), failure(rangeOp(keyBytes))])

/** OptimisticDelete at revision n: if unchanged then delete, else read it back. */
export const deleteRequest = (keyBytes: Uint8Array, revision: number): Template =>
  template([modIs(keyBytes, revision), success(deleteOp(keyBytes)), failure(rangeOp(keyBytes))])

/** Put; `lease` is the lease id's varint as it came from the server. */
export const putRequest = (keyBytes: Uint8Array, value: Uint8Array, lease?: Uint8Array): Template =>
  template(putFields(keyBytes, value, lease))

/** Options of a range over keys. Absent ones are not written, as proto3 asks. */
export interface RangeOptions {
  readonly end?: Uint8Array
  readonly limit?: number
  readonly revision?: number
  readonly serializable?: boolean
  readonly keysOnly?: boolean
  readonly countOnly?: boolean
}

const flag = (field: number, on: boolean | undefined): ReadonlyArray<Field> =>
  on === true ? [{ varint: [field, 1] }] : []
const number = (field: number, value: number | undefined): ReadonlyArray<Field> =>
  value === undefined || value === 0 ? [] : [{ varint: [field, value] }]

/** Range and RangeStream. */
export const rangeRequest = (keyBytes: Uint8Array, options: RangeOptions): Template =>
  template([
    key(1, keyBytes),
    ...(options.end === undefined ? [] : [{ bytes: [2, options.end] } as const]),
    ...number(3, options.limit),
    ...number(4, options.revision),
    ...flag(7, options.serializable),
    ...flag(8, options.keysOnly),
    ...flag(9, options.countOnly)
  ])

/** DeleteRange over [key, end). */
export const deleteRangeRequest = (keyBytes: Uint8Array, end: Uint8Array): Template =>
  template([key(1, keyBytes), { bytes: [2, end] }])

const compactKey = new TextEncoder().encode("compact_rev_key")

/** kube-apiserver's claim to compact: if version(compact_rev_key) is t then put the revision, else read it. */
export const compactClaimRequest = (version: number, revision: number): Template =>
  template([
    { message: [1, [{ bytes: [3, compactKey] }, { varint: [4, version] }]] },
    success({ message: [2, [{ bytes: [1, compactKey] }, { bytes: [2, new TextEncoder().encode(String(revision))] }]] }),
    failure({ message: [1, [{ bytes: [1, compactKey] }]] })
  ])

/** Compact to a revision. */
export const compactRequest = (revision: number): Template => template([{ varint: [1, revision] }])

/** LeaseGrant with a time to live in seconds; the server chooses the id. */
export const leaseGrantRequest = (ttlSeconds: number): Template => template([{ varint: [1, ttlSeconds] }])

/** LeaseKeepAlive of a lease; `lease` is the id's varint as it came from the server. */
export const leaseKeepAliveRequest = (lease: Uint8Array): Template => template([{ raw: [1, lease] }])

/** A watch to create on a stream. */
export interface WatchOptions extends RangeOptions {
  readonly startRevision?: number
  readonly progressNotify?: boolean
  readonly prevKv?: boolean
  readonly watchId?: number
}

/** WatchRequest{create_request}. */
export const watchRequest = (keyBytes: Uint8Array, options: WatchOptions): Template =>
  template([
    {
      message: [
        1,
        [
          key(1, keyBytes),
          ...(options.end === undefined ? [] : [{ bytes: [2, options.end] } as const]),
          ...number(3, options.startRevision),
          ...flag(4, options.progressNotify),
          ...flag(6, options.prevKv),
          ...number(7, options.watchId)
        ]
      ]
    }
  ])

/** The end of the range of all keys that begin with `prefix`: its last byte below 0xff raised by one. */
export const prefixEnd = (prefix: Uint8Array): Uint8Array => {
  for (let last = prefix.length - 1; last >= 0; last--) {
    if (prefix[last] < 0xff) {
      const end = Uint8Array.from(prefix.subarray(0, last + 1))
      end[last] = prefix[last] + 1
      return end
    }
  }
  return new Uint8Array(1)
}
