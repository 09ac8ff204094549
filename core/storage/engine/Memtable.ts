// Rows that are durable in the log but not yet in the tree: read before the tree, written into it later.
// Owns their lookup and order; refuses durability, which the log has given them already.
// It keeps each commit's bytes as they went to the log and points into them, so that what waits is few objects, not many.
// The log and history of keys are seldom read so soon after they were written: their index is made when somebody asks.
import { Table, tableNames } from "./Engine.ts"
import { lowerBound, SortedMap } from "./SortedMap.ts"
import { visitRows } from "./WalRecord.ts"

/** One row, as a place in a commit's bytes. */
export class MemtableRow {
  private readonly record: Buffer
  private readonly keyAt: number
  private readonly keyEnd: number
  private readonly valueEnd: number
  /** How the row changes the number of rows below it: 1 created, −1 removed, 0 replaced. */
  delta: number

  constructor(record: Buffer, keyAt: number, keyEnd: number, valueEnd: number, delta: number) {
    this.record = record
    this.keyAt = keyAt
    this.keyEnd = keyEnd
    this.valueEnd = valueEnd
    this.delta = delta
  }

  get key(): Uint8Array {
    return this.record.subarray(this.keyAt, this.keyEnd)
  }

  /** Undefined: the row was removed. */
  get value(): Uint8Array | undefined {
    return this.valueEnd < 0 ? undefined : this.record.subarray(this.keyEnd, this.valueEnd)
  }
}

/** What a row costs beside its bytes, for the bound on memory. */
const ROW_OVERHEAD_BYTES = 100

export class Memtable {
  private readonly rows = tableNames.map(() => new Map<string, MemtableRow>())
  private readonly sorted: Array<SortedMap<MemtableRow> | undefined> = []
  private readonly deferred = tableNames.map((_, table) => table === Table.History || table === Table.Log)
  private readonly records: Array<Buffer> = []
  private readonly counts = tableNames.map(() => 0)
  /** Sums of deltas in key order, kept until the next commit comes in. */
  private sums: Array<DeltaSums | undefined> = []
  sizeBytes = 0

  get isEmpty(): boolean {
    return this.records.length === 0
  }

  /** Takes in a commit's bytes, which must not change any more. */
  apply(record: Buffer): void {
    this.records.push(record)
    this.sizeBytes += record.length
    if (this.sums.length > 0) this.sums = []
    visitRows(record, (table, delta, keyAt, keyEnd, valueEnd) => {
      this.counts[table]++
      this.sizeBytes += ROW_OVERHEAD_BYTES
      if (!this.deferred[table]) this.add(table, record, delta, keyAt, keyEnd, valueEnd)
    })
  }

  private add(table: Table, record: Buffer, delta: number, keyAt: number, keyEnd: number, valueEnd: number): void {
    const text = record.toString("latin1", keyAt, keyEnd)
    const rows = this.rows[table]
    const row = new MemtableRow(record, keyAt, keyEnd, valueEnd, delta + (rows.get(text)?.delta ?? 0))
    rows.set(text, row)
    this.sorted[table]?.set(text, row)
  }

  /** The rows of a table by key; a deferred table is indexed now, and kept up from now on. */
  private index(table: Table): ReadonlyMap<string, MemtableRow> {
    if (this.deferred[table]) {
      this.deferred[table] = false
      for (const record of this.records) {
        visitRows(record, (its, delta, keyAt, keyEnd, valueEnd) => {
          if (its === table) this.add(table, record, delta, keyAt, keyEnd, valueEnd)
        })
      }
    }
    return this.rows[table]
  }

  get(table: Table, text: string): MemtableRow | undefined {
    return this.index(table).get(text)
  }

  hasRows(table: Table): boolean {
    return this.counts[table] > 0
  }

  /** The rows of a table in order, made when first asked for: writes alone never pay for it. */
  order(table: Table): SortedMap<MemtableRow> {
    let sorted = this.sorted[table]
    if (sorted === undefined) {
      sorted = SortedMap.of(this.index(table))
      this.sorted[table] = sorted
    }
    return sorted
  }

  /** By how much the rows from `start` up to `end` change the number of rows below them. */
  delta(table: Table, start: string, end: string | undefined): number {
    const { keys, sums } = (this.sums[table] ??= sumDeltas(this.order(table)))
    const last = end === undefined ? keys.length : lowerBound(keys, end)
    return sums[last] - sums[Math.min(last, lowerBound(keys, start))]
  }

  /** Counts a table's rows anew against a tree that may have taken some of them in before a crash. */
  recount(table: Table, isBelow: (key: Uint8Array) => boolean): void {
    for (const row of this.index(table).values()) {
      row.delta = (row.value === undefined ? 0 : 1) - (isBelow(row.key) ? 1 : 0)
    }
  }
}

interface DeltaSums {
  readonly keys: ReadonlyArray<string>
  /** The sum of the deltas of the first n keys. */
  readonly sums: Int32Array
}

const sumDeltas = (order: SortedMap<MemtableRow>): DeltaSums => {
  const keys: Array<string> = []
  const sums = new Int32Array(order.size + 1)
  order.scan("", undefined, (key, { delta }) => {
    keys.push(key)
    sums[keys.length] = sums[keys.length - 1] + delta
    return true
  })
  return { keys, sums }
}
