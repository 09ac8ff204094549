// Reads at one timestamp: keys in batches by region, ranges forward and in reverse, page by page.
// Owns the spreading over regions, its bound, and the passage through locks; refuses timestamps below the garbage
// collection's safe point. A range without a limit is read in all its regions at once, as far as the bound allows.
import { Effect } from "effect"
import { compareBytes } from "../engine/Engine.ts"
import { Backoff, Budget } from "./Backoff.ts"
import { type LockResolver, refused } from "./LockResolver.ts"
import type { OwnLocks } from "./OwnCommit.ts"
import { holds, type RegionRef } from "./RegionCache.ts"
import { type RegionClient, type SendError, type SendOptions } from "./RegionClient.ts"
import { type KeyError, type LockInfo, StoreMethods } from "./TikvMessages.ts"
import { type ReadError, SnapshotTooOld } from "./TikvError.ts"
import type { Timestamp } from "./Timestamp.ts"

/** Requests of one read that are under way at once. */
const CONCURRENCY_MAX = 8
const KEYS_PER_BATCH = 512
/** How often a read waits for a living transaction before it makes it commit later than itself. */
const MEETINGS_BEFORE_PUSH = 4
const ROWS_PER_PAGE = 1024
/** Keys without their values are small. */
const KEYS_PER_PAGE = 8192

export interface Row {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

export interface ScanOptions {
  readonly start: Uint8Array
  /** Exclusive. */
  readonly end: Uint8Array
  /** 0: all. */
  readonly limit: number
  readonly version: Timestamp
  readonly keysOnly?: boolean
  readonly reverse?: boolean
  readonly passage?: OwnLocks
}

/** Which locks a read has learned to look through. */
class Passage implements SendOptions {
  readonly resolvedLocks: Array<bigint>
  readonly committedLocks: ReadonlyArray<bigint>
  /** How often the read met locks. */
  meetings = 0

  constructor({ committed, ignored }: OwnLocks = { ignored: [], committed: [] }) {
    this.resolvedLocks = [...ignored]
    this.committedLocks = committed
  }
}

const textOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1")

export class SnapshotReads {
  private readonly client: RegionClient
  private readonly resolver: LockResolver
  /** What garbage collection may have taken, as far as known. */
  safePoint: Timestamp = 0n

  constructor(client: RegionClient, resolver: LockResolver) {
    this.client = client
    this.resolver = resolver
  }

  /** The values of keys that are there, by the keys' latin1 texts. */
  getAll(
    keys: ReadonlyArray<Uint8Array>,
    version: Timestamp,
    passage?: OwnLocks,
    budgetMs: number = Budget.read
  ): Effect.Effect<ReadonlyMap<string, Uint8Array>, ReadError> {
    return Effect.gen({ self: this }, function* () {
      yield* this.checkVisible(version)
      const found = new Map<string, Uint8Array>()
      const backoff = new Backoff(budgetMs)
      yield* this.getInto(found, keys, version, new Passage(passage), backoff)
      return found
    })
  }

  /**
   * The same with what is known of the cluster and without patience: undefined is told when anything stands in the way, and `getAll`
   * is the way then. Most reads meet nothing, and need no fiber.
   */
  tryGetAll(
    keys: ReadonlyArray<Uint8Array>,
    version: Timestamp,
    { committed, ignored }: OwnLocks,
    told: (found: ReadonlyMap<string, Uint8Array> | undefined) => void
  ): void {
    const groups = version < this.safePoint ? undefined : this.client.regions.groupKnown(keys, (key) => key)
    if (groups === undefined) return told(undefined)
    const chunks = [...groups].flatMap(([ref, part]) =>
      part.length <= KEYS_PER_BATCH
        ? [{ ref, part }]
        : slices(part, KEYS_PER_BATCH).map((slice) => ({ ref, part: slice }))
    )
    if (chunks.length > CONCURRENCY_MAX) return told(undefined)
    const options = { resolvedLocks: ignored, committedLocks: committed }
    const found = new Map<string, Uint8Array>()
    let left = chunks.length
    let isPlain = true
    for (const { part, ref } of chunks) {
      this.client.trySend(ref, StoreMethods.batchGet, { keys: part, version }, options, (answer) => {
        isPlain &&= answer !== undefined && answer.error === undefined
        for (const { error, key, value } of answer?.pairs ?? []) {
          if (error === undefined) found.set(textOf(key), value)
          else isPlain = false
        }
        if (--left === 0) told(isPlain ? found : undefined)
      })
    }
  }

  private getInto(
    found: Map<string, Uint8Array>,
    keys: ReadonlyArray<Uint8Array>,
    version: Timestamp,
    passage: Passage,
    backoff: Backoff
  ): Effect.Effect<void, SendError> {
    return Effect.gen({ self: this }, function* () {
      const groups = yield* this.client.regions.group(keys, (key) => key, backoff)
      const chunks = groups.flatMap(({ items, ref }) =>
        slices(items, KEYS_PER_BATCH).map((chunk) => ({ ref, keys: chunk }))
      )
      const fetch = (chunk: (typeof chunks)[number]) =>
        this.getChunk(found, chunk.ref, chunk.keys, version, passage, backoff)
      if (chunks.length === 1) return yield* fetch(chunks[0])
      yield* Effect.forEach(chunks, fetch, { concurrency: CONCURRENCY_MAX, discard: true })
    })
  }

  private getChunk(
    found: Map<string, Uint8Array>,
    ref: RegionRef,
    keys: ReadonlyArray<Uint8Array>,
    version: Timestamp,
    passage: Passage,
    backoff: Backoff
  ): Effect.Effect<void, SendError> {
    return Effect.gen({ self: this }, function* () {
      let pending = keys
      while (pending.length > 0) {
        const sent = yield* Effect.result(
          this.client.send(ref, StoreMethods.batchGet, { keys: pending, version }, backoff, passage)
        )
        if (sent._tag === "Failure") {
          if (sent.failure._tag !== "RegionMoved") return yield* sent.failure
          return yield* this.getInto(found, pending, version, passage, backoff)
        }
        const { error, pairs } = sent.success
        const locks: Array<LockInfo> = []
        if (error !== undefined) locks.push(yield* lockOf("KvBatchGet", error))
        else {
          for (const pair of pairs) {
            if (pair.error !== undefined) locks.push(yield* lockOf("KvBatchGet", pair.error))
            else found.set(textOf(pair.key), pair.value)
          }
        }
        if (error === undefined) pending = locks.map(({ key }) => key)
        yield* this.pass(locks, version, passage, backoff)
      }
    })
  }

  /** The rows of a range in its order: ascending, or descending in reverse. */
  scan(options: ScanOptions, budgetMs: number = Budget.read): Effect.Effect<ReadonlyArray<Row>, ReadError> {
    return Effect.map(
      this.scanParts(
        options,
        budgetMs,
        (): Array<Row> => [],
        (rows, page) => void rows.push(...page)
      ),
      (parts) => (options.reverse === true ? parts.toReversed() : parts).flat()
    )
  }

  /** How many rows a range has. */
  count(options: ScanOptions, budgetMs: number = Budget.background): Effect.Effect<number, ReadError> {
    const keys = { ...options, keysOnly: true }
    return Effect.map(
      this.scanParts(
        keys,
        budgetMs,
        () => ({ rows: 0 }),
        (sum, page) => void (sum.rows += page.length)
      ),
      (parts) => parts.reduce((sum, { rows }) => sum + rows, 0)
    )
  }

  /** Reads a range without a limit in all its regions at once; what each part came to, in ascending order of keys. */
  private scanParts<A>(
    options: ScanOptions,
    budgetMs: number,
    begin: () => A,
    take: (part: A, page: ReadonlyArray<Row>) => void
  ): Effect.Effect<ReadonlyArray<A>, ReadError> {
    return Effect.gen({ self: this }, function* () {
      yield* this.checkVisible(options.version)
      const { end, limit, start } = options
      if (compareBytes(start, end) >= 0) return []
      const backoff = new Backoff(budgetMs)
      const passage = new Passage(options.passage)
      const scanPart = (part: ScanOptions): Effect.Effect<A, SendError> => {
        const sum = begin()
        return Effect.as(
          this.scanInTurn(part, passage, backoff, (page) => take(sum, page)),
          sum
        )
      }
      if (limit > 0) return [yield* scanPart(options)]
      const pieces = yield* this.client.regions.cut(start, end, backoff)
      return yield* Effect.forEach(pieces, (piece) => scanPart({ ...options, ...piece }), {
        concurrency: CONCURRENCY_MAX
      })
    })
  }

  private scanInTurn(
    options: ScanOptions,
    passage: Passage,
    backoff: Backoff,
    take: (page: ReadonlyArray<Row>) => void
  ): Effect.Effect<void, SendError> {
    return Effect.gen({ self: this }, function* () {
      const { keysOnly, limit, reverse } = options
      const pageMax = keysOnly === true ? KEYS_PER_PAGE : ROWS_PER_PAGE
      let left = limit === 0 ? Number.POSITIVE_INFINITY : limit
      let { end, start } = options
      while (compareBytes(start, end) < 0 && left > 0) {
        const ref = yield* reverse === true
          ? this.client.regions.locateBelow(end, backoff)
          : this.client.regions.locate(start, backoff)
        const part = clamp(ref, start, end)
        const asked = Math.min(pageMax, left)
        const page = yield* this.scanPage(ref, { ...options, ...part, limit: asked }, passage, backoff)
        if (page === undefined) continue
        const { locked, rows } = page
        take(rows)
        left -= rows.length
        const last = rows.at(-1)
        const isWhole = locked === undefined && rows.length < asked
        if (reverse === true) end = isWhole ? part.start : (locked ?? last?.key ?? end)
        else start = isWhole ? part.end : (locked ?? (last === undefined ? start : following(last.key)))
      }
    })
  }

  /** One page of one region up to the first locked row; undefined when the region is another by now. */
  private scanPage(
    ref: RegionRef,
    { end, keysOnly, limit, reverse, start, version }: ScanOptions,
    passage: Passage,
    backoff: Backoff
  ): Effect.Effect<
    { readonly rows: ReadonlyArray<Row>; readonly locked: Uint8Array | undefined } | undefined,
    SendError
  > {
    return Effect.gen({ self: this }, function* () {
      const [startKey, endKey] = reverse === true ? [end, start] : [start, end]
      const fields = { startKey, endKey, limit, version, keyOnly: keysOnly === true, reverse: reverse === true }
      const sent = yield* Effect.result(this.client.send(ref, StoreMethods.scan, fields, backoff, passage))
      if (sent._tag === "Failure") {
        if (sent.failure._tag !== "RegionMoved") return yield* sent.failure
        return undefined
      }
      const { error, pairs } = sent.success
      const locks: Array<LockInfo> = []
      if (error !== undefined) locks.push(yield* lockOf("KvScan", error))
      for (const pair of pairs) if (pair.error !== undefined) locks.push(yield* lockOf("KvScan", pair.error))
      if (locks.length === 0) return { rows: pairs, locked: undefined }
      yield* this.pass(locks, version, passage, backoff)
      // Read again from the first locked row on; what lies before it is read.
      const firstLocked = pairs.findIndex(({ error: met }) => met !== undefined)
      const rows = error === undefined ? pairs.slice(0, firstLocked) : []
      const last = rows.at(-1)
      if (reverse === true) return { rows, locked: last?.key ?? end }
      return { rows, locked: last === undefined ? start : following(last.key) }
    })
  }

  private pass(
    locks: ReadonlyArray<LockInfo>,
    version: Timestamp,
    passage: Passage,
    backoff: Backoff
  ): Effect.Effect<void, SendError> {
    return Effect.gen({ self: this }, function* () {
      if (locks.length === 0) return
      // A commit mostly ends within a few milliseconds: pushing it behind this read at once would make it start over.
      const patience = passage.meetings++ < MEETINGS_BEFORE_PUSH
      const { passed, waitMs } = yield* this.resolver.resolve(locks, patience ? 0n : version, backoff)
      passage.resolvedLocks.push(...passed.map(BigInt))
      if (waitMs > 0) yield* backoff.wait("locked", `by transaction ${locks[0].version}`, { atMostMs: waitMs })
    })
  }

  private checkVisible(version: Timestamp): Effect.Effect<void, SnapshotTooOld> {
    const { safePoint } = this
    return version < safePoint ? Effect.fail(new SnapshotTooOld({ version, safePoint })) : Effect.void
  }
}

const lockOf = (name: string, error: KeyError): Effect.Effect<LockInfo, SendError> =>
  error.locked === undefined ? Effect.fail(refused(name, error)) : Effect.succeed(error.locked)

const following = (key: Uint8Array): Buffer => Buffer.concat([key, Buffer.alloc(1)])

/** The part of [start, end) that lies in a region. */
const clamp = (ref: RegionRef, start: Uint8Array, end: Uint8Array): { start: Uint8Array; end: Uint8Array } => ({
  start: holds(ref, start) || compareBytes(start, ref.start) > 0 ? start : ref.start,
  end: ref.end !== undefined && compareBytes(ref.end, end) < 0 ? ref.end : end
})

const slices = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> => {
  const parts: Array<ReadonlyArray<A>> = []
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size))
  return parts
}
