// The embedded engine: a write-ahead log for durability, a memtable above LMDB's tree for what the tree has yet to take in.
// Owns when commits move into the tree and the bound on what waits; refuses a second process on the directory, and knows
// nothing of what the rows mean. A commit costs one sequential write; the tree is written in large sorted transactions by
// a thread of its own, because LMDB's own group commit writes a page of 4 KiB for every row of 600 bytes.
import { accessSync, constants, existsSync, mkdirSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { Worker } from "node:worker_threads"
import { Effect, Schema } from "effect"
import type { Transaction } from "lmdb"
import { readRevision } from "../mvcc/Layout.ts"
import { holdDirectory } from "./DirectoryLockAdapter.ts"
import { compareBytes, type CommitOutcome, type Engine, Table, type View, type WriteBatch } from "./Engine.ts"
import { LayeredView } from "./LayeredView.ts"
import { makeCursorView, type RenewableView } from "./LmdbCursorView.ts"
import type { ApplyReply, ApplyRequest } from "./LmdbEngineWriter.ts"
import { checkDataFile } from "./LmdbFileCheckAdapter.ts"
import { makePageView } from "./LmdbPageView.ts"
import {
  APPLIED_ROW,
  type BinaryDatabase,
  type BinaryRoot,
  mappedAddress,
  openTables,
  treePath,
  type TreeOptions
} from "./LmdbTree.ts"
import { Memtable } from "./Memtable.ts"
import { Wal } from "./WalAdapter.ts"

/** The data directory cannot be used; `rule` says why in words, `detail` carries the system's own. */
export class EngineUnavailable extends Schema.TaggedError<EngineUnavailable>()("EngineUnavailable", {
  directory: Schema.String,
  rule: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `data directory ${this.directory}: ${this.rule} (${this.detail})`
  }
}

export interface LmdbEngineOptions {
  /** The folder of the data files; made when it is not there. */
  readonly directory: string
  /** Bytes of address space for the tree. Default 256 GiB. */
  readonly mapSizeBytes?: number
  /** false leaves flushing to the operating system: for measuring only. Default true. */
  readonly sync?: boolean
}

const MAP_SIZE_DEFAULT = 256 * 2 ** 30
/** A memtable of this size moves into the tree at once; a smaller one after a while: commits of that moment share the disk with it. */
const FLUSH_BYTES = 48 * 2 ** 20
const FLUSH_AFTER_MS = 5000
const RETRY_AFTER_MS = 1000
/** What may wait in memory while the tree takes in the last memtable; beyond, commits wait for it. */
const WAITING_MAX_BYTES = 96 * 2 ** 20

/** Node's own recursive form never returns where the system says ENOENT for a child of a folder that is there (/proc). */
const makeFolder = (directory: string): void => {
  if (existsSync(directory)) return
  makeFolder(dirname(directory))
  mkdirSync(directory, { mode: 0o700 })
}

/** Opens the engine for the life of the scope; fails when the directory is unusable, corrupt or held by another process. */
export const openLmdbEngine = Effect.fn("storage.openLmdbEngine")(function* (options: LmdbEngineOptions) {
  const directory = resolve(options.directory)
  const refuse = (rule: string) => (error: unknown) =>
    new EngineUnavailable({ directory, rule, detail: error instanceof Error ? error.message : String(error) })
  yield* Effect.try({
    try: () => {
      makeFolder(directory)
      accessSync(directory, constants.R_OK | constants.W_OK)
    },
    catch: refuse("must be a folder that this user may read and write")
  })
  yield* holdDirectory(directory).pipe(Effect.mapError(refuse("must be used by one process only")))
  const tree = { directory, mapSizeBytes: options.mapSizeBytes ?? MAP_SIZE_DEFAULT, sync: options.sync !== false }
  return yield* Effect.acquireRelease(
    Effect.try({
      try: () => {
        checkDataFile(treePath(directory))
        return new LmdbEngine(tree)
      },
      catch: refuse("must hold intact data files")
    }),
    (engine) => Effect.promise(() => engine.closed())
  )
})

class LmdbEngine implements Engine {
  readonly name = "lmdb"
  readonly durable: boolean
  private readonly options: TreeOptions
  private readonly root: BinaryRoot
  private readonly tables: ReadonlyArray<BinaryDatabase>
  private readonly base: RenewableView
  private readonly view: LayeredView
  private readonly wal: Wal
  private readonly writer: Worker
  private active = new Memtable()
  private moving: { readonly table: Memtable; readonly files: ReadonlyArray<number>; readonly to: number } | undefined
  private pinned: Transaction | undefined
  private applied: number
  private failure: string | undefined
  private timer: NodeJS.Timeout | undefined
  private waiting: (() => void) | undefined
  private committing = false
  private onIdle: (() => void) | undefined

  constructor(options: TreeOptions) {
    this.options = options
    this.durable = options.sync
    const { root, tables } = openTables(options)
    this.root = root
    this.tables = tables
    const address = mappedAddress(treePath(options.directory))
    this.base = address === undefined ? makeCursorView(root, tables) : makePageView(address)
    this.view = new LayeredView(this.base)
    const applied = this.base.get(Table.Meta, APPLIED_ROW)
    this.applied = applied === undefined ? 0 : readRevision(applied, 0)
    this.pin()
    this.wal = new Wal(options, this.applied)
    this.wal.replay((record) => this.active.apply(record))
    if (!this.active.isEmpty) this.active.recount(Table.Key, (key) => this.base.get(Table.Key, key) !== undefined)
    this.writer = new Worker(new URL("./LmdbEngineWriter.ts", import.meta.url), {
      workerData: options,
      resourceLimits: { maxYoungGenerationSizeMb: 16 }
    })
    this.writer.on("message", (reply: ApplyReply) => this.moved(reply))
    this.writer.on("error", (error) => this.moved({ failed: String(error) }))
    this.writer.unref()
    this.layer()
    const complete = this.wal.rotate()
    this.wal.prepare()
    if (this.active.isEmpty) this.wal.release(complete)
    else this.flush()
  }

  read(_needs: unknown, use: (view: View) => void): void {
    use(this.view)
  }

  commit(batch: WriteBatch, done: (outcome: CommitOutcome) => void): void {
    for (const { key, table, value } of batch.expectations) {
      const found = this.view.get(table, key)
      const same = found === undefined || value === undefined ? found === value : compareBytes(found, value) === 0
      if (!same) return queueMicrotask(() => done({ kind: "conflict", table, key }))
    }
    if (this.moving !== undefined && this.active.sizeBytes > WAITING_MAX_BYTES) return this.hold(batch, done)
    this.committing = true
    this.wal.append(batch, (error, record) => {
      this.committing = false
      if (error === undefined) {
        this.active.apply(record)
        this.scheduleFlush()
      }
      done(error === undefined ? { kind: "committed" } : failed(error))
      this.onIdle?.()
    })
  }

  /** The tree is behind: the commit waits for it, or fails with what keeps the tree from taking more. */
  private hold(batch: WriteBatch, done: (outcome: CommitOutcome) => void): void {
    const { failure } = this
    if (failure !== undefined) return queueMicrotask(() => done(failed(new Error(failure))))
    this.waiting = () => this.commit(batch, done)
  }

  private scheduleFlush(): void {
    if (this.moving !== undefined) return
    if (this.active.sizeBytes >= FLUSH_BYTES) this.flush()
    else this.timer ??= setTimeout(() => this.flush(), FLUSH_AFTER_MS).unref()
  }

  /** Hands everything committed so far to the writer thread. */
  private flush(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.moving !== undefined || this.active.isEmpty || this.committing) {
      if (this.committing) this.timer = setTimeout(() => this.flush(), 1).unref()
      return
    }
    const files = this.wal.rotate()
    this.moving = { table: this.active, files, to: this.wal.sequence }
    this.active = new Memtable()
    this.layer()
    this.wal.prepare()
    this.send()
  }

  private send(): void {
    if (this.moving === undefined) return
    const { files, to } = this.moving
    const request: ApplyRequest = {
      files: files.map((number) => this.wal.pathOf(number)),
      from: this.applied,
      to
    }
    this.writer.postMessage(request)
  }

  private moved(reply: ApplyReply): void {
    if (this.moving === undefined) return
    if ("failed" in reply) {
      this.failure = reply.failed
      setTimeout(() => this.send(), RETRY_AFTER_MS).unref()
    } else {
      this.failure = undefined
      this.applied = reply.applied
      this.base.renew()
      this.pin()
      this.wal.release(this.moving.files)
      this.moving = undefined
      this.layer()
      if (!this.active.isEmpty) this.scheduleFlush()
    }
    const { waiting } = this
    this.waiting = undefined
    waiting?.()
    this.onIdle?.()
  }

  /**
   * Holds the tree's current snapshot: the writer moves a memtable in several transactions, and none of them may reuse
   * a page that is looked at until all are done.
   */
  private pin(): void {
    this.root.resetReadTxn()
    const held = this.root.useReadTransaction()
    this.pinned?.done()
    this.pinned = held
  }

  private layer(): void {
    const below = this.moving === undefined ? [] : [this.moving.table]
    this.view.layers = this.active.isEmpty && this.moving === undefined ? [this.active] : [this.active, ...below]
  }

  partitions(_table: Table, start: Uint8Array, end: Uint8Array | undefined) {
    return [{ start, end }]
  }

  clock(): number {
    return Date.now()
  }

  size() {
    const totalBytes = statSync(treePath(this.options.directory)).size
    return { totalBytes, inUseBytes: this.tables.map(usedBytes).reduce((sum, bytes) => sum + bytes, 0) }
  }

  close(): void {
    void this.closed()
  }

  /** Moves what is left into the tree and closes the files; resolves when that is done. */
  async closed(): Promise<void> {
    await this.idle()
    if (this.failure === undefined) {
      this.flush()
      await this.idle()
    }
    clearTimeout(this.timer)
    await new Promise((exited) => {
      this.writer.once("exit", exited)
      this.writer.postMessage("close")
    })
    this.pinned?.done()
    this.base.release()
    this.wal.close()
    await this.root.close()
  }

  private idle(): Promise<void> {
    return new Promise((finished) => {
      this.onIdle = () => {
        if (!this.committing && (this.moving === undefined || this.failure !== undefined)) finished()
      }
      this.onIdle()
    })
  }
}

/** What getStats of the binding tells of a tree; it declares less. */
interface TreeStatistics {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

/** Bytes in the pages that hold a table's rows: a page that compaction freed is used again before the file grows. */
const usedBytes = (table: BinaryDatabase): number => {
  // SAFETY: the binding's statistics always carry these four numbers.
  const stats = table.getStats() as unknown as TreeStatistics
  return (stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages) * stats.pageSize
}

/** The system's error in the port's words: what an operator can do differs, so the reason does. */
const failed = (error: Error): CommitOutcome => {
  const detail = error.message
  const reason = /ENOSPC|MDB_MAP_FULL|No space left|EFBIG/i.test(detail)
    ? "no-space"
    : /EROFS|EACCES|Read-only/i.test(detail)
      ? "read-only"
      : /MDB_CORRUPTED|MDB_PAGE_NOTFOUND|MDB_PANIC/i.test(detail)
        ? "corrupt"
        : "io"
  return { kind: "failed", reason, detail }
}
