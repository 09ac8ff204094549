// One view over memtables and the tree below them: the newest row of a key wins, a removed one hides what lies below.
// Owns the merge; refuses to know where rows come from.
import { compareBytes, keyText, type Table, type View, type Visit } from "./Engine.ts"
import type { Memtable, MemtableRow } from "./Memtable.ts"
import type { SortedCursor } from "./SortedMap.ts"

export class LayeredView implements View {
  /** Newest first; at most two. */
  layers: ReadonlyArray<Memtable> = []
  private readonly base: View

  constructor(base: View) {
    this.base = base
  }

  get(table: Table, key: Uint8Array): Uint8Array | undefined {
    let text: string | undefined
    for (const layer of this.layers) {
      if (!layer.hasRows(table)) continue
      const row = layer.get(table, (text ??= keyText(key)))
      if (row !== undefined) return row.value
    }
    return this.base.get(table, key)
  }

  scan(table: Table, start: Uint8Array, end: Uint8Array | undefined, visit: Visit): void {
    const cursors: Array<SortedCursor<MemtableRow>> = []
    const last = end && keyText(end)
    for (const layer of this.layers) {
      if (!layer.hasRows(table)) continue
      const cursor = layer.order(table).cursor(keyText(start))
      if (cursor.key !== undefined && (last === undefined || cursor.key < last)) cursors.push(cursor)
    }
    if (cursors.length === 0) return this.base.scan(table, start, end, visit)
    this.merge(new NewestFirst(cursors, last), table, start, end, visit)
  }

  private merge(above: NewestFirst, table: Table, start: Uint8Array, end: Uint8Array | undefined, visit: Visit): void {
    let stopped = false
    const emit = (row: MemtableRow): boolean => row.value === undefined || visit(row.key, row.value)
    this.base.scan(table, start, end, (key, value) => {
      for (let row = above.row; row !== undefined; row = above.row) {
        const order = compareBytes(row.key, key)
        if (order > 0) break
        above.next()
        if (!emit(row)) return !(stopped = true)
        if (order === 0) return true
      }
      if (!visit(key, value)) stopped = true
      return !stopped
    })
    for (let row = above.row; !stopped && row !== undefined; row = above.row) {
      above.next()
      stopped = !emit(row)
    }
  }

  count(table: Table, start: Uint8Array, end: Uint8Array | undefined): number {
    let total = this.base.count(table, start, end)
    for (const layer of this.layers) {
      if (layer.hasRows(table)) total += layer.delta(table, keyText(start), end && keyText(end))
    }
    return total
  }
}

/** Two ordered layers as one: where both have a key, the newer layer's row. */
class NewestFirst {
  private readonly cursors: ReadonlyArray<SortedCursor<MemtableRow>>
  private readonly end: string | undefined

  constructor(cursors: ReadonlyArray<SortedCursor<MemtableRow>>, end: string | undefined) {
    this.cursors = cursors
    this.end = end
  }

  get row(): MemtableRow | undefined {
    return this.lowest()?.value
  }

  next(): void {
    const key = this.lowest()?.key
    for (const cursor of this.cursors) if (cursor.key === key) cursor.next()
  }

  private lowest(): SortedCursor<MemtableRow> | undefined {
    let found: SortedCursor<MemtableRow> | undefined
    for (const cursor of this.cursors) {
      if (cursor.key === undefined || (this.end !== undefined && cursor.key >= this.end)) continue
      if (found?.key === undefined || cursor.key < found.key) found = cursor
    }
    return found
  }
}
