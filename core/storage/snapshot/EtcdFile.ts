// An etcd database (a snapshot, or the db of a data directory) as a source of versions, in the order of their writing.
// Owns what each bucket means and the rules that its rows keep; refuses pages, which BoltReader checks.
import type { Int64 } from "#net"
import { ProtoError } from "#net"
import { decodeRevision } from "../mvcc/RevisionBytes.ts"
import { KeyValue } from "../rpc/KvMessages.ts"
import type { BoltBucket, BoltReader } from "./BoltReader.ts"
import { Bucket, BucketKey, LeaseRow } from "./EtcdBuckets.ts"
import { safeInteger, TransferError, type SourceAuth, type SourceSummary, type SourceVersion } from "./Transfer.ts"

/** Raises what `safeInteger` refuses. */
const integer = (value: Int64, subject: string): number => {
  const safe = safeInteger(value, subject)
  if (safe instanceof TransferError) throw safe
  return safe
}

const decoded = <T>(what: string, decode: () => T): T => {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error
    throw new TransferError({ subject: what, rule: "must be a protobuf message", detail: error.message })
  }
}

const rowsOf = (bucket: BoltBucket | undefined): Array<readonly [Buffer, Buffer]> => {
  const rows: Array<readonly [Buffer, Buffer]> = []
  bucket?.scan((key, value) => {
    rows.push([Buffer.from(key), Buffer.from(value)])
    return true
  })
  return rows
}

export class EtcdFile {
  readonly summary: SourceSummary
  private readonly path: string
  private readonly keys: BoltBucket

  /** Reads everything but keys. Throws BoltCorrupt or TransferError. */
  constructor(reader: BoltReader, path: string) {
    const keys = reader.root.bucket(Bucket.key)
    if (keys === undefined) throw new TransferError({ subject: path, rule: "must have etcd's bucket `key`" })
    this.path = path
    this.keys = keys
    const meta = reader.root.bucket(Bucket.meta)
    // A compaction that was scheduled goes on when etcd starts again, so what it will remove is left out already.
    const compacted = Math.max(
      this.revisionAt(meta, BucketKey.finishedCompactRev),
      this.revisionAt(meta, BucketKey.scheduledCompactRev)
    )
    const leases = rowsOf(reader.root.bucket(Bucket.lease)).map(([, row]) => {
      const { id, ttl } = decoded(`${path}: a lease`, () => LeaseRow.decode(row))
      return { id, ttlSeconds: Number(ttl) }
    })
    this.summary = { revision: Math.max(this.lastRevision(), compacted, 1), compacted, leases, auth: authOf(reader) }
  }

  private revisionAt(meta: BoltBucket | undefined, key: Buffer): number {
    const row = meta?.get(key)
    const revision = row && decodeRevision(row)
    if (row === undefined) return 0
    if (revision === undefined) {
      throw new TransferError({ subject: `${this.path}: ${key.toString()}`, rule: "must be a revision" })
    }
    return integer(revision.main, this.path)
  }

  private lastRevision(): number {
    const last = this.keys.lastKey()
    return last === undefined ? 0 : this.revision(last).main
  }

  private revision(row: Buffer): { readonly main: number; readonly sub: number; readonly tombstone: boolean } {
    const revision = decodeRevision(row)
    if (revision === undefined) {
      throw new TransferError({
        subject: `${this.path}: row ${row.toString("hex")}`,
        rule: "must be keyed by a revision"
      })
    }
    return { ...revision, main: integer(revision.main, this.path), sub: integer(revision.sub, this.path) }
  }

  /** Versions from a row on, at most `max`; answers where to go on, or undefined at the end. Throws as the constructor. */
  read(from: Buffer, max: number, take: (version: SourceVersion) => void): Buffer | undefined {
    let count = 0
    let next: Buffer | undefined
    this.keys.scan((row, value) => {
      if (count++ === max) {
        next = Buffer.from(row)
        return false
      }
      const { main, sub, tombstone } = this.revision(row)
      const kv = decoded(`${this.path}: revision ${main}`, () => KeyValue.decode(Buffer.from(value)))
      // A row without a key is what `etcdutl snapshot restore --bump-revision` leaves: it only moves the revision.
      if (kv.key.length > 0) take({ revision: main, sub, tombstone, kv })
      return true
    }, from)
    return next
  }
}

const authOf = (reader: BoltReader): SourceAuth => {
  const auth = reader.root.bucket(Bucket.auth)
  const revision = auth?.get(BucketKey.authRevision)
  return {
    enabled: auth?.get(BucketKey.authEnabled)?.[0] === 1,
    revision: revision?.length === 8 ? Number(revision.readBigUInt64BE(0)) : 1,
    users: rowsOf(reader.root.bucket(Bucket.authUsers)),
    roles: rowsOf(reader.root.bucket(Bucket.authRoles))
  }
}
