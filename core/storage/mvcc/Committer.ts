// Group commit: everything that arrives while a commit is flushing goes into the next one.
// Owns the open batch, the one commit under way, and the order of what follows a commit: visibility, events, answers.
// Refuses to decide transactions; a caller applies its writes first and is answered when they are durable, or not at all.
import type { CommitOutcome, Engine } from "../engine/Engine.ts"
import { Table, WriteBatch } from "../engine/Engine.ts"
import { Failure, type EtcdFailure } from "../rpc/EtcdFailure.ts"
import { MetaKey, readRevision, revisionRow } from "./Layout.ts"
import { Histogram } from "./Histogram.ts"
import type { StoredEvent } from "./StoredEvent.ts"

/** Called once: with nothing when the batch is durable and visible, with the failure when nothing of it is there. */
export type Answer = (failure: EtcdFailure | undefined) => void

/** Bytes that may wait for a commit; beyond, requests are answered `too many requests`, as etcd does when it falls behind. */
export const PENDING_MAX_BYTES = 256 * 2 ** 20

interface OpenBatch {
  readonly writes: WriteBatch
  readonly answers: Array<Answer>
  readonly events: Array<StoredEvent>
  revision: number
}

const emptyBatch = (): OpenBatch => ({ writes: new WriteBatch(), answers: [], events: [], revision: 0 })

export interface CommitterHooks {
  /** Runs a function after what is running now, so that one loop turn's requests share a batch. */
  readonly defer: (run: () => void) => void
  /** Milliseconds, never going back. */
  readonly monotonic: () => number
  /** The batch is durable: make it visible and tell watchers, before anyone is answered. */
  readonly committed: (revision: number, events: ReadonlyArray<StoredEvent>) => void
  /** Nothing of the batch, nor of the one being filled, is there: forget all that is uncommitted. */
  readonly failed: (outcome: CommitOutcome & { readonly kind: "failed" | "conflict" }) => void
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
  whenDurable(answer: Answer): void {
    if (this.isIdle) return answer(undefined)
    this.enqueue(answer)
  }

  /** Queues an answer for the open batch and sees to it that the batch is committed. */
  enqueue(answer: Answer): void {
    this.open.answers.push(answer)
    if (this.scheduled || this.underWay !== undefined) return
    this.scheduled = true
    this.hooks.defer(() => {
      this.scheduled = false
      this.flush()
    })
  }

  private flush(): void {
    if (this.underWay !== undefined || this.open.answers.length === 0) return
    const batch = this.open
    this.open = emptyBatch()
    this.underWay = batch
    if (batch.revision > 0) batch.writes.put(Table.Meta, MetaKey.revision, revisionRow(batch.revision))
    this.stats.commits++
    this.stats.answers += batch.answers.length
    if (batch.writes.isEmpty) return this.settle(batch, { kind: "committed" })
    if (batch.revision === 0) batch.writes.put(Table.Meta, MetaKey.rowBatches, revisionRow(++this.rowBatches))
    const { monotonic } = this.hooks
    const startedMs = monotonic()
    this.engine.commit(batch.writes, (outcome) => {
      this.durations.observe((monotonic() - startedMs) / 1000)
      this.settle(batch, outcome)
    })
  }

  private settle(batch: OpenBatch, outcome: CommitOutcome): void {
    if (outcome.kind === "uncertain") return this.resolve(batch)
    this.underWay = undefined
    if (outcome.kind === "committed") {
      this.hooks.committed(batch.revision, batch.events)
      for (const answer of batch.answers) answer(undefined)
    } else this.fail(batch, outcome)
    this.flush()
  }

  /** Transactions after the failed batch were decided on it, so they fail with it. */
  private fail(batch: OpenBatch, outcome: CommitOutcome & { readonly kind: "failed" | "conflict" }): void {
    const doomed = [...batch.answers, ...this.open.answers]
    this.open = emptyBatch()
    this.stats.failures++
    this.hooks.failed(outcome)
    const failure = outcome.kind === "failed" && outcome.reason === "no-space" ? Failure.noSpace : Failure.unhealthy
    for (const answer of doomed) answer(failure)
  }

  /** The engine does not know whether the batch is there, so it is asked for the number that the batch carried. */
  private resolve(batch: OpenBatch): void {
    const [key, carried] =
      batch.revision > 0 ? [MetaKey.revision, batch.revision] : [MetaKey.rowBatches, this.rowBatches]
    const need = { table: Table.Meta, start: key, end: key, limit: 1 }
    this.engine.read(
      () => [need],
      (view) => {
        const row = view.get(Table.Meta, key)
        const found = row !== undefined && readRevision(row, 0) >= carried
        this.settle(
          batch,
          found ? { kind: "committed" } : { kind: "failed", reason: "io", detail: "the commit was lost" }
        )
      }
    )
  }
}
