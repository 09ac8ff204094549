// What was accepted, on its way to the disk: facts into blocks, blocks into the open segment, full segments into columns, old ones away.
// Owns the numbering of blocks and segments, what is in memory until it is durable, and which facts are known; refuses to decide who waits
// for what. The open segment's index is in memory only: its blocks are on disk, and it is made from them again at the start.
import { type Fact, type LinkFact, MadeLink, type RawSnapshot } from "../model/Fact.ts"
import { Column, Columns, COLUMNS, ROW_BYTES, wordOf } from "./Columns.ts"
import { readRecord, recordStarts } from "./FactRecord.ts"
import type { IndexedObject, IndexedObjects } from "./IndexedObjects.ts"
import type { LmdbSegmentsAdapter, SegmentMeta, Written } from "./LmdbSegmentsAdapter.ts"
import { type Mark, PendingFacts } from "./PendingFacts.ts"
import { RecentIds } from "./RecentIds.ts"
import { MemorySegment, SegmentSet } from "./SegmentSet.ts"
import type { SpanNames } from "./SpanNames.ts"

/** A segment that is not full is closed after this part of the greatest age, so that age can take it. */
const AGE_PARTS = 8

interface Options {
  readonly disk: LmdbSegmentsAdapter
  readonly objects: IndexedObjects
  readonly names: SpanNames
  readonly windowSeconds: number
  readonly recentMax: number
  readonly segmentRows: number
}

/** How far a batch was filled, and with which links. */
export interface WriterMark extends Mark {
  readonly links: number
}

export class SegmentWriter {
  readonly segments: SegmentSet
  private readonly disk: LmdbSegmentsAdapter
  private readonly segmentRows: number
  private readonly recent: RecentIds
  /** What is being filled, and what is being written or was. */
  private pending: PendingFacts
  private writing: PendingFacts
  private durableBlock = 0
  private nextSegment = 1
  private firstBlock = 1
  /** What links are marked with that were taken: whoever finds the same ones again hands in these very facts. */
  private taker: object = {}
  private links: Array<LinkFact> = []
  private open: MemorySegment
  private openBytes = 0
  /** When retention first saw the open segment. */
  private openSinceUs: number | undefined
  private closing: SegmentMeta | undefined
  /** Of a segment whose columns could not be written: its blocks are still on disk, and the next retention tries again. */
  private failedSeal: (() => void) | undefined
  private dropping = false
  private expired = 0

  constructor({ disk, names, objects, recentMax, segmentRows, windowSeconds }: Options) {
    this.segmentRows = segmentRows
    this.disk = disk
    this.recent = new RecentIds(recentMax)
    this.segments = new SegmentSet(disk)
    this.pending = new PendingFacts(windowSeconds)
    this.writing = new PendingFacts(windowSeconds)
    this.open = this.newOpen()
    this.restore(recentMax, objects, names, windowSeconds)
  }

  private newOpen(): MemorySegment {
    return new MemorySegment(new Columns(Math.ceil(this.segmentRows * 1.25)), false)
  }

  private restore(recentMax: number, objects: IndexedObjects, names: SpanNames, windowSeconds: number): void {
    for (const meta of this.disk.segments()) {
      this.segments.addStored(meta)
      this.nextSegment = meta.number + 1
      this.durableBlock = meta.lastBlock
    }
    this.firstBlock = this.durableBlock + 1
    this.remember(recentMax)
    const { columns } = this.open
    for (const { bytes, number, records } of this.disk.blocksFrom(this.firstBlock)) {
      for (const offset of recordStarts(records)) {
        const fact = readRecord(records, offset)
        const object = objects.of(fact.object)
        const isNamed = fact.kind === "audit" || fact.kind === "event"
        const nameHash = isNamed ? names.of(fact).hash : object.nameHash
        columns.add(fact, object, nameHash, windowSeconds, number, offset)
        this.recent.add(columns.columns[Column.id0][columns.rows - 1], columns.columns[Column.id1][columns.rows - 1])
      }
      this.openBytes += bytes
      this.durableBlock = number
    }
    this.open.includeFrom(0)
    this.segments.inMemory.push(this.open)
    this.pending.reset(this.durableBlock + 1)
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

  /** Bytes that wait to be written. */
  get pendingBytes(): number {
    return this.pending.bytes
  }

  /** Whether a link was taken before, in this very form. */
  knowsLink(fact: LinkFact): boolean {
    return MadeLink.isTaken(fact, this.taker)
  }

  /** Takes a fact into the batch; false when it is known. `nameHash` is that of its span's name. */
  add(fact: Fact | RawSnapshot, object: IndexedObject, nameHash: number): boolean {
    if (fact.kind === "link") {
      MadeLink.mark(fact, this.taker)
      this.links.push(fact)
    }
    if (!this.recent.add(wordOf(fact.id, 0), wordOf(fact.id, 8))) return false
    this.pending.add(fact, object, nameHash)
    return true
  }

  mark(): WriterMark {
    return { ...this.pending.mark(), links: this.links.length }
  }

  /** Takes back what was added since the mark. */
  rewind(mark: WriterMark): void {
    this.pending.rewind(mark, (high, low) => this.recent.remove(high, low))
    for (const link of this.links.splice(mark.links)) MadeLink.mark(link, undefined)
  }

  /** Makes the batch durable, and its facts visible when it is. Of one that failed nothing is kept, nor of what came while it was written. */
  write(names: ReadonlyArray<string>, done: Written): void {
    const batch = this.pending
    this.pending = this.writing
    this.writing = batch
    const nextBlock = batch.firstBlock + batch.blockCount
    this.pending.reset(nextBlock)
    this.links = []
    const bytes = this.disk.write({ blocks: batch.blocks(), names }, (failure) => {
      if (failure !== undefined) {
        // What came since may have been taken for known because of these.
        const forget = (high: number, low: number): void => this.recent.remove(high, low)
        for (const facts of [batch, this.pending]) facts.rewind({ rows: 0, bytes: 0, blocks: 0 }, forget)
        this.taker = {}
        this.links = []
        return done(failure)
      }
      this.openBytes += bytes
      this.durableBlock = nextBlock - 1
      const { rows } = this.open
      this.open.columns.append(batch.columns)
      this.open.includeFrom(rows)
      if (this.open.rows >= this.segmentRows) this.close()
      done(undefined)
    })
  }

  /** Closes the open segment; it is read from memory until its columns are on disk. */
  private close(): void {
    // A segment is on disk before the next one: at the start only what lies behind the last one is read again.
    if (this.closing !== undefined || this.failedSeal !== undefined || this.open.rows === 0) return
    const { maxUs, minUs, rows } = this.open
    const meta: SegmentMeta = {
      number: this.nextSegment++,
      rows,
      minUs,
      maxUs,
      firstBlock: this.firstBlock,
      lastBlock: this.durableBlock,
      bytes: this.openBytes + rows * ROW_BYTES
    }
    const closed = new MemorySegment(this.open.columns.sorted(), true)
    this.open = this.newOpen()
    this.openBytes = 0
    this.openSinceUs = undefined
    this.firstBlock = this.durableBlock + 1
    this.segments.inMemory.splice(-1, 1, closed, this.open)
    this.closing = meta
    this.seal(meta, closed)
  }

  private seal(meta: SegmentMeta, closed: MemorySegment): void {
    this.disk.seal(meta, closed.columns, (failure) => {
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
