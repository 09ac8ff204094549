// The thread that moves commits from the log into the tree: it reads finished log files and writes them in one transaction.
// Owns the only write transactions of the store; refuses to be asked for anything else. Rows are written in key order, the
// last write of a key alone, which spares the tree most of its page copies; the main thread spends nothing on it.
import { readFileSync } from "node:fs"
import { parentPort, workerData } from "node:worker_threads"
import { type Table, Table as Tables, tableNames } from "./Engine.ts"
import { APPLIED_ROW, openTables, sequenceRow, type TreeOptions } from "./LmdbTree.ts"
import { foldLongKeys, KEY_MAX_BYTES, LONG_KEYS_ROW } from "./LongKeys.ts"
import { readRecordAt, recordSequence, visitRows } from "./WalRecord.ts"

/** What the engine asks for: the commits after `from` up to `to`, from these files. */
export interface ApplyRequest {
  readonly files: ReadonlyArray<string>
  readonly from: number
  readonly to: number
}
/** What it is told when the commits are durable in the tree, or why they are not. */
export type ApplyReply = { readonly applied: number } | { readonly failed: string }

const { root, tables } = openTables(workerData as TreeOptions)

/** Rows of one transaction: some thousand pages of the tree. */
const ROWS_PER_TRANSACTION = 8192

type Row = readonly [key: Uint8Array, value: Uint8Array | undefined]

const gather = ({ files, from, to }: ApplyRequest): ReadonlyArray<Map<string, Row>> => {
  const rows = tableNames.map(() => new Map<string, Row>())
  let applied = from
  const logs = files.map((path) => readFileSync(path)).sort((a, b) => recordSequence(a) - recordSequence(b))
  for (const file of logs) {
    const first = recordSequence(file)
    let record = first === 0 ? undefined : readRecordAt(file, 0, first)
    for (
      ;
      record !== undefined && record.sequence <= to;
      record = readRecordAt(file, record.next, record.sequence + 1)
    ) {
      if (record.sequence !== applied + 1) continue
      collect(rows, record.bytes)
      applied = record.sequence
    }
  }
  if (applied !== to) throw new Error(`the log ends at commit ${applied}, before ${to}`)
  return rows
}

const collect = (rows: ReadonlyArray<Map<string, Row>>, record: Buffer): void =>
  visitRows(record, (table, _delta, keyAt, keyEnd, valueEnd) => {
    const value = valueEnd < 0 ? undefined : record.subarray(keyEnd, valueEnd)
    rows[table].set(record.toString("latin1", keyAt, keyEnd), [record.subarray(keyAt, keyEnd), value])
  })

interface Part {
  readonly table: Table
  readonly rows: ReadonlyArray<Row>
}

/** The rows of all tables in key order, in parts that one transaction takes each: small tables share one. */
const partsOf = (tablesOfRows: ReadonlyArray<Map<string, Row>>): ReadonlyArray<ReadonlyArray<Part>> => {
  let part: Array<Part> = []
  const parts = [part]
  let room = ROWS_PER_TRANSACTION
  for (const [table, byKey] of tablesOfRows.entries()) {
    const texts = [...byKey.keys()].sort()
    for (let at = 0; at < texts.length;) {
      if (room === 0) {
        parts.push((part = []))
        room = ROWS_PER_TRANSACTION
      }
      const rows = texts.slice(at, at + room).map((text) => byKey.get(text) as Row)
      part.push({ table: table as Table, rows })
      room -= rows.length
      at += rows.length
    }
  }
  return parts
}

/**
 * Moves rows in transactions of bounded size, so that neither memory nor the disk's queue holds a whole memtable of pages, and in as few
 * as that allows: each makes the disk flush twice, and commits to the log wait for it. The last one says which commits are in the tree:
 * after a crash before it, all are moved again, to the same end.
 */
const apply = (request: ApplyRequest): void => {
  const parts = partsOf(gather(request))
  for (const [at, part] of parts.entries()) {
    root.transactionSync(() => {
      for (const { rows, table } of part) writeRows(table, rows)
      if (at === parts.length - 1) tables[Tables.Meta].putSync(APPLIED_ROW, sequenceRow(request.to))
    })
  }
}

const writeRows = (table: Table, rows: ReadonlyArray<Row>): void => {
  const target = tables[table]
  const long: Array<Row> = []
  for (const row of rows) {
    const [key, value] = row
    if (key.length > KEY_MAX_BYTES) long.push(row)
    else if (value === undefined) target.removeSync(key)
    else target.putSync(key, value as Buffer)
  }
  if (long.length === 0) return
  tables[Tables.Meta].putSync(LONG_KEYS_ROW, Buffer.alloc(1))
  for (const [rowKey, value] of foldLongKeys(long, (key) => target.getBinary(key))) {
    if (value === undefined) target.removeSync(rowKey)
    else target.putSync(rowKey, value)
  }
}

parentPort?.on("message", (request: ApplyRequest | "close") => {
  if (request === "close") {
    void root.close().then(() => parentPort?.close())
    return
  }
  let reply: ApplyReply
  try {
    apply(request)
    reply = { applied: request.to }
  } catch (error) {
    reply = { failed: error instanceof Error ? error.message : String(error) }
  }
  parentPort?.postMessage(reply)
})
