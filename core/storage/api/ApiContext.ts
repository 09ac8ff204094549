// What the API's methods share: the store and what stands around it, and the few ways in which a call is answered.
// Owns decoding with a proper failure and the shape of answers; refuses to know any one service.
import { ProtoError, varintSize, type GrpcMethod, type Int64, type Message, type UnaryCall } from "#net"
import type { AuthGate } from "../auth/AuthGate.ts"
import type { Compactor } from "../mvcc/Compactor.ts"
import type { Store } from "../mvcc/Store.ts"
import { EtcdFailure, Failure, malformed } from "../rpc/EtcdFailure.ts"
import type { WatchHub } from "../watch/WatchHub.ts"
import type { Alarms } from "../server/Alarms.ts"
import type { Header } from "./Header.ts"

export interface ApiLimits {
  /** Operations that each list of a transaction may have (`--max-txn-ops`). */
  readonly txnOpsMax: number
  /** Bytes of a request (`--max-request-bytes`). */
  readonly requestBytesMax: number
  /** Milliseconds between periodic progress notices (`--watch-progress-notify-interval`). */
  readonly progressIntervalMs: number
}

/** Who leads, where several members take turns; a member on an engine of its own always does. */
export interface Leadership {
  /** The leader's id; 0 when there is none. */
  readonly leaderId: () => Int64
  /** Answers when this member is known to lead at some moment after the call, or fails. */
  readonly confirm: (answer: (failure: EtcdFailure | undefined) => void) => void
  /** Runs `then` when this member knows of all that was written before the call: at once where it leads. */
  readonly level: (then: () => void) => void
  /** Hands leadership to another member. */
  readonly move: (target: Int64, answer: (failure: EtcdFailure | undefined) => void) => void
}

export interface ApiContext {
  readonly leadership: Leadership
  readonly store: Store
  readonly hub: WatchHub
  readonly compactor: Compactor
  readonly alarms: Alarms
  readonly auth: AuthGate
  readonly header: Header
  readonly limits: ApiLimits
  /** Runs a function after the given milliseconds, again and again, until the returned function is called. */
  readonly every: (intervalMs: number, run: () => void) => () => void
  /** A number in [0, 1). */
  readonly random: () => number
}

/** Answers a call with a failure. */
export const failCall = (call: { fail: UnaryCall["fail"] }, failure: EtcdFailure): void =>
  call.fail(failure.code, failure.message)

/** A unary method whose request is decoded first; bytes that are no such message fail the call. */
export const unary = <T extends object>(
  path: string,
  codec: Message<T>,
  run: (request: T, call: UnaryCall, sizeBytes: number) => void
): GrpcMethod => ({
  path,
  unary: (call, bytes) => {
    const request = decode(codec, bytes)
    if (request instanceof EtcdFailure) failCall(call, request)
    else run(request, call, bytes.length)
  }
})

/** What etcd wraps a write in before it is measured: a header with an id of its own, and the field that holds the request. */
const ENVELOPE_BYTES = 15

/** Why a write of this size is refused (`--max-request-bytes`). */
export const refuseSize = ({ limits }: ApiContext, sizeBytes: number): EtcdFailure | undefined =>
  sizeBytes + ENVELOPE_BYTES + varintSize(sizeBytes) > limits.requestBytesMax ? Failure.requestTooLarge : undefined

/** Decodes a message, or says in gRPC's words that it is none. */
export const decode = <T extends object>(codec: Message<T>, bytes: Uint8Array): T | EtcdFailure => {
  try {
    return codec.decode(bytes)
  } catch (error) {
    if (error instanceof ProtoError) return malformed(error.message)
    throw error
  }
}

/** Answers with a message, or the failure. */
export const answer = <T extends object>(
  call: UnaryCall,
  codec: Message<T>,
  result: Partial<T> | EtcdFailure
): void => {
  if (call.cancelled) return
  if (result instanceof EtcdFailure) failCall(call, result)
  else call.respondOwned(codec.encode(result))
}
