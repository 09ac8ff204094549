// One view over memtables and the tree below them: the newest row of a key wins, a removed one hides what lies below.
// Owns the merge; refuses to know where rows come from.
import { compareBytes, keyText, type Table, type View, type Visit } from "./Engine.ts"
import type { Memtable } from "./Memtable.ts"
import { hashBytes, type RowIndex } from "./RowIndex.ts"
import type { SortedCursor } from "./SortedMap.ts"

export class LayeredView implements View {
  /** Newest first; at most two. */
  layers: ReadonlyArray<Memtable> = []
  private readonly base: View

  constructor(base: View) {
    this.base = base
  }

  get(table: Table, key: Uint8Array): Uint8Array | undefined {
    let hash: number | undefined
    for (const layer of this.layers) {
      if (!layer.hasRows(table)) continue
      const rows = layer.index(table)
      const row = rows.find(key, 0, key.length, (hash ??= hashBytes(key, 0, key.length)))
      if (row >= 0) return rows.value(row)
    }
    return this.base.get(table, key)
  }

  scan(table: Table, start: Uint8Array, end: Uint8Array | undefined, visit: Visit): void {
    const cursors: Array<LayerCursor> = []
    const last = end && keyText(end)
    for (const layer of this.layers) {
      if (!layer.hasRows(table)) continue
      const order = layer.order(table).cursor(keyText(start))
      if (order.key !== undefined && (last === undefined || order.key < last)) {
        cursors.push({ order, rows: layer.index(table) })
      }
    }
    if (cursors.length === 0) return this.base.scan(table, start, end, visit)
    this.merge(new NewestFirst(cursors, last), table, start, end, visit)
  }

  private merge(above: NewestFirst, table: Table, start: Uint8Array, end: Uint8Array | undefined, visit: Visit): void {
    let stopped = false
    const emit = (key: Uint8Array, value: Uint8Array | undefined): boolean => value === undefined || visit(key, value)
    this.base.scan(table, start, end, (key, value) => {
      while (above.find()) {
        const { key: its, value: newer } = above
        const order = compareBytes(its, key)
        if (order > 0) break
        above.next()
        if (!emit(its, newer)) return !(stopped = true)
        if (order === 0) return true
      }
      if (!visit(key, value)) stopped = true
      return !stopped
    })
    while (!stopped && above.find()) {
      const { key, value } = above
      above.next()
      stopped = !emit(key, value)
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

/** A place in one layer's order, with the rows that it numbers. */
interface LayerCursor {
  readonly order: SortedCursor<number>
  readonly rows: RowIndex
}

/** Two ordered layers as one: where both have a key, the newer layer's row. */
class NewestFirst {
  private readonly cursors: ReadonlyArray<LayerCursor>
  private readonly end: string | undefined
  private lowest: LayerCursor | undefined

  constructor(cursors: ReadonlyArray<LayerCursor>, end: string | undefined) {
    this.cursors = cursors
    this.end = end
  }

  /** Goes to the lowest key that is left; false when none is. */
  find(): boolean {
    this.lowest = undefined
    for (const cursor of this.cursors) {
      const { key } = cursor.order
      if (key === undefined || (this.end !== undefined && key >= this.end)) continue
      if (this.lowest?.order.key === undefined || key < this.lowest.order.key) this.lowest = cursor
    }
    return this.lowest !== undefined
  }

  get key(): Uint8Array {
    return this.lowest?.rows.key(this.lowest.order.value ?? 0) ?? new Uint8Array(0)
  }

  /** Undefined: the row was removed. */
  get value(): Uint8Array | undefined {
    return this.lowest?.rows.value(this.lowest.order.value ?? 0)
  }

  next(): void {
    const key = this.lowest?.order.key
    for (const { order } of this.cursors) if (order.key === key) order.next()
  }
}
