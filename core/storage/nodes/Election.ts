// Who writes: one node at a time, by a row that every batch compares and that stands still when its writer is gone.
// Owns the look at the row, the wait for a full term without change, the attempt to take over, signs of life and the handing over.
// Refuses to know what a leader does with its term. Safety is the comparison's alone: clocks only decide when to try.
import type { Cancel, Clockwork } from "#kube"
import { compareBytes, type Engine, Table, WriteBatch } from "../engine/Engine.ts"
import type { EtcdFailure } from "../rpc/EtcdFailure.ts"
import { MetaKey } from "../mvcc/Layout.ts"
import { rowNeed } from "../mvcc/Needs.ts"
import type { TermFence, TermStamp } from "./TermFence.ts"
import { noTerm, TermRecord } from "./TermRecord.ts"

/** Signs of life and looks at the clock in one term. */
const BEATS_PER_TERM = 3
const TICKS_PER_TERM = 12
/** How long nodes that were not named wait before they take over a term that was given up, as parts of a term. */
const BYSTANDER_SHARE = 0.25
/** After an attempt that came to nothing, in milliseconds. */
const RETRY_MS = 50

export type Self = Pick<TermRecord, "leaderId" | "nonce" | "name" | "peerUrls" | "clientUrls">

export interface ElectionOptions {
  readonly engine: Engine
  readonly clockwork: Clockwork
  readonly fence: TermFence
  readonly self: Self
  readonly termMs: number
  /** Commits a sign of life through the committer. */
  readonly beat: (done: (failure: EtcdFailure | undefined) => void) => void
  /** Whether the engine is free for an attempt: it takes one commit at a time. */
  readonly isFree: () => boolean
  /** This node has won a term. */
  readonly won: () => void
  /** This node's term is over. */
  readonly lost: () => void
  /** Another row was seen. */
  readonly changed: () => void
}

export class Election {
  private readonly options: ElectionOptions
  /** The row as it was last seen, and since when. */
  private bytes: Uint8Array | undefined
  private seen: TermRecord = noTerm
  private sinceMs: number
  private campaigning = false
  private notBeforeMs = Number.NEGATIVE_INFINITY
  /** A look that was put at the very end of a term. */
  private cancelLook: Cancel = () => undefined
  private stopped = false
  private readonly stopTicks: Cancel
  /** How often the row named another leader than before. */
  leaderChanges = 0

  constructor(options: ElectionOptions) {
    const { clockwork, fence, termMs } = options
    this.options = options
    this.sinceMs = clockwork.monotonic()
    fence.onPassed = (stamp) => this.passed(stamp)
    this.stopTicks = clockwork.every(termMs / TICKS_PER_TERM, () => this.tick())
  }

  /** The row as it was last seen. */
  get record(): TermRecord {
    return this.seen
  }

  get recordBytes(): Uint8Array | undefined {
    return this.bytes
  }

  /** Whether the row names a leader that may still be there. */
  get hasLeader(): boolean {
    return this.seen.term !== 0 && !this.seen.released && !this.isStill()
  }

  stop(): void {
    this.stopped = true
    this.stopTicks()
    this.cancelLook()
  }

  /** The row was read, or told by the leader. An older one than is known says nothing. */
  observe(bytes: Uint8Array | undefined): void {
    if (bytes === undefined || (this.bytes !== undefined && compareBytes(bytes, this.bytes) === 0)) return
    const record = TermRecord.decode(Buffer.from(bytes))
    if (isOlder(record, this.seen)) return
    this.note(Buffer.from(bytes), record)
    const { fence, self } = this.options
    const ours = record.nonce === self.nonce
    if (fence.holds() && !ours) this.options.lost()
    this.options.changed()
    this.tick()
  }

  private note(bytes: Uint8Array, record: TermRecord): void {
    if (record.term !== this.seen.term) this.leaderChanges++
    this.bytes = bytes
    this.seen = record
    this.sinceMs = this.options.clockwork.monotonic()
  }

  /** A batch of this node's term is there. */
  private passed({ bytes, record }: TermStamp): void {
    this.note(bytes, record)
    this.options.changed()
    if (!record.released) return
    this.notBeforeMs = this.sinceMs + this.options.termMs
    this.options.lost()
  }

  /** Whether the row has stood still for a whole term of its writer's. */
  private isStill(): boolean {
    const termMs = Number(this.seen.termMs)
    return this.options.clockwork.monotonic() - this.sinceMs > termMs
  }

  private tick(): void {
    const { clockwork, fence, termMs } = this.options
    if (this.stopped) return
    const nowMs = clockwork.monotonic()
    if (fence.holds()) {
      if (nowMs - fence.stampedMs >= termMs / BEATS_PER_TERM) this.options.beat(() => undefined)
    } else if (nowMs < this.notBeforeMs) return
    else if (this.mayTry(nowMs)) this.campaign()
    else this.lookAtEnd(nowMs)
  }

  /** When the term may end before the next tick, its end is looked at in time. */
  private lookAtEnd(nowMs: number): void {
    const { clockwork, termMs } = this.options
    const leftMs = Number(this.seen.termMs) - (nowMs - this.sinceMs)
    if (this.seen.released || leftMs >= termMs / TICKS_PER_TERM) return
    this.cancelLook()
    this.cancelLook = clockwork.after(Math.max(0, leftMs) + 1, () => this.tick())
  }

  private mayTry(nowMs: number): boolean {
    const { self, termMs } = this.options
    const { heirId, nonce, released, term } = this.seen
    if (term === 0 || nonce === self.nonce) return true
    if (!released) return this.isStill()
    return heirId === self.leaderId || heirId === 0 || nowMs - this.sinceMs > termMs * BYSTANDER_SHARE
  }

  /** Tries to take the term after the one that was seen. */
  private campaign(): void {
    const { clockwork, engine, isFree, self, termMs } = this.options
    if (this.campaigning || !isFree()) return
    this.campaigning = true
    const { bytes: before, seen } = this
    const record: TermRecord = {
      ...self,
      term: Number(seen.term) + 1,
      sequence: 0,
      previousTerm: seen.term,
      previousSequence: seen.sequence,
      termMs,
      released: false,
      heirId: 0
    }
    const stamp = { record, bytes: TermRecord.encode(record), startedMs: clockwork.monotonic() }
    const batch = new WriteBatch()
    batch.expect(Table.Meta, MetaKey.term, before)
    batch.put(Table.Meta, MetaKey.term, stamp.bytes)
    engine.commit(batch, (outcome) => {
      if (outcome.kind === "committed") return this.win(stamp)
      // Whatever it was, the row tells.
      engine.read(
        () => [rowNeed(Table.Meta, MetaKey.term)],
        (view) => {
          const row = view.get(Table.Meta, MetaKey.term)
          if (row !== undefined && compareBytes(row, stamp.bytes) === 0) return this.win(stamp)
          this.campaigning = false
          this.notBeforeMs = clockwork.monotonic() + RETRY_MS * (1 + clockwork.random())
          this.observe(row && Buffer.from(row))
        }
      )
    })
  }

  private win(stamp: TermStamp): void {
    this.campaigning = false
    if (this.stopped) return
    this.note(stamp.bytes, stamp.record)
    this.options.fence.begin(stamp)
    this.options.changed()
    this.options.won()
  }

  /** The node could not go on in its term and gave it up: it tries for the next one, after a while. */
  retreat(): void {
    const { clockwork } = this.options
    this.notBeforeMs = clockwork.monotonic() + RETRY_MS * (1 + clockwork.random())
  }
}

const isOlder = (record: TermRecord, than: TermRecord): boolean =>
  record.term < than.term || (record.term === than.term && record.sequence < than.sequence)
