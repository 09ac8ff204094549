// The memtable's hash table against a Map, with keys that collide, repeat and grow it.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { hashBytes, RowIndex } from "../../../core/storage/engine/RowIndex.ts"

const row = fc.record({
  key: fc
    .oneof(fc.string({ maxLength: 3 }), fc.string({ minLength: 30, maxLength: 40 }))
    .map((text) => Buffer.from(text)),
  value: fc.option(
    fc.string({ maxLength: 5 }).map((text) => Buffer.from(text)),
    { nil: undefined }
  ),
  delta: fc.integer({ min: -1, max: 1 })
})

const find = (index: RowIndex, key: Uint8Array): number => index.find(key, 0, key.length, hashBytes(key, 0, key.length))

describe("RowIndex", () => {
  it("finds what a Map finds, keeps the newest place and sums deltas", () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 60 }), (rows) => {
        const records: Array<Buffer> = []
        const index = new RowIndex(records)
        const model = new Map<string, { value: Buffer | undefined; delta: number }>()
        for (const { delta, key, value } of rows) {
          const record = records.push(Buffer.concat([Buffer.from("xx"), key, value ?? Buffer.alloc(0)])) - 1
          const keyEnd = 2 + key.length
          index.add(record, delta, 2, keyEnd, value === undefined ? -1 : keyEnd + value.length)
          const text = key.toString("latin1")
          model.set(text, { value, delta: delta + (model.get(text)?.delta ?? 0) })
        }
        assert.strictEqual(index.size, model.size)
        for (const [text, { delta, value }] of model) {
          const found = find(index, Buffer.from(text, "latin1"))
          assert.isAtLeast(found, 0, text)
          assert.strictEqual(index.keyText(found), text)
          assert.strictEqual(index.delta(found), delta)
          assert.deepStrictEqual(index.value(found) && Buffer.from(index.value(found) ?? ""), value)
        }
        assert.strictEqual(find(index, Buffer.from("a key that nobody makes")), -1)
      })
    )
  })

  it("grows past its first size", () => {
    const records: Array<Buffer> = []
    const index = new RowIndex(records)
    const keys = Array.from({ length: 20_000 }, (_, at) => Buffer.from(`/registry/pods/default/${at * 7919}`))
    for (const key of keys) index.add(records.push(key) - 1, 1, 0, key.length, key.length)
    for (const [at, key] of keys.entries()) assert.strictEqual(find(index, key), at)
    assert.strictEqual(find(index, Buffer.from("/registry/pods/default/1")), -1)
  })
})
