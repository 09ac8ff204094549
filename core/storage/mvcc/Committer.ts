// Group commit: everything that arrives while a commit is flushing goes into the next one.
// Owns the open batch, the one commit under way, and the order of what follows a commit: visibility, events, answers.
// Refuses to decide transactions; a caller applies its writes first and is answered when they are durable, or not at all.
import type { CommitOutcome, Engine } from "../engine/Engine.ts"
import { keyText, Table, WriteBatch } from "../engine/Engine.ts"
import { Failure, type EtcdFailure } from "../rpc/EtcdFailure.ts"
import type { Fence } from "./Fence.ts"
import { MetaKey, readRevision, revisionRow } from "./Layout.ts"
import { Histogram } from "./Histogram.ts"
import { LazyRevision } from "./LazyRows.ts"
import type { StoredEvent } from "./StoredEvent.ts"

/** Called once: with what its writer decided (by default nothing) when the batch is durable and visible, with the failure when nothing of it is there. */
export type Answer<A = undefined> = (outcome: A | EtcdFailure) => void

/** Bytes that may wait for a commit; beyond, requests are answered `too many requests`, as etcd does when it falls behind. */
export const PENDING_MAX_BYTES = 256 * 2 ** 20

interface OpenBatch {
  readonly writes: WriteBatch
  readonly answers: Array<(outcome: never) => void>
  /** What each answer is told when the batch is durable. */
  readonly results: Array<unknown>
  readonly events: Array<StoredEvent>
  revision: number
  /** Whether it is committed even if it is empty: a sign of life. */
  beats: boolean
  /** Its place in the term, on an engine that others write as well. */
  stamp: unknown
}

const emptyBatch = (): OpenBatch => ({
  writes: new WriteBatch(),
  answers: [],
  results: [],
  events: [],
  revision: 0,
  beats: false,
  stamp: undefined
})

export interface CommitterHooks {
  /** Runs a function after what is running now, so that one loop turn's requests share a batch. */
  readonly defer: (run: () => void) => void
  /** Milliseconds, never going back. */
  readonly monotonic: () => number
  /** The batch is durable: make it visible and tell watchers, before anyone is answered. */
  readonly committed: (revision: number, events: ReadonlyArray<StoredEvent>) => void
  /** Nothing of the batch, nor of the one being filled, is there: forget all that is uncommitted. */
  readonly failed: (outcome: CommitOutcome & { readonly kind: "failed" | "conflict" }) => void
  /** Ties batches to a term, on an engine that others write as well. */
  readonly fence?: Fence | undefined
}

export class Committer {
  private readonly engine: Engine
  private readonly hooks: CommitterHooks
  private open = emptyBatch()
  private underWay: OpenBatch | undefined
  private scheduled = false
  /** Batches without a revision that were committed, or are under way. */
  rowBatches = 0
  /** Commits and the writes they carried: their ratio is how well the group commit groups. */
  readonly stats = { commits: 0, answers: 0, failures: 0 }
  /** How long the engine took to make each commit durable. */
  readonly durations = new Histogram()

  constructor(engine: Engine, hooks: CommitterHooks) {
    this.engine = engine
    this.hooks = hooks
  }

  /** The batch that is being filled: transactions append to it. */
  get batch(): OpenBatch {
    return this.open
  }

  /** Whether a commit is under way: an engine takes one at a time. */
  get isCommitting(): boolean {
    return this.underWay !== undefined
  }

  get isIdle(): boolean {
    return this.underWay === undefined && this.open.writes.isEmpty
  }

  /** Answers that wait for a commit. */
  get pending(): number {
    return this.open.answers.length + (this.underWay?.answers.length ?? 0)
  }

  get isFull(): boolean {
    return this.open.writes.sizeBytes > PENDING_MAX_BYTES
  }

  /** Answers when all that was applied so far is durable; at once when nothing is pending. */
  whenDurable<A = undefined>(answer: Answer<A>, result?: A): void {
    // SAFETY: only who is told nothing leaves the result out.
    if (this.isIdle) return answer(result as A)
    this.enqueue(answer, result)
  }

  /** Commits a batch, an empty one if need be, and answers when it is there: the writer's sign of life. */
  beat(answer: Answer): void {
    this.open.beats = true
    this.enqueue(answer)
  }

  /** Queues an answer for the open batch and sees to it that the batch is committed. */
  enqueue<A = undefined>(answer: Answer<A>, result?: A): void {
    this.open.answers.push(answer)
    this.open.results.push(result)
    if (this.scheduled || this.underWay !== undefined) return
    this.scheduled = true
    this.hooks.defer(() => {
      this.scheduled = false
      this.flush()
    })
  }

  private flush(): void {
    if (this.underWay !== undefined || this.open.answers.length === 0) return
    if (this.hooks.fence?.holds() === false) return this.abandon(Failure.notLeader)
    const batch = this.open
    this.open = emptyBatch()
    this.underWay = batch
    if (batch.revision > 0) this.putRevision(batch)
    this.stats.commits++
    this.stats.answers += batch.answers.length
    if (batch.writes.isEmpty && !batch.beats) return this.settle(batch, { kind: "committed" })
    const { fence, monotonic } = this.hooks
    if (fence !== undefined) batch.stamp = fence.stamp(batch.writes)
    else if (batch.revision === 0) batch.writes.put(Table.Meta, MetaKey.rowBatches, revisionRow(++this.rowBatches))
    const startedMs = monotonic()
    this.engine.commit(batch.writes, (outcome) => {
      this.durations.observe((monotonic() - startedMs) / 1000)
      if (outcome.kind === "committed") fence?.passed(batch.stamp)
      this.settle(batch, outcome)
    })
  }

  private putRevision({ revision, writes }: OpenBatch): void {
    if (this.engine.rows === undefined) writes.put(Table.Meta, MetaKey.revision, revisionRow(revision))
    else writes.putText(Table.Meta, keyText(MetaKey.revision), new LazyRevision(revision))
  }

  /** Gives up what has not been handed to the engine: this process no longer writes. */
  abandon(failure: EtcdFailure): void {
    const { answers } = this.open
    this.open = emptyBatch()
    for (const answer of answers) (answer as Answer)(failure)
  }

  private settle(batch: OpenBatch, outcome: CommitOutcome): void {
    if (outcome.kind === "uncertain") return this.resolve(batch)
    this.underWay = undefined
    if (outcome.kind === "committed") {
      this.hooks.committed(batch.revision, batch.events)
      const { answers, results } = batch
      // SAFETY: a result was queued with the answer that takes it.
      for (let at = 0; at < answers.length; at++) answers[at](results[at] as never)
    } else this.fail(batch, outcome, this.failureOf(outcome))
    this.flush()
  }

  /** Transactions after the failed batch were decided on it, so they fail with it, and certainly did nothing. */
  private fail(
    batch: OpenBatch,
    outcome: CommitOutcome & { readonly kind: "failed" | "conflict" },
    failure: EtcdFailure
  ): void {
    const doomed = this.open.answers
    this.open = emptyBatch()
    this.stats.failures++
    this.hooks.failed(outcome)
    for (const answer of batch.answers) (answer as Answer)(failure)
    for (const answer of doomed) (answer as Answer)(this.hooks.fence === undefined ? failure : Failure.notLeader)
  }

  private failureOf(outcome: CommitOutcome & { readonly kind: "failed" | "conflict" }): EtcdFailure {
    if (outcome.kind === "conflict" && this.hooks.fence !== undefined) return Failure.notLeader
    return outcome.kind === "failed" && outcome.reason === "no-space" ? Failure.noSpace : Failure.unhealthy
  }

  /** The engine does not know whether the batch is there, so it is asked for a row that the batch carried. */
  private resolve(batch: OpenBatch): void {
    const { fence } = this.hooks
    const [counter, carried] =
      batch.revision > 0 ? [MetaKey.revision, batch.revision] : [MetaKey.rowBatches, this.rowBatches]
    const key = fence?.key ?? counter
    const need = { table: Table.Meta, start: key, end: key, limit: 1 }
    this.engine.read(
      () => [need],
      (view) => {
        const row = view.get(Table.Meta, key)
        if (fence !== undefined) return this.resolveFenced(batch, fence, row)
        const found = row !== undefined && readRevision(row, 0) >= carried
        this.settle(batch, found ? { kind: "committed" } : lostCommit)
      }
    )
  }

  private resolveFenced(batch: OpenBatch, fence: Fence, row: Uint8Array | undefined): void {
    const fate = fence.fateOf(row, batch.stamp)
    if (fate === "pending") return this.shutOut(batch, fence)
    if (fate === "committed") {
      fence.passed(batch.stamp)
      return this.settle(batch, { kind: "committed" })
    }
    this.underWay = undefined
    // A batch that is not there did nothing, and its requests may be tried again; of the other kind nobody can know.
    this.fail(batch, lostCommit, fate === "absent" ? Failure.notLeader : Failure.leaderFailed)
  }

  /** A batch that is not there may be on its way still: another one of the term, once there, keeps it out for good. */
  private shutOut(batch: OpenBatch, fence: Fence): void {
    if (!fence.holds()) return this.resolve(batch)
    const writes = new WriteBatch()
    const stamp = fence.stamp(writes)
    this.engine.commit(writes, (outcome) => {
      if (outcome.kind === "committed") fence.passed(stamp)
      this.resolve(batch)
    })
  }
}

const lostCommit = { kind: "failed", reason: "io", detail: "the commit was lost" } as const
