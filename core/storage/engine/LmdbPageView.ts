// LMDB's reads through its pages: the fast view, where the file's mapping is known.
// Owns which roots are looked at, moved only by `renew`; refuses to decide when. One snapshot lives as long as nobody
// commits twice: the writer commits one transaction at a time, and `renew` comes before the next may start, so no page
// of the snapshot is reused while it is looked at, and no reader slot is needed.
import { compareBytes, type Table, Table as Tables, tableNames, type View, type Visit } from "./Engine.ts"
import { LmdbPages, type Tree } from "./LmdbPages.ts"
import type { RenewableView } from "./LmdbCursorView.ts"
import { folded, foldedKey, isFolded, KEY_MAX_BYTES, LONG_KEYS_ROW, unfold } from "./LongKeys.ts"

export const makePageView = (address: number): RenewableView => {
  const pages = new LmdbPages(address)
  let trees: ReadonlyArray<Tree> = pages.roots(tableNames)
  let hasLongKeys = false
  const renew = (): void => {
    trees = pages.roots(tableNames)
    hasLongKeys ||= pages.get(trees[Tables.Meta], LONG_KEYS_ROW) !== undefined
  }
  renew()
  const row = (table: Table, key: Uint8Array): Uint8Array | undefined => pages.get(trees[table], key)
  const scanLong = (table: Table, start: Uint8Array, end: Uint8Array | undefined, visit: Visit): void => {
    const from = start.length > KEY_MAX_BYTES ? start.subarray(0, KEY_MAX_BYTES) : start
    pages.scan(trees[table], from, undefined, (key, value) => {
      for (const [one, its] of isFolded(key) ? unfold(key, value) : [[key, value] as const]) {
        if (compareBytes(one, start) < 0) continue
        if ((end !== undefined && compareBytes(one, end) >= 0) || !visit(one, its)) return false
      }
      return true
    })
  }
  const scan: View["scan"] = (table, start, end, visit) =>
    hasLongKeys ? scanLong(table, start, end, visit) : pages.scan(trees[table], start, end, visit)
  return {
    get: (table, key) => {
      if (key.length <= KEY_MAX_BYTES) return row(table, key)
      const bucket = hasLongKeys ? row(table, foldedKey(key)) : undefined
      return bucket && folded(bucket, key)
    },
    row,
    scan,
    count: (table, start, end) => {
      if (!hasLongKeys) return pages.count(trees[table], start, end)
      let total = 0
      scan(table, start, end, () => (total++, true))
      return total
    },
    renew,
    release: () => undefined
  }
}
