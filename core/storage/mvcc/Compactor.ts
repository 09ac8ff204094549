// Compaction: revisions below one are refused at once and their rows removed bit by bit.
// Owns the compacted revision, the cursor of the removal and its pace; refuses to scan keys: the log names what is dead.
// An event at revision r with previous revision p means that version p ended at r, so History[key, p] goes with r.
// Of a version that lives on, the log row stays when it alone knows the version's place in its revision (not the first).
import {
  keyText,
  type Need,
  type RowStore,
  type RowValue,
  Table,
  valueBytes,
  type View,
  type WriteBatch
} from "../engine/Engine.ts"
import { Failure, type EtcdFailure } from "../rpc/EtcdFailure.ts"
import { HashMemory } from "./HashMemory.ts"
import {
  EventKind,
  historyKey,
  historyText,
  LOG_HEADER_BYTES,
  logKey,
  logSub,
  MetaKey,
  readRevision,
  revisionRow
} from "./Layout.ts"
import { LazyLog } from "./LazyRows.ts"
import { rowNeed } from "./Needs.ts"
import type { Store } from "./Store.ts"
import { keepsPlace, keptRow } from "./VersionWalk.ts"

/** Log rows removed in one batch: a few milliseconds of the writer's time. */
const ROWS_PER_STEP = 256

type Doomed = ReadonlyArray<readonly [row: Buffer, value: Buffer]>

export interface CompactorOptions {
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** Runs a function after some milliseconds. */
  readonly after: (delayMs: number, run: () => void) => void
  /** Whether this process compacts: on a shared engine the leader alone does. */
  readonly leads?: () => boolean
}

export class Compactor {
  /** What the store hashed to before it was compacted. */
  readonly hashes = new HashMemory()
  private readonly store: Store
  private readonly options: CompactorOptions
  private cursor: number
  /** The log row at which the next step begins: a revision may have more rows than a step removes. */
  private from: Buffer
  private running = false
  /** Raised by each reload: steps of before end. */
  private life = 0
  private holds = 0
  private parked = false
  private waiting: Array<{ readonly revision: number; readonly done: () => void; readonly failed: () => void }> = []
  /** Rows removed, steps taken and the longest step in milliseconds, for metrics. */
  readonly stats = { rowsRemoved: 0, steps: 0, longestStepMs: 0, compactions: 0 }

  constructor(store: Store, options: CompactorOptions) {
    this.store = store
    this.options = options
    this.cursor = 0
    this.from = revisionRow(0)
    this.reload()
  }

  /** Goes on where the engine says that the removal stands. */
  reload(): void {
    this.running = false
    this.parked = false
    this.life++
    this.store.engine.read(
      () => [rowNeed(Table.Meta, MetaKey.compactionCursor)],
      (view) => {
        const row = view.get(Table.Meta, MetaKey.compactionCursor)
        this.cursor = row === undefined ? 0 : readRevision(row, 0)
        this.from = revisionRow(this.cursor)
        this.run()
      }
    )
  }

  /** Compacts up to a revision; `physical` answers when the rows are gone, otherwise when the revision is recorded. */
  compact(revision: number | bigint, physical: boolean, answer: (failure: EtcdFailure | undefined) => void): void {
    const { store } = this
    if (revision > store.revision) return answer(Failure.futureRevision)
    if (revision <= store.compacted) return answer(Failure.compacted)
    const target = Number(revision)
    const before = store.compacted
    store.compacted = target
    this.stats.compactions++
    store.writeRows<undefined>(
      ({ batch }) => {
        batch.writes.put(Table.Meta, MetaKey.compacted, revisionRow(target))
        return undefined
      },
      (failure) => {
        if (failure !== undefined) {
          // Nothing was recorded, so nothing is refused that a restart would show again.
          if (store.compacted === target) store.compacted = before
          return answer(failure)
        }
        const done = (): void => answer(undefined)
        if (physical) this.waiting.push({ revision: target, done, failed: () => answer(Failure.leaderFailed) })
        else answer(undefined)
        this.run()
      }
    )
  }

  /** Lets no rows go until the returned function is called: for readers that walk all versions in many turns. */
  hold(): () => void {
    let held = true
    this.holds++
    return () => {
      if (!held) return
      held = false
      this.holds--
      if (this.holds > 0 || !this.parked) return
      this.parked = false
      this.step()
    }
  }

  private run(): void {
    if (this.options.leads?.() === false) return
    if (this.running || this.store.compacted <= this.cursor) return this.wake()
    this.running = true
    this.step()
  }

  private step(): void {
    if (this.holds > 0) {
      this.parked = true
      return
    }
    const target = this.store.compacted
    const started = this.options.now()
    const { engine } = this.store
    engine.read(
      () => [{ table: Table.Log, start: this.from, end: revisionRow(target + 1), limit: ROWS_PER_STEP + 1 }],
      (view) => {
        const { rows } = engine
        if (rows !== undefined) return this.removeRows(rows, view, target, started)
        const { doomed, next } = this.doomedRows(view, target)
        if (engine.shared === true) this.removeFetched(doomed, next, target, started)
        else this.remove(view, doomed, next, target, started)
      }
    )
  }

  private doomedRows(view: View, target: number): { readonly doomed: Doomed; readonly next: Buffer | undefined } {
    const doomed: Array<readonly [row: Buffer, value: Buffer]> = []
    let next: Buffer | undefined
    view.scan(Table.Log, this.from, revisionRow(target + 1), (row, value) => {
      if (doomed.length === ROWS_PER_STEP) next = Buffer.from(row)
      else doomed.push([Buffer.from(row), Buffer.from(value)])
      return next === undefined
    })
    return { doomed, next }
  }

  /** Fetches what the rows name before they go. */
  private removeFetched(doomed: Doomed, next: Buffer | undefined, target: number, started: number): void {
    const { cursor, life } = this
    this.store.engine.read(
      () => [
        { table: Table.Log, start: revisionRow(0), end: revisionRow(cursor), limit: 1 },
        ...doomed.flatMap(([row, value]) => placeNeeds(row, value, cursor))
      ],
      (view) => {
        if (life === this.life) this.remove(view, doomed, next, target, started)
      }
    )
  }

  private remove(view: View, doomed: Doomed, next: Buffer | undefined, target: number, started: number): void {
    const kept = this.hasKeptRows(view)
    this.store.writeRows<undefined>(
      ({ batch: { writes } }) => {
        for (const [row, value] of doomed) {
          const previous = readRevision(value, 1)
          const key = value.subarray(LOG_HEADER_BYTES)
          if (previous > 0) writes.remove(Table.History, historyKey(key, previous))
          const old = kept && previous > 0 && previous < this.cursor ? keptRow(view, key, previous) : undefined
          if (old !== undefined) writes.remove(Table.Log, old)
          if (readRevision(row, 0) < target && !keepsPlace(view, row, value, target)) writes.remove(Table.Log, row)
        }
        this.putCursor(writes, next, target)
        return undefined
      },
      this.settled((failure) => this.stepped(failure, next, doomed.length, target, started))
    )
  }

  /** What follows a step's commit, unless all has been read anew since. */
  private settled(then: (failure: EtcdFailure | undefined) => void): (failure: EtcdFailure | undefined) => void {
    const { life } = this
    return (failure) => {
      if (life === this.life) then(failure)
    }
  }

  /** The same where rows are not bytes: a version goes with the line of the log that it is the companion of. */
  private removeRows(rows: RowStore, view: View, target: number, started: number): void {
    const texts: Array<string> = []
    const lines: Array<RowValue> = []
    let next: Buffer | undefined
    rows.scan(Table.Log, keyText(this.from), keyText(revisionRow(target + 1)), (text, line) => {
      if (texts.length === ROWS_PER_STEP) next = Buffer.from(text, "latin1")
      else {
        texts.push(text)
        lines.push(line)
      }
      return next === undefined
    })
    const kept = this.hasKeptRows(view)
    const targetText = keyText(revisionRow(target))
    this.store.writeRows<undefined>(
      ({ batch: { writes } }) => {
        for (let at = 0; at < texts.length; at++) {
          const text = texts[at]
          const line = lines[at]
          const log = line instanceof LazyLog ? line : lineOf(valueBytes(line))
          const { previous } = log
          const isCompanion = line instanceof LazyLog && line.isCompanioned
          if (previous > 0 && !isCompanion) writes.removeText(Table.History, historyText(log.text, previous))
          const old =
            kept && previous > 0 && previous < this.cursor
              ? keptRow(view, Buffer.from(log.text, "latin1"), previous)
              : undefined
          if (old !== undefined) writes.removeText(Table.Log, keyText(old))
          const isFirst = text.endsWith(FIRST)
          const goes =
            text < targetText && (isFirst || !keepsPlace(view, Buffer.from(text, "latin1"), valueBytes(line), target))
          if (goes) writes.removeText(Table.Log, text)
          else if (isCompanion) writes.putText(Table.Log, text, line.alone())
        }
        this.putCursor(writes, next, target)
        return undefined
      },
      (failure) => this.stepped(failure, next, texts.length, target, started)
    )
  }

  private putCursor(writes: WriteBatch, next: Buffer | undefined, target: number): void {
    const cursor = next === undefined ? target : readRevision(next, 0)
    writes.put(Table.Meta, MetaKey.compactionCursor, revisionRow(cursor))
  }

  /** Whether an earlier compaction left log rows behind. */
  private hasKeptRows(view: View): boolean {
    let found = false
    view.scan(Table.Log, revisionRow(0), revisionRow(this.cursor), () => !(found = true))
    return found
  }

  private stepped(
    failure: EtcdFailure | undefined,
    next: Buffer | undefined,
    rows: number,
    target: number,
    started: number
  ): void {
    const tookMs = this.options.now() - started
    this.stats.steps++
    this.stats.rowsRemoved += rows
    this.stats.longestStepMs = Math.max(this.stats.longestStepMs, tookMs)
    if (failure === undefined) {
      this.from = next ?? revisionRow(target)
      this.cursor = readRevision(this.from, 0)
    }
    if (failure === undefined && next === undefined && this.store.compacted === target) {
      this.running = false
      return this.run()
    }
    // As long as a step took, writers have the disk for themselves; after a failure the disk is left alone for a second.
    const { life } = this
    this.options.after(failure === undefined ? Math.min(tookMs, 100) : 1000, () => {
      if (life === this.life) this.step()
    })
  }

  /** This process no longer compacts; those who wait for a removal are not told that it is done. */
  stop(): void {
    this.life++
    this.running = false
    this.parked = false
    const { waiting } = this
    this.waiting = []
    for (const { failed } of waiting) failed()
  }

  private wake(): void {
    const done = this.waiting.filter(({ revision }) => revision <= this.cursor)
    this.waiting = this.waiting.filter(({ revision }) => revision > this.cursor)
    for (const waiter of done) waiter.done()
  }
}

/** What tells whether a log row must stay, and which one was kept for the version that it superseded. */
const placeNeeds = (row: Uint8Array, value: Uint8Array, cursor: number): ReadonlyArray<Need> => {
  const previous = readRevision(value, 1)
  const key = Buffer.from(value.subarray(LOG_HEADER_BYTES))
  return [
    ...(previous > 0 && previous < cursor
      ? [{ table: Table.Log, start: logKey(previous, 1), end: revisionRow(previous + 1), limit: 0 }]
      : []),
    ...(value[0] === EventKind.Put && logSub(row) > 0
      ? [rowNeed(Table.Key, key), rowNeed(Table.History, historyKey(key, readRevision(row, 0)))]
      : [])
  ]
}

/** How the text of a log row ends that is the first of its revision. */
const FIRST = "\0\0\0\0"

const lineOf = (value: Uint8Array): { readonly previous: number; readonly text: string } => ({
  previous: readRevision(value, 1),
  text: keyText(value.subarray(LOG_HEADER_BYTES))
})
