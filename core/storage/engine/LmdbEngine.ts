// The embedded engine: LMDB on one machine's disk, one writer, group commit by one flush.
// Owns the files of a data directory, the mapping of commit errors, and the snapshot that readers see.
// Refuses a second process on the same directory, and knows nothing of what the rows mean.
import { mkdirSync, accessSync, constants, statSync } from "node:fs"
import { join } from "node:path"
import { Effect, Schema } from "effect"
import { open, type Database, type RootDatabase } from "lmdb"
import {
  compareBytes,
  tableNames,
  type CommitOutcome,
  type Engine,
  type Table,
  type View,
  type WriteBatch
} from "./Engine.ts"
import { holdDirectory } from "./DirectoryLockAdapter.ts"
import { makeCursorView, type RenewableView } from "./LmdbCursorView.ts"
import { foldLongKeys, KEY_MAX_BYTES } from "./LongKeys.ts"

export type BinaryDatabase = Database<Buffer, Uint8Array>
type Root = RootDatabase<Buffer, Uint8Array>

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
  /** Bytes of address space for the data; the data itself is bounded by the store's quota. Default 64 GiB. */
  readonly mapSizeBytes?: number
  /** false leaves flushing to the operating system: for measuring only. */
  readonly sync?: boolean
}

const MAP_SIZE_DEFAULT = 64 * 2 ** 30

/** Opens the engine for the life of the scope; fails when the directory is unusable, corrupt or held by another process. */
export const openLmdbEngine = Effect.fn("storage.openLmdbEngine")(function* (options: LmdbEngineOptions) {
  const { directory } = options
  const refuse = (rule: string) => (error: unknown) =>
    new EngineUnavailable({ directory, rule, detail: error instanceof Error ? error.message : String(error) })
  yield* Effect.try({
    try: () => {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      accessSync(directory, constants.R_OK | constants.W_OK)
    },
    catch: refuse("must be a folder that this user may read and write")
  })
  yield* holdDirectory(directory).pipe(Effect.mapError(refuse("must be used by one process only")))
  return yield* Effect.acquireRelease(
    Effect.try({ try: () => openTables(options), catch: refuse("must hold an intact LMDB file") }),
    (opened) => Effect.promise(() => opened.closed())
  )
})

const openTables = (options: LmdbEngineOptions): LmdbEngine => {
  const root: Root = open<Buffer, Uint8Array>({
    path: join(options.directory, "data.mdb"),
    noSubdir: true,
    maxDbs: tableNames.length + 1,
    mapSize: options.mapSizeBytes ?? MAP_SIZE_DEFAULT,
    overlappingSync: false,
    noSync: options.sync === false,
    noMemInit: true,
    keyEncoding: "binary",
    encoding: "binary"
  })
  const tables = tableNames.map((name) =>
    root.openDB<Buffer, Uint8Array>({ name, keyEncoding: "binary", encoding: "binary" })
  )
  return new LmdbEngine(root, tables, options)
}

class LmdbEngine implements Engine {
  readonly name = "lmdb"
  readonly durable: boolean
  private readonly root: Root
  private readonly tables: ReadonlyArray<BinaryDatabase>
  private readonly path: string
  private readonly view: RenewableView
  private underWay: Promise<unknown> = Promise.resolve()

  constructor(root: Root, tables: ReadonlyArray<BinaryDatabase>, options: LmdbEngineOptions) {
    this.root = root
    this.tables = tables
    this.durable = options.sync !== false
    this.path = join(options.directory, "data.mdb")
    this.view = makeCursorView(root, tables)
  }

  read(_needs: unknown, use: (view: View) => void): void {
    use(this.view)
  }

  commit(batch: WriteBatch, done: (outcome: CommitOutcome) => void): void {
    const settle = (outcome: CommitOutcome): void => {
      this.view.renew()
      done(outcome)
    }
    for (const { key, table, value } of batch.expectations) {
      const found = this.view.get(table, key)
      const same = found === undefined || value === undefined ? found === value : compareBytes(found, value) === 0
      if (!same) return queueMicrotask(() => done({ kind: "conflict", table, key }))
    }
    this.underWay = this.write(batch).then(
      () => settle({ kind: "committed" }),
      (error: unknown) => commitFailure(error).then(settle)
    )
  }

  private write(batch: WriteBatch): Promise<unknown> {
    const { keys, tables, values } = batch
    const long: Array<number> = []
    let last: Promise<boolean> | undefined
    for (let row = 0; row < keys.length; row++) {
      const key = keys[row]
      if (key.length > KEY_MAX_BYTES) long.push(row)
      else last = this.writeRow(tables[row], key, values[row])
    }
    if (long.length > 0)
      for (const [table, key, value] of foldLongKeys(batch, long, this.view.row))
        last = this.writeRow(table, key, value)
    return last ?? Promise.resolve()
  }

  private writeRow(table: Table, key: Uint8Array, value: Uint8Array | undefined): Promise<boolean> {
    return value === undefined ? this.tables[table].remove(key) : this.tables[table].put(key, value as Buffer)
  }

  partitions(_table: Table, start: Uint8Array, end: Uint8Array | undefined) {
    return [{ start, end }]
  }

  clock(): number {
    return Date.now()
  }

  size() {
    const totalBytes = statSync(this.path).size
    const { freePages, pageSize } = pageStatistics(this.root)
    return { totalBytes, inUseBytes: Math.max(0, totalBytes - freePages * pageSize) }
  }

  close(): void {
    this.view.release()
  }

  /** Resolves when the last commit has ended and the files are closed. */
  async closed(): Promise<void> {
    await this.underWay
    this.close()
    await this.root.close()
  }
}

const pageStatistics = (root: Root): { readonly freePages: number; readonly pageSize: number } => {
  const stats = root.getStats() as { free?: { entryCount?: number }; pageSize?: number; freePages?: number }
  return { freePages: stats.freePages ?? 0, pageSize: stats.pageSize ?? 4096 }
}

/** LMDB's failure in the port's words: what an operator can do differs, so the reason does. */
const commitFailure = async (error: unknown): Promise<CommitOutcome> => {
  const detail = await failureText(error)
  const reason = /ENOSPC|MDB_MAP_FULL|No space left/i.test(detail)
    ? "no-space"
    : /EROFS|EACCES|Read-only/i.test(detail)
      ? "read-only"
      : /MDB_CORRUPTED|MDB_PAGE_NOTFOUND|MDB_PANIC/i.test(detail)
        ? "corrupt"
        : "io"
  return { kind: "failed", reason, detail }
}

const failureText = async (error: unknown): Promise<string> => {
  const cause = (error as { commitError?: Promise<unknown> }).commitError
  if (cause === undefined) return String(error)
  return Promise.race([cause, new Promise((resolve) => setTimeout(resolve, 100, error))]).then(String, String)
}
