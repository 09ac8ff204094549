// A range request answered: which records, in which order, up to which limit, written as a RangeResponse.
// Owns limits, filters, sorting, counts and the shape of the answer; refuses to check revisions or permissions.
// The plain shape (key order, no filters) copies records straight from the engine's memory into the answer.
import { ProtoWriter, varintSize, type Int64 } from "#net"
import { compareBytes } from "../engine/Engine.ts"
import { SortOrder, SortTarget, type RangeRequest } from "../rpc/KvMessages.ts"
import { readRecord, recordFields, type RecordFields } from "./Record.ts"
import { keyRange, type Snapshot } from "./Snapshot.ts"
import { keyValueSize, writeKeyValue } from "./StoredEvent.ts"

const KVS = 0x12
const MORE = 0x18
const COUNT = 0x20

/** What a range came to, beside the records written. */
export interface RangeOutcome {
  readonly emitted: number
  readonly more: boolean
  readonly lastKey: Buffer | undefined
}

/** What etcd calls the default order: none asked for, or by key, ascending. A limit then bounds what is read. */
export const isDefaultOrder = (request: RangeRequest): boolean =>
  request.sortOrder === SortOrder.None ||
  (request.sortTarget === SortTarget.Key && request.sortOrder === SortOrder.Ascend)

/** The order in which records come anyway. A target alone, without an order, sorts ascending by that target. */
export const isKeyOrder = (request: RangeRequest): boolean =>
  request.sortTarget === SortTarget.Key && request.sortOrder !== SortOrder.Descend

export const hasRevisionFilters = (request: RangeRequest): boolean =>
  request.minModRevision !== 0 ||
  request.maxModRevision !== 0 ||
  request.minCreateRevision !== 0 ||
  request.maxCreateRevision !== 0

/** Writes kvs, more and count of a RangeResponse; the header is the caller's. */
export const writeRange = (writer: ProtoWriter, snapshot: Snapshot, request: RangeRequest): void => {
  const range = keyRange(request.key, request.rangeEnd)
  if (request.countOnly) return writeCount(writer, snapshot.count(range))
  if (!isKeyOrder(request) || hasRevisionFilters(request)) return writeSorted(writer, snapshot, request)
  const { emitted, more } = writeRecords(writer, snapshot, request, limitOf(request.limit))
  if (more) {
    writer.varint(MORE)
    writer.varint(1)
  }
  writeCount(writer, more ? snapshot.count(range) : emitted)
}

/** Writes up to `limit` records in key order (0: all). */
export const writeRecords = (
  writer: ProtoWriter,
  snapshot: Snapshot,
  request: RangeRequest,
  limit: number
): RangeOutcome => {
  let emitted = 0
  let more = false
  let lastKey: Buffer | undefined
  const { keysOnly, sortTarget } = request
  snapshot.scan(keyRange(request.key, request.rangeEnd), (key, record) => {
    if (limit > 0 && emitted === limit) return !(more = true)
    emitted++
    if (emitted === limit) lastKey = Buffer.from(key)
    writeOne(writer, key, keysOnly ? withoutValue(record, sortTarget) : record)
    return true
  })
  return { emitted, more, lastKey }
}

const writeOne = (writer: ProtoWriter, key: Uint8Array, record: Uint8Array): void => {
  const size = keyValueSize(key, record)
  writer.ensure(size + 1 + varintSize(size))
  writer.position = writeKeyValue(writer.buffer, writer.position, KVS, key, record, size)
}

/** etcd answers keys-only from its index, which holds no lease, unless the order asks for the values themselves. */
const withoutValue = (record: Uint8Array, sortTarget: number): Uint8Array => {
  const { headEnd, valueEnd } = readRecord(record)
  const head = record.subarray(0, headEnd)
  return sortTarget === SortTarget.Value ? Buffer.concat([head, record.subarray(valueEnd)]) : head
}

const limitOf = (limit: Int64): number => (typeof limit === "number" && limit > 0 ? limit : 0)

const writeCount = (writer: ProtoWriter, count: number): void => {
  if (count === 0) return
  writer.varint(COUNT)
  writer.varint(count)
}

interface Candidate {
  readonly key: Buffer
  readonly record: Buffer
  readonly fields: RecordFields
}

const writeSorted = (writer: ProtoWriter, snapshot: Snapshot, request: RangeRequest): void => {
  const found: Array<Candidate> = []
  const limit = limitOf(request.limit)
  // A target without an order sorts only what a read by key under the limit finds, as in etcd.
  const readMax = limit > 0 && isDefaultOrder(request) && !hasRevisionFilters(request) ? limit + 1 : 0
  let total = 0
  snapshot.scan(keyRange(request.key, request.rangeEnd), (key, record) => {
    total++
    if (readMax > 0 && total > readMax) return true
    const fields = recordFields(record)
    if (passes(fields, request)) found.push({ key: Buffer.from(key), record: Buffer.from(record), fields })
    return true
  })
  sort(found, request)
  const more = limit > 0 && found.length > limit
  const { keysOnly, sortTarget } = request
  for (const { key, record } of more ? found.slice(0, limit) : found) {
    writeOne(writer, key, keysOnly ? withoutValue(record, sortTarget) : record)
  }
  if (more) {
    writer.varint(MORE)
    writer.varint(1)
  }
  writeCount(writer, total)
}

const passes = ({ createRevision, modRevision }: RecordFields, request: RangeRequest): boolean =>
  (request.maxModRevision === 0 || modRevision <= request.maxModRevision) &&
  (request.minModRevision === 0 || modRevision >= request.minModRevision) &&
  (request.maxCreateRevision === 0 || createRevision <= request.maxCreateRevision) &&
  (request.minCreateRevision === 0 || createRevision >= request.minCreateRevision)

const order: Record<number, (a: Candidate, b: Candidate) => number> = {
  [SortTarget.Key]: (a, b) => compareBytes(a.key, b.key),
  [SortTarget.Version]: (a, b) => a.fields.version - b.fields.version,
  [SortTarget.Create]: (a, b) => a.fields.createRevision - b.fields.createRevision,
  [SortTarget.Mod]: (a, b) => a.fields.modRevision - b.fields.modRevision,
  [SortTarget.Value]: (a, b) => compareBytes(value(a), value(b))
}
const value = ({ fields, record }: Candidate): Buffer => record.subarray(fields.valueStart, fields.valueEnd)

/** A target other than the key sorts ascending even when no order is asked for. */
const sort = (found: Array<Candidate>, { sortOrder, sortTarget }: RangeRequest): void => {
  const ascending = order[sortTarget]
  if (sortOrder === SortOrder.Descend) found.sort((a, b) => ascending(b, a))
  else if (sortTarget !== SortTarget.Key) found.sort(ascending)
}
