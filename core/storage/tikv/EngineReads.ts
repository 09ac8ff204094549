// One round of reads: everything asked for in a turn of the loop, fetched at one timestamp and handed out as Views.
// Owns the way from needs to requests and back, and what happens to reads that fail; refuses when rounds begin.
// Single rows of all reads are one request to each region; ranges follow, each read handed out as soon as its own are here.
import { Effect, Semaphore } from "effect"
import type { Need, View } from "../engine/Engine.ts"
import { type FetchedNeed, FetchedView, isPoint } from "../engine/FetchedView.ts"
import type { EngineMeters } from "./EngineMeters.ts"
import type { OwnCommit, OwnLocks } from "./OwnCommit.ts"
import type { ScanOptions } from "./SnapshotReads.ts"
import type { TikvEngineOptions } from "./TikvEngine.ts"
import type { ReadError } from "./TikvError.ts"
import type { Timestamp } from "./Timestamp.ts"

/** Ranges that are being read at once, of all rounds. */
const RANGES_MAX = 32
/** Rounds that are begun again because their snapshot has become too old to be read. */
const RESTARTS_MAX = 3
/** Reads that nobody is told the failure of are tried again after this. */
const RETRY_AFTER = "500 millis"

export interface PendingRead {
  readonly needs: ReadonlyArray<Need>
  readonly use: (view: View) => void
  /** Told when the cluster does not serve the read; without it the read is tried for as long as it takes. */
  readonly failed: ((detail: string) => void) | undefined
}

/** What a round reads at. */
interface Moment {
  readonly version: Timestamp
  readonly passage: OwnLocks
}

export class EngineReads {
  private readonly options: TikvEngineOptions
  private readonly own: OwnCommit
  private readonly meters: EngineMeters
  private readonly ranges = Semaphore.makeUnsafe(RANGES_MAX)

  constructor(options: TikvEngineOptions, own: OwnCommit, meters: EngineMeters) {
    this.options = options
    this.own = own
    this.meters = meters
  }

  /** Reads until every read is handed out or told of its failure. */
  round(reads: ReadonlyArray<PendingRead>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      let pending = new Set(reads)
      for (let restarts = 0; pending.size > 0;) {
        const outcome = yield* Effect.result(this.attempt(pending))
        if (outcome._tag === "Success" || pending.size === 0) return
        const { failure } = outcome
        if (failure._tag === "SnapshotTooOld" && restarts++ < RESTARTS_MAX) continue
        this.meters.failedReads += pending.size
        pending = new Set([...pending].filter((read) => !this.tell(read, failure)))
        if (pending.size > 0) yield* Effect.sleep(RETRY_AFTER)
      }
    })
  }

  private tell({ failed }: PendingRead, failure: ReadError): boolean {
    if (failed === undefined) return false
    this.guard(() => failed(failure.message))
    return true
  }

  /** Hands out what it can, and takes that from the reads. */
  private attempt(reads: Set<PendingRead>): Effect.Effect<void, ReadError> {
    return Effect.gen({ self: this }, function* () {
      const version = yield* this.meters.timed("timestamp", this.options.client.oracle.timestamp)
      const moment: Moment = { version, passage: yield* this.own.passage(version) }
      const points = yield* this.fetchPoints([...reads], moment)
      const ranged: Array<PendingRead> = []
      for (const read of reads) {
        if (read.needs.every(isPoint)) this.handOut(reads, read, points, [])
        else ranged.push(read)
      }
      yield* Effect.forEach(
        ranged,
        (read) => Effect.map(this.fetchRanges(read, moment), (fetched) => this.handOut(reads, read, points, fetched)),
        { concurrency: "unbounded", discard: true }
      )
    })
  }

  private handOut(
    reads: Set<PendingRead>,
    read: PendingRead,
    points: ReadonlyMap<string, Uint8Array>,
    ranges: ReadonlyArray<FetchedNeed>
  ): void {
    reads.delete(read)
    const { rows } = this.options
    const found = read.needs.filter(isPoint).map((need): FetchedNeed => {
      const value = points.get(rows.key(need.table, need.start).toString("latin1"))
      return value === undefined
        ? { need, keys: [], values: [] }
        : { need, keys: [need.start], values: [rows.value(value)] }
    })
    this.guard(() => read.use(new FetchedView([...found, ...ranges])))
  }

  /** What a reader throws is its own: it must not end the round for the others. */
  private guard(run: () => void): void {
    try {
      run()
    } catch (thrown) {
      this.options.defer(() => {
        throw thrown
      })
    }
  }

  private fetchPoints(
    reads: ReadonlyArray<PendingRead>,
    { passage, version }: Moment
  ): Effect.Effect<ReadonlyMap<string, Uint8Array>, ReadError> {
    const { client, rows } = this.options
    const keys = new Map<string, Buffer>()
    for (const { needs } of reads) {
      for (const need of needs) {
        if (!isPoint(need)) continue
        const key = rows.key(need.table, need.start)
        keys.set(key.toString("latin1"), key)
      }
    }
    if (keys.size === 0) return Effect.succeed(new Map())
    return this.meters.timed("get", client.reads.getAll([...keys.values()], version, passage))
  }

  private fetchRanges(read: PendingRead, moment: Moment): Effect.Effect<ReadonlyArray<FetchedNeed>, ReadError> {
    return Effect.forEach(
      read.needs.filter((need) => !isPoint(need)),
      (need) => this.ranges.withPermits(1)(this.fetchRange(need, moment)),
      { concurrency: "unbounded" }
    )
  }

  private fetchRange(need: Need, { passage, version }: Moment): Effect.Effect<FetchedNeed, ReadError> {
    return Effect.gen({ self: this }, function* () {
      const { client, rows } = this.options
      const { counted, limit, table } = need
      const range: ScanOptions = {
        start: rows.key(table, need.start),
        end: rows.end(table, need.end),
        limit,
        version,
        passage
      }
      const found = yield* this.meters.timed("scan", client.reads.scan(range))
      this.meters.scannedRows += found.length
      const keys = found.map(({ key }) => rows.rowKey(key))
      const values = found.map(({ value }) => rows.value(value))
      if (counted !== true) return { need, keys, values }
      const last = found.at(-1)
      if (limit === 0 || found.length < limit || last === undefined) return { need, keys, values, count: found.length }
      const rest = { ...range, start: Buffer.concat([last.key, Buffer.alloc(1)]), limit: 0 }
      const beyond = yield* this.meters.timed("count", client.reads.count(rest))
      return { need, keys, values, count: found.length + beyond }
    })
  }
}
