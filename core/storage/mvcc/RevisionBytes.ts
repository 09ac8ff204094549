// A revision as etcd's backend keys it: main revision, `_`, sub revision, and a `t` behind those of deletions.
// Owns that encoding, which hashes and snapshot files share; refuses to know what the revision is of.
// Source: etcd 3.7 server/storage/mvcc/revision.go.
import { int64, type Int64 } from "#net"

const SEPARATOR = 0x5f
const TOMBSTONE = 0x74
const REVISION_BYTES = 17

/** Encodes a revision; such keys sort as revisions do. */
export const encodeRevision = (main: Int64, sub: Int64, tombstone = false): Buffer => {
  const bytes = Buffer.allocUnsafe(tombstone ? REVISION_BYTES + 1 : REVISION_BYTES)
  bytes.writeBigUInt64BE(BigInt(main), 0)
  bytes[8] = SEPARATOR
  bytes.writeBigUInt64BE(BigInt(sub), 9)
  if (tombstone) bytes[REVISION_BYTES] = TOMBSTONE
  return bytes
}

/** Decodes a revision; undefined when the bytes are none. */
export const decodeRevision = (
  bytes: Buffer
): { readonly main: Int64; readonly sub: Int64; readonly tombstone: boolean } | undefined => {
  const tombstone = bytes.length === REVISION_BYTES + 1 && bytes[REVISION_BYTES] === TOMBSTONE
  if ((bytes.length !== REVISION_BYTES && !tombstone) || bytes[8] !== SEPARATOR) return undefined
  const main = bytes.readBigInt64BE(0)
  const sub = bytes.readBigInt64BE(9)
  return main < 0n || sub < 0n ? undefined : { main: int64(main), sub: int64(sub), tombstone }
}
