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

/** What a round asks for: single rows of all reads together, and the reads that want ranges besides. */
class Asked {
  readonly reads: ReadonlyArray<PendingRead>
  readonly points: FetchedPoints = new Map()
  readonly ranged = new Set<PendingRead>()

  constructor(reads: Iterable<PendingRead>) {
    this.reads = [...reads]
    for (const read of this.reads) {
      for (const need of read.needs) {
        if (isPoint(need)) this.points.set(pointName(need.table, need.start), undefined)
        else this.ranged.add(read)
      }
    }
  }
}

export class EngineReads {
  private readonly options: TikvEngineOptions
  private readonly own: OwnCommit
  private readonly meters: EngineMeters
  private readonly fork: (effect: Effect.Effect<void>) => void
  private readonly ranges = Semaphore.makeUnsafe(RANGES_MAX)

  /** `fork` runs what takes patience. */
  constructor(
    options: TikvEngineOptions,
    own: OwnCommit,
    meters: EngineMeters,
    fork: (effect: Effect.Effect<void>) => void
  ) {
    this.options = options
    this.own = own
    this.meters = meters
    this.fork = fork
  }

  /** Reads until every read is handed out or told of its failure, and calls `ended`. */
  round(reads: ReadonlyArray<PendingRead>, ended: () => void): void {
    const { client, monotonic } = this.options
    const startedMs = monotonic()
    client.oracle.ask((failure, askedTs) => {
      this.meters.observe("timestamp", startedMs)
      if (failure !== undefined) return this.fork(this.patiently(reads, undefined, ended))
      this.own.moment(askedTs, (moment) => this.readAt(new Asked(reads), moment, ended))
    })
  }

  /** The plain way, without a fiber where no range is read: single rows that nothing stands in the way of. */
  private readAt(asked: Asked, moment: ReadMoment, ended: () => void): void {
    const { client, monotonic, rows } = this.options
    const finish = (): void => {
      this.handOutPoints(asked)
      if (asked.ranged.size === 0) ended()
      else this.fork(this.patiently([...asked.ranged], moment, ended))
    }
    const { points } = asked
    if (points.size === 0) return finish()
    const keys = Array.from(points.keys(), (name) => rows.keyOfName(name))
    const startedMs = monotonic()
    client.reads.tryGetAll(keys, moment.version, moment.passage, (found) => {
      if (found === undefined) return this.fork(this.patiently([...asked.reads], moment, ended))
      this.meters.observe("get", startedMs)
      this.keep(points, found)
      finish()
    })
  }

  /** Until every read is handed out or told of its failure; at a given moment first. */
  private patiently(
    reads: Iterable<PendingRead>,
    moment: ReadMoment | undefined,
    ended: () => void
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      let pending = new Set(reads)
      let at = moment
      for (let restarts = 0; pending.size > 0;) {
        const outcome = yield* Effect.result(this.attempt(pending, at))
        at = undefined
        if (outcome._tag === "Success" || pending.size === 0) return
        const { failure } = outcome
        if (failure._tag === "SnapshotTooOld" && restarts++ < RESTARTS_MAX) continue
        this.meters.failedReads += pending.size
        pending = new Set([...pending].filter((read) => !this.tell(read, failure)))
        if (pending.size > 0) yield* Effect.sleep(RETRY_AFTER)
      }
    }).pipe(Effect.ensuring(Effect.sync(ended)))
  }

  private tell({ failed }: PendingRead, failure: ReadError): boolean {
    if (failed === undefined) return false
    this.guard(() => failed(failure.message))
    return true
  }

  /** Hands out what it can, and takes that from the reads. */
  private attempt(reads: Set<PendingRead>, at: ReadMoment | undefined): Effect.Effect<void, ReadError> {
    return Effect.gen({ self: this }, function* () {
      const moment = at ?? (yield* this.momentNow)
      const asked = new Asked(reads)
      yield* this.fetchPoints(asked.points, moment)
      for (const read of this.handOutPoints(asked)) reads.delete(read)
      yield* Effect.forEach(
        asked.ranged,
        (read) =>
          Effect.map(this.fetchRanges(read, moment), (fetched) => {
            reads.delete(read)
            this.handOut(read, asked.points, fetched)
          }),
        { concurrency: "unbounded", discard: true }
      )
    })
  }

  private readonly momentNow: Effect.Effect<ReadMoment, ReadError> = Effect.suspend(() =>
    Effect.flatMap(this.meters.timed("timestamp", this.options.client.oracle.timestamp), (askedTs) =>
      Effect.callback<ReadMoment>((resume) => this.own.moment(askedTs, (moment) => resume(Effect.succeed(moment))))
    )
  )

  /** Reads without a range have all that they need; they are answered. */
  private handOutPoints({ points, ranged, reads }: Asked): ReadonlyArray<PendingRead> {
    const whole = reads.filter((read) => !ranged.has(read))
    for (const read of whole) this.handOut(read, points, [])
    return whole
  }

  private handOut(read: PendingRead, points: FetchedPoints, ranges: ReadonlyArray<FetchedNeed>): void {
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
    return Effect.map(this.meters.timed("get", client.reads.getAll(keys, version, passage)), (found) =>
      this.keep(points, found)
    )
  }

  private keep(points: FetchedPoints, found: ReadonlyMap<string, Uint8Array>): void {
    const { rows } = this.options
    for (const [key, value] of found) points.set(rows.nameOfKey(key), rows.value(value))
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
