// Whether a data file is whole enough to be mapped: LMDB itself crashes the process on garbage and on a file cut short.
// Owns the two head pages and a walk over the branch pages, which are few; only where the file is shorter than its head
// says does it look at the leaf pages too.
// Refuses to judge the rows: LMDB keeps no checksums of them. Source: liblmdb mdb.c, structures MDB_meta, MDB_db, MDB_node.
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs"
import { dirname } from "node:path"

const PAGE_HEADER = 24
const META_BYTES = 160
const MAGIC = 0xbeefc0de
const DATA_VERSION = 2
const BRANCH = 0x01
const LEAF = 0x02
const META = 0x08
const BIG_DATA = 0x01
const SUB_TREE = 0x02
/** Where the records of the free list and of the main tree lie in a head page; each is 48 bytes long. */
const FREE_TREE = PAGE_HEADER + 24
const MAIN_TREE = FREE_TREE + 48
const LAST_PAGE = MAIN_TREE + 48
const TRANSACTION = LAST_PAGE + 8
const DEPTH_IN_TREE = 6
const ROOT_IN_TREE = 40
const NO_PAGE = 0xffff_ffff_ffff_ffffn

/** The data file cannot be what was written. */
export class DamagedFile extends Error {
  override readonly name = "DamagedFile"
}

/** Throws DamagedFile when the file is no whole LMDB file, or is missing although log files lie beside it. */
export const checkDataFile = (path: string): void => {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) {
    // LMDB makes its file before the first log file is made, so this is a fresh folder or one that was robbed.
    const logs = readdirSync(dirname(path)).filter((name) => name.startsWith("wal-"))
    if (logs.length > 0) throw new DamagedFile(`data.mdb: missing or empty, though ${logs[0]} is there`)
    return
  }
  const file = openSync(path, "r")
  try {
    new FileCheck(file, fstatSync(file).size).run()
  } finally {
    closeSync(file)
  }
}

class FileCheck {
  private readonly file: number
  private readonly sizeBytes: number
  private pageSize = 0
  private short = false

  constructor(file: number, sizeBytes: number) {
    this.file = file
    this.sizeBytes = sizeBytes
  }

  run(): void {
    const first = this.head(0)
    this.pageSize = first.readUInt32LE(PAGE_HEADER + 24)
    if (![4096, 8192, 16_384, 32_768, 65_536].includes(this.pageSize)) throw new DamagedFile("data.mdb: no page size")
    const second = this.head(this.pageSize)
    const newest = second.readBigUInt64LE(TRANSACTION) > first.readBigUInt64LE(TRANSACTION) ? second : first
    // A page that was taken and given back within one transaction is counted, yet never written.
    this.short = newest.readBigUInt64LE(LAST_PAGE) >= this.pages
    for (const tree of [FREE_TREE, MAIN_TREE]) this.walkTree(newest, tree, true)
  }

  private get pages(): bigint {
    return BigInt(Math.floor(this.sizeBytes / this.pageSize))
  }

  private head(at: number): Buffer {
    const page = Buffer.alloc(META_BYTES)
    const size = readSync(this.file, page, 0, META_BYTES, at)
    const whole =
      size === META_BYTES &&
      (page.readUInt16LE(18) & META) !== 0 &&
      page.readUInt32LE(PAGE_HEADER) === MAGIC &&
      page.readUInt32LE(PAGE_HEADER + 4) === DATA_VERSION
    if (!whole) throw new DamagedFile(`data.mdb: no head page at byte ${at}`)
    return page
  }

  private page(number: bigint): Buffer {
    this.expect(number)
    const page = Buffer.alloc(this.pageSize)
    readSync(this.file, page, 0, this.pageSize, Number(number) * this.pageSize)
    const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)]
    const sane = (page.readUInt16LE(18) & (BRANCH | LEAF)) !== 0 && lower <= upper && upper <= this.pageSize
    if (page.readBigUInt64LE(0) !== number || !sane) throw new DamagedFile(`data.mdb: page ${number} is overwritten`)
    return page
  }

  private expect(number: bigint): void {
    if (number < this.pages) return
    throw new DamagedFile(`data.mdb: cut short at ${this.sizeBytes} bytes, page ${number} is missing`)
  }

  private walkTree(record: Buffer, at: number, named: boolean): void {
    const root = record.readBigUInt64LE(at + ROOT_IN_TREE)
    if (root !== NO_PAGE) this.walk(root, record.readUInt16LE(at + DEPTH_IN_TREE), named)
  }

  /** `named` looks at the leaf pages in any case: those of the main tree name the others. */
  private walk(number: bigint, depth: number, named: boolean): void {
    const page = this.page(number)
    const nodes = page.readUInt16LE(20) >> 1
    for (let index = 0; index < nodes; index++) {
      const node = PAGE_HEADER + page.readUInt16LE(PAGE_HEADER + 2 * index)
      if (depth <= 1) this.leafNode(page, node)
      else if (depth > 2 || named || this.short) this.walk(BigInt(page.readUIntLE(node, 6)), depth - 1, named)
      else this.expect(BigInt(page.readUIntLE(node, 6)))
    }
  }

  private leafNode(page: Buffer, node: number): void {
    const flags = page.readUInt16LE(node + 4)
    const data = node + 8 + page.readUInt16LE(node + 6)
    if ((flags & SUB_TREE) !== 0) this.walkTree(page, data, false)
    if ((flags & BIG_DATA) === 0) return
    const bytes = page.readUInt32LE(node) + PAGE_HEADER
    this.expect(page.readBigUInt64LE(data) + BigInt(Math.ceil(bytes / this.pageSize) - 1))
  }
}
