// The bbolt file format, version 2: page kinds, header layouts, the meta page and its checksum.
// Owns offsets and magic numbers, all little-endian; refuses to read or write files, which the reader and writer do.
// Source: the format as go.etcd.io/bbolt 1.5 defines it (internal/common: page, meta, bucket).
import { Schema } from "effect"

/** Bytes of a page as this project writes it; files with other powers of two are read. */
export const PAGE_BYTES = 4096
/** Page header: id u64, flags u16, count u16, overflow u32. */
export const PAGE_HEADER_BYTES = 16
/** Leaf element: flags u32, pos u32, ksize u32, vsize u32; branch element: pos u32, ksize u32, pgid u64. */
export const ELEMENT_BYTES = 16
/** Bucket header in a leaf value: root pgid u64 (0: the bucket's one page follows inline), sequence u64. */
export const BUCKET_HEADER_BYTES = 16
/** The meta page's content after the page header. */
export const META_BYTES = 64
/** The largest key that bbolt accepts, in bytes. */
export const KEY_MAX_BYTES = 32_768

/** What a page holds. */
export const PageFlag = { Branch: 0x01, Leaf: 0x02, Meta: 0x04, Freelist: 0x10 } as const
/** A leaf element whose value is a bucket. */
export const BUCKET_ELEMENT = 0x01

const MAGIC = 0xed0cdaed
const VERSION = 2
/** The freelist page id of a file that was written without one. */
export const NO_FREELIST = 0xffff_ffff_ffff_ffffn

/** A file is not an intact bbolt database: the page at fault and the rule that it breaks. */
export class BoltCorrupt extends Schema.TaggedError<BoltCorrupt>()("BoltCorrupt", {
  page: Schema.Finite,
  rule: Schema.String
}) {
  override get message(): string {
    return `not an intact bbolt database: page ${this.page} ${this.rule}`
  }
}

/** What a meta page says. */
export interface BoltMeta {
  readonly pageBytes: number
  /** Page id of the root bucket's top page. */
  readonly root: number
  readonly freelist: bigint
  /** High water mark: all pages have lower ids. */
  readonly pages: number
  readonly txid: bigint
}

/** FNV-1a, 64 bits: the checksum of a meta page. */
export const fnv64a = (bytes: Uint8Array): bigint => {
  let hash = 0xcbf29ce484222325n
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash
}

/** Writes a page header. */
export const writePageHeader = (page: Buffer, id: number, flags: number, count: number, overflow: number): void => {
  page.writeBigUInt64LE(BigInt(id), 0)
  page.writeUInt16LE(flags, 8)
  page.writeUInt16LE(count, 10)
  page.writeUInt32LE(overflow, 12)
}

/** A whole meta page. Its id is the parity of the transaction id. */
export const encodeMetaPage = (meta: BoltMeta): Buffer => {
  const page = Buffer.alloc(meta.pageBytes)
  writePageHeader(page, Number(meta.txid % 2n), PageFlag.Meta, 0, 0)
  const body = page.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + META_BYTES)
  body.writeUInt32LE(MAGIC, 0)
  body.writeUInt32LE(VERSION, 4)
  body.writeUInt32LE(meta.pageBytes, 8)
  body.writeBigUInt64LE(BigInt(meta.root), 16)
  body.writeBigUInt64LE(meta.freelist, 32)
  body.writeBigUInt64LE(BigInt(meta.pages), 40)
  body.writeBigUInt64LE(meta.txid, 48)
  body.writeBigUInt64LE(fnv64a(body.subarray(0, 56)), 56)
  return page
}

/** Reads a meta page's content (without the page header), or says which rule it breaks. */
export const decodeMeta = (body: Buffer): BoltMeta | string => {
  if (body.length < META_BYTES) return "is cut off before its end"
  if (body.readUInt32LE(0) !== MAGIC) return "must begin with bbolt's magic number"
  if (body.readUInt32LE(4) !== VERSION) return `must be of format version ${VERSION}, not ${body.readUInt32LE(4)}`
  if (body.readBigUInt64LE(56) !== fnv64a(body.subarray(0, 56))) return "must match its checksum"
  const pageBytes = body.readUInt32LE(8)
  if (pageBytes < 1024 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0) {
    return `must have a page size that is a power of two from 1,024 to 65,536, not ${pageBytes}`
  }
  const pages = body.readBigUInt64LE(40)
  if (pages < 3n || pages > 1n << 40n) return `must have a high water mark of at least 3 pages, not ${pages}`
  return {
    pageBytes,
    root: Number(body.readBigUInt64LE(16)),
    freelist: body.readBigUInt64LE(32),
    pages: Number(pages),
    txid: body.readBigUInt64LE(48)
  }
}
