// Writes: kube-apiserver's create, update and delete transactions, plain puts, puts with a lease, and range deletes.
// Owns how each fills its template and what its answer does to the key space. The newest template is kept and patched;
// another one is laid out only when the value's size or the revision's length changes.
import type { Operation } from "../Operation.ts"
import { randomness } from "../Randomness.ts"
import { readRange, readWrite, subMessage, varintField } from "./Answer.ts"
import type { Behaviour, Call } from "./Call.ts"
import {
  createRequest,
  deleteRangeRequest,
  deleteRequest,
  methods,
  prefixEnd,
  putRequest,
  updateRequest
} from "./KubeRequests.ts"
import type { RunContext } from "./RunContext.ts"
import { type Template, varintBytes, writeVarint } from "./Template.ts"
import { stamp, type Values, values } from "./Values.ts"

/** What every operation is made from. */
export interface OperationSetting {
  readonly operation: Operation
  readonly context: RunContext
  /** Unique within the scenario; gives the operation its own random stream. */
  readonly name: string
}

const suffixBytes = 16

/** Keeps the last template and lays out another when the sizes differ. */
const keeper = (layOut: (valueSize: number, revision: number) => Template) => {
  let kept: Template | undefined
  let keptValue = -1
  let keptRevision = -1
  return (valueSize: number, revision: number): Template => {
    const revisionSize = varintBytes(revision)
    if (kept === undefined || valueSize !== keptValue || revisionSize !== keptRevision) {
      kept = layOut(valueSize, revision)
      keptValue = valueSize
      keptRevision = revisionSize
    }
    return kept
  }
}

const failWith = (call: Call, pool: { readonly release: (key: number) => void }): void => {
  if (call.key >= 0) pool.release(call.key)
}

/** Writes the key's number at every place of the template that holds the key. */
const patchKeys = (
  bytes: Uint8Array,
  keysAt: ReadonlyArray<number>,
  write: (into: Uint8Array, at: number) => void
): void => {
  for (let place = 0; place < keysAt.length; place++) write(bytes, keysAt[place])
}

interface Pieces {
  readonly values: Values
  readonly index: number
  readonly pool: ReturnType<RunContext["space"]>["pool"]
  readonly blank: Uint8Array
  readonly writeKey: (into: Uint8Array, at: number) => void
  readonly random: ReturnType<typeof randomness>
}

/** The parts that all writes share; `writeKey` writes the key of the call that was set last. */
const pieces = ({ context, name, operation }: OperationSetting, current: { key: number }): Pieces => {
  const { index, pool } = context.space(operation.keys)
  const offset = pool.keyBytes - suffixBytes
  return {
    values: values(operation.value, context.seed, name),
    index,
    pool,
    blank: pool.blank(),
    writeKey: (into, at) => pool.writeSuffix(into, at + offset, current.key),
    random: randomness(context.seed, `keys/${name}`)
  }
}

const create = (setting: OperationSetting): Behaviour => {
  const { context } = setting
  const current = { key: 0 }
  const { blank, index, pool, values, writeKey } = pieces(setting, current)
  const layout = keeper((size) => createRequest(blank, values.bytes(size)))
  return {
    begin: (call) => {
      const key = pool.create()
      if (key < 0) return false
      call.key = current.key = key
      const size = values.size()
      const { bytes, keysAt, valueAt } = layout(size, 0)
      patchKeys(bytes, keysAt, writeKey)
      stamp(bytes, valueAt, size)
      call.send(methods.txn, bytes)
      return true
    },
    answered: (call, message) => {
      const { revision, succeeded } = readWrite(message)
      context.see(revision)
      if (!succeeded) return call.fail("conflict")
      pool.wrote(call.key, revision)
      context.times.acknowledged(index, revision, call.sentAt, call.key)
      call.succeed()
    },
    failed: (call) => failWith(call, pool)
  }
}

/** Takes over the key's state from the Else branch of a failed transaction. */
const adoptElse = (message: Uint8Array, key: number, { pool }: Pieces): void => {
  const { keyValues, modRevision } = readRange(subMessage(subMessage(message, 3), 1))
  if (keyValues === 0) pool.forget(key)
  else pool.adopt(key, modRevision)
}

/** Update and delete: both compare the revision, act, and else read. */
const guarded = (setting: OperationSetting, deletes: boolean): Behaviour => {
  const { context, operation } = setting
  const current = { key: 0 }
  const parts = pieces(setting, current)
  const { blank, index, pool, random, values, writeKey } = parts
  const layout = keeper((size, revision) =>
    deletes ? deleteRequest(blank, revision) : updateRequest(blank, values.bytes(size), revision)
  )
  return {
    begin: (call) => {
      const key = pool.pick(random, operation.order)
      if (key < 0) return false
      pool.hold(key)
      call.key = current.key = key
      const size = deletes ? 0 : values.size()
      const known = pool.revision(key)
      const { bytes, keysAt, revisionAt, valueAt } = layout(size, known)
      patchKeys(bytes, keysAt, writeKey)
      writeVarint(bytes, revisionAt, known)
      if (!deletes) stamp(bytes, valueAt, size)
      call.send(methods.txn, bytes)
      return true
    },
    answered: (call, message) => {
      const { revision, succeeded } = readWrite(message)
      context.see(revision)
      const { key } = call
      if (!succeeded) {
        adoptElse(message, key, parts)
        call.key = -1
        return call.fail("conflict")
      }
      if (deletes) pool.deleted(key)
      else pool.wrote(key, revision)
      context.times.acknowledged(index, revision, call.sentAt, key)
      call.succeed()
    },
    failed: (call) => failWith(call, pool)
  }
}

const put = (setting: OperationSetting, withLease: boolean): Behaviour => {
  const { context, operation } = setting
  const current = { key: 0 }
  const { blank, index, pool, random, values, writeKey } = pieces(setting, current)
  const layout = keeper((size) => putRequest(blank, values.bytes(size)))
  return {
    begin: (call) => {
      const lease = withLease ? context.leases[random.below(Math.max(1, context.leases.length))] : undefined
      if (withLease && lease === undefined) return false
      let key = pool.pickAny(random, operation.order)
      if (key < 0) key = pool.create()
      if (key < 0) return false
      call.key = current.key = key
      const size = values.size()
      const { bytes, keysAt, valueAt } =
        lease === undefined ? layout(size, 0) : putRequest(blank, values.bytes(size), lease)
      patchKeys(bytes, keysAt, writeKey)
      if (valueAt >= 0) stamp(bytes, valueAt, size)
      call.send(methods.put, bytes)
      return true
    },
    answered: (call, message) => {
      const { revision } = readWrite(message)
      context.see(revision)
      pool.wrote(call.key, revision)
      context.times.acknowledged(index, revision, call.sentAt, call.key)
      call.succeed()
    },
    failed: (call) => failWith(call, pool)
  }
}

/** Deletes keys by number range where the suffix is sequential; elsewhere everything from one key to the space's end. */
const deleteRange = (setting: OperationSetting): Behaviour => {
  const { context, operation } = setting
  const { index, pool, random } = pieces(setting, { key: 0 })
  const limit = operation.limit ?? 1
  const end = pool.blank()
  const spaceEnd = prefixEnd(pool.prefix)
  return {
    begin: (call) => {
      const key = pool.pick(random, operation.order)
      if (key < 0) return false
      call.key = key
      const from = pool.blank()
      pool.write(from, 0, key)
      pool.write(end, 0, key + limit)
      const until = pool.scatters ? spaceEnd : end
      call.send(methods.deleteRange, deleteRangeRequest(from, until).bytes)
      return true
    },
    answered: (call, message) => {
      const { revision } = readWrite(message)
      const deleted = varintField(message, 2)
      context.see(revision)
      pool.forgetRange(call.key, limit)
      if (deleted > 0) context.times.acknowledged(index, revision, call.sentAt, call.key, deleted)
      call.succeed()
    }
  }
}

/** The behaviours of all writes. */
export const writeOperations = {
  create,
  update: (setting: OperationSetting) => guarded(setting, false),
  delete: (setting: OperationSetting) => guarded(setting, true),
  put: (setting: OperationSetting) => put(setting, false),
  leaseAttach: (setting: OperationSetting) => put(setting, true),
  deleteRange
} as const
