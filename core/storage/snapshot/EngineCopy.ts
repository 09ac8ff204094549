// Rows of one engine into another that has none: how a store changes its engine with everything kept.
// Owns the order (what says that there is a store comes last), the batches and the check that the target is empty; refuses to know
// what rows mean. A copy that fails leaves rows and no store; a second try says so.
import { Effect } from "effect"
import { type Engine, Table, tableNames, WriteBatch } from "../engine/Engine.ts"
import { APPLIED_ROW } from "../engine/LmdbTree.ts"
import { LONG_KEYS_ROW } from "../engine/LongKeys.ts"
import { TransferError } from "./Transfer.ts"

const BATCH_ROWS = 4000
const BATCH_BYTES = 2 * 2 ** 20
const NOTHING = Buffer.alloc(0)

/** Rows that the embedded engine keeps for itself. */
const ownRows: ReadonlyArray<Buffer> = [APPLIED_ROW, LONG_KEYS_ROW].map((row) => Buffer.from(row))

const failed = (detail: string): TransferError =>
  new TransferError({ subject: "the target", rule: "could not be written", detail })

/** The next rows of a table as a batch, and where the ones after them begin. */
const nextBatch = (source: Engine, table: Table, from: Buffer): { batch: WriteBatch; next: Buffer | undefined } => {
  const batch = new WriteBatch()
  let next: Buffer | undefined
  let rows = 0
  source.read(
    () => [{ table, start: from, end: undefined, limit: BATCH_ROWS }],
    (view) =>
      view.scan(table, from, undefined, (key, value) => {
        const isOwn = table === Table.Meta && ownRows.some((row) => row.equals(key))
        if (!isOwn) batch.put(table, Buffer.from(key), Buffer.from(value), true)
        if (++rows < BATCH_ROWS && batch.sizeBytes < BATCH_BYTES) return true
        next = Buffer.concat([key, Buffer.alloc(1)])
        return false
      })
  )
  return { batch, next }
}

const commit = (target: Engine, batch: WriteBatch): Effect.Effect<void, TransferError> =>
  Effect.callback((resume) => {
    target.commit(batch, (outcome) => {
      const detail = "detail" in outcome ? outcome.detail : outcome.kind
      resume(outcome.kind === "committed" ? Effect.void : Effect.fail(failed(detail)))
    })
  })

const isEmpty = (target: Engine): Effect.Effect<boolean, TransferError> =>
  Effect.callback((resume) => {
    const tables = tableNames.map((_, table) => table as Table)
    target.read(
      () => tables.map((table) => ({ table, start: NOTHING, end: undefined, limit: 1 })),
      (view) => {
        let found = false
        for (const table of tables) if (!found) view.scan(table, NOTHING, undefined, () => !(found = true))
        resume(Effect.succeed(!found))
      },
      (detail) => resume(Effect.fail(failed(detail)))
    )
  })

/** Copies all rows of an embedded engine; fails when the target has some already. Answers how many were copied. */
export const copyEngine = Effect.fn("storage.import.copyEngine")(function* (source: Engine, target: Engine) {
  if (!(yield* isEmpty(target))) {
    return yield* new TransferError({ subject: "the target", rule: "must hold nothing under its key prefix" })
  }
  let rows = 0
  const tables = tableNames.map((_, table) => table as Table).filter((table) => table !== Table.Meta)
  for (const table of [...tables, Table.Meta]) {
    let from: Buffer | undefined = NOTHING
    while (from !== undefined) {
      const { batch, next } = nextBatch(source, table, from)
      if (!batch.isEmpty) yield* commit(target, batch)
      rows += batch.keys.length
      from = next
    }
  }
  return rows
})
