// What every engine must do, whatever it keeps its rows in: the same random batches show the same rows.
// Owns the model and the comparison; refuses to know how an engine is opened.
import { assert } from "@effect/vitest"
import * as fc from "fast-check"
import { type Engine, Table, tableNames, type View, WriteBatch } from "../../../core/storage/engine/Engine.ts"

/** A write of a batch: a key of the pool and what becomes of it; undefined removes. */
export interface Step {
  readonly table: Table
  readonly key: Buffer
  readonly value: Buffer | undefined
}

/** What an engine ought to show. */
export class Model {
  private readonly tables = tableNames.map(() => new Map<string, Buffer>())

  get(table: Table, key: Uint8Array): Buffer | undefined {
    return this.tables[table].get(Buffer.from(key).toString("latin1"))
  }

  /** Applies a step and says it as a row of the batch; a removal of nothing is no row. */
  apply({ key, table, value }: Step, batch: WriteBatch): void {
    const rows = this.tables[table]
    const text = key.toString("latin1")
    const there = rows.has(text)
    if (value === undefined) {
      if (there) batch.remove(table, key)
      rows.delete(text)
    } else {
      batch.put(table, key, value, !there)
      rows.set(text, value)
    }
  }

  range(table: Table, start: Buffer, end: Buffer | undefined): ReadonlyArray<readonly [Buffer, Buffer]> {
    return [...this.tables[table]]
      .map(([text, value]) => [Buffer.from(text, "latin1"), value] as const)
      .filter(([key]) => key.compare(start) >= 0 && (end === undefined || key.compare(end) < 0))
      .sort(([a], [b]) => a.compare(b))
  }
}

export const commit = (engine: Engine, batch: WriteBatch): Promise<string> =>
  new Promise((resolve) => {
    if (batch.keys.length === 0) resolve("committed")
    else engine.commit(batch, (outcome) => resolve(outcome.kind === "failed" ? outcome.detail : outcome.kind))
  })

export const look = <A>(engine: Engine, use: (view: View) => A): A => {
  let result: A | undefined
  engine.read(
    () => [],
    (view) => {
      result = use(view)
    }
  )
  return result as A
}

const PREFIX = "long-".repeat(380)
/** Keys around every boundary: short ones, the longest that LMDB indexes, longer ones that share 1,900 bytes. */
export const KEY_POOL: ReadonlyArray<Buffer> = [
  ["\0", "\0\0", "\0\xff", "a", "a\0", "a\0\0", "a\0\xff", "a!", "ab", "b", "\xfe", "\xff", "\xff\xff", "m1", "m2"],
  ["", "\0", "\x01", "a", "a\0", "b", "\xff", "z".repeat(78), "z".repeat(79), "y".repeat(2100)].map(
    (rest) => PREFIX.slice(0, 1899) + rest
  ),
  ["", "\0", "a", "b".repeat(900), "\xff"].map((rest) => `${PREFIX}${rest}`),
  [1899, 1900, 1901, 1978, 4000].map((size) => "m".repeat(size))
].flatMap((texts) => texts.map((text) => Buffer.from(text, "latin1")))

const key = fc.constantFrom(...KEY_POOL)
const value = fc.oneof(
  { arbitrary: fc.constantFrom("", "x", "\0", "yy").map((text) => Buffer.from(text)), weight: 10 },
  { arbitrary: fc.integer({ min: 1, max: 9000 }).map((size) => Buffer.alloc(size, size & 0xff)), weight: 5 },
  { arbitrary: fc.constant(Buffer.alloc(2 * 2 ** 20, 7)), weight: 1 }
)
const step: fc.Arbitrary<Step> = fc.record({
  table: fc.constantFrom(Table.Key, Table.Key, Table.History, Table.Lease),
  key,
  value: fc.option(value, { nil: undefined, freq: 3 })
})
/** Batches, after each of which the engine may be given time to move rows from memory to disk. */
export const batches = fc.array(fc.record({ steps: fc.array(step, { maxLength: 12 }), rest: fc.boolean() }), {
  minLength: 1,
  maxLength: 8
})

const ranges: ReadonlyArray<readonly [Buffer, Buffer | undefined]> = [
  [Buffer.alloc(0), undefined],
  ...KEY_POOL.flatMap((start, index) => [
    [start, undefined] as const,
    [start, KEY_POOL[(index * 7 + 3) % KEY_POOL.length]] as const,
    [start, Buffer.concat([start, Buffer.alloc(1)])] as const
  ])
]

/** Compares everything that a view can be asked with the model. */
export const agree = (view: View, model: Model): void => {
  for (const table of [Table.Key, Table.History, Table.Lease, Table.Auth] as const) {
    for (const one of KEY_POOL) {
      const found = view.get(table, one)
      assert.strictEqual(found && Buffer.from(found).toString("latin1"), model.get(table, one)?.toString("latin1"))
    }
    for (const [start, end] of ranges) {
      const wanted = model.range(table, start, end)
      const seen: Array<string> = []
      view.scan(table, start, end, (row, content) => {
        seen.push(`${Buffer.from(row).toString("latin1")}=${content.length}:${content[0]}`)
        return true
      })
      const where = `${tableNames[table]} from ${start.length} bytes ${start.subarray(0, 4).toString("latin1")}`
      assert.deepStrictEqual(
        seen,
        wanted.map(([row, content]) => `${row.toString("latin1")}=${content.length}:${content[0]}`),
        where
      )
      if (table === Table.Key) assert.strictEqual(view.count(table, start, end), wanted.length, where)
      let first = 0
      view.scan(table, start, end, () => ++first < 2)
      assert.strictEqual(first, Math.min(2, wanted.length), `${where}: a visitor that stops`)
    }
  }
}
