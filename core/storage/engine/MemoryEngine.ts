// The engine without a disk: the simulator's, deterministic, and the scenarios' upper bound.
// Owns ordered tables in memory; refuses durability and says so. Commits are answered through the given `defer`, never
// re-entrantly, so that the store above behaves as on a disk.
import {
  compareBytes,
  keyText,
  tableNames,
  type CommitOutcome,
  type Engine,
  type Table,
  type View,
  type WriteBatch
} from "./Engine.ts"
import { SortedMap } from "./SortedMap.ts"

export interface MemoryEngineOptions {
  /** Runs a function after the current one has returned. */
  readonly defer: (run: () => void) => void
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

const bytes = (key: string): Buffer => Buffer.from(key, "latin1")

/** An engine that keeps everything in memory; `size` counts keys and values. */
export const makeMemoryEngine = ({ clock, defer }: MemoryEngineOptions): Engine => {
  const tables = tableNames.map(() => new SortedMap<Buffer>())
  let usedBytes = 0
  const view: View = {
    get: (table, key) => tables[table].get(keyText(key)),
    scan: (table, start, end, visit) =>
      tables[table].scan(keyText(start), end && keyText(end), (key, value) => visit(bytes(key), value)),
    count: (table, start, end) => tables[table].count(keyText(start), end && keyText(end))
  }
  const write = (table: Table, key: string, value: Uint8Array | undefined): void => {
    const old = tables[table].get(key)
    if (old !== undefined) usedBytes -= old.length + key.length
    if (value === undefined) return tables[table].delete(key)
    usedBytes += value.length + key.length
    tables[table].set(key, Buffer.from(value))
  }
  const apply = (batch: WriteBatch): CommitOutcome => {
    for (const { key, table, value } of batch.expectations) {
      const found = view.get(table, key)
      const same = found === undefined || value === undefined ? found === value : compareBytes(found, value) === 0
      if (!same) return { kind: "conflict", table, key }
    }
    for (let row = 0; row < batch.keys.length; row++)
      write(batch.tables[row], keyText(batch.keys[row]), batch.values[row])
    return { kind: "committed" }
  }
  return {
    name: "memory",
    durable: false,
    read: (_needs, use) => use(view),
    commit: (batch, done) => defer(() => done(apply(batch))),
    partitions: (_table, start, end) => [{ start, end }],
    clock,
    size: () => ({ totalBytes: usedBytes, inUseBytes: usedBytes }),
    close: () => tables.forEach((table) => table.clear())
  }
}
