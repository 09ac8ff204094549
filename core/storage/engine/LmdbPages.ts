// LMDB's B+trees read straight from its memory map, without a native call for each row.
// Owns the page format (data version 2, 64-bit, little-endian) and walks over it; refuses to write or to choose a snapshot.
// Written by hand because a scan through the binding costs 1.2 µs a row and a count touches every key; here a scan costs a
// tenth of that and a count a few steps. Source: liblmdb mdb.c, structures MDB_page, MDB_node, MDB_meta.
import * as lmdb from "lmdb"

/** The root of one tree, as recorded in the snapshot that the reader looks at. */
export interface Tree {
  readonly rootPage: number
  readonly depth: number
  readonly entries: number
}

const EMPTY_TREE: Tree = { rootPage: -1, depth: 0, entries: 0 }
const PAGE_HEADER = 24
const MAGIC = 0xbeefc0de
const DATA_VERSION = 2
const BRANCH = 0x01
const BIG_DATA = 0x01
const TWO_32 = 4_294_967_296
/** The map is looked at through buffers of this size; a page never lies in two of them. */
const WINDOW_BYTES = 2 ** 30

/** Branch pages whose sums are kept: enough for a hundred million rows; then all are forgotten and made anew. */
const SUMS_MAX = 50_000

// The binding exports it without declaring it.
const { createBufferForAddress } = (
  lmdb as unknown as { readonly nativeAddon: { createBufferForAddress: (address: number, length: number) => Buffer } }
).nativeAddon

/** A stretch of the map, as bytes and as the 16-bit words that page headers and nodes are made of (all lie evenly). */
interface Window {
  readonly bytes: Buffer
  readonly words: Uint16Array
}

/** Called with views into the map; returns false to stop. */
type VisitRow = (key: Uint8Array, value: Uint8Array) => boolean

export class LmdbPages {
  private readonly address: number
  private readonly windows: Array<Window> = []
  private readonly pageSize: number
  private readonly sums = new Map<number, { readonly transaction: number; readonly rows: Float64Array }>()
  // The page that the walk stands on: a window and an offset in it.
  private window: Window
  private at = 0
  /** How many bytes the last comparison found to agree. */
  private common = 0

  /** `address` is where the process maps the data file. */
  constructor(address: number) {
    this.address = address
    this.window = this.windowOf(0)
    const { bytes } = this.window
    if (bytes.readUInt32LE(PAGE_HEADER) !== MAGIC || bytes.readUInt32LE(PAGE_HEADER + 4) !== DATA_VERSION) {
      throw new Error("the data file has another page format than LMDB's data version 2")
    }
    this.pageSize = bytes.readUInt32LE(PAGE_HEADER + 24)
  }

  /** The trees of the last committed transaction, by name. Only while no transaction is being committed. */
  roots(names: ReadonlyArray<string>): ReadonlyArray<Tree> {
    const txnOf = (page: number): number => this.u64(this.windows[0].bytes, page * this.pageSize + PAGE_HEADER + 128)
    const meta = (txnOf(1) > txnOf(0) ? this.pageSize : 0) + PAGE_HEADER
    const main = this.tree(this.windows[0].bytes, meta + 24 + 48)
    return names.map((name) => {
      let found = EMPTY_TREE
      this.scan(main, Buffer.from(name), undefined, (key, value) => {
        const text = Buffer.from(key).toString("latin1").replace(/\0$/, "")
        if (text === name) found = this.tree(Buffer.from(value), 0)
        return text === name ? false : text <= name
      })
      return found
    })
  }

  private tree(bytes: Buffer, at: number): Tree {
    const rootPage = this.u64(bytes, at + 40)
    const depth = bytes.readUInt16LE(at + 6)
    return depth === 0 ? EMPTY_TREE : { depth, entries: this.u64(bytes, at + 32), rootPage }
  }

  private u64(bytes: Buffer, at: number): number {
    return bytes.readUInt32LE(at + 4) * TWO_32 + bytes.readUInt32LE(at)
  }

  /** The value of a key as a view into the map; undefined when it is not there. */
  get(tree: Tree, key: Uint8Array): Uint8Array | undefined {
    if (tree.depth === 0) return undefined
    this.descend(tree, key)
    const index = this.lowerBound(key)
    if (index >= this.count1() || this.compareNode(index, key, 0) !== 0) return undefined
    return this.value(index)
  }

  /** Visits the rows from `start` up to `end` (exclusive; undefined: all) in key order. */
  scan(tree: Tree, start: Uint8Array, end: Uint8Array | undefined, visit: VisitRow): void {
    if (tree.depth === 0) return
    const path = new Path(tree.depth)
    this.descend(tree, start, path)
    let index = this.lowerBound(start)
    for (;;) {
      const rows = this.count1()
      // Where the page's last key is before the end, so are all others.
      const bounded = end !== undefined && rows > 0 && this.compareNode(rows - 1, end, 0) >= 0
      const { at, window } = this
      for (; index < rows; index++) {
        this.window = window
        this.at = at
        if (bounded && end !== undefined && this.compareNode(index, end, 0) >= 0) return
        if (!visit(this.key(index), this.value(index))) return
      }
      if (bounded || !this.nextLeaf(path)) return
      index = 0
    }
  }

  /** How many rows lie from `start` up to `end`, from sums kept for each branch page: a few steps down, whatever the number. */
  count(tree: Tree, start: Uint8Array, end: Uint8Array | undefined): number {
    if (tree.depth === 0) return 0
    const below = start.length === 0 ? 0 : this.rank(tree, start)
    return Math.max(0, (end === undefined ? tree.entries : this.rank(tree, end)) - below)
  }

  /** How many rows come before a key. */
  private rank(tree: Tree, key: Uint8Array): number {
    let rows = 0
    let page = tree.rootPage
    this.goto(page)
    while (this.isBranch()) {
      const child = this.childFor(key)
      const next = this.childPage(child)
      rows += this.sumsOf(page)[child]
      page = next
      this.goto(page)
    }
    return rows + this.lowerBound(key)
  }

  /** Rows below the first n children of a branch page, for every n. A page never changes while it has its number and transaction. */
  private sumsOf(page: number): Float64Array {
    this.goto(page)
    const transaction = this.u64(this.window.bytes, this.at + 8)
    const known = this.sums.get(page)
    if (known !== undefined && known.transaction === transaction) return known.rows
    const children = Array.from({ length: this.count1() }, (_, index) => this.childPage(index))
    const rows = new Float64Array(children.length + 1)
    for (const [index, child] of children.entries()) rows[index + 1] = rows[index] + this.rowsBelow(child)
    if (this.sums.size >= SUMS_MAX) this.sums.clear()
    this.sums.set(page, { transaction, rows })
    return rows
  }

  private rowsBelow(page: number): number {
    this.goto(page)
    if (!this.isBranch()) return this.count1()
    const rows = this.sumsOf(page)
    return rows[rows.length - 1]
  }

  // --- Walking ---

  /** Goes down to the leaf page where the key is or would be. */
  private descend(tree: Tree, key: Uint8Array, path?: Path): void {
    this.goto(tree.rootPage)
    for (let level = 0; this.isBranch(); level++) {
      const child = this.childFor(key)
      path?.set(level, this.window, this.at, child)
      this.goto(this.childPage(child))
    }
  }

  /** Goes to the leaf page right of the current one; false when there is none. */
  private nextLeaf(path: Path): boolean {
    for (let level = path.depth - 2; level >= 0; level--) {
      const child = path.children[level] + 1
      this.window = path.windows[level]
      this.at = path.offsets[level]
      if (child >= this.count1()) continue
      path.children[level] = child
      this.goto(this.childPage(child))
      for (let below = level + 1; this.isBranch(); below++) {
        path.set(below, this.window, this.at, 0)
        this.goto(this.childPage(0))
      }
      return true
    }
    return false
  }

  private goto(page: number): void {
    const offset = page * this.pageSize
    const index = Math.floor(offset / WINDOW_BYTES)
    this.window = this.windowOf(index)
    this.at = offset - index * WINDOW_BYTES
  }

  private windowOf(index: number): Window {
    const known = this.windows[index]
    if (known !== undefined) return known
    const bytes = createBufferForAddress(this.address + index * WINDOW_BYTES, WINDOW_BYTES)
    const made = { bytes, words: new Uint16Array(bytes.buffer, bytes.byteOffset, WINDOW_BYTES / 2) }
    this.windows[index] = made
    return made
  }

  // --- The current page ---

  private u16(at: number): number {
    return this.window.words[at >> 1]
  }

  private isBranch(): boolean {
    return (this.u16(this.at + 18) & BRANCH) !== 0
  }

  /** Nodes on the current page. */
  private count1(): number {
    return this.u16(this.at + 20) >> 1
  }

  private node(index: number): number {
    return this.at + PAGE_HEADER + this.u16(this.at + PAGE_HEADER + 2 * index)
  }

  private childPage(index: number): number {
    const node = this.node(index)
    return this.u16(node + 4) * TWO_32 + (this.u16(node + 2) * 65_536 + this.u16(node))
  }

  private key(index: number): Uint8Array {
    const node = this.node(index)
    return this.window.bytes.subarray(node + 8, node + 8 + this.u16(node + 6))
  }

  private value(index: number): Uint8Array {
    const node = this.node(index)
    const size = this.u16(node) + this.u16(node + 2) * 65_536
    const data = node + 8 + this.u16(node + 6)
    if ((this.u16(node + 4) & BIG_DATA) === 0) return this.window.bytes.subarray(data, data + size)
    return this.overflow(this.u64(this.window.bytes, data), size)
  }

  /** A value on pages of its own; one that lies in two windows is looked at through a buffer of its own. */
  private overflow(page: number, size: number): Uint8Array {
    const offset = page * this.pageSize + PAGE_HEADER
    const index = Math.floor(offset / WINDOW_BYTES)
    const at = offset - index * WINDOW_BYTES
    if (at + size > WINDOW_BYTES) return createBufferForAddress(this.address + offset, size)
    return this.windowOf(index).bytes.subarray(at, at + size)
  }

  /**
   * Orders a node's key against the given one, of which the first `from` bytes are known to agree; leaves in `common` how
   * many do.
   */
  private compareNode(index: number, key: Uint8Array, from: number): number {
    const { bytes, words } = this.window
    const node = this.at + PAGE_HEADER + words[(this.at + PAGE_HEADER + 2 * index) >> 1]
    const size = words[(node + 6) >> 1]
    const shorter = Math.min(size, key.length)
    const start = node + 8
    let at = from
    while (at < shorter && bytes[start + at] === key[at]) at++
    this.common = at
    return at < shorter ? bytes[start + at] - key[at] : size - key.length
  }

  /** The first node whose key is not before the given one. */
  private lowerBound(key: Uint8Array): number {
    return this.search(key, 0, 0)
  }

  /** The child of a branch page that covers the key: the last one that does not start after it; the first has no key. */
  private childFor(key: Uint8Array): number {
    return this.search(key, 1, 1) - 1
  }

  /**
   * The first node from `first` on whose key is not before the given one, or with `equal` 1 the first that is after it. What lies between two
   * keys shares with the sought one what both share with it, so that the long common prefixes of keys are compared once.
   */
  private search(key: Uint8Array, first: number, equal: 0 | 1): number {
    let low = first
    let high = this.count1()
    let lowCommon = 0
    let highCommon = 0
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.compareNode(middle, key, Math.min(lowCommon, highCommon)) < equal) {
        low = middle + 1
        lowCommon = this.common
      } else {
        high = middle
        highCommon = this.common
      }
    }
    return low
  }
}

/** The branch pages above a leaf, and which child was taken on each. */
class Path {
  readonly depth: number
  readonly windows: Array<Window> = []
  readonly offsets: Array<number> = []
  readonly children: Array<number> = []

  constructor(depth: number) {
    this.depth = depth
  }

  set(level: number, window: Window, offset: number, child: number): void {
    this.windows[level] = window
    this.offsets[level] = offset
    this.children[level] = child
  }
}
