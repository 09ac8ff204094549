// A version of a key as bytes: the fields of mvccpb.KeyValue after the key, in protobuf's own encoding.
// Owns writing and reading them; refuses to hold keys. A range answer is then tag, key and these bytes copied as they are,
// which is why a read neither decodes nor encodes a value.
import { int64Size, ProtoReader, varintSize, writeInt64, writeVarint, type Int64 } from "#net"

/** What a record says of its key; `valueStart` and `valueEnd` are offsets into the record. */
export interface RecordFields {
  createRevision: number
  modRevision: number
  version: number
  lease: Int64
  /** Where create_revision, mod_revision and version end: all that a keys-only answer carries. */
  headEnd: number
  valueStart: number
  valueEnd: number
}

const CREATE = 0x10
const MOD = 0x18
const VERSION = 0x20
const VALUE = 0x2a
const LEASE = 0x30

/** Encodes a record into a buffer of its own. */
export const encodeRecord = (
  createRevision: number,
  modRevision: number,
  version: number,
  value: Uint8Array,
  lease: Int64
): Buffer => {
  const size =
    3 +
    varintSize(createRevision) +
    varintSize(modRevision) +
    varintSize(version) +
    (value.length > 0 ? 1 + varintSize(value.length) + value.length : 0) +
    (lease === 0 ? 0 : 1 + int64Size(lease))
  const record = Buffer.allocUnsafe(size)
  record[0] = CREATE
  let at = writeVarint(record, 1, createRevision)
  record[at] = MOD
  at = writeVarint(record, at + 1, modRevision)
  record[at] = VERSION
  at = writeVarint(record, at + 1, version)
  if (value.length > 0) {
    record[at] = VALUE
    at = writeVarint(record, at + 1, value.length)
    record.set(value, at)
    at += value.length
  }
  if (lease !== 0) {
    record[at] = LEASE
    writeInt64(record, at + 1, lease)
  }
  return record
}

const reader = new ProtoReader(new Uint8Array(0))
const scratch: RecordFields = {
  createRevision: 0,
  modRevision: 0,
  version: 0,
  lease: 0,
  headEnd: 0,
  valueStart: 0,
  valueEnd: 0
}

/** Reads a record's fields into `fields` (by default one shared object, overwritten by the next call). */
export const readRecord = (record: Uint8Array, fields: RecordFields = scratch): RecordFields => {
  reader.buffer = record
  reader.position = 1
  reader.end = record.length
  fields.createRevision = Number(reader.int64())
  reader.position++
  fields.modRevision = Number(reader.int64())
  reader.position++
  fields.version = Number(reader.int64())
  fields.headEnd = fields.valueStart = fields.valueEnd = reader.position
  fields.lease = 0
  if (record[reader.position] === VALUE) {
    reader.position++
    fields.valueStart = reader.span()
    fields.valueEnd = reader.position
  }
  if (record[reader.position] === LEASE) {
    reader.position++
    fields.lease = reader.int64()
  }
  return fields
}

/** The modRevision alone: what a scan at an older revision asks of every record. */
export const modRevisionOf = (record: Uint8Array): number => {
  reader.buffer = record
  reader.position = 1
  reader.end = record.length
  reader.int64()
  reader.position++
  return Number(reader.int64())
}

/** A record's fields in an object of their own. */
export const recordFields = (record: Uint8Array): RecordFields => readRecord(record, { ...scratch })

/** The value of a record, as a view. */
export const valueOf = (record: Uint8Array): Uint8Array => {
  const { valueEnd, valueStart } = readRecord(record)
  return record.subarray(valueStart, valueEnd)
}
