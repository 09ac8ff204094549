// What was accepted, on its way to the disk: facts into blocks, blocks into the open segment, full segments into columns, old ones away.
// Owns the numbering of blocks and segments and what is in memory until it is durable; refuses to decide who waits for what.
import type { Fact } from "../model/Fact.ts"
import { traceIdIn } from "../model/Ids.ts"
import { windowStartUs } from "../model/ObjectKey.ts"
import { Column, Columns, COLUMNS, ROW_BYTES } from "./Columns.ts"
import { RecordWriter } from "./FactRecord.ts"
import type { LmdbSegmentsAdapter, SegmentMeta, Written } from "./LmdbSegmentsAdapter.ts"
import { RecentIds } from "./RecentIds.ts"
import { MemorySegment, SegmentSet } from "./SegmentSet.ts"

/** Bytes of records after which a block is closed: what is unpacked to read one record. */
const BLOCK_BYTES = 131_072
/** A segment that is not full is closed after this part of the greatest age, so that age can take it. */
const AGE_PARTS = 8

interface Options {
  readonly disk: LmdbSegmentsAdapter
  readonly windowSeconds: number
  readonly recentMax: number
  readonly segmentRows: number
}

interface Block {
  readonly number: number
  readonly records: Buffer
  readonly columns: Columns
}

export class SegmentWriter {
  readonly segments: SegmentSet
  private readonly disk: LmdbSegmentsAdapter
  private readonly windowSeconds: number
  private readonly segmentRows: number
  private readonly recent: RecentIds
  private readonly records = new RecordWriter()
  private block = new Columns()
  private nextBlock = 1
  private nextSegment = 1
  private firstBlock = 1
  private blocks: Array<Block> = []
  /** Links that are durable, as whoever finds the same ones again hands them in: known at once, without a look at their ids. */
  private readonly durableLinks = new WeakSet<Fact>()
  private links: Array<Fact> = []
  /** Ids of the batch that is being made, which another append of it may repeat. */
  private batch = new Set<string>()
  private open = new MemorySegment(new Columns(), false)
  private openBytes = 0
  /** When retention first saw the open segment. */
  private openSinceUs: number | undefined
  private closing: SegmentMeta | undefined
  /** Of a segment whose columns could not be written: its rows are still on disk, and the next retention tries again. */
  private failedSeal: (() => void) | undefined
  private dropping = false
  private expired = 0

  constructor({ disk, recentMax, segmentRows, windowSeconds }: Options) {
    this.segmentRows = segmentRows
    this.disk = disk
    this.windowSeconds = windowSeconds
    this.recent = new RecentIds(recentMax)
    this.segments = new SegmentSet(disk)
    this.restore(recentMax)
  }

  private restore(recentMax: number): void {
    for (const meta of this.disk.segments()) {
      this.segments.addStored(meta)
      this.nextSegment = meta.number + 1
      this.nextBlock = meta.lastBlock + 1
    }
    this.firstBlock = this.nextBlock
    this.remember(recentMax)
    for (const { block, bytes, rows } of this.disk.openRows()) {
      for (let at = 0; at < rows.length; at += ROW_BYTES) {
        this.open.columns.addRow(rows, at)
        this.include(this.open.columns.rows - 1)
      }
      this.openBytes += bytes
      this.nextBlock = block + 1
    }
    this.segments.inMemory.push(this.open)
  }

  /** The newest segments' ids. */
  private remember(recentMax: number): void {
    let facts = 0
    let from = this.segments.stored.length
    while (from > 0 && facts < recentMax) facts += this.segments.stored[--from].rows
    for (const meta of this.segments.stored.slice(from)) {
      const high = this.segments.columnOf(meta, Column.id0).slice(0, meta.rows)
      const low = this.segments.columnOf(meta, Column.id1)
      for (let row = 0; row < meta.rows; row++) this.recent.add(high[row], low[row])
    }
  }

  private include(row: number): void {
    const { atUs, columns } = this.open.columns
    this.open.include(atUs[row])
    this.recent.add(columns[Column.id0][row], columns[Column.id1][row])
  }

  /** Whether a fact is known by itself. */
  isDurable(fact: Fact): boolean {
    return fact.kind === "link" && this.durableLinks.has(fact)
  }

  /** Takes a fact into the batch; answers its trace, or undefined when the fact is known. */
  add(fact: Fact, object: string): string | undefined {
    const high = Number.parseInt(fact.id.slice(0, 8), 16)
    const low = Number.parseInt(fact.id.slice(8), 16)
    if (fact.kind === "link") this.links.push(fact)
    if (this.recent.has(high, low) || this.batch.has(fact.id)) return undefined
    this.batch.add(fact.id)
    const offset = this.records.write(fact)
    this.block.add(fact, object, this.windowSeconds, this.nextBlock, offset)
    if (this.records.length >= BLOCK_BYTES) this.closeBlock()
    return traceIdIn(object, windowStartUs(fact.atUs, this.windowSeconds))
  }

  private closeBlock(): void {
    if (this.block.rows === 0) return
    this.blocks.push({ number: this.nextBlock++, records: Buffer.from(this.records.view()), columns: this.block })
    this.records.length = 0
    this.block = new Columns()
  }

  /** Makes the batch durable, and its facts visible when it is; of a batch that failed nothing is kept. */
  write(names: ReadonlyArray<string>, done: Written): void {
    this.closeBlock()
    const { blocks, links } = this
    this.blocks = []
    this.links = []
    this.batch = new Set()
    const written = blocks.map(({ columns, number, records }) => {
      const rows = Buffer.allocUnsafe(columns.rows * ROW_BYTES)
      for (let row = 0; row < columns.rows; row++) columns.writeRow(row, rows, row * ROW_BYTES)
      return { number, records, rows, columns }
    })
    const bytes = this.disk.write({ blocks: written, names }, (failure) => {
      if (failure === undefined) {
        for (const link of links) this.durableLinks.add(link)
        this.openBytes += bytes
        for (const { rows } of written) {
          for (let at = 0; at < rows.length; at += ROW_BYTES) {
            this.open.columns.addRow(rows, at)
            this.include(this.open.columns.rows - 1)
          }
        }
        if (this.open.rows >= this.segmentRows) this.close()
      }
      done(failure)
    })
  }

  /** Closes the open segment; it is read from memory until its columns are on disk. */
  private close(): void {
    if (this.closing !== undefined || this.open.rows === 0) return
    const { maxUs, minUs, rows } = this.open
    const meta: SegmentMeta = {
      number: this.nextSegment++,
      rows,
      minUs,
      maxUs,
      firstBlock: this.firstBlock,
      lastBlock: this.nextBlock - 1,
      bytes: this.openBytes + rows * ROW_BYTES
    }
    const closed = new MemorySegment(this.open.columns.sorted(), true)
    this.open = new MemorySegment(new Columns(), false)
    this.openBytes = 0
    this.openSinceUs = undefined
    this.firstBlock = this.nextBlock
    this.segments.inMemory.splice(-1, 1, closed, this.open)
    this.closing = meta
    this.seal(meta, closed)
  }

  private seal(meta: SegmentMeta, closed: MemorySegment): void {
    const { atUs, columns } = closed.columns
    this.disk.seal(meta, atUs, columns, (failure) => {
      this.closing = undefined
      if (failure === undefined) {
        this.segments.inMemory.splice(this.segments.inMemory.indexOf(closed), 1)
        this.segments.addStored(meta)
        return
      }
      this.failedSeal = () => {
        this.failedSeal = undefined
        this.closing = meta
        this.seal(meta, closed)
      }
    })
  }

  get idle(): boolean {
    return this.closing === undefined && !this.dropping
  }

  /** Drops the oldest segments while they are older than allowed or all are more than so many bytes. */
  retain(nowUs: number, ageMaxUs: number, bytesMax: number): void {
    this.failedSeal?.()
    if (this.open.rows > 0) {
      this.openSinceUs ??= nowUs
      if (nowUs - this.openSinceUs > ageMaxUs / AGE_PARTS) this.close()
    }
    if (this.dropping) return
    const [oldest] = this.segments.stored
    if (oldest === undefined || (oldest.maxUs >= nowUs - ageMaxUs && this.bytes() <= bytesMax)) return
    this.dropping = true
    this.segments.dropStored(oldest)
    this.expired += oldest.rows
    this.disk.drop(oldest, COLUMNS, (failure) => {
      this.dropping = false
      if (failure === undefined) return this.retain(nowUs, ageMaxUs, bytesMax)
      this.expired -= oldest.rows
      this.segments.restoreStored(oldest)
    })
  }

  private bytes(): number {
    let bytes = this.openBytes + this.open.rows * ROW_BYTES
    for (const segment of this.segments.stored) bytes += segment.bytes
    return bytes
  }

  stats() {
    let facts = 0
    let oldestUs = Number.POSITIVE_INFINITY
    for (const { minUs, rows } of [...this.segments.stored, ...this.segments.inMemory]) {
      facts += rows
      oldestUs = Math.min(oldestUs, minUs)
    }
    return { facts, bytes: this.bytes(), expired: this.expired, oldestUs: facts === 0 ? undefined : oldestUs }
  }
}
