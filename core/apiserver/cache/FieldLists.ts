// Objects by the value of a field that lists ask for by equality, like a pod's spec.nodeName.
// Owns these tables, a few per resource, made when a list first asks; refuses to evaluate selectors.
import type { KubeObject } from "#kube"
import type { Held } from "./Held.ts"

/** Tables of one resource; a further field is answered by looking at every object. */
const FIELDS_MAX = 4

interface FieldTable {
  readonly of: (object: KubeObject) => string
  readonly byValue: Map<string, Map<string, Held>>
}

export class FieldLists {
  private readonly tables = new Map<string, FieldTable>()

  /** The objects with a value, in no order; undefined when no table can be had. */
  find(
    field: string,
    of: (object: KubeObject) => string,
    value: string,
    all: (visit: (key: string, held: Held) => void) => void
  ): ReadonlyMap<string, Held> | undefined {
    let table = this.tables.get(field)
    if (table === undefined) {
      if (this.tables.size >= FIELDS_MAX) return undefined
      const made: FieldTable = { of, byValue: new Map() }
      all((key, held) => put(made, key, held))
      this.tables.set(field, (table = made))
    }
    return table.byValue.get(value) ?? NONE
  }

  changed(key: string, before: Held | undefined, after: Held | undefined): void {
    if (this.tables.size === 0) return
    for (const table of this.tables.values()) {
      if (before !== undefined) {
        const value = table.of(before.object)
        const found = table.byValue.get(value)
        if (after === undefined || table.of(after.object) !== value) found?.delete(key)
        if (found?.size === 0) table.byValue.delete(value)
      }
      if (after !== undefined) put(table, key, after)
    }
  }

  clear(): void {
    this.tables.clear()
  }
}

const NONE: ReadonlyMap<string, Held> = new Map()

const put = ({ byValue, of }: FieldTable, key: string, held: Held): void => {
  const value = of(held.object)
  const found = byValue.get(value)
  if (found === undefined) byValue.set(value, new Map([[key, held]]))
  else found.set(key, held)
}
