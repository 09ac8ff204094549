// Facts on their way into one commit: their records one after another, cut into blocks, and a row of the index for each. What was taken
// last can be taken back, so that a batch is there whole or not at all. Owns that memory, which is used again from commit to commit;
// refuses to know what is durable.
import type { Fact, RawSnapshot } from "../model/Fact.ts"
import { Column, Columns } from "./Columns.ts"
import { RecordWriter } from "./FactRecord.ts"
import type { IndexedObject } from "./IndexedObjects.ts"

/** Bytes of records after which a block is closed: what is unpacked to read one record. */
const BLOCK_BYTES = 131_072

/** How far a batch was filled. */
export interface Mark {
  readonly rows: number
  readonly bytes: number
  readonly blocks: number
}

export class PendingFacts {
  readonly columns = new Columns(4096)
  private readonly records = new RecordWriter()
  /** Where each block begins in the records. */
  private readonly starts: Array<number> = []
  private readonly windowSeconds: number
  firstBlock = 1

  constructor(windowSeconds: number) {
    this.windowSeconds = windowSeconds
  }

  get bytes(): number {
    return this.records.length
  }

  get blockCount(): number {
    return this.starts.length
  }

  /** Empty again, with blocks from this number on. */
  reset(firstBlock: number): void {
    this.firstBlock = firstBlock
    this.columns.rows = 0
    this.starts.length = 0
    this.records.reset()
  }

  add(fact: Fact | RawSnapshot, object: IndexedObject, nameHash: number): void {
    const { starts } = this
    const length = this.records.length
    if (starts.length === 0 || length - starts[starts.length - 1] >= BLOCK_BYTES) starts.push(length)
    const block = this.firstBlock + starts.length - 1
    const offset = length - starts[starts.length - 1]
    this.records.write(fact)
    this.columns.add(fact, object, nameHash, this.windowSeconds, block, offset)
  }

  mark(): Mark {
    return { rows: this.columns.rows, bytes: this.records.length, blocks: this.starts.length }
  }

  /** Takes back what was added since the mark; tells the ids of those facts. */
  rewind({ blocks, bytes, rows }: Mark, forget: (high: number, low: number) => void): void {
    const { columns } = this.columns
    for (let row = rows; row < this.columns.rows; row++) forget(columns[Column.id0][row], columns[Column.id1][row])
    this.columns.rows = rows
    this.records.length = bytes
    this.starts.length = blocks
  }

  /** Blocks as views that are valid until the reset. */
  blocks(): ReadonlyArray<{ readonly number: number; readonly records: Buffer }> {
    return this.starts.map((start, at) => ({
      number: this.firstBlock + at,
      records: this.records.view(start, this.starts[at + 1] ?? this.records.length)
    }))
  }
}
