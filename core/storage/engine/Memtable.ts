// Rows that are durable in the log but not yet in the tree: read before the tree, written into it later.
// Owns their lookup and order; refuses durability, which the log has given them already.
// It keeps each commit's bytes as they went to the log and points into them, so that what waits is few objects, not many.
// The log and history of keys are seldom read so soon after they were written: their index is made when somebody asks.
import { Table, tableNames } from "./Engine.ts"
import { RowIndex } from "./RowIndex.ts"
import { lowerBound, SortedMap } from "./SortedMap.ts"
import { visitRows } from "./WalRecord.ts"

/** What a row costs beside its bytes, for the bound on memory. */
const ROW_OVERHEAD_BYTES = 40

export class Memtable {
  private readonly records: Array<Buffer> = []
  private readonly rows = tableNames.map(() => new RowIndex(this.records))
  /** Row numbers in key order. */
  private readonly sorted: Array<SortedMap<number> | undefined> = []
  private readonly deferred = tableNames.map((_, table) => table === Table.History || table === Table.Log)
  private readonly counts = tableNames.map(() => 0)
  /** Sums of deltas in key order, kept until the next commit comes in. */
  private sums: Array<DeltaSums | undefined> = []
  sizeBytes = 0

  get isEmpty(): boolean {
    return this.records.length === 0
  }

  /** Takes in a commit's bytes, which must not change any more. */
  apply(record: Buffer): void {
    const number = this.records.push(record) - 1
    this.sizeBytes += record.length
    if (this.sums.length > 0) this.sums = []
    visitRows(record, (table, delta, keyAt, keyEnd, valueEnd) => {
      this.counts[table]++
      this.sizeBytes += ROW_OVERHEAD_BYTES
      if (!this.deferred[table]) this.add(table, number, delta, keyAt, keyEnd, valueEnd)
    })
  }

  private add(table: Table, record: number, delta: number, keyAt: number, keyEnd: number, valueEnd: number): void {
    const rows = this.rows[table]
    const row = rows.add(record, delta, keyAt, keyEnd, valueEnd)
    this.sorted[table]?.set(rows.keyText(row), row)
  }

  /** The rows of a table by key; a deferred table is indexed now, and kept up from now on. */
  index(table: Table): RowIndex {
    if (this.deferred[table]) {
      this.deferred[table] = false
      for (const [number, record] of this.records.entries()) {
        visitRows(record, (its, delta, keyAt, keyEnd, valueEnd) => {
          if (its === table) this.add(table, number, delta, keyAt, keyEnd, valueEnd)
        })
      }
    }
    return this.rows[table]
  }

  hasRows(table: Table): boolean {
    return this.counts[table] > 0
  }

  /** The numbers of a table's rows in order, made when first asked for: writes alone never pay for it. */
  order(table: Table): SortedMap<number> {
    const known = this.sorted[table]
    if (known !== undefined) return known
    const rows = this.index(table)
    const texts = new Map<string, number>()
    for (let row = 0; row < rows.size; row++) texts.set(rows.keyText(row), row)
    return (this.sorted[table] = SortedMap.of(texts))
  }

  /** By how much the rows from `start` up to `end` change the number of rows below them. */
  delta(table: Table, start: string, end: string | undefined): number {
    const { keys, sums } = (this.sums[table] ??= sumDeltas(this.order(table), this.index(table)))
    const last = end === undefined ? keys.length : lowerBound(keys, end)
    return sums[last] - sums[Math.min(last, lowerBound(keys, start))]
  }

  /** Counts a table's rows anew against a tree that may have taken some of them in before a crash. */
  recount(table: Table, isBelow: (key: Uint8Array) => boolean): void {
    const rows = this.index(table)
    for (let row = 0; row < rows.size; row++) {
      rows.setDelta(row, (rows.value(row) === undefined ? 0 : 1) - (isBelow(rows.key(row)) ? 1 : 0))
    }
  }
}

interface DeltaSums {
  readonly keys: ReadonlyArray<string>
  /** The sum of the deltas of the first n keys. */
  readonly sums: Int32Array
}

const sumDeltas = (order: SortedMap<number>, rows: RowIndex): DeltaSums => {
  const keys: Array<string> = []
  const sums = new Int32Array(order.size + 1)
  order.scan("", undefined, (key, row) => {
    keys.push(key)
    sums[keys.length] = sums[keys.length - 1] + rows.delta(row)
    return true
  })
  return { keys, sums }
}
