// Everything that is neither a read nor a write of keys: leases, compaction as kube-apiserver does it, and snapshots.
// Owns the order of their requests; the time of an action is from its first request to its last answer.
import type { ClientStream, GrpcClient } from "#net"
import { randomness } from "../Randomness.ts"
import { rawVarint, readWrite, subMessage, varintField } from "./Answer.ts"
import { type Behaviour, type Call, errorName } from "./Call.ts"
import {
  compactClaimRequest,
  compactRequest,
  leaseGrantRequest,
  leaseKeepAliveRequest,
  methods
} from "./KubeRequests.ts"
import type { OperationSetting } from "./WriteOperations.ts"

const defaultTtlMs = 60_000
const idField = 2

const leaseGrant = ({ context, operation }: OperationSetting): Behaviour => {
  const { bytes } = leaseGrantRequest(Math.max(1, Math.round((operation.ttl ?? defaultTtlMs) / 1000)))
  return {
    begin: (call) => {
      call.send(methods.leaseGrant, bytes)
      return true
    },
    answered: (call, message) => {
      context.keepLease(rawVarint(message, idField))
      call.succeed()
    }
  }
}

/** Calls waiting on one keep-alive stream; the server answers a stream's requests in order. */
interface KeepAliveStream {
  readonly stream: ClientStream
  readonly waiting: Array<Call>
}

const leaseKeepAlive = ({ context, name }: OperationSetting): Behaviour => {
  const random = randomness(context.seed, `leases/${name}`)
  const streams = new WeakMap<GrpcClient, KeepAliveStream>()
  const open = (client: GrpcClient): KeepAliveStream => {
    const waiting: Array<Call> = []
    const stream = client.stream(methods.leaseKeepAlive, {
      message: (message) => waiting.shift()?.answer(undefined, message),
      end: (status) => {
        streams.delete(client)
        context.tick()
        for (const call of waiting.splice(0)) call.fail(status.code === 0 ? "Unavailable" : errorName(status))
      }
    })
    const made = { stream, waiting }
    streams.set(client, made)
    return made
  }
  return {
    begin: (call) => {
      const lease = context.leases[random.below(Math.max(1, context.leases.length))]
      if (lease === undefined) return false
      const { stream, waiting } = streams.get(call.client) ?? open(call.client)
      const { bytes } = leaseKeepAliveRequest(lease)
      if (call.operation !== undefined) call.operation.tally.bytesOut += bytes.length
      waiting.push(call)
      stream.send(bytes)
      return true
    },
    answered: (call, message) => (varintField(message, 3) > 0 ? call.succeed() : call.fail("lease not found"))
  }
}

const versionField = 4

/** Claims the compaction by compact_rev_key, then compacts; a lost claim is how a second apiserver learns its turn. */
const compact = ({ context, operation }: OperationSetting): Behaviour => {
  let version = 0
  return {
    begin: (call) => {
      call.pages = 0
      call.revision = Math.max(1, context.revision - (operation.retain ?? 1000))
      call.send(methods.txn, compactClaimRequest(version, call.revision).bytes)
      return true
    },
    answered: (call, message) => {
      const { revision, succeeded } = readWrite(message)
      context.see(revision)
      if (call.pages === 1) return call.succeed()
      if (!succeeded) {
        version = readClaimVersion(message)
        return call.fail("compaction was claimed by another")
      }
      version++
      call.pages = 1
      call.send(methods.compact, compactRequest(call.revision).bytes)
    }
  }
}

/** The version of compact_rev_key in the Else branch of a lost claim: responses → range → kvs → version. */
const readClaimVersion = (message: Uint8Array): number => {
  let bytes = message
  for (const field of [3, 1, 2]) bytes = subMessage(bytes, field)
  return varintField(bytes, versionField)
}

const snapshot = (): Behaviour => ({
  begin: (call) => {
    const { context, operation } = call
    const stream = call.client.stream(methods.snapshot, {
      message: (chunk) => {
        if (operation !== undefined) operation.tally.bytesIn += chunk.length
      },
      end: (status) => {
        context.tick()
        if (status.code === 0) call.succeed()
        else call.fail(errorName(status))
      }
    })
    call.cancelBy(stream)
    stream.send(new Uint8Array(0))
    stream.halfClose()
    return true
  },
  answered: (call) => call.succeed()
})

/** The behaviours of leases, compaction and snapshots. */
export const serverOperations = { leaseGrant, leaseKeepAlive, compact, snapshot } as const
