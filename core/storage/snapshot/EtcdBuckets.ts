// The buckets of etcd's backend and how their keys and values are encoded.
// Owns names and encodings both ways; refuses pages (BoltWriter, BoltReader) and the store's own tables.
// Source: etcd 3.7 server/storage/schema, server/storage/mvcc/revision.go, server/lease/leasepb.
import { field, int64, message, type Int64, type MessageType } from "#net"

/** Bucket names, in the order of their bytes. */
export const Bucket = {
  alarm: Buffer.from("alarm"),
  auth: Buffer.from("auth"),
  authRoles: Buffer.from("authRoles"),
  authUsers: Buffer.from("authUsers"),
  cluster: Buffer.from("cluster"),
  key: Buffer.from("key"),
  lease: Buffer.from("lease"),
  members: Buffer.from("members"),
  membersRemoved: Buffer.from("members_removed"),
  meta: Buffer.from("meta")
} as const

/** Keys of the meta, auth and cluster buckets. */
export const BucketKey = {
  authEnabled: Buffer.from("authEnabled"),
  authRevision: Buffer.from("authRevision"),
  clusterVersion: Buffer.from("clusterVersion"),
  confState: Buffer.from("confState"),
  consistentIndex: Buffer.from("consistent_index"),
  finishedCompactRev: Buffer.from("finishedCompactRev"),
  scheduledCompactRev: Buffer.from("scheduledCompactRev"),
  storageVersion: Buffer.from("storageVersion"),
  term: Buffer.from("term")
} as const

/** leasepb.Lease. */
export const LeaseRow = message({ id: field(1, "int64"), ttl: field(2, "int64"), remainingTtl: field(3, "int64") })
export type LeaseRow = MessageType<typeof LeaseRow>

const SEPARATOR = 0x5f
const TOMBSTONE = 0x74
const REVISION_BYTES = 17

/** A key of the key bucket: main revision, `_`, sub revision, and a `t` behind those of deletions. */
export const encodeRevision = (main: Int64, sub: Int64, tombstone = false): Buffer => {
  const bytes = Buffer.allocUnsafe(tombstone ? REVISION_BYTES + 1 : REVISION_BYTES)
  bytes.writeBigUInt64BE(BigInt(main), 0)
  bytes[8] = SEPARATOR
  bytes.writeBigUInt64BE(BigInt(sub), 9)
  if (tombstone) bytes[REVISION_BYTES] = TOMBSTONE
  return bytes
}

/** Reads a key of the key bucket; undefined when the bytes are none. */
export const decodeRevision = (
  bytes: Buffer
): { readonly main: Int64; readonly sub: Int64; readonly tombstone: boolean } | undefined => {
  const tombstone = bytes.length === REVISION_BYTES + 1 && bytes[REVISION_BYTES] === TOMBSTONE
  if ((bytes.length !== REVISION_BYTES && !tombstone) || bytes[8] !== SEPARATOR) return undefined
  const main = bytes.readBigInt64BE(0)
  const sub = bytes.readBigInt64BE(9)
  return main < 0n || sub < 0n ? undefined : { main: int64(main), sub: int64(sub), tombstone }
}

/** An unsigned integer as 8 bytes, big-endian: how indexes, terms, lease ids and the auth revision are stored. */
export const encodeUint64 = (value: Int64): Buffer => {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)), 0)
  return bytes
}
