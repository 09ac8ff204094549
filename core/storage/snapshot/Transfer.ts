// What moves between stores: versions of keys, leases, users; and the one way in which moving them fails.
// Owns those shapes; refuses sources and targets, which the other files here are.
import { Effect, Schema } from "effect"
import type { Int64 } from "#net"
import type { KeyValue } from "../rpc/KvMessages.ts"
import { BoltCorrupt } from "./BoltFormat.ts"

/** An import or export that cannot go on: of what, the rule that was broken, and the system's own words if it has some. */
export class TransferError extends Schema.TaggedError<TransferError>()("TransferError", {
  subject: Schema.String,
  rule: Schema.String,
  detail: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `${this.subject} ${this.rule}${this.detail === undefined ? "" : ` (${this.detail})`}`
  }
}

const isExpected = Schema.is(Schema.Union([TransferError, BoltCorrupt]))

/** Runs what may raise a TransferError or BoltCorrupt; anything else that it raises is a defect. */
export const attempt = <A>(run: () => A): Effect.Effect<A, TransferError | BoltCorrupt> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      return isExpected(error) ? Effect.fail(error) : Effect.die(error)
    }
  })

/** One version of a key, or its deletion, as a source has it. */
export interface SourceVersion {
  readonly revision: number
  /** Its place in the revision; undefined when the source does not tell. */
  readonly sub: number | undefined
  readonly tombstone: boolean
  readonly kv: KeyValue
}

export interface SourceLease {
  readonly id: Int64
  readonly ttlSeconds: number
}

/** Users and roles with their rows as etcd keeps them (authpb). */
export interface SourceAuth {
  readonly enabled: boolean
  readonly revision: number
  readonly users: ReadonlyArray<readonly [name: Buffer, row: Buffer]>
  readonly roles: ReadonlyArray<readonly [name: Buffer, row: Buffer]>
}

/** What is known of a source before its keys are read. */
export interface SourceSummary {
  readonly revision: number
  /** Reads below this revision are refused; 0 when there was no compaction. */
  readonly compacted: number
  readonly leases: ReadonlyArray<SourceLease>
  /** Undefined when the source does not give its users away. */
  readonly auth: SourceAuth | undefined
}

/** A safe integer, or the failure that says what was too large. */
export const safeInteger = (value: Int64, subject: string): number | TransferError =>
  typeof value === "number"
    ? value
    : new TransferError({ subject, rule: `must have revisions of at most 2^53 − 1, not ${value}` })
