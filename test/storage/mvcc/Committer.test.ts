// What becomes of a batch whose commit is uncertain: the store asks the engine whether it is there before it answers anyone.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { CommitOutcome, Engine, WriteBatch } from "../../../core/storage/engine/Engine.ts"
import { Table } from "../../../core/storage/engine/Engine.ts"
import { makeMemoryEngine } from "../../../core/storage/engine/MemoryEngine.ts"
import { EtcdFailure } from "../../../core/storage/rpc/EtcdFailure.ts"
import { Store } from "../../../core/storage/mvcc/Store.ts"

type Fate = "sure" | "landed" | "lost"

/** A memory engine whose commits end as they are told: landed and lost are both reported as uncertain. */
class Unsure {
  fate: Fate = "sure"
  private readonly queue: Array<() => void> = []
  readonly defer = (run: () => void): void => void this.queue.push(run)
  private readonly inner = makeMemoryEngine({ defer: this.defer, clock: () => 0 })

  readonly engine: Engine = {
    ...this.inner,
    commit: (batch: WriteBatch, done: (outcome: CommitOutcome) => void) => {
      const unsure = (): void => done({ kind: "uncertain", detail: "the answer was lost" })
      if (this.fate === "sure") this.inner.commit(batch, done)
      else if (this.fate === "lost") this.defer(unsure)
      else this.inner.commit(batch, unsure)
    }
  }

  runAll(): void {
    while (this.queue.length > 0) this.queue.shift()?.()
  }
}

const key = (name: string): Buffer => Buffer.from(name)

const hasRow = (engine: Engine, table: Table, name: string): boolean => {
  let found = false
  engine.read(
    () => [],
    (view) => void (found = view.get(table, key(name)) !== undefined)
  )
  return found
}

describe("a commit of uncertain outcome", () => {
  it("counts as committed when it is there and as failed when it is not, with and without a revision", () => {
    const step = fc.record({ fate: fc.constantFrom<Fate>("sure", "landed", "lost"), rows: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const unsure = new Unsure()
        const store = new Store(unsure.engine, { defer: unsure.defer, minLeaseTtlSeconds: 1 })
        for (const [at, { fate, rows }] of steps.entries()) {
          unsure.fate = fate
          const name = `k${at}`
          const before = store.revision
          let failed: boolean | undefined
          const answer = (result: unknown): void => void (failed = result instanceof EtcdFailure)
          if (rows) {
            store.writeRows(({ batch }) => batch.writes.put(Table.Auth, key(name), key("x")), answer)
          } else {
            store.write(
              () => [],
              (txn) => txn.put(key(name), key("x"), 0),
              answer
            )
          }
          unsure.runAll()
          assert.strictEqual(failed, fate === "lost", `${name}: ${fate}, ${rows ? "rows" : "a transaction"}`)
          assert.strictEqual(hasRow(unsure.engine, rows ? Table.Auth : Table.Key, name), fate !== "lost")
          assert.strictEqual(store.revision, before + (rows || fate === "lost" ? 0 : 1))
        }
      })
    )
  })
})
