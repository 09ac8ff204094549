// etcd's transactions: compares, then one of two lists of operations, nested as deep as the request goes.
// Owns the order that etcd keeps: all compares first, then all checks, then execution that cannot fail.
// Refuses request validation that needs no data (TxnRules.ts) and the header of the whole answer.
import { ProtoWriter } from "#net"
import { compareBytes } from "../engine/Engine.ts"
import type { Lessor } from "../lease/Lessor.ts"
import { Failure, type EtcdFailure } from "../rpc/EtcdFailure.ts"
import {
  CompareResult,
  CompareTarget,
  type Compare,
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type TxnRequest
} from "../rpc/KvMessages.ts"
import { readRecord, recordFields, valueOf } from "./Record.ts"
import { writeRange } from "./RangeReply.ts"
import { keyRange, type Snapshot } from "./Snapshot.ts"
import { keyValueSize, writeKeyValue } from "./StoredEvent.ts"
import type { WriteTxn } from "./WriteTxn.ts"

/** Which branch every transaction of a request takes. */
interface Path {
  readonly succeeded: boolean
  readonly ops: ReadonlyArray<RequestOp>
  readonly nested: ReadonlyArray<Path | undefined>
}

/** What the checks ask of the store beside the snapshot. */
export interface TxnContext {
  readonly lessor: Lessor
  readonly compacted: number
}

/** Whether a transaction can be answered without a write: every operation of both branches is a range. */
export const isReadOnly = ({ failure, success }: TxnRequest): boolean =>
  success.every((op) => op.requestRange !== undefined) && failure.every((op) => op.requestRange !== undefined)

/** Takes the branches by comparing, at one snapshot. */
export const decide = (request: TxnRequest, snapshot: Snapshot): Path => {
  const succeeded = request.compare.every((compare) => holds(compare, snapshot))
  const ops = succeeded ? request.success : request.failure
  return { succeeded, ops, nested: ops.map(({ requestTxn }) => requestTxn && decide(requestTxn, snapshot)) }
}

const holds = (compare: Compare, snapshot: Snapshot): boolean => {
  let seen = false
  let all = true
  snapshot.scan(keyRange(compare.key, compare.rangeEnd), (_key, record) => {
    seen = true
    all = compareRecord(compare, record)
    return all
  })
  if (seen) return all
  return compare.target !== CompareTarget.Value && compareRecord(compare, undefined)
}

const compareRecord = (compare: Compare, record: Uint8Array | undefined): boolean => {
  const order = compareTarget(compare, record)
  switch (compare.result) {
    case CompareResult.Equal:
      return order === 0
    case CompareResult.NotEqual:
      return order !== 0
    case CompareResult.Greater:
      return order > 0
    case CompareResult.Less:
      return order < 0
    default:
      return true
  }
}

const NOTHING = new Uint8Array(0)
const ABSENT = { createRevision: 0, modRevision: 0, version: 0, lease: 0 }

const compareTarget = (compare: Compare, record: Uint8Array | undefined): number => {
  const { createRevision, lease, modRevision, version } = record === undefined ? ABSENT : readRecord(record)
  switch (compare.target) {
    case CompareTarget.Value:
      return compareBytes(record === undefined ? NOTHING : valueOf(record), compare.value ?? NOTHING)
    case CompareTarget.Create:
      return compareNumbers(createRevision, compare.createRevision ?? 0)
    case CompareTarget.Mod:
      return compareNumbers(modRevision, compare.modRevision ?? 0)
    case CompareTarget.Version:
      return compareNumbers(version, compare.version ?? 0)
    case CompareTarget.Lease:
      return compareNumbers(lease, compare.lease ?? 0)
    default:
      return 0
  }
}

const compareNumbers = (a: number | bigint, b: number | bigint): number => (a < b ? -1 : a > b ? 1 : 0)

/** Checks every operation of the branches taken; undefined when all may run. */
export const check = (path: Path, snapshot: Snapshot, context: TxnContext): EtcdFailure | undefined => {
  for (const [index, op] of path.ops.entries()) {
    const nested = path.nested[index]
    const failure =
      nested !== undefined
        ? check(nested, snapshot, context)
        : op.requestRange !== undefined
          ? checkRange(op.requestRange, snapshot, context)
          : op.requestPut && checkPut(op.requestPut, snapshot, context)
    if (failure !== undefined) return failure
  }
  return undefined
}

const checkRange = (
  { revision }: RangeRequest,
  snapshot: Snapshot,
  { compacted }: TxnContext
): EtcdFailure | undefined =>
  revision === 0
    ? undefined
    : revision > snapshot.revision
      ? Failure.futureRevision
      : revision < compacted
        ? Failure.compacted
        : undefined

/** A put needs its lease, and the key itself when it keeps the old value or lease. */
export const checkPut = (put: PutRequest, snapshot: Snapshot, { lessor }: TxnContext): EtcdFailure | undefined => {
  if (put.lease !== 0 && lessor.lookup(put.lease) === undefined) return Failure.leaseNotFound
  if ((put.ignoreValue || put.ignoreLease) && snapshot.get(put.key) === undefined) return Failure.keyNotFound
  return undefined
}

const SUCCEEDED = 0x10
const RESPONSES = 0x1a
const HEADER = 0x0a
const HEADER_REVISION = 0x18
const RESPONSE_RANGE = 0x0a
const RESPONSE_PUT = 0x12
const RESPONSE_DELETE_RANGE = 0x1a
const RESPONSE_TXN = 0x22
const PREVIOUS_KV = 0x12
const DELETED = 0x10
const PREVIOUS_KVS = 0x1a

/** Writes `succeeded` and `responses` of a TxnResponse, executing as it goes. */
export const execute = (writer: ProtoWriter, path: Path, txn: TxnReader): void => {
  if (path.succeeded) {
    writer.varint(SUCCEEDED)
    writer.varint(1)
  }
  for (const [index, op] of path.ops.entries()) {
    const start = writer.open(RESPONSES)
    executeOp(writer, op, path.nested[index], txn)
    writer.close(start)
  }
}

/** Where operations run: a write transaction, or a snapshot when nothing is written. */
export interface TxnReader {
  readonly revision: number
  readonly snapshot: (revision?: number) => Snapshot
  readonly write: WriteTxn | undefined
}

const executeOp = (writer: ProtoWriter, op: RequestOp, nested: Path | undefined, txn: TxnReader): void => {
  if (op.requestRange !== undefined) {
    const start = writer.open(RESPONSE_RANGE)
    writeRevisionHeader(writer, txn.revision)
    const { revision } = op.requestRange
    writeRange(writer, revision > 0 ? txn.snapshot(Number(revision)) : txn.snapshot(), op.requestRange)
    writer.close(start)
  } else if (op.requestPut !== undefined && txn.write !== undefined) {
    const start = writer.open(RESPONSE_PUT)
    writePut(writer, op.requestPut, txn.write)
    writer.close(start)
  } else if (op.requestDeleteRange !== undefined && txn.write !== undefined) {
    const start = writer.open(RESPONSE_DELETE_RANGE)
    writeDeleteRange(writer, op.requestDeleteRange, txn.write)
    writer.close(start)
  } else if (nested !== undefined) {
    const start = writer.open(RESPONSE_TXN)
    writer.close(writer.open(HEADER))
    execute(writer, nested, txn)
    writer.close(start)
  }
}

/** A header with nothing but a revision: what etcd puts into the answers inside a transaction. */
const writeRevisionHeader = (writer: ProtoWriter, revision: number): void => {
  const start = writer.open(HEADER)
  writer.int64Field(HEADER_REVISION, revision)
  writer.close(start)
}

/** Puts, and writes header and prev_kv of a PutResponse. */
export const writePut = (writer: ProtoWriter, put: PutRequest, txn: WriteTxn): void => {
  writeRevisionHeader(writer, txn.baseRevision + 1)
  writePutBody(writer, put, txn)
}

/** Puts, and writes prev_kv alone. */
export const writePutBody = (writer: ProtoWriter, put: PutRequest, txn: WriteTxn): void => {
  let { lease, value } = put
  if (put.ignoreValue || put.ignoreLease || put.prevKv) {
    const found = txn.snapshot().get(put.key)
    const before = found && Buffer.from(found)
    if (before !== undefined) {
      const fields = recordFields(before)
      if (put.ignoreValue) value = before.subarray(fields.valueStart, fields.valueEnd)
      if (put.ignoreLease) lease = fields.lease
      if (put.prevKv) writeKv(writer, PREVIOUS_KV, put.key, before)
    }
  }
  txn.put(put.key, value, lease)
}

/** Deletes, and writes header, deleted and prev_kvs of a DeleteRangeResponse. */
const writeDeleteRange = (writer: ProtoWriter, request: DeleteRangeRequest, txn: WriteTxn): void => {
  const body = new ProtoWriter(64)
  writeDeleteRangeBody(body, request, txn)
  writeRevisionHeader(writer, txn.revision)
  writer.raw(body.view())
}

/** Deletes, and writes deleted and prev_kvs alone. */
export const writeDeleteRangeBody = (writer: ProtoWriter, request: DeleteRangeRequest, txn: WriteTxn): void => {
  const range = keyRange(request.key, request.rangeEnd)
  const previous = new ProtoWriter(64)
  if (request.prevKv) {
    txn.snapshot().scan(range, (key, record) => (writeKv(previous, PREVIOUS_KVS, key, record), true))
  }
  const deleted = txn.deleteRange(range)
  if (deleted > 0) {
    writer.varint(DELETED)
    writer.varint(deleted)
  }
  writer.raw(previous.view())
}

const writeKv = (writer: ProtoWriter, tag: number, key: Uint8Array, record: Uint8Array): void => {
  const size = keyValueSize(key, record)
  writer.ensure(size + 6)
  writer.position = writeKeyValue(writer.buffer, writer.position, tag, key, record, size)
}
