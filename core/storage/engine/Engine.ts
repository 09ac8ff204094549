// The engine port: what the store asks of the ordered key-value engine below it, and nothing more.
// Owns the contract that memory, lmdb and tikv keep: snapshot reads, atomic conditional batches, partitions, uncertainty.
// Refuses to know revisions, leases or watchers: to an engine all of that is bytes in tables.

/** The tables of a store: each is an ordered keyspace of its own. The numbers are on disk, so they never change. */
export const Table = { Meta: 0, Key: 1, History: 2, Log: 3, Lease: 4, LeaseKey: 5, Auth: 6 } as const
export type Table = (typeof Table)[keyof typeof Table]
/** Every table, in the order of its number. */
export const tableNames = ["meta", "key", "history", "log", "lease", "lease_key", "auth"] as const

/** Called with views that live only for the call; returns false to stop the scan. */
export type Visit = (key: Uint8Array, value: Uint8Array) => boolean

/** What a synchronous reader sees: one snapshot, at least as new as the last commit reported as done. */
export interface View {
  /** The value, as a view that the next call on this View may overwrite; undefined when there is none. */
  readonly get: (table: Table, key: Uint8Array) => Uint8Array | undefined
  /** Visits [start, end) in key order; an undefined `end` means to the table's end. */
  readonly scan: (table: Table, start: Uint8Array, end: Uint8Array | undefined, visit: Visit) => void
  /** How many keys lie in [start, end). */
  readonly count: (table: Table, start: Uint8Array, end: Uint8Array | undefined) => number
}

/** A value that becomes bytes only when somebody reads it: what an engine in memory may hold instead of them. It never changes. */
export interface LazyValue {
  /** About what its bytes would take. */
  readonly sizeBytes: number
  readonly bytes: () => Uint8Array
}

/** A row's value as it was put. */
export type RowValue = Uint8Array | LazyValue

/** The place of a row in an engine in memory: who keeps it needs no key to find the row again. */
export interface RowCell {
  /** Undefined once the row is gone, for good: a row put later has another place. */
  value: RowValue | undefined
}

/** The bytes of a value as it was put. */
export const valueBytes = (value: RowValue): Uint8Array => (value instanceof Uint8Array ? value : value.bytes())

/** What a read will touch, so that a remote engine can fetch it before the synchronous part runs. */
export interface Need {
  readonly table: Table
  readonly start: Uint8Array
  /** Exclusive; equal to `start` for one key, undefined for the table's end. */
  readonly end: Uint8Array | undefined
  /** At most this many rows are of interest; 0 means all. */
  readonly limit: number
  /** Whether `count` will be asked of exactly this range: rows beyond the limit are then counted, not fetched. */
  readonly counted?: boolean
}

/**
 * How a commit ended. `uncertain` is an outcome of its own: the batch may or may not be there, and the caller must read
 * to know before it allocates or reports anything that depends on it. Embedded engines never answer it.
 */
export type CommitOutcome =
  | { readonly kind: "committed" }
  | { readonly kind: "conflict"; readonly table: Table; readonly key: Uint8Array }
  | { readonly kind: "failed"; readonly reason: "no-space" | "read-only" | "corrupt" | "io"; readonly detail: string }
  | { readonly kind: "uncertain"; readonly detail: string }

/** A row by the latin1 text of its key; without a value it is removed. */
export interface TextRow {
  readonly table: Table
  readonly key: string
  readonly value: LazyValue | undefined
  /** Where the row is, if its writer knows. */
  readonly cell: RowCell | undefined
}

/** Rows written or removed together. Keys and values are kept by reference, an engine in memory for good: never change them. */
export class WriteBatch {
  readonly tables: Array<Table> = []
  readonly keys: Array<Uint8Array> = []
  readonly values: Array<Uint8Array | undefined> = []
  /** How each row changes the number of rows in its table. */
  readonly deltas: Array<number> = []
  readonly expectations: Array<{
    readonly table: Table
    readonly key: Uint8Array
    readonly value: Uint8Array | undefined
  }> = []
  /** Rows by the latin1 text of their keys, for engines that take them so. */
  readonly rows: Array<TextRow> = []
  sizeBytes = 0

  get isEmpty(): boolean {
    return this.keys.length === 0 && this.rows.length === 0
  }

  /** Puts a row into an engine that has `rows`. */
  putText(table: Table, key: string, value: LazyValue, cell?: RowCell): void {
    this.rows.push({ table, key, value, cell })
    this.sizeBytes += key.length + value.sizeBytes
  }

  /** Removes a row from an engine that has `rows`. */
  removeText(table: Table, key: string): void {
    this.rows.push({ table, key, value: undefined, cell: undefined })
    this.sizeBytes += key.length
  }

  /** `created` says that the table has no such row yet: what is counted (the Key table) must say it rightly. */
  put(table: Table, key: Uint8Array, value: Uint8Array, created = false): void {
    this.tables.push(table)
    this.keys.push(key)
    this.values.push(value)
    this.deltas.push(created ? 1 : 0)
    this.sizeBytes += key.length + value.length
  }

  /** Removes a row that is there, where it is counted. */
  remove(table: Table, key: Uint8Array): void {
    this.tables.push(table)
    this.keys.push(key)
    this.values.push(undefined)
    this.deltas.push(-1)
    this.sizeBytes += key.length
  }

  /** The batch commits only if this row is exactly so (undefined: absent): how a writer's term is fenced. */
  expect(table: Table, key: Uint8Array, value: Uint8Array | undefined): void {
    this.expectations.push({ table, key, value })
  }
}

/** Rows as they were put, by the latin1 texts of their keys. */
export interface RowStore {
  readonly get: (table: Table, key: string) => RowValue | undefined
  /** The place of a row of the Key table. */
  readonly cell: (key: string) => RowCell | undefined
  /** Visits [start, end) in key order until the visitor returns false. */
  readonly scan: (
    table: Table,
    start: string,
    end: string | undefined,
    visit: (key: string, value: RowValue) => boolean
  ) => void
}

/** A contiguous part of a table that one scan worker can take; embedded engines have one. */
export interface Partition {
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined
}

/** A metric of an engine's own: a Prometheus name, and samples whose text (suffix and labels) follows it. */
export interface EngineMetric {
  readonly name: string
  readonly kind: "counter" | "gauge" | "histogram"
  readonly help: string
  readonly samples: ReadonlyArray<readonly [suffixAndLabels: string, value: number]>
}

export interface Engine {
  readonly name: "memory" | "lmdb" | "tikv"
  /** Whether a commit reported as done survives the loss of the process and of the machine's power. */
  readonly durable: boolean
  /**
   * Whether other processes commit to the same data. Each View is then one snapshot, taken after `read` was called, that
   * holds the needs and throws NotFetched beyond them.
   */
  readonly shared?: boolean
  /** Whether reads that are asked for in one turn of the loop are one read of the engine already. */
  readonly gathers?: boolean
  /**
   * Runs `use` on a View that holds at least `needs`. Embedded engines call it at once; a remote one fetches first, and
   * the caller must then let rows changed since by its own commits win over the View.
   */
  readonly read: (
    needs: () => ReadonlyArray<Need>,
    use: (view: View) => void,
    /** Called instead of `use` when a remote engine is not served in time; without it, it tries for as long as it takes. */
    failed?: (detail: string) => void
  ) => void
  /** Rows as they were put: only engines in memory have this, and take rows by text. */
  readonly rows?: RowStore | undefined
  /** Commits atomically, in the order of calls; at most one commit may be under way. `done` is never called re-entrantly. */
  readonly commit: (batch: WriteBatch, done: (outcome: CommitOutcome) => void) => void
  /** The parts that [start, end) of a table falls into. */
  readonly partitions: (table: Table, start: Uint8Array, end: Uint8Array | undefined) => ReadonlyArray<Partition>
  /** Milliseconds by the engine's own clock: a cluster-wide one for a shared engine, the machine's for an embedded one. */
  readonly clock: () => number
  /** Bytes that the data takes on disk (or in memory), and the part of them in use. */
  readonly size: () => { readonly totalBytes: number; readonly inUseBytes: number }
  /** What the engine counts of its own operations. */
  readonly metrics?: () => ReadonlyArray<EngineMetric>
  /** Releases everything; a commit under way is waited for. */
  readonly close: () => void
}

/** Byte order as all engines sort: unsigned, a prefix before what it is a prefix of. */
export const compareBytes = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b)

/** A key by its latin1 text, which it keeps: that saves turning bytes into a string, and hashing it, again and again. */
export const textKey = (text: string): Uint8Array => {
  const key = Buffer.from(text, "latin1") as Uint8Array & { text?: string }
  key.text = text
  return key
}

/** A key as a latin1 string: hashes and compares as its bytes do. */
export const keyText = (key: Uint8Array & { readonly text?: string }): string =>
  key.text ?? (Buffer.isBuffer(key) ? key : Buffer.from(key.buffer, key.byteOffset, key.length)).toString("latin1")
