// The buckets of etcd's backend and how their keys and values are encoded.
// Owns names and encodings; refuses pages (BoltWriter, BoltReader), revisions (RevisionBytes) and the store's own tables.
// Source: etcd 3.7 server/storage/schema and server/lease/leasepb.
import { field, message, type Int64, type MessageType } from "#net"

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

/** An unsigned integer as 8 bytes, big-endian: how indexes, terms, lease ids and the auth revision are stored. */
export const encodeUint64 = (value: Int64): Buffer => {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)), 0)
  return bytes
}
