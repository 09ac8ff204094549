// Rows that are durable in the log but not yet in the tree: read before the tree, written into it later, in one large commit.
// Owns their lookup and order; refuses durability, which the log has given them already.
// The log and history of keys are seldom read so soon after they were written: their index is made when somebody asks.
import { keyText, Table, tableNames, type WriteBatch } from "./Engine.ts"
import { SortedMap } from "./SortedMap.ts"

export interface MemtableRow {
  readonly key: Uint8Array
  /** Undefined: the row was removed. */
  readonly value: Uint8Array | undefined
  /** How the row changes the number of rows below it: 1 created, −1 removed, 0 replaced. */
  readonly delta: number
}

/** What a row costs beside its bytes, for the bound on memory. */
const ROW_OVERHEAD_BYTES = 200

export class Memtable {
  private readonly rows = tableNames.map(() => new Map<string, MemtableRow>())
  private readonly sorted: Array<SortedMap<MemtableRow> | undefined> = []
  private readonly deferred = tableNames.map((_, table) => table === Table.History || table === Table.Log)
  private readonly batches: Array<WriteBatch> = []
  private readonly counts = tableNames.map(() => 0)
  sizeBytes = 0

  get isEmpty(): boolean {
    return this.sizeBytes === 0
  }

  apply(batch: WriteBatch): void {
    const { keys, sizeBytes, tables } = batch
    this.batches.push(batch)
    this.sizeBytes += sizeBytes + keys.length * ROW_OVERHEAD_BYTES
    for (let at = 0; at < keys.length; at++) {
      const table = tables[at]
      this.counts[table]++
      if (!this.deferred[table]) this.write(batch, at)
    }
  }

  private write({ deltas, keys, tables, values }: WriteBatch, at: number): void {
    const table = tables[at]
    const text = keyText(keys[at])
    const before = this.rows[table].get(text)
    const row = { key: keys[at], value: values[at], delta: deltas[at] + (before?.delta ?? 0) }
    this.rows[table].set(text, row)
    this.sorted[table]?.set(text, row)
  }

  /** The rows of a table by key; a deferred table is indexed now, and kept up from now on. */
  private index(table: Table): ReadonlyMap<string, MemtableRow> {
    if (this.deferred[table]) {
      this.deferred[table] = false
      for (const batch of this.batches) {
        for (let at = 0; at < batch.keys.length; at++) if (batch.tables[at] === table) this.write(batch, at)
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
}
