// Writes a bbolt database in one go: buckets are loaded in key order, pages leave as soon as they are full.
// Owns page building and page numbers; refuses to touch a file: the owner takes the finished pages and stores them one
// after the other, and at the end puts the head (meta and freelist pages) over the first three.
// Memory is bounded by one leaf and two branch pages a level.
import {
  BUCKET_ELEMENT,
  BUCKET_HEADER_BYTES,
  ELEMENT_BYTES,
  encodeMetaPage,
  KEY_MAX_BYTES,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  PageFlag,
  writePageHeader
} from "./BoltFormat.ts"

const HEAD_PAGES = 3
const FREELIST_PAGE = 2
/** A bucket of at most this many bytes lives in its parent's leaf, as bbolt keeps it. */
const INLINE_MAX_BYTES = PAGE_BYTES / 4

/** Keys were given out of order, twice, empty or too long: the caller's mistake, never the data's. */
export class BoltOrderError extends Error {
  override readonly name = "BoltOrderError"
}

/** Gives out page numbers and collects finished pages. */
export class BoltWriter {
  private chunks: Array<Buffer> = [Buffer.alloc(HEAD_PAGES * PAGE_BYTES)]
  private nextPage = HEAD_PAGES
  /** Bytes of finished pages that nobody has taken yet. */
  pendingBytes = HEAD_PAGES * PAGE_BYTES

  /** A bucket to be filled; fill only one at a time, but for a child before its parent's next key. */
  bucket(): BucketLoader {
    return new BucketLoader(this)
  }

  /** Takes over a page and its overflow; answers its id. */
  add(page: Buffer, flags: number, count: number): number {
    const id = this.nextPage
    const pages = page.length / PAGE_BYTES
    writePageHeader(page, id, flags, count, pages - 1)
    this.nextPage += pages
    this.chunks.push(page)
    this.pendingBytes += page.length
    return id
  }

  /** The pages finished since the last call, in file order. */
  take(): Array<Buffer> {
    const taken = this.chunks
    this.chunks = []
    this.pendingBytes = 0
    return taken
  }

  /** Bytes of the whole file so far. */
  get sizeBytes(): number {
    return this.nextPage * PAGE_BYTES
  }

  /** Ends the file: the root bucket is written, and the answer belongs over the file's first pages. Take the rest after. */
  finish(root: BucketLoader): Buffer {
    const rootPage = root.finishAsPage()
    const meta = (txid: bigint) =>
      encodeMetaPage({
        pageBytes: PAGE_BYTES,
        root: rootPage,
        freelist: BigInt(FREELIST_PAGE),
        pages: this.nextPage,
        txid
      })
    const freelist = Buffer.alloc(PAGE_BYTES)
    writePageHeader(freelist, FREELIST_PAGE, PageFlag.Freelist, 0, 0)
    return Buffer.concat([meta(2n), meta(1n), freelist])
  }
}

/** A page being filled: elements and, behind them, their bytes. */
class OpenPage {
  private readonly heads: Array<number> = []
  private bytes = Buffer.allocUnsafe(PAGE_BYTES)
  private used = 0
  firstKey: Buffer | undefined

  get count(): number {
    return this.heads.length / 4
  }

  get sizeBytes(): number {
    return PAGE_HEADER_BYTES + this.count * ELEMENT_BYTES + this.used
  }

  add(flags: number, key: Uint8Array, value: Uint8Array): void {
    this.firstKey ??= Buffer.from(key)
    const end = this.used + key.length + value.length
    if (end > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, this.bytes.length * 2))
      this.bytes.copy(grown, 0, 0, this.used)
      this.bytes = grown
    }
    this.bytes.set(key, this.used)
    this.bytes.set(value, this.used + key.length)
    this.heads.push(flags, this.used, key.length, value.length)
    this.used = end
  }

  /** The page's bytes, header left empty, with room up to `size`. */
  build(size: number): Buffer {
    const page = Buffer.alloc(size)
    const data = PAGE_HEADER_BYTES + this.count * ELEMENT_BYTES
    for (let element = 0, head = 0; element < this.count; element++, head += 4) {
      const at = PAGE_HEADER_BYTES + element * ELEMENT_BYTES
      page.writeUInt32LE(this.heads[head], at)
      page.writeUInt32LE(data + this.heads[head + 1] - at, at + 4)
      page.writeUInt32LE(this.heads[head + 2], at + 8)
      page.writeUInt32LE(this.heads[head + 3], at + 12)
    }
    this.bytes.copy(page, data, 0, this.used)
    return page
  }

  clear(): void {
    this.heads.length = 0
    this.used = 0
    this.firstKey = undefined
    if (this.bytes.length > 16 * PAGE_BYTES) this.bytes = Buffer.allocUnsafe(PAGE_BYTES)
  }
}

const roundUp = (size: number): number => Math.ceil(size / PAGE_BYTES) * PAGE_BYTES

/** One bucket being loaded in ascending key order. */
export class BucketLoader {
  private readonly writer: BoltWriter
  private readonly leaf = new OpenPage()
  private readonly levels: Array<BranchLevel> = []
  private lastKey: Buffer | undefined
  private nested = false
  /** Entries so far. */
  entries = 0

  constructor(writer: BoltWriter) {
    this.writer = writer
  }

  /** Adds a key after all before it; key and value are copied. Throws BoltOrderError when it does not sort after them. */
  put(key: Uint8Array, value: Uint8Array): void {
    this.add(0, key, value)
  }

  /** Adds a finished bucket under a name. */
  putBucket(name: Uint8Array, bucket: BucketLoader): void {
    this.nested = true
    this.add(BUCKET_ELEMENT, name, bucket.finish())
  }

  private add(flags: number, key: Uint8Array, value: Uint8Array): void {
    if (key.length === 0 || key.length > KEY_MAX_BYTES) {
      throw new BoltOrderError(`a key must have 1 to ${KEY_MAX_BYTES} bytes, not ${key.length}`)
    }
    if (this.lastKey !== undefined && Buffer.compare(this.lastKey, key) >= 0) {
      throw new BoltOrderError(
        `key ${Buffer.from(key).toString("hex")} must sort after ${this.lastKey.toString("hex")}`
      )
    }
    this.lastKey = Buffer.from(key)
    const size = ELEMENT_BYTES + key.length + value.length
    if (this.leaf.count > 0 && this.leaf.sizeBytes + size > PAGE_BYTES) this.flushLeaf()
    this.leaf.add(flags, key, value)
    this.entries++
  }

  private flushLeaf(): void {
    const { leaf } = this
    const firstKey = leaf.firstKey ?? Buffer.alloc(0)
    const page = this.writer.add(leaf.build(roundUp(leaf.sizeBytes)), PageFlag.Leaf, leaf.count)
    leaf.clear()
    this.grow(0, firstKey, page)
  }

  private grow(level: number, firstKey: Buffer, page: number): void {
    const branch = (this.levels[level] ??= new BranchLevel())
    branch.add(firstKey, page)
    if (branch.mustFlush) this.flushBranch(level, branch.fitting)
  }

  private flushBranch(level: number, count: number): void {
    const { firstKey, bytes, size } = this.levels[level].build(count)
    this.grow(level + 1, firstKey, this.writer.add(bytes, PageFlag.Branch, size))
  }

  /** Ends the bucket; the answer is its value in the parent's leaf. */
  finish(): Buffer {
    const { leaf } = this
    const header = Buffer.alloc(BUCKET_HEADER_BYTES)
    if (this.levels.length === 0 && !this.nested && leaf.sizeBytes <= INLINE_MAX_BYTES) {
      const page = leaf.build(leaf.sizeBytes)
      writePageHeader(page, 0, PageFlag.Leaf, leaf.count, 0)
      return Buffer.concat([header, page])
    }
    header.writeBigUInt64LE(BigInt(this.finishAsPage()), 0)
    return header
  }

  /** Ends the bucket on pages of its own; answers its top page. */
  finishAsPage(): number {
    const { leaf } = this
    if (this.levels.length === 0) {
      return this.writer.add(leaf.build(roundUp(leaf.sizeBytes)), PageFlag.Leaf, leaf.count)
    }
    if (leaf.count > 0) this.flushLeaf()
    for (let level = 0; ; level++) {
      const branch = this.levels[level]
      const top = level === this.levels.length - 1
      if (top && branch.count === 1) return branch.onlyPage
      while (branch.count > 0) this.flushBranch(level, branch.lastShare)
    }
  }
}

/**
 * The children of a branch page being filled. bbolt relies on each branch below the top having two children or more, so
 * a full page waits until two more children are there for the next one.
 */
class BranchLevel {
  private keys: Array<Buffer> = []
  private pages: Array<number> = []
  private sizeBytes = PAGE_HEADER_BYTES
  /** Children that fit into the page at hand. */
  fitting = 0

  get count(): number {
    return this.keys.length
  }

  get onlyPage(): number {
    return this.pages[0]
  }

  get mustFlush(): boolean {
    return this.count >= this.fitting + 2
  }

  /** How many children the next page takes when no more will come: one page's worth, but never leaving a single child. */
  get lastShare(): number {
    if (this.fitting === this.count) return this.count
    return this.fitting > 2 ? this.fitting - 1 : this.count
  }

  add(firstKey: Buffer, page: number): void {
    this.keys.push(firstKey)
    this.pages.push(page)
    this.fit()
  }

  private fit(): void {
    while (this.fitting < this.count) {
      const size = this.sizeBytes + ELEMENT_BYTES + this.keys[this.fitting].length
      if (this.fitting >= 2 && size > PAGE_BYTES) return
      this.sizeBytes = size
      this.fitting++
    }
  }

  /** Builds a page of the first `count` children and forgets them. */
  build(count: number): { readonly firstKey: Buffer; readonly bytes: Buffer; readonly size: number } {
    const keys = this.keys.splice(0, count)
    const pages = this.pages.splice(0, count)
    let data = PAGE_HEADER_BYTES + count * ELEMENT_BYTES
    const total = keys.reduce((size, key) => size + key.length, data)
    const bytes = Buffer.alloc(roundUp(total))
    for (let child = 0; child < count; child++) {
      const at = PAGE_HEADER_BYTES + child * ELEMENT_BYTES
      bytes.writeUInt32LE(data - at, at)
      bytes.writeUInt32LE(keys[child].length, at + 4)
      bytes.writeBigUInt64LE(BigInt(pages[child]), at + 8)
      bytes.set(keys[child], data)
      data += keys[child].length
    }
    this.sizeBytes = PAGE_HEADER_BYTES
    this.fitting = 0
    this.fit()
    return { firstKey: keys[0], bytes, size: count }
  }
}
