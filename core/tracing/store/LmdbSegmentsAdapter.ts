// The LMDB file of the traces' store: blocks of records, columns of the segments that are closed, and the names that lists show.
// Owns the tables, atomic durable writes and compression; refuses to know what a fact or a search is.
import { join } from "node:path"
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib"
import { type Database, open, type RootDatabase } from "lmdb"
import type { Columns } from "./Columns.ts"
import { FactExpired } from "./FactSource.ts"
import { groupsOf, GROUPS } from "./ObjectRows.ts"

type Binary = Database<Buffer, Uint8Array>

/** A closed segment: which rows, of which time, in which blocks. */
export interface SegmentMeta {
  readonly number: number
  readonly rows: number
  readonly minUs: number
  readonly maxUs: number
  readonly firstBlock: number
  readonly lastBlock: number
  /** Of its blocks and columns. */
  readonly bytes: number
}

/** What is written together, or not at all. */
export interface SegmentsBatch {
  readonly blocks: ReadonlyArray<{ readonly number: number; readonly records: Buffer }>
  readonly names: ReadonlyArray<string>
}

export interface SegmentsOptions {
  /** An existing folder that nobody else uses. */
  readonly directory: string
  readonly windowSeconds: number
  /** Bytes of address space. */
  readonly mapSizeBytes: number
  /** false leaves records as they are, so that the file's bytes can be looked at. */
  readonly compress: boolean
}

export type Written = (failure: string | undefined) => void

const FORMAT = 3
const TIMES = 255
/** Blocks that are kept unpacked for reading: at most 128 KiB and one record each. */
const UNPACKED_MAX = 64
const zstd = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

const blockKey = (number: number): Buffer => {
  const key = Buffer.allocUnsafe(4)
  key.writeUInt32BE(number)
  return key
}

const columnKey = (segment: number, column: number): Buffer => {
  const key = Buffer.allocUnsafe(5)
  key.writeUInt32BE(segment)
  key[4] = column
  return key
}

export class LmdbSegmentsAdapter {
  private readonly root: RootDatabase<Buffer, Uint8Array>
  private readonly tables: Readonly<Record<"blocks" | "columns" | "objects" | "segments" | "names" | "meta", Binary>>
  private readonly compress: boolean
  private readonly unpacked = new Map<number, Buffer>()

  constructor({ compress, directory, mapSizeBytes, windowSeconds }: SegmentsOptions) {
    this.compress = compress
    const binary = { keyEncoding: "binary", encoding: "binary" } as const
    this.root = open<Buffer, Uint8Array>({
      path: join(directory, "traces.mdb"),
      noSubdir: true,
      maxDbs: 8,
      mapSize: mapSizeBytes,
      overlappingSync: false,
      // LMDB's unfilled page ends would otherwise carry what the process's memory held before: the audit bodies, secrets and all.
      noMemInit: false,
      ...binary
    })
    const table = (name: string): Binary => this.root.openDB<Buffer, Uint8Array>({ name, ...binary })
    this.tables = {
      blocks: table("blocks"),
      columns: table("columns"),
      objects: table("objects"),
      segments: table("segments"),
      names: table("names"),
      meta: table("meta")
    }
    try {
      this.checkMeta({ format: FORMAT, windowSeconds })
    } catch (error) {
      void this.root.close()
      throw error
    }
  }

  /** A store's windows never change, because its traces' ids hold their length. */
  private checkMeta(wanted: { readonly format: number; readonly windowSeconds: number }): void {
    const key = Buffer.from("store")
    const found = this.tables.meta.getBinary(key)
    if (found === undefined) {
      this.tables.meta.putSync(key, Buffer.from(JSON.stringify(wanted)))
      return
    }
    // SAFETY: written above.
    const { format, windowSeconds } = JSON.parse(found.toString()) as typeof wanted
    if (format !== wanted.format) throw new Error(`holds format ${format}, not ${wanted.format}`)
    if (windowSeconds !== wanted.windowSeconds)
      throw new Error(`holds windows of ${windowSeconds} s, not ${wanted.windowSeconds} s`)
  }

  segments(): ReadonlyArray<SegmentMeta> {
    // SAFETY: written by `seal`.
    return Array.from(this.tables.segments.getRange({}), ({ value }) => JSON.parse(value.toString()) as SegmentMeta)
  }

  /** Blocks from this number on, in order, and how large each is on disk. */
  *blocksFrom(first: number): Generator<{ readonly number: number; readonly records: Buffer; readonly bytes: number }> {
    for (const { key, value } of this.tables.blocks.getRange({ start: blockKey(first) })) {
      const records = this.compress ? zstdDecompressSync(value) : Buffer.from(value)
      yield { number: Buffer.from(key).readUInt32BE(0), records, bytes: value.length }
    }
  }

  names(): ReadonlyArray<string> {
    return Array.from(this.tables.names.getRange({}), ({ value }) => value.toString())
  }

  /** Writes blocks durably; answers the bytes that they take. */
  write({ blocks, names }: SegmentsBatch, done: Written): number {
    let bytes = 0
    this.commit(done, () => {
      for (const { number, records } of blocks) {
        const value = this.compress ? zstdCompressSync(records, zstd) : records
        bytes += value.length
        void this.tables.blocks.put(blockKey(number), value)
      }
      for (const name of names) void this.tables.names.put(nameKey(name), Buffer.from(name))
    })
    return bytes
  }

  /** Closes a segment: its columns and its objects' rows beside its blocks. */
  seal(meta: SegmentMeta, all: Columns, done: Written): void {
    const { atUs: times, columns } = all
    this.commit(done, () => {
      for (const [number, group] of groupsOf(all).entries()) {
        if (group.length > 0) void this.tables.objects.put(columnKey(meta.number, number), group)
      }
      void this.tables.columns.put(columnKey(meta.number, TIMES), bytesOf(times))
      for (const [at, column] of columns.entries())
        void this.tables.columns.put(columnKey(meta.number, at), bytesOf(column))
      void this.tables.segments.put(blockKey(meta.number), Buffer.from(JSON.stringify(meta)))
    })
  }

  /** Removes a segment and all its facts. */
  drop(meta: SegmentMeta, columns: number, done: Written): void {
    this.commit(done, () => {
      void this.tables.segments.remove(blockKey(meta.number))
      for (const at of [TIMES, ...Array(columns).keys()]) void this.tables.columns.remove(columnKey(meta.number, at))
      for (let group = 0; group < GROUPS; group++) void this.tables.objects.remove(columnKey(meta.number, group))
      for (let block = meta.firstBlock; block <= meta.lastBlock; block++) {
        void this.tables.blocks.remove(blockKey(block))
        this.unpacked.delete(block)
      }
    })
  }

  /** The records of a block. */
  records(block: number): Buffer {
    const known = this.unpacked.get(block)
    if (known !== undefined) {
      // What is used stays longest.
      this.unpacked.delete(block)
      this.unpacked.set(block, known)
      return known
    }
    const value = this.tables.blocks.getBinary(blockKey(block))
    if (value === undefined) throw new FactExpired(`block ${block} was dropped`)
    const records = this.compress ? zstdDecompressSync(value) : value
    this.unpacked.set(block, records)
    for (const oldest of this.unpacked.keys()) {
      if (this.unpacked.size <= UNPACKED_MAX) break
      this.unpacked.delete(oldest)
    }
    return records
  }

  /** Copies a closed segment's column to the start of a longer array. */
  column(segment: number, column: number, into: Uint32Array): void {
    this.copy(columnKey(segment, column), into)
  }

  /** Rows of a closed segment by their objects' first byte, valid until the next read; undefined for none. */
  group(segment: number, group: number): Buffer | undefined {
    return this.tables.objects.getBinaryFast(columnKey(segment, group))
  }

  times(segment: number, into: Float64Array): void {
    this.copy(columnKey(segment, TIMES), into)
  }

  private copy(key: Buffer, into: Uint32Array | Float64Array): void {
    const value = this.tables.columns.getBinaryFast(key)
    if (value === undefined) throw new Error("a segment's column is not in the store")
    new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(value.subarray(0, into.byteLength))
  }

  async close(): Promise<void> {
    await this.root.close()
  }

  private commit(done: Written, write: () => void): void {
    this.root.batch(write).then(
      () => done(undefined),
      (error: unknown) => done(error instanceof Error ? error.message : String(error))
    )
  }
}

/** Keys are bounded in LMDB, names are not. */
const nameKey = (name: string): Buffer => Buffer.from(name).subarray(0, 500)

const bytesOf = (column: Uint32Array | Float64Array): Buffer =>
  Buffer.from(column.buffer, column.byteOffset, column.byteLength)
