// One commit as bytes in the write-ahead log: a header that proves the rest, then the rows.
// Owns the encoding and the search for the end of a log; refuses files. A record counts only when its magic, its sequence
// number (one more than the last) and its checksum agree, so that a torn write or an older file's rest is never taken for one.
import { crc32 } from "node:zlib"
import { readRevision, writeRevision } from "../mvcc/Layout.ts"
import type { Table, WriteBatch } from "./Engine.ts"

const MAGIC = Buffer.from("wharf-w1")
/** magic, sequence, payload length, checksum of all that follows it and of the sequence. */
const HEADER_BYTES = 24
const ROW_HEADER_BYTES = 9
const REMOVED = 0x80
const CREATED = 0x40

/** Bytes that a batch takes as a record. */
export const recordSize = (batch: WriteBatch): number =>
  HEADER_BYTES + batch.sizeBytes + batch.keys.length * ROW_HEADER_BYTES

/** Writes a record at the start of a buffer that is large enough. */
export const writeRecord = (target: Buffer, sequence: number, batch: WriteBatch): number => {
  let at = HEADER_BYTES
  for (let row = 0; row < batch.keys.length; row++) {
    const key = batch.keys[row]
    const value = batch.values[row]
    target[at] = batch.tables[row] | (value === undefined ? REMOVED : 0) | (batch.deltas[row] > 0 ? CREATED : 0)
    target.writeUInt32LE(key.length, at + 1)
    target.writeUInt32LE(value?.length ?? 0, at + 5)
    target.set(key, at + ROW_HEADER_BYTES)
    at += ROW_HEADER_BYTES + key.length
    if (value !== undefined) {
      target.set(value, at)
      at += value.length
    }
  }
  target.set(MAGIC, 0)
  writeRevision(target, 8, sequence)
  target.writeUInt32LE(at - HEADER_BYTES, 16)
  target.writeUInt32LE(checksum(target, at), 20)
  return at
}

const checksum = (record: Buffer, end: number): number =>
  crc32(record.subarray(HEADER_BYTES, end), crc32(record.subarray(8, 20)))

/** A record read back; its bytes are a view into the file's. */
export interface WalRecord {
  readonly sequence: number
  readonly bytes: Buffer
  readonly next: number
}

/** The record at a position with exactly this sequence; undefined where the log ends. */
export const readRecordAt = (file: Buffer, at: number, sequence: number): WalRecord | undefined => {
  if (at + HEADER_BYTES > file.length || !file.subarray(at, at + 8).equals(MAGIC)) return undefined
  const end = at + HEADER_BYTES + file.readUInt32LE(at + 16)
  if (readRevision(file, at + 8) !== sequence || end > file.length) return undefined
  const bytes = file.subarray(at, end)
  if (checksum(bytes, bytes.length) !== bytes.readUInt32LE(20)) return undefined
  return { sequence, bytes, next: end }
}

/** Called with a row's places in a record; a `valueEnd` of −1 says that the row is removed. */
export type VisitPlaces = (table: Table, delta: number, keyAt: number, keyEnd: number, valueEnd: number) => void

/** Visits the rows of a record in the order in which they were written. */
export const visitRows = (record: Buffer, visit: VisitPlaces): void => {
  for (let at = HEADER_BYTES; at < record.length;) {
    const flags = record[at]
    const keyAt = at + ROW_HEADER_BYTES
    const keyEnd = keyAt + record.readUInt32LE(at + 1)
    const valueEnd = keyEnd + record.readUInt32LE(at + 5)
    const removed = (flags & REMOVED) !== 0
    const delta = removed ? -1 : (flags & CREATED) === 0 ? 0 : 1
    visit((flags & 0x3f) as Table, delta, keyAt, keyEnd, removed ? -1 : valueEnd)
    at = valueEnd
  }
}

/** The sequence that a file's first record claims; 0 when there is none. */
export const recordSequence = (file: Buffer): number =>
  file.length >= HEADER_BYTES && file.subarray(0, 8).equals(MAGIC) ? readRevision(file, 8) : 0

/** Whether a record of this sequence or a later one stands anywhere behind a position: then what is missing was damaged. */
export const hasLaterRecord = (file: Buffer, from: number, sequence: number): boolean => {
  for (let at = file.indexOf(MAGIC, from); at >= 0; at = file.indexOf(MAGIC, at + 1)) {
    if (at + HEADER_BYTES > file.length) return false
    const found = readRevision(file, at + 8)
    if (found >= sequence && readRecordAt(file, at, found) !== undefined) return true
  }
  return false
}
