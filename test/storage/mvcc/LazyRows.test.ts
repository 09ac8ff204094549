import { assert, describe, it } from "vitest"
import * as fc from "fast-check"
import { type Engine, keyText, Table } from "../../../core/storage/engine/Engine.ts"
import { makeMemoryEngine } from "../../../core/storage/engine/MemoryEngine.ts"
import { Compactor } from "../../../core/storage/mvcc/Compactor.ts"
import { Store } from "../../../core/storage/mvcc/Store.ts"

type Step =
  | { readonly put: ReadonlyArray<string>; readonly value: string }
  | { readonly remove: string }
  | { readonly compact: number }
  | { readonly read: true }
const key = fc.constantFrom("a", "a\0", "b", "b\0\0", "c")
// As in etcd, a transaction puts a key once.
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ put: fc.uniqueArray(key, { minLength: 1, maxLength: 3 }), value: fc.string() }), weight: 6 },
  { arbitrary: fc.record({ remove: key }), weight: 2 },
  { arbitrary: fc.record({ compact: fc.nat(8) }), weight: 1 },
  { arbitrary: fc.constant({ read: true as const }), weight: 1 }
)

/** A store on an engine that runs what is deferred when it is told to. */
const makeStore = (isLazy: boolean) => {
  const deferred: Array<() => void> = []
  const defer = (run: () => void): void => void deferred.push(run)
  const memory = makeMemoryEngine({ defer, clock: () => 0 })
  const engine: Engine = isLazy ? memory : { ...memory, rows: undefined }
  const store = new Store(engine, { defer, minLeaseTtlSeconds: 1 })
  const compactor = new Compactor(store, { now: () => 0, after: (_delay, run) => defer(run) })
  const settle = (): void => {
    while (deferred.length > 0) deferred.shift()?.()
  }
  return { engine, store, compactor, settle }
}

const rowsOf = (engine: Engine): ReadonlyArray<string> => {
  const rows: Array<string> = []
  engine.read(
    () => [],
    (view) => {
      for (const table of [Table.Key, Table.History, Table.Log])
        view.scan(table, Buffer.alloc(0), undefined, (row, value) => {
          rows.push(`${table} ${keyText(Buffer.from(row))} = ${Buffer.from(value).toString("hex")}`)
          return true
        })
    }
  )
  return rows
}

describe("rows that are not bytes yet", () => {
  it("read as the bytes that a store writes elsewhere, through puts, deletions and compactions", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const sides = [makeStore(true), makeStore(false)]
        for (const one of steps) {
          for (const { compactor, settle, store } of sides) {
            if ("put" in one)
              store.write(
                () => [],
                (txn) => one.put.forEach((text) => txn.put(Buffer.from(text, "latin1"), Buffer.from(one.value), 0)),
                () => undefined
              )
            else if ("remove" in one)
              store.write(
                () => [],
                (txn) => txn.deleteRange({ start: Buffer.from(one.remove, "latin1"), end: undefined, single: true }),
                () => undefined
              )
            else if ("compact" in one) compactor.compact(store.revision - one.compact, true, () => undefined)
            settle()
          }
          if ("read" in one) assert.deepStrictEqual(rowsOf(sides[0].engine), rowsOf(sides[1].engine))
        }
        assert.deepStrictEqual(rowsOf(sides[0].engine), rowsOf(sides[1].engine))
      }),
      { numRuns: 300 }
    )
  })
})
