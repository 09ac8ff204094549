// Rows that are durable in the log but not yet in the tree: read before the tree, written into it later, in one large commit.
// Owns their lookup and order; refuses durability, which the log has given them already.
import { keyText, type Table, tableNames, type WriteBatch } from "./Engine.ts"
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
  sizeBytes = 0

  get isEmpty(): boolean {
    return this.sizeBytes === 0
  }

  apply(batch: WriteBatch): void {
    const { deltas, keys, tables, values } = batch
    for (let at = 0; at < keys.length; at++) this.write(tables[at], keys[at], values[at], deltas[at])
  }

  private write(table: Table, key: Uint8Array, value: Uint8Array | undefined, delta: number): void {
    const text = keyText(key)
    const before = this.rows[table].get(text)
    const row = { key, value, delta: delta + (before?.delta ?? 0) }
    this.rows[table].set(text, row)
    this.sorted[table]?.set(text, row)
    this.sizeBytes += key.length + (value?.length ?? 0) + ROW_OVERHEAD_BYTES
  }

  get(table: Table, text: string): MemtableRow | undefined {
    return this.rows[table].get(text)
  }

  hasRows(table: Table): boolean {
    return this.rows[table].size > 0
  }

  /** The rows of a table in order, made when first asked for: writes alone never pay for it. */
  order(table: Table): SortedMap<MemtableRow> {
    let sorted = this.sorted[table]
    if (sorted === undefined) {
      sorted = SortedMap.of(this.rows[table])
      this.sorted[table] = sorted
    }
    return sorted
  }
}
