// The distributed engine: the store's tables on a TiKV cluster, whose rows this process fetches for each read.
// Owns Views made of fetched rows, batches as transactions, and the wait for a commit whose end is not known; refuses terms
// and leaders, which the store ties to its batches with expectations. Reads of one turn of the loop share a timestamp and a
// request to each region; at most ROUNDS_MAX such rounds are under way, further reads gather in the next.
import { type Context, Effect, type Scope } from "effect"
import type { CommitOutcome, Engine, EngineMetric, Need, Partition, Table, View, WriteBatch } from "../engine/Engine.ts"
import { EngineMeters } from "./EngineMeters.ts"
import { EngineCommits } from "./EngineCommits.ts"
import { EngineReads, type PendingRead } from "./EngineReads.ts"
import { OwnCommit } from "./OwnCommit.ts"
import type { TikvClient } from "./TikvClient.ts"
import type { TikvRows } from "./TikvRows.ts"
import { physicalMs } from "./Timestamp.ts"

const ROUNDS_MAX = 8
/** The clock is compared with PD's this often even when nobody asks for timestamps. */
const CLOCK_EVERY = "1 second"

export interface TikvEngineOptions {
  readonly client: TikvClient
  readonly rows: TikvRows
  /** Runs a function after the current one has returned. */
  readonly defer: (run: () => void) => void
  /** Milliseconds, never going back. */
  readonly monotonic: () => number
  /** Bytes that the store takes in the cluster, as far as known. */
  readonly sizeBytes?: () => number
}

class TikvEngine implements Engine {
  readonly name = "tikv"
  readonly durable = true
  readonly shared = true
  readonly gathers = true
  private readonly meters: EngineMeters
  private readonly options: TikvEngineOptions
  private readonly reads: EngineReads
  private readonly commits: EngineCommits
  private readonly fork: (effect: Effect.Effect<void>) => void
  private waiting: Array<PendingRead> = []
  private scheduled = false
  private rounds = 0
  private closed = false
  /** PD's clock less ours. */
  private offsetMs: number
  private toldMs = 0

  constructor(options: TikvEngineOptions, context: Context.Context<never>, scope: Scope.Scope, nowMs: number) {
    const own = new OwnCommit()
    this.options = options
    this.meters = new EngineMeters(options)
    this.fork = (effect) => void Effect.runForkWith(context)(Effect.forkIn(effect, scope))
    this.reads = new EngineReads(options, own, this.meters, this.fork)
    this.commits = new EngineCommits(options, own, this.meters, this.fork)
    this.offsetMs = nowMs - options.monotonic()
  }

  read(needs: () => ReadonlyArray<Need>, use: (view: View) => void, failed?: (detail: string) => void): void {
    this.waiting.push({ needs: needs(), use, failed })
    this.schedule()
  }

  private schedule(): void {
    if (this.scheduled || this.rounds >= ROUNDS_MAX || this.waiting.length === 0 || this.closed) return
    this.scheduled = true
    this.options.defer(() => {
      this.scheduled = false
      this.round()
    })
  }

  private round(): void {
    const round = this.waiting
    this.waiting = []
    if (this.closed) return
    this.rounds++
    const ended = (): void => {
      this.rounds--
      this.schedule()
    }
    const { settled } = this.commits
    if (settled === undefined) this.reads.round(round, ended)
    else this.fork(Effect.map(settled, () => this.reads.round(round, ended)))
    this.schedule()
  }

  commit(batch: WriteBatch, done: (outcome: CommitOutcome) => void): void {
    this.commits.commit(batch, (outcome) => {
      try {
        done(outcome)
      } catch (thrown) {
        // What the store throws is its own: the connection that brought the answer goes on.
        this.options.defer(() => {
          throw thrown
        })
      }
    })
  }

  partitions(table: Table, start: Uint8Array, end: Uint8Array | undefined): ReadonlyArray<Partition> {
    const { client, rows } = this.options
    const borders = client.regions
      .bordersWithin(rows.key(table, start), rows.end(table, end))
      .map((border) => rows.rowKey(border))
    const starts = [start, ...borders]
    return starts.map((from, at) => ({ start: from, end: at + 1 < starts.length ? starts[at + 1] : end }))
  }

  clock(): number {
    // Never backwards: what was told to be past stays past.
    this.toldMs = Math.max(this.toldMs, Math.floor(this.options.monotonic() + this.offsetMs))
    return this.toldMs
  }

  /** Compares the clocks, for as long as it runs: they may drift apart. */
  get keepTime(): Effect.Effect<never> {
    const { client, monotonic } = this.options
    return client.oracle.timestamp.pipe(
      Effect.map((timestamp) => void (this.offsetMs = physicalMs(timestamp) - monotonic())),
      Effect.ignore,
      Effect.delay(CLOCK_EVERY),
      Effect.forever
    )
  }

  metrics(): ReadonlyArray<EngineMetric> {
    return this.meters.families()
  }

  size() {
    const totalBytes = this.options.sizeBytes?.() ?? 0
    return { totalBytes, inUseBytes: totalBytes }
  }

  close(): void {
    this.closed = true
    this.waiting = []
  }

  /** Takes no more reads, and ends when the commit under way has. */
  get closing(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.close()
      return this.commits.idle
    })
  }
}

export type { TikvEngine }

/** Opens the engine on a client for the life of the scope; fails when PD gives no timestamp. */
export const makeTikvEngine = Effect.fn("tikv.makeEngine")(function* (options: TikvEngineOptions) {
  const scope = yield* Effect.scope
  const context = yield* Effect.context()
  const now = physicalMs(yield* options.client.oracle.timestamp)
  const engine = new TikvEngine(options, context, scope, now)
  yield* Effect.forkIn(engine.keepTime, scope)
  return engine
})
