// What can go wrong between this client and a TiKV cluster, as one union.
// Owns the cases and their words; refuses wire shapes, which are translated where they arrive. Keys appear as hexadecimal
// text and cut short; values never do.
import { Schema } from "effect"

const KEY_BYTES_SHOWN = 32

/** A key as an error shows it. */
export const shownKey = (key: Uint8Array): string =>
  `${Buffer.from(key.subarray(0, KEY_BYTES_SHOWN)).toString("hex")}${key.length > KEY_BYTES_SHOWN ? "…" : ""}`

/** A call that got no answer: the request may or may not have been carried out. `code` is gRPC's. */
export class RpcFailed extends Schema.TaggedError<RpcFailed>()("RpcFailed", {
  address: Schema.String,
  path: Schema.String,
  code: Schema.Int,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.path} at ${this.address}: ${this.detail} (gRPC code ${this.code})`
  }
}

/** No Placement Driver answered in time, or it refused. */
export class PdUnavailable extends Schema.TaggedError<PdUnavailable>()("PdUnavailable", {
  endpoints: Schema.Array(Schema.String),
  detail: Schema.String
}) {
  override get message(): string {
    return `no placement driver of ${this.endpoints.join(", ")} serves: ${this.detail}`
  }
}

/** A region did not serve within the time that the operation has; `kind` is what was met last. */
export class RegionUnavailable extends Schema.TaggedError<RegionUnavailable>()("RegionUnavailable", {
  kind: Schema.String,
  detail: Schema.String,
  waitedMs: Schema.Finite
}) {
  override get message(): string {
    return `a region does not serve: ${this.kind} (${this.detail}), given up after waiting ${Math.round(this.waitedMs)} ms`
  }
}

/** Somebody else wrote a key after the transaction began, or rolled the transaction back. Nothing of it is there. */
export class WriteConflict extends Schema.TaggedError<WriteConflict>()("WriteConflict", {
  key: Schema.Uint8Array,
  rolledBack: Schema.Boolean
}) {
  override get message(): string {
    const what = this.rolledBack
      ? "the transaction was rolled back by another"
      : "it was written by another transaction"
    return `write conflict on key ${shownKey(this.key)}: ${what}`
  }
}

/** The store refused the transaction for good. Nothing of it is there. */
export class TransactionRefused extends Schema.TaggedError<TransactionRefused>()("TransactionRefused", {
  reason: Schema.Literals(["no-space", "too-large", "refused"]),
  detail: Schema.String
}) {
  override get message(): string {
    return `the transaction was refused (${this.reason}): ${this.detail}`
  }
}

/** The commit may or may not have happened: its answer was lost, and asking again did not help in time. */
export class CommitUncertain extends Schema.TaggedError<CommitUncertain>()("CommitUncertain", {
  startTs: Schema.BigInt,
  primary: Schema.Uint8Array,
  detail: Schema.String
}) {
  override get message(): string {
    return `transaction ${this.startTs} may or may not be committed: ${this.detail}`
  }
}

/** The snapshot lies below the garbage collection's safe point: what it would show may be gone. */
export class SnapshotTooOld extends Schema.TaggedError<SnapshotTooOld>()("SnapshotTooOld", {
  version: Schema.BigInt,
  safePoint: Schema.BigInt
}) {
  override get message(): string {
    return `snapshot ${this.version} is older than the garbage collection's safe point ${this.safePoint}`
  }
}

/** An answer that the protocol does not allow. */
export class ProtocolBroken extends Schema.TaggedError<ProtocolBroken>()("ProtocolBroken", {
  path: Schema.String,
  rule: Schema.String
}) {
  override get message(): string {
    return `the answer to ${this.path} breaks the protocol: ${this.rule}`
  }
}

/** What a read fails with. */
export type ReadError = PdUnavailable | RegionUnavailable | SnapshotTooOld | ProtocolBroken
/** What a transaction fails with; only `CommitUncertain` leaves open whether anything of it is there. */
export type CommitError = ReadError | WriteConflict | TransactionRefused | CommitUncertain
