// What is wrong with a request whatever the data: empty keys, unknown orders, too many operations, overlapping writes.
// Owns etcd's validation and its order of checks; refuses to look at the store.
// Source: etcd 3.7 server/etcdserver/api/v3rpc/key.go.
import { keyText } from "../engine/Engine.ts"
import { Failure, type EtcdFailure } from "../rpc/EtcdFailure.ts"
import type { DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest } from "../rpc/KvMessages.ts"
import { inRange, type KeyRange } from "./Snapshot.ts"

type Verdict = EtcdFailure | undefined

export const validateRange = (request: RangeRequest): Verdict => {
  if (request.key.length === 0) return Failure.emptyKey
  if (request.sortOrder < 0 || request.sortOrder > 2) return Failure.invalidSortOption
  if (request.sortTarget < 0 || request.sortTarget > 4) return Failure.invalidSortOption
  return undefined
}

export const validatePut = (request: PutRequest): Verdict => {
  if (request.key.length === 0) return Failure.emptyKey
  if (request.ignoreValue && request.value.length > 0) return Failure.valueProvided
  if (request.ignoreLease && request.lease !== 0) return Failure.leaseProvided
  return undefined
}

export const validateDeleteRange = (request: DeleteRangeRequest): Verdict =>
  request.key.length === 0 ? Failure.emptyKey : undefined

/** Validates a transaction: `opsMax` bounds each of its lists, and with what is left its nested ones. */
export const validateTxn = (request: TxnRequest, opsMax: number): Verdict =>
  validateOps(request, opsMax) ?? validateOverlap(request.success) ?? validateOverlap(request.failure)

const validateOps = (request: TxnRequest, opsMax: number): Verdict => {
  const ops = Math.max(request.compare.length, request.success.length, request.failure.length)
  if (ops > opsMax) return Failure.tooManyOps
  for (const { key } of request.compare) if (key.length === 0) return Failure.emptyKey
  for (const op of [...request.success, ...request.failure]) {
    const failure = validateOp(op, opsMax - ops)
    if (failure !== undefined) return failure
  }
  return undefined
}

const validateOp = (op: RequestOp, opsMax: number): Verdict => {
  if (op.requestRange !== undefined) return validateRange(op.requestRange)
  if (op.requestPut !== undefined) return validatePut(op.requestPut)
  if (op.requestDeleteRange !== undefined) return validateDeleteRange(op.requestDeleteRange)
  if (op.requestTxn !== undefined) return validateOps(op.requestTxn, opsMax)
  return Failure.keyNotFound
}

interface Writes {
  readonly puts: Set<string>
  readonly deletes: Array<KeyRange>
}

const validateOverlap = (ops: ReadonlyArray<RequestOp>): Verdict =>
  ops.length < 2 && ops[0]?.requestTxn === undefined ? undefined : failureOf(collectWrites(ops))

const failureOf = (result: Writes | EtcdFailure): Verdict => ("puts" in result ? undefined : result)

/** etcd's check takes a range_end of one zero byte for a key: a delete of all keys from one on never overlaps a put. */
const literalRange = ({ key, rangeEnd }: DeleteRangeRequest): KeyRange => ({
  start: key,
  end: rangeEnd,
  single: rangeEnd.length === 0
})

/** The keys that a list of operations may put and delete; a failure when one request would write a key twice. */
const collectWrites = (ops: ReadonlyArray<RequestOp>): Writes | EtcdFailure => {
  const deletes = ops.flatMap(({ requestDeleteRange }) =>
    requestDeleteRange === undefined ? [] : [literalRange(requestDeleteRange)]
  )
  const puts = new Set<string>()
  const deleted = (text: string): boolean => {
    const key = Buffer.from(text, "latin1")
    return deletes.some((range) => inRange(range, key))
  }
  for (const { requestTxn } of ops) {
    if (requestTxn === undefined) continue
    const success = collectWrites(requestTxn.success)
    if (!("puts" in success)) return success
    const failure = collectWrites(requestTxn.failure)
    if (!("puts" in failure)) return failure
    for (const text of success.puts) {
      if (puts.has(text) || deleted(text)) return Failure.duplicateKey
      puts.add(text)
    }
    for (const text of failure.puts) {
      // The two branches exclude one another, so a key may be put in both.
      if ((puts.has(text) && !success.puts.has(text)) || deleted(text)) return Failure.duplicateKey
      puts.add(text)
    }
    deletes.push(...success.deletes, ...failure.deletes)
  }
  for (const { requestPut } of ops) {
    if (requestPut === undefined) continue
    const text = keyText(requestPut.key)
    if (puts.has(text) || deleted(text)) return Failure.duplicateKey
    puts.add(text)
  }
  return { puts, deletes }
}
