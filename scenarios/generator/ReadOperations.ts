// Reads: one key, lists in pages at one revision, lists of the past, counts, and RangeStream. Owns their requests and
// the one check reading allows: a key that nobody is writing must show its last acknowledged revision.
import { randomness } from "../Randomness.ts"
import { readRange, subMessage } from "./Answer.ts"
import type { Behaviour, Call } from "./Call.ts"
import { errorName } from "./Call.ts"
import { methods, prefixEnd, rangeRequest } from "./KubeRequests.ts"
import type { OperationSetting } from "./WriteOperations.ts"

const defaultPage = 500

const get = ({ context, name, operation }: OperationSetting): Behaviour => {
  const { pool } = context.space(operation.keys)
  const random = randomness(context.seed, `keys/${name}`)
  const serializable = operation.serializable === true
  const { bytes, keysAt } = rangeRequest(pool.blank(), { limit: 1, serializable })
  return {
    begin: (call) => {
      const key = pool.pickAny(random, operation.order)
      if (key < 0) return false
      call.key = key
      call.revision = pool.isBusy(key) ? -1 : pool.revision(key)
      pool.write(bytes, keysAt[0], key)
      call.send(methods.range, bytes)
      return true
    },
    answered: (call, message) => {
      const { keyValues, modRevision, revision } = readRange(message)
      context.see(revision)
      const settled = !serializable && call.revision > 0 && pool.revision(call.key) === call.revision
      if (settled && !pool.isBusy(call.key)) {
        if (keyValues === 0) context.violated("an acknowledged key was not found")
        else if (modRevision < call.revision) context.violated("a read was older than an acknowledged write")
      }
      call.succeed()
    }
  }
}

/** Lists in pages as client-go does: each page starts behind the last key, at the first page's revision. */
const list = ({ context, operation }: OperationSetting, stale: boolean): Behaviour => {
  const { pool } = context.space(operation.keys)
  const end = prefixEnd(pool.prefix)
  const { keysOnly = false, limit = defaultPage, serializable = false } = operation
  const pagesMax = stale ? 1 : (operation.pages ?? Number.POSITIVE_INFINITY)
  const ask = (call: Call, from: Uint8Array) =>
    call.send(methods.range, rangeRequest(from, { end, limit, revision: call.revision, serializable, keysOnly }).bytes)
  return {
    begin: (call) => {
      call.pages = 0
      call.revision = stale ? Math.max(1, context.revision - (operation.revisionsBack ?? 1000)) : 0
      ask(call, pool.prefix)
      return true
    },
    answered: (call, message) => {
      const { keyAt, keyEnd, keyValues, more, revision } = readRange(message)
      context.see(revision)
      call.pages++
      if (!more || keyValues === 0 || call.pages >= pagesMax) return call.succeed()
      if (call.revision === 0) call.revision = revision
      const next = new Uint8Array(keyEnd - keyAt + 1)
      next.set(message.subarray(keyAt, keyEnd))
      ask(call, next)
    }
  }
}

const count = ({ context, operation }: OperationSetting): Behaviour => {
  const { pool } = context.space(operation.keys)
  const { bytes } = rangeRequest(pool.prefix, { end: prefixEnd(pool.prefix), countOnly: true })
  return {
    begin: (call) => {
      call.send(methods.range, bytes)
      return true
    },
    answered: (call, message) => {
      context.see(readRange(message).revision)
      call.succeed()
    }
  }
}

/** RangeStream (etcd 3.7): chunks of a range; header, more and count come with the last. */
const rangeStream = ({ context, operation }: OperationSetting): Behaviour => {
  const { pool } = context.space(operation.keys)
  const { keysOnly = false, limit = 0 } = operation
  const { bytes } = rangeRequest(pool.prefix, { end: prefixEnd(pool.prefix), limit, keysOnly })
  return {
    begin: (call) => {
      const { operation: running } = call
      const stream = call.client.stream(methods.rangeStream, {
        message: (chunk) => {
          if (running !== undefined) running.tally.bytesIn += chunk.length
          context.see(readRange(subMessage(chunk, 1)).revision)
        },
        end: (status) => {
          context.tick()
          if (status.code === 0) call.succeed()
          else call.fail(errorName(status))
        }
      })
      call.cancelBy(stream)
      if (running !== undefined) running.tally.bytesOut += bytes.length
      stream.send(bytes)
      stream.halfClose()
      return true
    },
    answered: (call) => call.succeed()
  }
}

/** The behaviours of all reads. */
export const readOperations = {
  get,
  list: (setting: OperationSetting) => list(setting, false),
  staleList: (setting: OperationSetting) => list(setting, true),
  count,
  rangeStream
} as const
