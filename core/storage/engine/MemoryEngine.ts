// The engine without a disk: the simulator's, deterministic, and the scenarios' upper bound.
// Owns tables in memory; refuses durability and says so. Commits are answered through the given `defer`, never
// re-entrantly, so that the store above behaves as on a disk. Rows are kept as they were put, not copied: values that become bytes
// only when somebody reads them never do so in a world where nobody does.
import {
  compareBytes,
  keyText,
  type CommitOutcome,
  type Engine,
  type RowValue,
  type Table,
  type TextRow,
  valueBytes,
  type View,
  type WriteBatch
} from "./Engine.ts"
import { MemoryTables } from "./MemoryTables.ts"

export interface MemoryEngineOptions {
  /** Runs a function after the current one has returned. */
  readonly defer: (run: () => void) => void
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

const bytes = (key: string): Buffer => Buffer.from(key, "latin1")
const sizeOf = (value: RowValue): number => (value instanceof Uint8Array ? value.length : value.sizeBytes)

/** An engine that keeps everything in memory; `size` counts keys and values. */
export const makeMemoryEngine = ({ clock, defer }: MemoryEngineOptions): Engine => {
  const tables = new MemoryTables()
  let usedBytes = 0
  // Rows by text are many and small: their size is reckoned from those that are there and what they took on average.
  let textRows = 0
  let putRows = 0
  let putBytes = 0
  const view: View = {
    get: (table, key) => {
      const value = tables.get(table, keyText(key))
      return value && valueBytes(value)
    },
    scan: (table, start, end, visit) =>
      tables
        .ordered(table)
        .scan(keyText(start), end && keyText(end), (key, value) => visit(bytes(key), valueBytes(value))),
    count: (table, start, end) => tables.ordered(table).count(keyText(start), end && keyText(end))
  }
  const write = (table: Table, key: string, value: Uint8Array | undefined): void => {
    const old = tables.get(table, key)
    if (old !== undefined) usedBytes -= sizeOf(old) + key.length
    if (value !== undefined) usedBytes += value.length + key.length
    tables.write(table, key, value)
  }
  const writeText = ({ cell, key, table, value }: TextRow): void => {
    if (value !== undefined) {
      putRows++
      putBytes += value.sizeBytes + key.length
    }
    textRows += tables.write(table, key, value, cell)
  }
  const size = (): number => usedBytes + (putRows === 0 ? 0 : Math.round((Math.max(0, textRows) * putBytes) / putRows))
  const apply = (batch: WriteBatch): CommitOutcome => {
    for (const { key, table, value } of batch.expectations) {
      const found = view.get(table, key)
      const same = found === undefined || value === undefined ? found === value : compareBytes(found, value) === 0
      if (!same) return { kind: "conflict", table, key }
    }
    for (let row = 0; row < batch.keys.length; row++)
      write(batch.tables[row], keyText(batch.keys[row]), batch.values[row])
    for (let row = 0; row < batch.rows.length; row++) writeText(batch.rows[row])
    return { kind: "committed" }
  }
  return {
    name: "memory",
    durable: false,
    read: (_needs, use) => use(view),
    rows: {
      get: (table, key) => tables.get(table, key),
      cell: (key) => tables.cell(key),
      scan: (table, start, end, visit) => tables.ordered(table).scan(start, end, visit)
    },
    commit: (batch, done) => defer(() => done(apply(batch))),
    partitions: (_table, start, end) => [{ start, end }],
    clock,
    size: () => ({ totalBytes: size(), inUseBytes: size() }),
    close: () => tables.clear()
  }
}
