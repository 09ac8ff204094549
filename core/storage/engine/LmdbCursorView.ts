// LMDB's reads through its own binding: right everywhere, a native call for each row.
// Owns one held read transaction, renewed when the engine says so, and the unfolding of long keys.
// Refuses to decide when a snapshot may move: that is the engine's, after a commit.
import type { Transaction } from "lmdb"
import type { BinaryDatabase, BinaryRoot } from "./LmdbTree.ts"
import { compareBytes, type Table, type View, type Visit } from "./Engine.ts"
import { folded, foldedKey, isFolded, KEY_MAX_BYTES, unfold } from "./LongKeys.ts"

/** A View with a snapshot that moves only on `renew`. */
export interface RenewableView extends View {
  /** One row as LMDB has it: a folded row is not unfolded. */
  readonly row: (table: Table, key: Uint8Array) => Uint8Array | undefined
  readonly renew: () => void
  readonly release: () => void
}

export const makeCursorView = (root: BinaryRoot, tables: ReadonlyArray<BinaryDatabase>): RenewableView => {
  let transaction: Transaction | undefined
  const current = (): { readonly transaction: Transaction } => ({
    transaction: (transaction ??= root.useReadTransaction())
  })
  const release = (): void => {
    transaction?.done()
    transaction = undefined
    root.resetReadTxn()
  }
  const row = (table: Table, key: Uint8Array): Uint8Array | undefined => read(tables[table], key, current())
  const get = (table: Table, key: Uint8Array): Uint8Array | undefined => {
    if (key.length === 0) return undefined
    if (key.length <= KEY_MAX_BYTES) return row(table, key)
    const bucket = row(table, foldedKey(key))
    return bucket && folded(bucket, key)
  }
  const scan = (table: Table, start: Uint8Array, end: Uint8Array | undefined, visit: Visit): void => {
    const from = start.length > KEY_MAX_BYTES ? start.subarray(0, KEY_MAX_BYTES) : start
    for (const { key, value } of tables[table].getRange({ start: from, ...current() })) {
      if (isFolded(key)) {
        for (const [longKey, longValue] of unfold(key, value)) {
          if (compareBytes(longKey, start) < 0) continue
          if ((end !== undefined && compareBytes(longKey, end) >= 0) || !visit(longKey, longValue)) return
        }
      } else if (compareBytes(key, start) >= 0) {
        if ((end !== undefined && compareBytes(key, end) >= 0) || !visit(key, value)) return
      }
    }
  }
  const count = (table: Table, start: Uint8Array, end: Uint8Array | undefined): number => {
    let total = 0
    scan(table, start, end, () => (total++, true))
    return total
  }
  return { get, row, scan, count, renew: release, release }
}

const read = (
  table: BinaryDatabase,
  key: Uint8Array,
  options: { readonly transaction: Transaction }
): Buffer | undefined => {
  const fast = table as unknown as { getBinary: (key: Uint8Array, options: object) => Buffer | undefined }
  return fast.getBinary(key, options)
}
