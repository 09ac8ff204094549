// A store at one revision as an etcd database: every bucket that etcd expects, filled from the store's tables in turns.
// Owns what goes into which bucket; refuses files and sockets: pages are taken from the writer between turns.
// Leases, users and alarms are read in the turn that pins the revision, so that all belongs together; keys follow while
// writers go on. Compaction must not remove rows meanwhile.
import type { Identity } from "../api/Header.ts"
import type { MemberInfo } from "../api/ClusterApi.ts"
import { Table, type Need, type View } from "../engine/Engine.ts"
import { MetaKey, readRevision } from "../mvcc/Layout.ts"
import { noNeeds, type Slices } from "../mvcc/Slices.ts"
import type { Store } from "../mvcc/Store.ts"
import { encodeRevision } from "../mvcc/RevisionBytes.ts"
import { keyValueBytes } from "../mvcc/StoredEvent.ts"
import { walkVersions, type Version } from "../mvcc/VersionWalk.ts"
import { AlarmMember } from "../rpc/AdminMessages.ts"
import type { BoltWriter, BucketLoader } from "./BoltWriter.ts"
import { Bucket, BucketKey, encodeUint64, LeaseRow } from "./EtcdBuckets.ts"

/** The version of the layout written: etcd 3.7's. */
export const STORAGE_VERSION = "3.7.0"

/** Who the store is: what the buckets about members and Raft say. */
export interface SnapshotOrigin {
  readonly identity: Identity
  readonly member: MemberInfo
}

/** What is small enough to be read in the turn that pins the revision. */
interface Pinned {
  readonly revision: number
  readonly compacted: number
  readonly leases: ReadonlyArray<readonly [id: Buffer, ttlSeconds: number]>
  readonly users: ReadonlyArray<readonly [name: Buffer, row: Buffer]>
  readonly roles: ReadonlyArray<readonly [name: Buffer, row: Buffer]>
  readonly auth: Buffer | undefined
  readonly alarms: ReadonlyArray<number>
}

const AUTH_ENABLED_AT = 8
const USER = "u".codePointAt(0)
const nothing = Buffer.alloc(0)

const pinNeeds: ReadonlyArray<Need> = [Table.Lease, Table.Auth, Table.Meta].map((table) => ({
  table,
  start: nothing,
  end: undefined,
  limit: 0
}))

const pin = (store: Store, view: View): Pinned => {
  const leases: Array<readonly [Buffer, number]> = []
  view.scan(Table.Lease, nothing, undefined, (id, row) => {
    leases.push([Buffer.from(id), Buffer.from(row).readDoubleBE(0)])
    return true
  })
  const users: Array<readonly [Buffer, Buffer]> = []
  const roles: Array<readonly [Buffer, Buffer]> = []
  view.scan(Table.Auth, nothing, undefined, (key, row) => {
    const rows = key[0] === USER ? users : roles
    rows.push([Buffer.from(key.subarray(1)), Buffer.from(row)])
    return true
  })
  const auth = view.get(Table.Meta, MetaKey.auth)
  return {
    revision: store.revision,
    compacted: store.compacted,
    leases,
    users,
    roles,
    auth: auth && Buffer.from(auth),
    alarms: [...(view.get(Table.Meta, MetaKey.alarms) ?? [])]
  }
}

/** Fills the writer with the store as it is at the first turn; answers the head to put over the file's first pages. */
export function* writeStore(store: Store, writer: BoltWriter, origin: SnapshotOrigin): Slices<Buffer> {
  const pinned = pin(store, yield () => pinNeeds)
  const root = writer.bucket()
  const fill = (name: Buffer, rows: ReadonlyArray<readonly [Uint8Array, Uint8Array]>): void => {
    const bucket = writer.bucket()
    for (const [key, value] of rows) bucket.put(key, value)
    root.putBucket(name, bucket)
  }
  fill(Bucket.alarm, alarmRows(pinned, origin))
  fill(Bucket.auth, authRows(pinned))
  fill(Bucket.authRoles, pinned.roles)
  fill(Bucket.authUsers, pinned.users)
  fill(Bucket.cluster, [[BucketKey.clusterVersion, Buffer.from(STORAGE_VERSION)]])
  const keys = writer.bucket()
  yield* walkVersions(pinned, (version) => putVersion(keys, version))
  root.putBucket(Bucket.key, keys)
  fill(
    Bucket.lease,
    pinned.leases.map(([id, ttl]) => [id, LeaseRow.encode({ id: leaseId(id), ttl })])
  )
  yield noNeeds
  const { identity, member } = origin
  const memberJson = JSON.stringify({
    id: 0,
    peerURLs: member.peerUrls,
    name: member.name,
    clientURLs: member.clientUrls
  })
  const memberKey = Buffer.from(BigInt.asUintN(64, BigInt(identity.memberId)).toString(16))
  // A 64-bit id is no JSON number that JavaScript could print, so it is put in as text.
  fill(Bucket.members, [[memberKey, Buffer.from(memberJson.replace('"id":0', `"id":${identity.memberId}`))]])
  fill(Bucket.membersRemoved, [])
  fill(Bucket.meta, metaRows(pinned, identity))
  return writer.finish(root)
}

const leaseId = (id: Buffer) => BigInt.asIntN(64, id.readBigUInt64BE(0))

const putVersion = (keys: BucketLoader, { key, record, revision, sub }: Version): void =>
  keys.put(encodeRevision(revision, sub, record === undefined), keyValueBytes(key, record))

const alarmRows = ({ alarms }: Pinned, { identity }: SnapshotOrigin) =>
  alarms
    .map((alarm) => [AlarmMember.encode({ memberId: identity.memberId, alarm }), nothing] as const)
    .sort((a, b) => Buffer.compare(a[0], b[0]))

const authRows = ({ auth }: Pinned) =>
  [
    [BucketKey.authEnabled, Buffer.from([auth?.[AUTH_ENABLED_AT] ?? 0])],
    [BucketKey.authRevision, encodeUint64(auth === undefined ? 1 : readRevision(auth, 0))]
  ] as const

/** The rows of the meta bucket, in key order. The consistent index is the revision: each has one Raft entry, so to say. */
const metaRows = ({ compacted, revision }: Pinned, { memberId, term }: Identity) => {
  const compaction = encodeRevision(Math.max(compacted, 0), 0)
  const rows: Array<readonly [Buffer, Buffer]> = [
    [BucketKey.confState, Buffer.from(`{"voters":[${memberId}],"auto_leave":false}`)],
    [BucketKey.consistentIndex, encodeUint64(revision)]
  ]
  if (compacted > 0) rows.push([BucketKey.finishedCompactRev, compaction], [BucketKey.scheduledCompactRev, compaction])
  rows.push([BucketKey.storageVersion, Buffer.from(STORAGE_VERSION)], [BucketKey.term, encodeUint64(term)])
  return rows
}
