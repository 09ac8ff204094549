import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import * as fc from "fast-check"
import { Table, WriteBatch } from "../../../core/storage/engine/Engine.ts"
import { DamagedLog, Wal } from "../../../core/storage/engine/WalAdapter.ts"
import { readRecordAt, recordSize, visitRows, writeRecord } from "../../../core/storage/engine/WalRecord.ts"

const bytes = fc.uint8Array({ maxLength: 60 }).map((content) => Buffer.from(content))
const batch = fc
  .array(
    fc.record({
      table: fc.constantFrom(Table.Key, Table.Log, Table.Auth),
      key: bytes,
      value: fc.option(bytes),
      made: fc.boolean()
    }),
    {
      maxLength: 8
    }
  )
  .map((rows) => {
    const made = new WriteBatch()
    for (const { key, made: created, table, value } of rows) {
      if (value === null) made.remove(table, key)
      else made.put(table, key, value, created)
    }
    return made
  })

/** The batch that a record holds. */
const rowsOf = (record: Buffer): WriteBatch => {
  const made = new WriteBatch()
  visitRows(record, (table, delta, keyAt, keyEnd, valueEnd) => {
    const key = record.subarray(keyAt, keyEnd)
    if (valueEnd < 0) made.remove(table, key)
    else made.put(table, key, record.subarray(keyEnd, valueEnd), delta > 0)
  })
  return made
}

const plain = ({ deltas, keys, tables, values }: WriteBatch): unknown => ({
  deltas,
  tables,
  keys: keys.map((key) => Buffer.from(key).toString("hex")),
  values: values.map((value) => value && Buffer.from(value).toString("hex"))
})

describe("a record of the log", () => {
  it("comes back as it was written, and never in part", () => {
    fc.assert(
      fc.property(batch, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), fc.nat(), (rows, sequence, cut) => {
        const target = Buffer.alloc(recordSize(rows) + 10, 0xaa)
        const end = writeRecord(target, sequence, rows)
        assert.strictEqual(end, recordSize(rows))
        const found = readRecordAt(target, 0, sequence)
        assert.deepStrictEqual(plain(found === undefined ? new WriteBatch() : rowsOf(found.bytes)), plain(rows))
        assert.strictEqual(found?.next, end)
        assert.isUndefined(readRecordAt(target, 0, sequence - 1))
        assert.isUndefined(readRecordAt(target.subarray(0, cut % end), 0, sequence))
        const hurt = Buffer.from(target)
        hurt[cut % end] ^= 0x10
        assert.isUndefined(readRecordAt(hurt, 0, sequence))
      }),
      { numRuns: 300 }
    )
  })
})

const append = (wal: Wal, rows: WriteBatch): Promise<void> =>
  new Promise((resolve, reject) => {
    wal.append(rows, (error) => (error === undefined ? resolve() : reject(error)))
  })
const row = (n: number): WriteBatch => {
  const made = new WriteBatch()
  made.put(Table.Key, Buffer.from(`k${n}`), Buffer.alloc(50, n))
  return made
}
const inFolder = async (run: (directory: string) => Promise<void>): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), "wal-"))
  try {
    await run(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
const replayed = (directory: string, applied: number): ReadonlyArray<string> => {
  const keys: Array<string> = []
  const wal = new Wal({ directory, sync: false }, applied)
  wal.replay((record) => keys.push(...rowsOf(record).keys.map(String)))
  wal.close()
  return keys
}
const names = (from: number, to: number): ReadonlyArray<string> =>
  Array.from({ length: to - from + 1 }, (_, n) => `k${from + n}`)

describe("the log", () => {
  it("hands out what the tree lacks, over several generations and reused files", () =>
    inFolder(async (directory) => {
      let wal = new Wal({ directory, sync: false }, 0)
      wal.replay(() => undefined)
      wal.rotate()
      for (let n = 1; n <= 30; n++) {
        await append(wal, row(n))
        if (n % 10 === 0) {
          const complete = wal.rotate()
          // The first generation is in the tree and its file is used again.
          if (n === 10) wal.release(complete)
        }
      }
      assert.deepStrictEqual(replayed(directory, 10), names(11, 30))
      assert.deepStrictEqual(replayed(directory, 17), names(18, 30))
      assert.deepStrictEqual(replayed(directory, 30), [])
      assert.throws(() => replayed(directory, 5), DamagedLog)
      wal = new Wal({ directory, sync: false }, 30)
      wal.replay(() => undefined)
      assert.strictEqual(wal.sequence, 30)
      wal.close()
    }))

  it("ends at a torn record, and refuses a hole", () =>
    inFolder(async (directory) => {
      const wal = new Wal({ directory, sync: false }, 0)
      wal.replay(() => undefined)
      wal.rotate()
      for (let n = 1; n <= 5; n++) await append(wal, row(n))
      const path = join(directory, readdirSync(directory)[0])
      const whole = readFileSync(path)
      const size = recordSize(row(1))
      for (const cut of [4 * size, 4 * size + 1, 4 * size + 30, 5 * size - 1]) {
        truncateSync(path, 0)
        writeFileSync(path, whole.subarray(0, cut))
        assert.deepStrictEqual(replayed(directory, 0), names(1, 4), `cut at ${cut}`)
      }
      for (const at of [2 * size + 3, 2 * size + 20, 2 * size + 60]) {
        const hurt = Buffer.from(whole)
        hurt[at] ^= 1
        writeFileSync(path, hurt)
        assert.throws(() => replayed(directory, 0), /commit 3 is damaged/)
        assert.deepStrictEqual(replayed(directory, 5), [])
      }
      wal.close()
    }))
})
