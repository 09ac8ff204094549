// All segments of a store, oldest first: those on disk by their columns, those in memory until they are there. Facts are found through it.
// Owns the scratch space that columns are read into and the walk over segments; refuses to write anything.
import type { Fact } from "../model/Fact.ts"
import { Column, type Columns, COLUMNS, wordOf } from "./Columns.ts"
import { type Conditions, objectConditions, overlaps, scanSegment, type Segment } from "./ColumnSearch.ts"
import { kindNames, readRecord } from "./FactRecord.ts"
import { type FactRef, inRange } from "./FactSource.ts"
import type { LmdbSegmentsAdapter, SegmentMeta } from "./LmdbSegmentsAdapter.ts"
import { eachRowOf, groupOf } from "./ObjectRows.ts"
import type { Range } from "./SpanStore.ts"

/** Rows of one segment that met conditions, copied out of the columns. */
export interface Rows {
  readonly count: number
  readonly atUs: Float64Array
  readonly object: readonly [Uint32Array, Uint32Array, Uint32Array]
  readonly block: Uint32Array
  readonly offset: Uint32Array
  readonly id: readonly [Uint32Array, Uint32Array]
  readonly kind: Uint32Array
}

/** A segment whose columns are in memory. */
export class MemorySegment implements Segment {
  readonly columns: Columns
  readonly sorted: boolean
  minUs = Number.POSITIVE_INFINITY
  maxUs = Number.NEGATIVE_INFINITY

  constructor(columns: Columns, sorted: boolean) {
    this.columns = columns
    this.sorted = sorted
    this.includeFrom(0)
  }

  get rows(): number {
    return this.columns.rows
  }

  /** Learns the times of the rows from this one on. */
  includeFrom(first: number): void {
    const { atUs, rows } = this.columns
    for (let row = first; row < rows; row++) {
      if (atUs[row] < this.minUs) this.minUs = atUs[row]
      if (atUs[row] > this.maxUs) this.maxUs = atUs[row]
    }
  }

  times(): Float64Array {
    return this.columns.atUs
  }

  column(column: number): Uint32Array {
    return this.columns.columns[column]
  }
}

class StoredSegment implements Segment {
  readonly meta: SegmentMeta
  readonly sorted = true
  private readonly set: SegmentSet

  constructor(meta: SegmentMeta, set: SegmentSet) {
    this.meta = meta
    this.set = set
  }

  get rows(): number {
    return this.meta.rows
  }
  get minUs(): number {
    return this.meta.minUs
  }
  get maxUs(): number {
    return this.meta.maxUs
  }

  times(): Float64Array {
    return this.set.timesOf(this.meta)
  }

  column(column: number): Uint32Array {
    return this.set.columnOf(this.meta, column)
  }
}

export class SegmentSet {
  /** Oldest first. */
  readonly stored: Array<SegmentMeta> = []
  private readonly disk: LmdbSegmentsAdapter
  private readonly views = new Map<number, StoredSegment>()
  /** Closed in memory, on their way to the disk, and the open one last. */
  readonly inMemory: Array<MemorySegment> = []
  private readonly scratch: Array<Uint32Array> = []
  private timesScratch = new Float64Array(0)
  private matches = new Uint32Array(0)

  constructor(disk: LmdbSegmentsAdapter) {
    this.disk = disk
  }

  addStored(meta: SegmentMeta): void {
    this.stored.push(meta)
    this.views.set(meta.number, new StoredSegment(meta, this))
  }

  /** What could not be dropped is the oldest again. */
  restoreStored(meta: SegmentMeta): void {
    this.stored.unshift(meta)
    this.views.set(meta.number, new StoredSegment(meta, this))
  }

  dropStored(meta: SegmentMeta): void {
    this.stored.splice(this.stored.indexOf(meta), 1)
    this.views.delete(meta.number)
  }

  /** Segments that may hold a time of the range, those with the newest facts first. */
  newestFirst(conditions: Conditions): ReadonlyArray<Segment> {
    return [...this.views.values(), ...this.inMemory]
      .filter((segment) => segment.rows > 0 && overlaps(segment, conditions))
      .sort((a, b) => b.maxUs - a.maxUs)
  }

  /** Rows of a segment that meet conditions, by time, the oldest first. */
  find(segment: Segment, conditions: Conditions): Rows | undefined {
    if (this.matches.length < segment.rows) this.matches = new Uint32Array(segment.rows)
    const count = scanSegment(segment, conditions, this.matches)
    if (count === 0) return undefined
    const rows = this.matches.slice(0, count)
    const times = segment.times()
    if (!segment.sorted) rows.sort((a, b) => times[a] - times[b] || a - b)
    const atUs = new Float64Array(count)
    for (let at = 0; at < count; at++) atUs[at] = times[rows[at]]
    const take = (column: number): Uint32Array => {
      const values = segment.column(column)
      const taken = new Uint32Array(count)
      for (let at = 0; at < count; at++) taken[at] = values[rows[at]]
      return taken
    }
    return {
      count,
      atUs,
      object: [take(Column.object0), take(Column.object1), take(Column.object2)],
      block: take(Column.block),
      offset: take(Column.offset),
      id: [take(Column.id0), take(Column.id1)],
      kind: take(Column.kind)
    }
  }

  load(rows: Rows, at: number): Fact {
    return readRecord(this.disk.records(rows.block[at]), rows.offset[at])
  }

  /** Every fact of an object (by its id) of some kinds in a range, each place once, in no order. */
  refs(object: string, kinds: number, range: Range): Array<FactRef> {
    const refs: Array<FactRef> = []
    const add = (id: readonly [number, number], kind: number, atUs: number, block: number, offset: number): void => {
      const load = (): Fact => readRecord(this.disk.records(block), offset)
      refs.push({ kind: kindNames[kind], id: hex(id[0]) + hex(id[1]), atUs, load })
    }
    const words = [wordOf(object, 0), wordOf(object, 8), wordOf(object, 16)] as const
    for (const meta of this.stored) {
      const group = overlaps(meta, range) ? this.disk.group(meta.number, groupOf(words[0])) : undefined
      if (group === undefined) continue
      eachRowOf(group, words, ({ atUs, block, id, kind, offset }) => {
        if (((kinds >>> kind) & 1) === 1 && inRange(atUs, range)) add(id, kind, atUs, block, offset)
      })
    }
    const conditions = objectConditions(object, kinds, range)
    for (const segment of this.inMemory) {
      const rows = segment.rows > 0 && overlaps(segment, range) ? this.find(segment, conditions) : undefined
      if (rows === undefined) continue
      for (let at = 0; at < rows.count; at++) {
        add([rows.id[0][at], rows.id[1][at]], rows.kind[at], rows.atUs[at], rows.block[at], rows.offset[at])
      }
    }
    return refs
  }

  columnOf(meta: SegmentMeta, column: number): Uint32Array {
    let scratch = this.scratch[column]
    if (scratch === undefined || scratch.length < meta.rows) {
      while (this.scratch.length < COLUMNS) this.scratch.push(new Uint32Array(0))
      scratch = new Uint32Array(Math.max(meta.rows, SCRATCH_ROWS))
      this.scratch[column] = scratch
    }
    this.disk.column(meta.number, column, scratch.subarray(0, meta.rows))
    return scratch
  }

  timesOf(meta: SegmentMeta): Float64Array {
    if (this.timesScratch.length < meta.rows) this.timesScratch = new Float64Array(Math.max(meta.rows, SCRATCH_ROWS))
    this.disk.times(meta.number, this.timesScratch.subarray(0, meta.rows))
    return this.timesScratch
  }
}

const SCRATCH_ROWS = 81_920

/** 8 digits. */
export const hex = (word: number): string => word.toString(16).padStart(8, "0")
