import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { BoltCorrupt, fnv64a } from "../../../core/storage/snapshot/BoltFormat.ts"
import { BoltReader, type BoltBucket } from "../../../core/storage/snapshot/BoltReader.ts"
import { BoltOrderError, BoltWriter } from "../../../core/storage/snapshot/BoltWriter.ts"
import { program, run, temporaryFolder } from "./Programs.ts"

type Rows = ReadonlyArray<readonly [Buffer, Buffer]>

const write = (buckets: ReadonlyMap<string, Rows>): Buffer => {
  const writer = new BoltWriter()
  const root = writer.bucket()
  const names = [...buckets.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  for (const name of names) {
    const bucket = writer.bucket()
    for (const [key, value] of buckets.get(name) ?? []) bucket.put(key, value)
    root.putBucket(Buffer.from(name), bucket)
  }
  const head = writer.finish(root)
  const file = Buffer.concat(writer.take())
  head.copy(file)
  return file
}

const open = (file: Buffer): BoltReader =>
  new BoltReader({ sizeBytes: file.length, read: (offset, length) => file.subarray(offset, offset + length) })

const rowsOf = (bucket: BoltBucket, from?: Uint8Array): Rows => {
  const rows: Array<readonly [Buffer, Buffer]> = []
  bucket.scan((key, value) => {
    rows.push([key, value])
    return true
  }, from)
  return rows
}

const sameRows = (a: Rows, b: Rows): void =>
  assert.deepStrictEqual(
    a.map(([key, value]) => [key.toString("hex"), value.toString("hex")]),
    b.map(([key, value]) => [key.toString("hex"), value.toString("hex")])
  )

const sorted = (rows: ReadonlyArray<readonly [Uint8Array, Uint8Array]>): Rows => {
  const unique = new Map(rows.map(([key, value]) => [Buffer.from(key).toString("latin1"), Buffer.from(value)]))
  return [...unique]
    .map(([key, value]) => [Buffer.from(key, "latin1"), value] as const)
    .sort((a, b) => Buffer.compare(a[0], b[0]))
}

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength })
const entry = fc.tuple(
  fc.oneof({ weight: 20, arbitrary: bytes(1, 40) }, { weight: 1, arbitrary: bytes(1000, 5000) }),
  fc.oneof({ weight: 20, arbitrary: bytes(0, 200) }, { weight: 1, arbitrary: bytes(3000, 20_000) })
)

describe("bbolt files", () => {
  it("hash as FNV-1a does", () => {
    assert.strictEqual(fnv64a(new Uint8Array(0)), 0xcbf29ce484222325n)
    assert.strictEqual(fnv64a(Buffer.from("foobar")), 0x85944171f73967e8n)
  })

  it("hold what was written, whatever the sizes of keys and values", () => {
    fc.assert(
      fc.property(fc.array(fc.array(entry, { maxLength: 300 }), { maxLength: 4 }), (buckets) => {
        const written = new Map(buckets.map((rows, index) => [`bucket${index}`, sorted(rows)]))
        const reader = open(write(written))
        assert.deepStrictEqual(
          rowsOf(reader.root).map(([name]) => name.toString()),
          [...written.keys()]
        )
        for (const [name, rows] of written) {
          const bucket = reader.root.bucket(Buffer.from(name))!
          sameRows(rowsOf(bucket), rows)
          for (const at of [0, rows.length >> 1, rows.length - 1]) {
            if (at < 0 || at >= rows.length) continue
            assert.deepStrictEqual(bucket.get(rows[at][0]), rows[at][1])
            sameRows(rowsOf(bucket, rows[at][0]), rows.slice(at))
            sameRows(rowsOf(bucket, Buffer.concat([rows[at][0], Buffer.alloc(1)])), rows.slice(at + 1))
          }
        }
      }),
      { numRuns: 60 }
    )
  })

  it.live(
    "of every size pass the checks of etcdutl, whatever the number of pages",
    () =>
      Effect.gen(function* () {
        const etcdutl = yield* program("etcdutl")
        const folder = yield* temporaryFolder
        // Around the sizes at which a branch page is full and a level is added: 123 children a page.
        for (const leaves of [0, 1, 2, 122, 123, 124, 125, 246, 247, 248, 123 * 123, 123 * 123 + 1, 123 * 123 + 125]) {
          const rows = Array.from({ length: leaves }, (_, index) => {
            const key = Buffer.alloc(17, "_")
            key.writeBigUInt64BE(BigInt(index + 2), 0)
            key.writeBigUInt64BE(0n, 9)
            const value = Buffer.alloc(index % 7 === 0 && leaves < 300 ? 5000 : 4000)
            value.set([0x0a, 4])
            value.writeUInt32BE(index, 2)
            return [key, Buffer.concat([value.subarray(0, 6), filler(value.length - 6)])] as const
          })
          const path = join(folder, `${leaves}.db`)
          writeFileSync(
            path,
            write(
              new Map([
                ["key", rows],
                ["meta", [[Buffer.from("storageVersion"), Buffer.from("3.7.0")]]]
              ])
            )
          )
          const status = JSON.parse(yield* run(etcdutl, "snapshot", "status", path, "-w", "json")) as object
          assert.deepInclude(status, { totalKey: leaves, revision: leaves === 0 ? 0 : leaves + 1, version: "3.7.0" })
        }
      }),
    120_000
  )

  it("refuse keys out of order, twice or empty", () => {
    const bucket = new BoltWriter().bucket()
    bucket.put(Buffer.from("b"), Buffer.alloc(0))
    assert.throws(() => bucket.put(Buffer.from("a"), Buffer.alloc(0)), BoltOrderError)
    assert.throws(() => bucket.put(Buffer.from("b"), Buffer.alloc(0)), BoltOrderError)
    assert.throws(() => bucket.put(Buffer.alloc(0), Buffer.alloc(0)), BoltOrderError)
  })

  it("that are damaged give an error that names the page, or what was written, and never anything else", () => {
    const rows = sorted(
      Array.from({ length: 2000 }, (_, index) => [Buffer.from(`key${index}`), Buffer.alloc(index % 90)])
    )
    const intact = write(new Map([["key", rows]]))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(intact.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const file = Buffer.from(intact)
          for (const [at, value] of changes) file[at] = value
          try {
            const bucket = open(file).root.bucket(Buffer.from("key"))
            if (bucket !== undefined) rowsOf(bucket)
          } catch (error) {
            assert.instanceOf(error, BoltCorrupt)
            assert.match(error.message, /^not an intact bbolt database: page \d+ /)
          }
        }
      ),
      { numRuns: 2000 }
    )
  })

  it("cut off at any place give an error", () => {
    const rows = sorted(Array.from({ length: 500 }, (_, index) => [Buffer.from(`key${index}`), Buffer.alloc(50)]))
    const intact = write(new Map([["key", rows]]))
    for (let length = 0; length < intact.length; length += 997) {
      assert.throws(() => open(intact.subarray(0, length)), BoltCorrupt)
    }
  })

  it("survive the loss of either meta page", () => {
    const rows = sorted([[Buffer.from("a"), Buffer.from("b")]])
    for (const page of [0, 1]) {
      const file = write(new Map([["key", rows]]))
      file.fill(0, page * 4096, (page + 1) * 4096)
      sameRows(rowsOf(open(file).root.bucket(Buffer.from("key"))!), rows)
    }
  })
})

/** Unknown protobuf bytes field of a given whole size, so that etcdutl reads the row as a KeyValue. */
const filler = (size: number): Buffer => {
  const field = Buffer.alloc(size)
  field[0] = 0x2a
  field[1] = ((size - 3) & 0x7f) | 0x80
  field[2] = (size - 3) >> 7
  return field
}
