// The term that this node holds, as the committer sees it: every batch compares the term's row and puts the next one.
// Owns the row as this node last wrote it and the time until which nobody else can have taken over; refuses to win terms.
// That time counts from before the write that renewed it, and is a tenth shorter than others wait: clocks may drift that far.
import type { Clockwork } from "#kube"
import { compareBytes, Table, type WriteBatch } from "../engine/Engine.ts"
import type { Fate, Fence } from "../mvcc/Fence.ts"
import { MetaKey } from "../mvcc/Layout.ts"
import { TermRecord } from "./TermRecord.ts"

/** The part of a term for which its holder trusts in it without asking. */
const TRUSTED_SHARE = 0.9

/** A batch's place in its term. */
export interface TermStamp {
  readonly record: TermRecord
  readonly bytes: Uint8Array
  /** When the batch was handed to the engine, on the monotonic clock. */
  readonly startedMs: number
}

export class TermFence implements Fence<TermStamp> {
  readonly key = MetaKey.term
  /** Called after each batch of the term; the row says whether it was the last. */
  onPassed: ((stamp: TermStamp) => void) | undefined
  private readonly clockwork: Clockwork
  private current: TermStamp | undefined
  private sequence = 0
  private trustedUntilMs = Number.NEGATIVE_INFINITY
  private releasing: TermRecord["heirId"] | undefined
  /** When the last batch was handed to the engine. */
  stampedMs = Number.NEGATIVE_INFINITY

  constructor(clockwork: Clockwork) {
    this.clockwork = clockwork
  }

  holds = (): boolean => this.current !== undefined

  /** Whether nobody else can have taken over yet, by this machine's clock. */
  isTrusted(): boolean {
    return this.current !== undefined && this.clockwork.monotonic() < this.trustedUntilMs
  }

  /** The row as this node last wrote it in its term. */
  get bytes(): Uint8Array | undefined {
    return this.current?.bytes
  }

  /** The term has been won with this stamp. */
  begin(stamp: TermStamp): void {
    this.sequence = Number(stamp.record.sequence)
    this.releasing = undefined
    this.trustedUntilMs = Number.NEGATIVE_INFINITY
    this.stampedMs = stamp.startedMs
    this.advance(stamp)
  }

  end(): void {
    this.current = undefined
  }

  /** The next batch is the term's last one. */
  release(heirId: TermRecord["heirId"]): void {
    this.releasing = heirId
  }

  stamp(writes: WriteBatch): TermStamp {
    const { current } = this
    if (current === undefined) throw new Error("a batch was stamped without a term")
    const startedMs = this.clockwork.monotonic()
    const released = this.releasing !== undefined
    const record = { ...current.record, sequence: ++this.sequence, released, heirId: this.releasing ?? 0 }
    const bytes = TermRecord.encode(record)
    writes.expect(Table.Meta, this.key, current.bytes)
    writes.put(Table.Meta, this.key, bytes)
    this.stampedMs = startedMs
    return { record, bytes, startedMs }
  }

  passed(stamp: TermStamp): void {
    if (this.current?.record.term !== stamp.record.term) return
    this.advance(stamp)
    this.onPassed?.(stamp)
  }

  private advance(stamp: TermStamp): void {
    this.current = stamp
    this.trustedUntilMs = stamp.startedMs + Number(stamp.record.termMs) * TRUSTED_SHARE
  }

  fateOf(row: Uint8Array | undefined, { bytes, record }: TermStamp): Fate {
    if (row === undefined) return "unknown"
    if (compareBytes(row, bytes) === 0) return "committed"
    const found = TermRecord.decode(Buffer.from(row))
    if (found.term === record.term) return found.sequence > record.sequence ? "absent" : "pending"
    if (found.previousTerm !== record.term) return "unknown"
    return found.previousSequence === record.sequence ? "committed" : "absent"
  }
}
