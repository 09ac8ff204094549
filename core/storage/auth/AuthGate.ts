// What the API asks of authentication and permissions before it carries a call out.
// Owns the questions; refuses the answers, which AuthStore.ts gives. While auth is disabled every answer is yes.
import type { CallInfo } from "#net"
import type { EtcdFailure } from "../rpc/EtcdFailure.ts"
import type { DeleteRangeRequest, LeaseId, PutRequest, TxnRequest } from "../rpc/KvMessages.ts"

/** A failure, or undefined when the call may go on. */
export type Verdict = EtcdFailure | undefined

export interface AuthGate {
  /** Reading [key, rangeEnd). */
  readonly range: (call: CallInfo, key: Uint8Array, rangeEnd: Uint8Array) => Verdict
  /** Watching [key, rangeEnd): asked once, when the watch is created. */
  readonly watch: (call: CallInfo, key: Uint8Array, rangeEnd: Uint8Array) => Verdict
  /** Writing a key; prev_kv asks for reading too, and the keys of the lease must be writable. */
  readonly put: (call: CallInfo, request: PutRequest) => Verdict
  readonly deleteRange: (call: CallInfo, request: DeleteRangeRequest) => Verdict
  /** Every compare and every operation of both branches. */
  readonly txn: (call: CallInfo, request: TxnRequest) => Verdict
  /** Administrative calls: the root role. */
  readonly requireRoot: (call: CallInfo) => Verdict
  /** Any authenticated user. */
  readonly requireUser: (call: CallInfo) => Verdict
  /** Revoking or renewing a lease, or seeing its keys: all its keys must be writable (or readable). */
  readonly lease: (call: CallInfo, id: LeaseId, access: "read" | "write") => Verdict
  /** Listing leases: the keys of all of them must be readable. */
  readonly leases: (call: CallInfo) => Verdict
}
