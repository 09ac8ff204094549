// One round of reads: everything asked for in a turn of the loop, fetched at one timestamp and handed out as Views.
// Owns the way from needs to requests and back, and what happens to reads that fail; refuses when rounds begin.
// Single rows of all reads are one request to each region; ranges follow, each read handed out as soon as its own are here.
import { Effect, Semaphore } from "effect"
import type { Need, View } from "../engine/Engine.ts"
import { type FetchedNeed, type FetchedPoints, FetchedView, isPoint, pointName } from "../engine/FetchedView.ts"
import type { EngineMeters } from "./EngineMeters.ts"
import type { OwnCommit, ReadMoment } from "./OwnCommit.ts"
import type { ScanOptions } from "./SnapshotReads.ts"
import type { TikvEngineOptions } from "./TikvEngine.ts"
import type { ReadError } from "./TikvError.ts"

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
      const askedTs = yield* this.meters.timed("timestamp", this.options.client.oracle.timestamp)
      const moment = yield* this.own.moment(askedTs)
      const points: FetchedPoints = new Map()
      const ranged = new Set<PendingRead>()
      for (const read of reads) {
        for (const need of read.needs) {
          if (isPoint(need)) points.set(pointName(need.table, need.start), undefined)
          else ranged.add(read)
        }
      }
      yield* this.fetchPoints(points, moment)
      for (const read of reads) if (!ranged.has(read)) this.handOut(reads, read, points, [])
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
    points: FetchedPoints,
    ranges: ReadonlyArray<FetchedNeed>
  ): void {
    reads.delete(read)
    this.guard(() => read.use(new FetchedView(ranges, points)))
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

  /** Puts the values of the named rows beside their names. */
  private fetchPoints(points: FetchedPoints, { passage, version }: ReadMoment): Effect.Effect<void, ReadError> {
    const { client, rows } = this.options
    if (points.size === 0) return Effect.void
    const keys = Array.from(points.keys(), (name) => rows.keyOfName(name))
    return Effect.map(this.meters.timed("get", client.reads.getAll(keys, version, passage)), (found) => {
      for (const [key, value] of found) points.set(rows.nameOfKey(key), rows.value(value))
    })
  }

  private fetchRanges(read: PendingRead, moment: ReadMoment): Effect.Effect<ReadonlyArray<FetchedNeed>, ReadError> {
    return Effect.forEach(
      read.needs.filter((need) => !isPoint(need)),
      (need) => this.ranges.withPermits(1)(this.fetchRange(need, moment)),
      { concurrency: "unbounded" }
    )
  }

  private fetchRange(need: Need, { passage, version }: ReadMoment): Effect.Effect<FetchedNeed, ReadError> {
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
