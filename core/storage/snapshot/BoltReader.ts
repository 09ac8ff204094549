// Reads a bbolt database: buckets and ordered scans with a start key, in memory bounded by one page a level.
// Owns the checks: every offset, count and page number is tested before it is followed, and keys must ascend, which also
// ends any loop that damaged page numbers could make. Refuses to repair and to write.
import {
  BoltCorrupt,
  BUCKET_ELEMENT,
  BUCKET_HEADER_BYTES,
  decodeMeta,
  ELEMENT_BYTES,
  META_BYTES,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  PageFlag,
  type BoltMeta
} from "./BoltFormat.ts"

/** Random access to the bytes of a file. */
export interface BoltSource {
  readonly sizeBytes: number
  /** Bytes from an offset; fewer than asked for at the file's end. */
  readonly read: (offset: number, length: number) => Buffer
}

/** Called with views that stay valid; returns false to stop. `isBucket` values are opened with `bucket`, not read. */
export type VisitBolt = (key: Buffer, value: Buffer, isBucket: boolean) => boolean

/** Deeper trees do not occur: 16 levels of two children each hold 65,536 pages, real ones hold a hundred a page. */
const DEPTH_MAX = 48

/** An open database. */
export class BoltReader {
  readonly meta: BoltMeta
  readonly root: BoltBucket
  private readonly source: BoltSource

  /** Opens a database by the newer of its intact meta pages; throws BoltCorrupt when there is none. */
  constructor(source: BoltSource) {
    this.source = source
    this.meta = readMeta(source)
    if (source.sizeBytes < this.meta.pages * this.meta.pageBytes) {
      const lacking = Math.floor(source.sizeBytes / this.meta.pageBytes)
      throw new BoltCorrupt({ page: lacking, rule: `must exist: the file should have ${this.meta.pages} pages` })
    }
    this.root = new BoltBucket(this, this.meta.root, undefined)
  }

  /** A page with its overflow, header checked. */
  page(id: number): Buffer {
    const { pageBytes, pages } = this.meta
    if (id < 2 || id >= pages) throw new BoltCorrupt({ page: id, rule: `must be one of the file's ${pages} pages` })
    const first = this.source.read(id * pageBytes, pageBytes)
    if (Number(first.readBigUInt64LE(0)) !== id) {
      throw new BoltCorrupt({ page: id, rule: `must carry its own number, not ${first.readBigUInt64LE(0)}` })
    }
    const overflow = first.readUInt32LE(12)
    if (overflow === 0) return first
    if (id + overflow >= pages) throw new BoltCorrupt({ page: id, rule: `must not overflow the file's ${pages} pages` })
    return this.source.read(id * pageBytes, (overflow + 1) * pageBytes)
  }
}

const readMeta = (source: BoltSource): BoltMeta => {
  const metaAt = (offset: number) => decodeMeta(source.read(offset + PAGE_HEADER_BYTES, META_BYTES))
  const first = metaAt(0)
  if (typeof first !== "string") {
    const second = metaAt(first.pageBytes)
    return typeof second !== "string" && second.txid > first.txid ? second : first
  }
  // The first meta page is damaged, so nothing says how long a page is.
  for (let pageBytes = 1024; pageBytes <= 65_536; pageBytes *= 2) {
    const second = metaAt(pageBytes)
    if (typeof second !== "string" && second.pageBytes === pageBytes) return second
  }
  throw new BoltCorrupt({ page: 0, rule: source.sizeBytes < 2 * PAGE_BYTES ? "is cut off before its end" : first })
}

/** One bucket: its page, or the page that lies inline in its parent's leaf. */
export class BoltBucket {
  private readonly file: BoltReader
  private readonly rootPage: number
  private readonly inline: Buffer | undefined

  constructor(file: BoltReader, rootPage: number, inline: Buffer | undefined) {
    this.file = file
    this.rootPage = rootPage
    this.inline = inline
  }

  /** The bucket under a name; undefined when there is none or the name is a plain key. */
  bucket(name: Uint8Array): BoltBucket | undefined {
    let found: BoltBucket | undefined
    this.scan((key, value, isBucket) => {
      if (isBucket && Buffer.compare(key, name) === 0) found = this.child(value)
      return false
    }, name)
    return found
  }

  /** The value of a key; undefined when there is none or the key is a bucket. */
  get(key: Uint8Array): Buffer | undefined {
    let found: Buffer | undefined
    this.scan((at, value, isBucket) => {
      if (!isBucket && Buffer.compare(at, key) === 0) found = value
      return false
    }, key)
    return found
  }

  /** The bucket's last key; undefined when it is empty. Throws BoltCorrupt. */
  lastKey(): Buffer | undefined {
    let id = this.rootPage
    let bytes = this.inline ?? this.file.page(id)
    for (let depth = 0; bytes.readUInt16LE(8) === PageFlag.Branch; depth++) {
      if (depth > DEPTH_MAX) throw tooDeep(id)
      const count = elementCount(bytes, id)
      if (count === 0) throw new BoltCorrupt({ page: id, rule: "must have children, for it is a branch" })
      id = Number(bytes.readBigUInt64LE(PAGE_HEADER_BYTES + (count - 1) * ELEMENT_BYTES + 8))
      bytes = this.file.page(id)
    }
    const count = elementCount(bytes, id)
    if (count === 0) return undefined
    const at = PAGE_HEADER_BYTES + (count - 1) * ELEMENT_BYTES
    return slice(bytes, id, at + bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at + 8))
  }

  /** Opens the bucket that an element's value describes. */
  child(value: Buffer): BoltBucket {
    if (value.length < BUCKET_HEADER_BYTES) {
      throw new BoltCorrupt({ page: this.rootPage, rule: "must give each bucket a header of 16 bytes" })
    }
    const root = Number(value.readBigUInt64LE(0))
    return new BoltBucket(this.file, root, root === 0 ? value.subarray(BUCKET_HEADER_BYTES) : undefined)
  }

  /** Visits entries in key order, from a key on; throws BoltCorrupt at the first rule broken. */
  scan(visit: VisitBolt, from: Uint8Array = new Uint8Array(0)): void {
    const walk = new Walk(this.file, visit, from)
    if (this.inline === undefined) walk.page(this.rootPage, 0)
    else walk.leaf(this.inline, this.rootPage)
  }
}

class Walk {
  private readonly file: BoltReader
  private readonly visit: VisitBolt
  private readonly from: Uint8Array
  private last: Buffer | undefined

  constructor(file: BoltReader, visit: VisitBolt, from: Uint8Array) {
    this.file = file
    this.visit = visit
    this.from = from
  }

  /** Answers false when the visitor wants no more. */
  page(id: number, depth: number): boolean {
    if (depth > DEPTH_MAX) throw tooDeep(id)
    const bytes = this.file.page(id)
    const flags = bytes.readUInt16LE(8)
    if (flags === PageFlag.Leaf) return this.leaf(bytes, id)
    if (flags !== PageFlag.Branch) {
      throw new BoltCorrupt({ page: id, rule: `must be a branch or a leaf, not of kind 0x${flags.toString(16)}` })
    }
    const count = elementCount(bytes, id)
    if (count === 0) throw new BoltCorrupt({ page: id, rule: "must have children, for it is a branch" })
    for (let child = 0; child < count; child++) {
      const at = PAGE_HEADER_BYTES + child * ELEMENT_BYTES
      if (child + 1 < count && this.from.length > 0 && this.last === undefined) {
        const next = at + ELEMENT_BYTES
        const nextKey = slice(bytes, id, next + bytes.readUInt32LE(next), bytes.readUInt32LE(next + 4))
        if (Buffer.compare(nextKey, this.from) <= 0) continue
      }
      if (!this.page(Number(bytes.readBigUInt64LE(at + 8)), depth + 1)) return false
    }
    return true
  }

  leaf(bytes: Buffer, id: number): boolean {
    if (bytes.length < PAGE_HEADER_BYTES || bytes.readUInt16LE(8) !== PageFlag.Leaf) {
      throw new BoltCorrupt({ page: id, rule: "must hold a whole leaf, for a bucket lies inline in it" })
    }
    const count = elementCount(bytes, id)
    for (let element = 0; element < count; element++) {
      const at = PAGE_HEADER_BYTES + element * ELEMENT_BYTES
      const start = at + bytes.readUInt32LE(at + 4)
      const key = slice(bytes, id, start, bytes.readUInt32LE(at + 8))
      const value = slice(bytes, id, start + key.length, bytes.readUInt32LE(at + 12))
      if (key.length === 0) throw new BoltCorrupt({ page: id, rule: "must not hold an empty key" })
      if (this.last !== undefined && Buffer.compare(this.last, key) >= 0) {
        throw new BoltCorrupt({ page: id, rule: `must hold keys in ascending order (element ${element})` })
      }
      this.last = key
      if (Buffer.compare(key, this.from) < 0) continue
      if (!this.visit(key, value, (bytes.readUInt32LE(at) & BUCKET_ELEMENT) !== 0)) return false
    }
    return true
  }
}

const tooDeep = (page: number) => new BoltCorrupt({ page, rule: `must not lie deeper than ${DEPTH_MAX} levels` })

const elementCount = (bytes: Buffer, id: number): number => {
  const count = bytes.readUInt16LE(10)
  if (PAGE_HEADER_BYTES + count * ELEMENT_BYTES > bytes.length) {
    throw new BoltCorrupt({ page: id, rule: `must have room for its ${count} elements` })
  }
  return count
}

const slice = (bytes: Buffer, page: number, start: number, length: number): Buffer => {
  if (start < PAGE_HEADER_BYTES || start + length > bytes.length) {
    throw new BoltCorrupt({ page, rule: "must hold its keys and values within its own bytes" })
  }
  return bytes.subarray(start, start + length)
}
