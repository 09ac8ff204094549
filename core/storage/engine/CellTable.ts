// A table of an engine in memory whose rows keep their places: who holds the place of a row reads and replaces it without looking for it.
// Owns the places; refuses order, which SortedMap.ts has. By hand because in a table of some hundred thousand keys each search costs
// what the rest of a write does.
import type { RowCell, RowValue } from "./Engine.ts"
import { SortedMap } from "./SortedMap.ts"

export class CellTable {
  private readonly cells = new SortedMap<RowCell>()

  get size(): number {
    return this.cells.size
  }

  /** The place of a row; its value is undefined once the row is gone, and the place is nobody's then. */
  cell(key: string): RowCell | undefined {
    return this.cells.get(key)
  }

  get(key: string): RowValue | undefined {
    return this.cells.get(key)?.value
  }

  set(key: string, value: RowValue): void {
    const cell = this.cells.get(key)
    if (cell === undefined) this.cells.set(key, { value })
    else cell.value = value
  }

  delete(key: string): void {
    const cell = this.cells.get(key)
    if (cell === undefined) return
    cell.value = undefined
    this.cells.delete(key)
  }

  clear(): void {
    this.cells.scan("", undefined, (_key, cell) => {
      cell.value = undefined
      return true
    })
    this.cells.clear()
  }

  scan(start: string, end: string | undefined, visit: (key: string, value: RowValue) => boolean): void {
    this.cells.scan(start, end, (key, { value }) => value === undefined || visit(key, value))
  }

  count(start: string, end: string | undefined): number {
    return this.cells.count(start, end)
  }
}
