// The tables of an engine in memory: each ordered, the log as a log, and the history partly within it.
// Owns which row is where; refuses to know what rows mean. A row of the log may carry a companion in the history, which comes and
// goes with it and is put into order only when somebody reads the history: most worlds never do.
import { AppendedMap } from "./AppendedMap.ts"
import { CellTable } from "./CellTable.ts"
import { type LazyValue, type RowCell, type RowValue, Table, tableNames } from "./Engine.ts"
import { SortedMap } from "./SortedMap.ts"

/** What the history has beside the rows that were put into it. */
export interface Companion {
  readonly key: string
  readonly value: LazyValue
}

/** A row of the log that may have a companion. */
export interface CompanionedValue extends LazyValue {
  readonly companion: () => Companion | undefined
}

const hasCompanion = (value: RowValue | undefined): value is CompanionedValue =>
  value !== undefined && !(value instanceof Uint8Array) && "companion" in value

type Rows = Pick<SortedMap<RowValue>, "get" | "set" | "delete" | "scan" | "count" | "clear"> & { readonly size: number }

export class MemoryTables {
  private readonly keys = new CellTable()
  private readonly tables: ReadonlyArray<Rows> = tableNames.map((_, table) =>
    table === Table.Key ? this.keys : table === Table.Log ? new AppendedMap<RowValue>() : new SortedMap<RowValue>()
  )
  /** The history with all companions, while somebody reads it. */
  private history: SortedMap<RowValue> | undefined
  private unread = 0

  get(table: Table, key: string): RowValue | undefined {
    return table === Table.History ? this.wholeHistory().get(key) : this.tables[table].get(key)
  }

  /** The place of a row of the Key table. */
  cell(key: string): RowCell | undefined {
    return this.keys.cell(key)
  }

  /** A table's rows in order. */
  ordered(table: Table): Rows {
    return table === Table.History ? this.wholeHistory() : this.tables[table]
  }

  /** Puts or removes a row and answers by how much the table has grown; only what is put has a known place. */
  write(table: Table, key: string, value: RowValue | undefined, cell?: RowCell): number {
    if (cell?.value !== undefined) {
      cell.value = value
      return 0
    }
    const rows = this.tables[table]
    const before = rows.size
    if (this.history !== undefined && (table === Table.Log || table === Table.History)) this.follow(table, key, value)
    if (value === undefined) rows.delete(key)
    else rows.set(key, value)
    return rows.size - before
  }

  clear(): void {
    for (const rows of this.tables) rows.clear()
    this.history = undefined
  }

  private wholeHistory(): SortedMap<RowValue> {
    this.unread = 0
    if (this.history !== undefined) return this.history
    const history = (this.history = new SortedMap<RowValue>())
    const take = (key: string, value: RowValue): boolean => {
      history.set(key, value)
      return true
    }
    this.tables[Table.History].scan("", undefined, take)
    this.tables[Table.Log].scan("", undefined, (_key, value) => {
      const companion = hasCompanion(value) ? value.companion() : undefined
      return companion === undefined || take(companion.key, companion.value)
    })
    return history
  }

  /** Keeps the whole history up to a change, or gives it up when nobody has read it for long. */
  private follow(table: Table, key: string, value: RowValue | undefined): void {
    const { history } = this
    if (history === undefined) return
    if (++this.unread > 1024 && this.unread > history.size) {
      this.history = undefined
      return
    }
    if (table === Table.History) {
      if (value === undefined) history.delete(key)
      else history.set(key, value)
      return
    }
    const before = this.tables[Table.Log].get(key)
    const old = hasCompanion(before) ? before.companion() : undefined
    if (old !== undefined) history.delete(old.key)
    const fresh = hasCompanion(value) ? value.companion() : undefined
    if (fresh !== undefined) history.set(fresh.key, fresh.value)
  }
}
